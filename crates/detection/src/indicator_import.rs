//! Lists of indicators as the SysScore agent takes them (`sysscore.md` section 14.5).

use crate::{Indicator, IndicatorKind, IndicatorOrigin, IndicatorValue};
use ringwall_event::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// The largest list in bytes.
pub const IMPORT_BYTES_MAX: usize = 32 << 20;

/// How many entries one list has at most.
pub const IMPORT_ITEMS_MAX: usize = 500_000;

/// How many refusals are told one by one.
pub const REFUSED_MAX: usize = 1000;

/// What a list came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// What can be listed, each value once, in the order of the list.
    pub indicators: Vec<Indicator>,
    /// What cannot, the first [`REFUSED_MAX`].
    pub refused: Vec<RefusedItem>,
    /// How many entries cannot be listed.
    pub refused_count: usize,
}

/// An entry that cannot be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedItem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// Why a list cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// More bytes than are taken at once.
    #[error("the list has {0} bytes, at most {IMPORT_BYTES_MAX} are taken")]
    TooLarge(usize),
    /// More entries than are taken at once.
    #[error("the list has more than {IMPORT_ITEMS_MAX} entries")]
    TooMany,
    /// The text is not a JSON object.
    #[error("line {line}: {reason}")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Reads a list of values of one kind, one a line. What follows `#` at the beginning of a line or
/// after a blank is a remark.
///
/// # Errors
/// Where the list is too large.
pub fn import_text(kind: IndicatorKind, text: &str, now: Timestamp) -> Result<Import, ImportError> {
    let mut reading = Reading::begin(text, now)?;
    for (number, line) in text.lines().enumerate() {
        let value = without_remark(line).trim();
        if !value.is_empty() {
            reading.take(kind, value, number + 1)?;
        }
    }
    Ok(reading.import)
}

/// Reads a JSON object of lists: `hashes`, `ips`, `domains`, `file_paths`, `process_names`, and the
/// names of the agent's own store, `file_hashes` and `ip_addresses`.
///
/// # Errors
/// Where the text is not a JSON object, or too large.
pub fn import_json(text: &str, now: Timestamp) -> Result<Import, ImportError> {
    let mut reading = Reading::begin(text, now)?;
    let lines = Lines::of(text);
    let Members(members) = serde_json::from_str(text).map_err(|error| ImportError::NotJson {
        line: error.line(),
        reason: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
    })?;
    for (key, value) in members {
        let kind = match key.as_ref() {
            "hashes" | "file_hashes" => IndicatorKind::Hash,
            "ips" | "ip_addresses" => IndicatorKind::Address,
            "domains" => IndicatorKind::Domain,
            "file_paths" => IndicatorKind::Path,
            "process_names" => IndicatorKind::Process,
            "metadata" | "last_update" => continue,
            _ => {
                reading.refuse(lines.line_of(value), "unknown key".to_owned());
                continue;
            }
        };
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
            reading.refuse(lines.line_of(value), "not a list".to_owned());
            continue;
        };
        for item in items {
            let line = lines.line_of(item);
            match serde_json::from_str::<Cow<'_, str>>(item.get()) {
                Ok(text) => reading.take(kind, &text, line)?,
                Err(_) => reading.refuse(line, "not a string".to_owned()),
            }
        }
    }
    Ok(reading.import)
}

struct Reading {
    import: Import,
    known: HashSet<Box<str>>,
    items: usize,
    now: Timestamp,
}

impl Reading {
    fn begin(text: &str, now: Timestamp) -> Result<Self, ImportError> {
        if text.len() > IMPORT_BYTES_MAX {
            return Err(ImportError::TooLarge(text.len()));
        }
        Ok(Self { import: Import::default(), known: HashSet::new(), items: 0, now })
    }

    fn take(&mut self, kind: IndicatorKind, text: &str, line: usize) -> Result<(), ImportError> {
        self.items += 1;
        if self.items > IMPORT_ITEMS_MAX {
            return Err(ImportError::TooMany);
        }
        match IndicatorValue::parse(kind, text) {
            Ok(value) => {
                let indicator = Indicator::new(value, IndicatorOrigin::Import, self.now);
                if self.known.insert(indicator.id().into()) {
                    self.import.indicators.push(indicator);
                }
            }
            Err(error) => self.refuse(line, error.to_string()),
        }
        Ok(())
    }

