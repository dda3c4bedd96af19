//! JSON that is safe to look at: the same values, with what deceives the eye written as `\u…`.

use ringwall_lifecycle::visible::deceives;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};
use std::io::{self, Write};

pub(super) fn compact<T: Serialize>(value: &T) -> anyhow::Result<String> {
    write(value, CompactFormatter)
}

pub(super) fn pretty<T: Serialize>(value: &T) -> anyhow::Result<String> {
    write(value, PrettyFormatter::new())
}

fn write<T: Serialize, F: Formatter>(value: &T, formatter: F) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Safe(formatter)))?;
    Ok(String::from_utf8(bytes)?)
}

struct Safe<F>(F);

/// Hands everything on, but for the texts.
macro_rules! hand_on {
    ($($method:ident($($argument:ident: $Type:ty),*);)*) => {$(
        fn $method<W: ?Sized + Write>(
            &mut self,
            writer: &mut W,
            $($argument: $Type),*
        ) -> io::Result<()> {
            self.0.$method(writer, $($argument),*)
        }
    )*};
}

impl<F: Formatter> Formatter for Safe<F> {
    hand_on! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = 0;
        for (position, character) in fragment.char_indices().filter(|(_, c)| deceives(*c)) {
            writer.write_all(fragment.get(plain..position).unwrap_or_default().as_bytes())?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = position + character.len_utf8();
        }
        writer.write_all(fragment.get(plain..).unwrap_or_default().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_deceives_is_escaped() {
        check("plain é 世 \"\\", "\"plain é 世 \\\"\\\\\"");
        check("\u{1b}[0m\u{9b}2J\u{7f}", "\"\\u001b[0m\\u009b2J\\u007f\"");
        check("a\u{202e}b\u{e0041}", "\"a\\u202eb\\udb40\\udc41\"");
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(compact(&text).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn the_value_is_the_same(texts: Vec<String>) {
            for written in [compact(&texts).unwrap(), pretty(&texts).unwrap()] {
                prop_assert_eq!(serde_json::from_str::<Vec<String>>(&written).unwrap(), texts.clone());
                prop_assert!(!written.chars().any(|c| c != '\n' && deceives(c)));
            }
        }
    }
}
