//! Statements of batch files: `for %a in (…) do …`, `if exist … del …`.

use super::commands::habit;
use super::words::last_part;
use crate::payload::text::{at, contains, is_space, places_of, slice};

/// Where a loop stands: `for /f %a in (…) do …`.
pub(super) fn loop_in(text: &[u8]) -> Option<usize> {
    const BEFORE_MAX: usize = 64;
    const BEHIND_MAX: usize = 256;
    places_of(text, b" in (").find_map(|middle| {
        let start = middle.saturating_sub(BEFORE_MAX);
        let before = slice(text, start, middle);
        let behind = slice(text, middle, middle + BEHIND_MAX);
        let begins = memchr::memmem::rfind(before, b"for ")?;
        let has_variable = slice(before, begins, before.len()).contains(&b'%');
        (has_variable && (contains(behind, b") do ") || contains(behind, b")do ")))
            .then_some(start + begins)
    })
}

/// Whether the text is a condition with a command behind it: `if not exist x md x`, `if %a% equ 3 echo y`.
pub(super) fn is_batch_condition(text: &[u8]) -> bool {
    const WORDS_MAX: usize = 12;
    let mut words = text.split(|&byte| is_space(byte)).filter(|word| !word.is_empty());
    if words.next() != Some(b"if") {
        return false;
    }
    let mut words = words.take(WORDS_MAX).skip_while(|&word| word == b"not" || word == b"/i");
    let Some(first) = words.next() else { return false };
    let behind = match first {
        b"exist" | b"defined" | b"errorlevel" | b"cmdextversion" => {
            words.next();
            words.next()
        }
        _ if contains(first, b"==") => words.next(),
        _ => match words.next() {
            Some(b"equ" | b"neq" | b"lss" | b"leq" | b"gtr" | b"geq" | b"==") => {
                words.next();
                words.next()
            }
            _ => None,
        },
    };
    behind.is_some_and(is_batch_command)
}

fn is_batch_command(word: &[u8]) -> bool {
    let start = word.iter().position(|&byte| !matches!(byte, b'@' | b'(')).unwrap_or(word.len());
    let name = slice(word, start, word.len());
    habit(last_part(name)).is_some()
        || matches!(name, b"goto" | b"call" | b"md" | b"rd" | b"ren" | b"pause")
        || name.is_empty() && at(word, 0) == b'('
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_have_a_command_behind_them() {
        check("if exist c:\\x del c:\\x", true);
        check("if /i not defined foo set foo=1", true);
        check("if %n% equ 3 (echo x", true);
        check("if exist, copy the file", false);
        check("if not exists then create it", false);
        check("if 5 is more than 3", false);
    }

    #[track_caller]
    fn check(text: &str, expected: bool) {
        assert_eq!(is_batch_condition(text.as_bytes()), expected, "text {text:?}");
    }

    #[test]
    fn loops_have_a_variable_and_a_body() {
        assert_eq!(loop_in(b"& for /f %a in ('dir') do echo %a"), Some(2));
        assert_eq!(loop_in(b"for %s in (list) we do nothing"), None);
        assert_eq!(loop_in(b"for each x in (a, b) do it"), None);
    }
}