    fn refuse(&mut self, line: usize, reason: String) {
        self.import.refused_count += 1;
        if self.import.refused.len() < REFUSED_MAX {
            self.import.refused.push(RefusedItem { line, reason });
        }
    }
}

fn without_remark(line: &str) -> &str {
    let mut before = ' ';
    for (position, c) in line.char_indices() {
        if c == '#' && before.is_whitespace() {
            return line.get(..position).unwrap_or(line);
        }
        before = c;
    }
    line
}

/// Where the lines of a text begin.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let starts = text.match_indices('\n').map(|(position, _)| position + 1).collect();
        Self { text, starts }
    }

    /// The line of a value that was read from the text, from 1.
    fn line_of(&self, value: &'t RawValue) -> usize {
        // The value borrows from the text, so its address tells its place.
        let place = (value.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        self.starts.partition_point(|start| *start <= place) + 1
    }
}

/// The members of an object in their order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of lists")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_lists_have_remarks() {
        let text = "# from a feed\n203.0.113.9\n\n 203.0.113.0/24 # c2\r\nnonsense\n203.0.113.9\n";
        let import = import_text(IndicatorKind::Address, text, Timestamp::default()).unwrap();
        assert_eq!(values(&import), ["203.0.113.9", "203.0.113.0/24"]);
        assert_eq!(
            import.refused,
            [RefusedItem {
                line: 5,
                reason: "not an IP address or a network as in `203.0.113.0/24`".into()
            }]
        );
        let sharp = import_text(IndicatorKind::Process, "a#b.sh\n", Timestamp::default()).unwrap();
        assert_eq!(values(&sharp), ["a#b.sh"]);
    }

    #[test]
    fn json_lists_have_the_keys_of_the_agent() {
        let text = r#"{
  "hashes": ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
             "d41d8cd98f00b204e9800998ecf8427e"],
  "ips": ["203.0.113.9", 7],
  "domains": ["Evil.Example"],
  "file_paths": ["/tmp/x",
                 "/"],
  "process_names": ["evil\u002esh"],
  "metadata": {"a": 1},
  "surprise": [],
  "ip_addresses": {}
}"#;
        let import = import_json(text, Timestamp::default()).unwrap();
        assert_eq!(
            values(&import),
            [&"a".repeat(64), "203.0.113.9", "evil.example", "/tmp/x", "evil.sh"]
        );
        let lines: Vec<_> =
            import.refused.iter().map(|item| (item.line, item.reason.as_str())).collect();
        assert_eq!(
            lines,
            [
                (3, "a hash is a SHA-256: 64 hexadecimal digits"),
                (4, "not a string"),
                (7, "the root folder would match every program"),
                (10, "unknown key"),
                (11, "not a list"),
            ]
        );
    }

    #[test]
    fn what_is_no_object_or_too_large_is_refused_whole() {
        let now = Timestamp::default();
        assert!(matches!(import_json("[]", now), Err(ImportError::NotJson { line: 1, .. })));
        assert!(matches!(import_json("{\n", now), Err(ImportError::NotJson { line: 2, .. })));
        let many = "a\n".repeat(IMPORT_ITEMS_MAX + 1);
        assert_eq!(import_text(IndicatorKind::Process, &many, now), Err(ImportError::TooMany));
        let large = " ".repeat(IMPORT_BYTES_MAX + 1);
        assert_eq!(import_json(&large, now), Err(ImportError::TooLarge(IMPORT_BYTES_MAX + 1)));
    }

    #[test]
    fn refusals_are_bounded() {
        let text = "a/b\n".repeat(REFUSED_MAX * 2);
        let import = import_text(IndicatorKind::Process, &text, Timestamp::default()).unwrap();
        assert_eq!((import.refused.len(), import.refused_count), (REFUSED_MAX, REFUSED_MAX * 2));
    }

    fn values(import: &Import) -> Vec<String> {
        import.indicators.iter().map(|indicator| indicator.value().to_string()).collect()
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let now = Timestamp::default();
            let _ = import_json(&text, now);
            let _ = import_text(IndicatorKind::Path, &text, now);
        }
    }
}
