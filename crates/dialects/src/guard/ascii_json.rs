//! JSON as Python's writer makes it: compact, and ASCII only.

use serde_json::Value;
use std::io::Write;

/// Appends the JSON string, with `\uXXXX` for whatever is not printable ASCII.
pub fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut copied = 0;
    for (at, character) in text.char_indices() {
        if matches!(character, ' '..='~') && character != '"' && character != '\\' {
            continue;
        }
        out.extend_from_slice(text.get(copied..at).unwrap_or_default().as_bytes());
        copied = at + character.len_utf8();
        push_escape(out, character);
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default().as_bytes());
    out.push(b'"');
}

/// Appends a number; `null` for what is none, as JSON has no word for it.
pub fn push_number(out: &mut Vec<u8>, number: f64) {
    match serde_json::Number::from_f64(number) {
        Some(number) => push_display(out, &number),
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends any value, the members of objects sorted by their names.
///
/// The depth of the value is bounded by whoever made it: a [`Value`] that was read has at most 127
/// levels.
pub fn push_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => push_display(out, number),
        Value::String(text) => push_text(out, text),
        Value::Array(items) => push_list(out, items, push_value),
        Value::Object(members) => {
            push_members(out, members.iter(), |out, (name, value)| {
                push_text(out, name);
                out.push(b':');
                push_value(out, value);
            });
        }
    }
}

pub(super) fn push_list<'a, T: 'a>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = &'a T>,
    push: impl Fn(&mut Vec<u8>, &'a T),
) {
    out.push(b'[');
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        push(out, item);
    }
    out.push(b']');
}

pub(super) fn push_members<T>(
    out: &mut Vec<u8>,
    members: impl Iterator<Item = T>,
    push: impl Fn(&mut Vec<u8>, T),
) {
    out.push(b'{');
    for (position, member) in members.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        push(out, member);
    }
    out.push(b'}');
}

/// Writes an object field by field.
pub(super) struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

impl<'a> ObjectWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_first: true }
    }

    /// The place for the value of this field.
    pub(super) fn field(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
        push_text(self.out, name);
        self.out.push(b':');
        self.out
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        push_text(self.field(name), text);
    }

    pub(super) fn text_or_null(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.null(name),
        }
    }

    pub(super) fn display_or_null<T: std::fmt::Display>(&mut self, name: &str, value: Option<T>) {
        match value {
            Some(value) => push_display(self.field(name), &value),
            None => self.null(name),
        }
    }

    pub(super) fn null(&mut self, name: &str) {
        self.field(name).extend_from_slice(b"null");
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }
}

pub(super) fn push_display(out: &mut Vec<u8>, value: &impl std::fmt::Display) {
    #[expect(clippy::expect_used, reason = "writing to a vector has no way to fail")]
    write!(out, "{value}").expect("a vector takes every byte");
}

fn push_escape(out: &mut Vec<u8>, character: char) {
    let short: &[u8] = match character {
        '"' => b"\\\"",
        '\\' => b"\\\\",
        '\n' => b"\\n",
        '\r' => b"\\r",
        '\t' => b"\\t",
        '\u{8}' => b"\\b",
        '\u{c}' => b"\\f",
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                push_display(out, &format_args!("\\u{unit:04x}"));
            }
            return;
        }
    };
    out.extend_from_slice(short);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_as_python_writes_it() {
        check("plain", r#""plain""#);
        check("é", r#""\u00e9""#);
        check("😀\u{7f}", r#""\ud83d\ude00\u007f""#);
        check("a\"b\\c\n\r\t\u{8}\u{c}\u{0}", r#""a\"b\\c\n\r\t\b\f\u0000""#);
        check("", r#""""#);
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut out = Vec::new();
        push_text(&mut out, text);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn what_is_no_number_is_null() {
        let mut out = Vec::new();
        for number in [1.0, 0.25, f64::NAN, f64::INFINITY] {
            push_number(&mut out, number);
            out.push(b' ');
        }
        assert_eq!(out, b"1.0 0.25 null null ");
    }

    proptest::proptest! {
        #[test]
        fn every_text_is_read_back(text: String) {
            let mut out = Vec::new();
            push_value(&mut out, &Value::from(text.as_str()));
            proptest::prop_assert!(out.is_ascii());
            proptest::prop_assert_eq!(serde_json::from_slice::<String>(&out).ok(), Some(text));
        }
    }
}
