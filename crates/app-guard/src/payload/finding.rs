//! What was found, in words for people.

use super::category::Category;
use super::place::Place;
use std::borrow::Cow;
use std::fmt::Write as _;

/// The longest excerpt, in characters.
pub const EXCERPT_CHARACTERS_MAX: usize = 100;

/// The longest name of a field that is repeated in a finding, in characters.
const NAME_CHARACTERS_MAX: usize = 100;

/// An attack in a value, or a hint at one that reached the threshold together with others.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What kind of attack.
    pub category: Category,
    /// Where: `query_param:NAME`, `url_path`, `header:NAME`, `request_body`, `request_body:NAME`.
    pub place: String,
    /// How much it counts; the findings of one value add up to the threshold or more.
    pub weight: f32,
    /// Which structure was recognised, in words.
    pub explanation: Cow<'static, str>,
    /// What it was seen in, decoded, with unprintable characters escaped; at most 100 characters.
    pub excerpt: String,
    /// The name of the check, or the custom pattern.
    pub pattern: Cow<'static, str>,
}

/// Something a check saw, before it is known whether it is enough.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) category: Category,
    pub(crate) weight: f32,
    pub(crate) pattern: Cow<'static, str>,
    pub(crate) explanation: Cow<'static, str>,
    pub(crate) excerpt: String,
}

impl Hit {
    pub(crate) fn into_finding(self, place: Place<'_>) -> Finding {
        let mut place = place.to_string();
        if let Some((cut, _)) = place.char_indices().nth(NAME_CHARACTERS_MAX) {
            place.truncate(cut);
        }
        Finding {
            category: self.category,
            place,
            weight: self.weight,
            explanation: self.explanation,
            excerpt: self.excerpt,
            pattern: self.pattern,
        }
    }
}

/// The text around `at`, printable and short.
pub(crate) fn excerpt(value: &[u8], at: usize) -> String {
    const BEFORE: usize = 16;
    let mut start = at.min(value.len()).saturating_sub(BEFORE);
    // Not in the middle of a character.
    while start > 0 && value.get(start).is_some_and(|byte| byte & 0xc0 == 0x80) {
        start -= 1;
    }
    let end = value.len().min(start.saturating_add(EXCERPT_CHARACTERS_MAX * 4));
    let mut out = String::new();
    let mut characters = 0;
    for chunk in value.get(start..end).unwrap_or_default().utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut escaped = String::new();
            if character.is_control() || is_invisible(character) {
                escaped.extend(character.escape_default());
            } else {
                escaped.push(character);
            }
            let length = escaped.chars().count();
            if characters + length > EXCERPT_CHARACTERS_MAX {
                return out;
            }
            characters += length;
            out.push_str(&escaped);
        }
        for byte in chunk.invalid() {
            if characters + 4 > EXCERPT_CHARACTERS_MAX {
                return out;
            }
            characters += 4;
            // Writing into a string does not fail.
            write!(out, "\\x{byte:02x}").ok();
        }
    }
    out
}

/// Characters that change how the text around them is shown.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_printable() {
        assert_eq!(excerpt(b"a\r\n\xff\0", 0), r"a\r\n\xff\u{0}");
        let long = "é".repeat(5000);
        assert_eq!(excerpt(long.as_bytes(), 301).chars().count(), EXCERPT_CHARACTERS_MAX);
        assert_eq!(excerpt(b"abc", 99), "abc");
        assert_eq!(excerpt("a\u{202e}b".as_bytes(), 0), r"a\u{202e}b");
    }
}
