use super::{METADATA_BYTES_MAX, METADATA_DEPTH_MAX, parse_date_time};
use crate::validation::{Json, without_half_pairs, without_non_numbers};
use ringwall_event::Timestamp;
use std::borrow::Cow;

/// The free part of an item: its JSON text as received, and the few members that mean something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// The object's text, or `null`; none where it was left out or is empty.
    pub text: Option<Box<str>>,
    /// The agent's own risk score, 0 to 100, where it sent a number.
    pub risk_score: Option<f64>,
    /// The agent's own anomaly score, 0 to 100, where it sent a number.
    pub anomaly_score: Option<f64>,
    /// The name of the process: `name`, else `process_name`, else `comm`.
    pub process_name: Option<Box<str>>,
    /// When the process started.
    pub start_time: Option<Timestamp>,
}

/// Why metadata was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetadataError {
    TooLong,
    TooDeep,
}

/// Longer names are cut: Linux has 15 bytes, other systems up to 255.
const PROCESS_NAME_BYTES_MAX: usize = 255;

impl Metadata {
    /// Takes the text of a JSON object, known to be well-formed. One pass, nothing is parsed that
    /// nobody asks for: this runs for every event.
    pub(super) fn read(text: &str) -> Result<Self, MetadataError> {
        if text.len() > METADATA_BYTES_MAX {
            return Err(MetadataError::TooLong);
        }
        let text = &*plain(text);
        let mut found = Self::default();
        let mut names = [None; 3];
        let mut scanner = Scanner { rest: text.as_bytes().get(1..).unwrap_or_default() };
        let mut is_empty = true;
        while let Some((key, value)) = scanner.member()? {
            is_empty = false;
            match key {
                b"risk_score" => found.risk_score = score(value),
                b"anomaly_score" => found.anomaly_score = score(value),
                b"start_time" => found.start_time = moment(value),
                b"name" => names[0] = Some(value),
                b"process_name" => names[1] = Some(value),
                b"comm" => names[2] = Some(value),
                _ => {}
            }
        }
        found.process_name = names.into_iter().flatten().find_map(name);
        if !is_empty {
            found.text = Some(text.into());
        }
        Ok(found)
    }

    /// What stands for `null`.
    pub(super) fn null() -> Self {
        Self { text: Some("null".into()), ..Self::default() }
    }
}

/// The JSON text without what strict readers refuse: numbers that no float holds, and halves of
/// surrogate pairs.
pub(super) fn plain(json: &str) -> Cow<'_, str> {
    let mut json = Cow::Borrowed(json);
    if let Some(whole) = without_half_pairs(&json) {
        json = Cow::Owned(whole);
    }
    if let Some(finite) = without_huge_numbers(&json) {
        json = Cow::Owned(finite);
    }
    json
}

/// None where there is no such number.
fn without_huge_numbers(text: &str) -> Option<String> {
    // Without an exponent it takes 309 digits. Names with a digit before an `e` are looked at for
    // nothing; that is rare enough.
    let has_exponent =
        || text.as_bytes().windows(2).any(|pair| matches!(pair, [b'0'..=b'9', b'e' | b'E']));
    if text.len() < 309 && !has_exponent() {
        return None;
    }
    without_non_numbers(text.as_bytes()).and_then(|bytes| String::from_utf8(bytes).ok())
}

/// A key without its quotes, and the text of its value.
type Member<'a> = (&'a [u8], &'a [u8]);

/// Walks over the members of an object whose text is well-formed and whose opening brace is behind.
struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    /// The next member; none at the end.
    fn member(&mut self) -> Result<Option<Member<'a>>, MetadataError> {
        loop {
            match self.rest {
                [b'"', rest @ ..] => {
                    let end = text_end(rest);
                    let key = rest.get(..end).unwrap_or_default();
                    self.rest = rest.get(end + 1..).unwrap_or_default();
                    return Ok(Some((key, self.value()?)));
                }
                [_, rest @ ..] => self.rest = rest,
                [] => return Ok(None),
            }
        }
    }

    fn value(&mut self) -> Result<&'a [u8], MetadataError> {
        while let [b':' | b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        let start = self.rest;
        // The object itself is the first level.
        let mut depth = 1;
        while let [byte, rest @ ..] = self.rest {
            match byte {
                b'"' => {
                    self.rest = rest.get(text_end(rest) + 1..).unwrap_or_default();
                    continue;
                }
                b'{' | b'[' => {
                    depth += 1;
                    if depth > METADATA_DEPTH_MAX {
                        return Err(MetadataError::TooDeep);
                    }
                }
                b',' | b'}' if depth == 1 => break,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.rest = rest;
        }
        Ok(start.get(..start.len() - self.rest.len()).unwrap_or_default().trim_ascii_end())
    }
}

