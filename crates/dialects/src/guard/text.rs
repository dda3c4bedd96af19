//! Lenient readings of single values.

use super::{DEPTH_MAX, MEMBERS_MAX, TEXT_BYTES_MAX};
use crate::validation::{Json, Members, without_half_pairs, without_non_numbers};
use serde_json::{Map, Value};

/// The text up to this many bytes, `…` at the end where it was cut.
pub(super) fn cut(text: &str, bytes_max: usize) -> Box<str> {
    if text.len() <= bytes_max {
        return text.into();
    }
    let end = text.floor_char_boundary(bytes_max.saturating_sub('…'.len_utf8()));
    format!("{}…", text.get(..end).unwrap_or_default()).into()
}

/// A string, or the printed form of anything else; none for `null`.
pub(super) fn printed(json: Json<'_>, bytes_max: usize) -> Option<Box<str>> {
    if json.is_null() {
        return None;
    }
    Some(match json.text() {
        Ok(text) => cut(&text, bytes_max),
        Err(_) => cut(json.as_text(), bytes_max),
    })
}

/// The value under a name, printed.
pub(super) fn printed_field(
    members: &Members<'_>,
    name: &str,
    bytes_max: usize,
) -> Option<Box<str>> {
    members.get(name).and_then(|json| printed(json, bytes_max))
}

/// The value, halves of surrogate pairs repaired and what is no number `null`; the JSON text as a
/// string where it is nested too deep.
pub(super) fn value(json: Json<'_>) -> Value {
    let text = json.as_text();
    if json.depth() > DEPTH_MAX {
        return Value::from(&*cut(text, TEXT_BYTES_MAX));
    }
    if let Ok(value) = serde_json::from_str(text) {
        return value;
    }
    let whole = without_half_pairs(text);
    let whole = whole.as_deref().unwrap_or(text);
    let numbers = without_non_numbers(whole.as_bytes());
    serde_json::from_slice(numbers.as_deref().unwrap_or(whole.as_bytes()))
        .unwrap_or_else(|_| Value::from(&*cut(text, TEXT_BYTES_MAX)))
}

/// Adds members until they are too many or too long together; what is too long by itself is cut.
/// The rest is counted.
pub(super) struct BoundedObject {
    members: Map<String, Value>,
    bytes_left: usize,
    left_out: u64,
}

impl BoundedObject {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { members: Map::new(), bytes_left: bytes_max, left_out: 0 }
    }

    pub(super) fn add(&mut self, name: &str, json: Json<'_>) {
        let value = if json.as_text().len() > TEXT_BYTES_MAX && !is_object_or_list(json) {
            self.left_out += 1;
            Value::from(printed(json, TEXT_BYTES_MAX).unwrap_or_default().into_string())
        } else if json.as_text().len() > self.bytes_left {
            self.left_out += 1;
            Value::from(&*cut(json.as_text(), TEXT_BYTES_MAX))
        } else {
            value(json)
        };
        let length = match &value {
            Value::String(text) => text.len(),
            _ => json.as_text().len(),
        };
        let cost = name.len() + length;
        if cost > self.bytes_left || self.members.len() >= MEMBERS_MAX {
            self.left_out += 1;
            return;
        }
        self.bytes_left -= cost;
        self.members.insert(name.to_owned(), value);
    }

    /// What was kept, and how many values were cut or dropped.
    pub(super) fn finish(self) -> (Map<String, Value>, u64) {
        (self.members, self.left_out)
    }
}

fn is_object_or_list(json: Json<'_>) -> bool {
    json.as_text().starts_with(['{', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(&*cut("abcdef", 6), "abcdef");
        assert_eq!(&*cut("abcdefg", 6), "abc…");
        assert_eq!(&*cut("aéééé", 6), "aé…");
    }

    #[test]
    fn anything_has_a_printed_form() {
        check("null", None);
        check("\"a\"", Some("a"));
        check("1.50", Some("1.50"));
        check("true", Some("true"));
        check("{\"a\":[1]}", Some("{\"a\":[1]}"));
        check("\"\\udc80\"", Some("\u{fffd}"));
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let json = Json::read(text.as_bytes()).expect("well-formed");
        assert_eq!(printed(json, 100).as_deref(), expected, "{text}");
    }

    #[test]
    fn values_are_repaired_and_bounded_in_depth() {
        let read = |text: &str| value(Json::read(text.as_bytes()).expect("well-formed"));
        assert_eq!(
            read(r#"{"a":"\ud800","b":1e999}"#).to_string(),
            "{\"a\":\"\u{fffd}\",\"b\":null}"
        );
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(read(&deep), Value::from(deep.as_str()));
    }
}