/// How far the closing quote is.
fn text_end(text: &[u8]) -> usize {
    let mut end = 0;
    while let Some(&byte) = text.get(end) {
        match byte {
            b'"' => break,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    end
}

fn score(value: &[u8]) -> Option<f64> {
    match value.first()? {
        b'-' | b'0'..=b'9' => {
            let number: f64 = std::str::from_utf8(value).ok()?.parse().ok()?;
            Some(number.clamp(0.0, 100.0))
        }
        _ => None,
    }
}

fn name(value: &[u8]) -> Option<Box<str>> {
    let text = text(value)?;
    let mut end = text.len().min(PROCESS_NAME_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).filter(|name| !name.is_empty()).map(Box::from)
}

fn moment(value: &[u8]) -> Option<Timestamp> {
    match value.first()? {
        b'"' => parse_date_time(&text(value)?).ok(),
        _ => Json::read(value).ok()?.date_time().ok(),
    }
}

/// The string that this JSON text stands for.
fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    let inside = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if inside.contains(&b'\\') {
        Json::read(value).ok()?.text().ok()
    } else {
        std::str::from_utf8(inside).ok().map(Cow::Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_means_something_is_pulled_out() {
        let found = Metadata::read(
            r#"{ "risk_score" : 12.5 , "anomaly_score":0,"comm":"bash","name":"b\u00e9\"sh",
                 "start_time":"2026-01-15T10:00:00Z","more":{"risk_score":99,"a":["}",{}]} }"#,
        )
        .expect("fine");
        assert_eq!(found.risk_score, Some(12.5));
        assert_eq!(found.anomaly_score, Some(0.0));
        assert_eq!(found.process_name.as_deref(), Some("bé\"sh"));
        assert_eq!(found.start_time.map(Timestamp::as_seconds), Some(1_768_471_200));
    }

    #[test]
    fn what_is_no_number_is_no_score() {
        for value in ["\"12\"", "null", "true", "[1]", "{}"] {
            let found = Metadata::read(&format!("{{\"risk_score\":{value}}}")).expect("fine");
            assert_eq!(found.risk_score, None, "value {value}");
        }
        let found = Metadata::read(r#"{"risk_score":1e99,"anomaly_score":-3}"#).expect("fine");
        assert_eq!((found.risk_score, found.anomaly_score), (Some(100.0), Some(0.0)));
        let found = Metadata::read(r#"{"risk_score":1e999,"x":[-1E400]}"#).expect("fine");
        assert_eq!(found.risk_score, None);
        assert_eq!(found.text.as_deref(), Some(r#"{"risk_score":null,"x":[null]}"#));
    }

    #[test]
    fn bytes_that_python_could_not_decode_do_not_spoil_the_reading() {
        let found = Metadata::read(r#"{"comm":"a\udcff","path":"\udc80"}"#).expect("fine");
        assert_eq!(found.process_name.as_deref(), Some("a\u{fffd}"));
        let text = found.text.expect("text");
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
    }

    #[test]
    fn the_empty_object_takes_no_room() {
        assert_eq!(Metadata::read("{}"), Ok(Metadata::default()));
        assert_eq!(Metadata::read("{ \n}"), Ok(Metadata::default()));
        assert_eq!(Metadata::read(r#"{"":0}"#).expect("fine").text.as_deref(), Some(r#"{"":0}"#));
    }

    #[test]
    fn limits_hold() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(Metadata::read(&nested(METADATA_DEPTH_MAX - 1)).is_ok());
        assert_eq!(Metadata::read(&nested(METADATA_DEPTH_MAX)), Err(MetadataError::TooDeep));
        assert_eq!(Metadata::read(&nested(30_000)), Err(MetadataError::TooDeep));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(METADATA_BYTES_MAX));
        assert_eq!(Metadata::read(&long), Err(MetadataError::TooLong));
        let named = format!("{{\"name\":\"{}\"}}", "é".repeat(1000));
        let name = Metadata::read(&named).expect("fine").process_name.expect("a name");
        assert_eq!(name.len(), PROCESS_NAME_BYTES_MAX - 1);
    }

    proptest::proptest! {
        /// The scanner agrees with a real parser on every object.
        #[test]
        fn the_scan_agrees_with_a_parser(
            members in proptest::collection::vec(
                ("(risk_score|anomaly_score|comm|x|\"|\\\\)", value()), 0..6),
            pretty: bool,
        ) {
            let object: serde_json::Map<String, Value> = members.into_iter().collect();
            let text = if pretty { format!("{:#}", json!(object)) } else { json!(object).to_string() };
            let found = Metadata::read(&text).expect("within limits");
            let number = |key| object.get(key).and_then(Value::as_f64).map(|n| n.clamp(0.0, 100.0));
            proptest::prop_assert_eq!(found.risk_score, number("risk_score"));
            proptest::prop_assert_eq!(found.anomaly_score, number("anomaly_score"));
            let name = object.get("comm").and_then(Value::as_str).filter(|name| !name.is_empty());
            proptest::prop_assert_eq!(found.process_name.as_deref(), name);
            proptest::prop_assert_eq!(found.text.is_none(), object.is_empty());
        }
    }

    fn value() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-1e6..1e6f64).prop_map(Value::from),
            "[a-z{}\\[\\]\",:\\\\é ]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec(("[a-z\"]{0,4}", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }
}
