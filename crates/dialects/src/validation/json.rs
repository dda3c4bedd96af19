use super::{Fault, Integer};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A JSON value as received: its text, known to be well-formed, looked into level by level.
///
/// Numbers stay text until asked for, so that none loses digits, and what nobody asks for costs
/// nothing. Well-formed text of any depth is fine: nothing here recurses.
#[derive(Clone, Copy)]
pub struct Json<'a>(&'a RawValue);

/// Why bytes are not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not valid JSON at byte {position}: {reason}")]
pub struct SyntaxError {
    /// Where, in bytes from the start.
    pub position: usize,
    /// What was wrong, in a few words.
    pub reason: String,
}

/// The members of an object in their order.
#[derive(Clone, Debug)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Json<'a> {
    /// Reads well-formed JSON text in UTF-8; a byte order mark before it is skipped.
    ///
    /// # Errors
    /// Where it is not, with the place.
    pub fn read(bytes: &'a [u8]) -> Result<Self, SyntaxError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| SyntaxError {
            position: error.valid_up_to(),
            reason: "not UTF-8".into(),
        })?;
        serde_json::from_str(text).map(Self).map_err(|error| SyntaxError::new(text, &error))
    }

    /// The text as received, without blanks around it.
    pub fn as_text(self) -> &'a str {
        self.0.get()
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.as_text() == "null"
    }

    /// A whole number; lax: numeric strings, booleans and floats without a fraction count.
    ///
    /// # Errors
    /// `int_type`, `int_parsing`, `int_from_float`, `int_parsing_size`.
    pub fn integer(self) -> Result<Integer, Fault> {
        match self.first_byte() {
            b'"' => Integer::parse(&self.text()?),
            b't' => Ok(Integer::Fits(1)),
            b'f' => Ok(Integer::Fits(0)),
            b'-' | b'0'..=b'9' => Integer::from_number(self.as_text()),
            _ => Err(Fault::new("int_type", "Input should be a valid integer")),
        }
    }

    /// A number; lax: numeric strings and booleans count.
    ///
    /// # Errors
    /// `float_type`, `float_parsing`; `finite_number` for infinities and what is not a number.
    pub fn number(self) -> Result<f64, Fault> {
        match self.first_byte() {
            b'"' => Self::parse_number(&self.text()?),
            b't' => Ok(1.0),
            b'f' => Ok(0.0),
            b'-' | b'0'..=b'9' => Self::parse_number(self.as_text()),
            _ => Err(Fault::new("float_type", "Input should be a valid number")),
        }
    }

    /// Reads the text of a query parameter, or of a JSON string, as a finite number.
    ///
    /// # Errors
    /// `float_parsing`, `finite_number`.
    pub fn parse_number(text: &str) -> Result<f64, Fault> {
        let value: f64 = text.trim().parse().map_err(|_| {
            Fault::new(
                "float_parsing",
                "Input should be a valid number, unable to parse string as a number",
            )
        })?;
        // The original lets infinities through; they would come back as invalid JSON.
        if value.is_finite() {
            Ok(value)
        } else {
            Err(Fault::new("finite_number", "Input should be a finite number"))
        }
    }

    /// A string; not lax: numbers are refused. Half of a surrogate pair becomes U+FFFD.
    ///
    /// # Errors
    /// `string_type`.
    pub fn text(self) -> Result<Cow<'a, str>, Fault> {
        if self.first_byte() != b'"' {
            return Err(Fault::new("string_type", "Input should be a valid string"));
        }
        let text = self.as_text();
        if let Ok(text) = serde_json::from_str::<Text<'a>>(text) {
            return Ok(text.0);
        }
        let whole = without_half_pairs(text).unwrap_or_default();
        Ok(Cow::Owned(serde_json::from_str(&whole).unwrap_or_default()))
    }

    /// A list.
    ///
    /// # Errors
    /// `list_type`.
    pub fn list(self) -> Result<Vec<Self>, Fault> {
        const NOT_A_LIST: Fault = Fault::new("list_type", "Input should be a valid list");
        if self.first_byte() != b'[' {
            return Err(NOT_A_LIST);
        }
        let items: Vec<&'a RawValue> =
            serde_json::from_str(self.as_text()).map_err(|_| NOT_A_LIST)?;
        Ok(items.into_iter().map(Self).collect())
    }

    /// An object with named fields of its own.
    ///
    /// # Errors
    /// `model_attributes_type`.
    pub fn model(self) -> Result<Members<'a>, Fault> {
        self.members(Fault::NOT_AN_OBJECT)
    }

    /// An object with free keys.
    ///
    /// # Errors
    /// `dict_type`.
    pub fn dictionary(self) -> Result<Members<'a>, Fault> {
        self.members(const { Fault::new("dict_type", "Input should be a valid dictionary") })
    }

    /// How many levels of lists and objects there are; 0 for anything else.
    pub fn depth(self) -> usize {
        let (mut depth, mut deepest, mut in_text, mut escaped) = (0usize, 0, false, false);
        for byte in self.as_text().bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = !in_text,
                b'[' | b'{' if !in_text => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        deepest
    }

    /// The JSON text of a string.
    pub fn quote(text: &str) -> String {
        serde_json::Value::from(text).to_string()
    }

    fn members(self, otherwise: Fault) -> Result<Members<'a>, Fault> {
        if self.first_byte() != b'{' {
            return Err(otherwise);
        }
        serde_json::from_str(self.as_text()).map_err(|_| otherwise)
    }

    fn first_byte(self) -> u8 {
        self.as_text().as_bytes().first().copied().unwrap_or_default()
    }
}

impl<'a> From<&'a RawValue> for Json<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Self(raw)
    }
}

impl fmt::Debug for Json<'_> {
    /// Prints the kind only: bodies may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.as_text().len())
    }
}

impl<'a> Members<'a> {
    /// The value under `name`; of several the last, as the original has it.
    pub fn get(&self, name: &str) -> Option<Json<'a>> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// The value under `name`, where it is there and not null.
    pub fn given(&self, name: &str) -> Option<Json<'a>> {
        self.get(name).filter(|value| !value.is_null())
    }

    /// Every member in the order of the text, repeated keys included.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Json<'a>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), *value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                // Raw, as a key may hold half of a surrogate pair.
                while let Some(key) = map.next_key::<&RawValue>()? {
                    let key = Json(key).text().unwrap_or_default();
                    members.push((key, Json(map.next_value()?)));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// Borrows where there are no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl SyntaxError {
    fn new(text: &str, error: &serde_json::Error) -> Self {
        let line_start: usize =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
        Self { position: (line_start + error.column().saturating_sub(1)).min(text.len()), reason }
    }
}

/// The text with what is no number replaced by `null`: the words `NaN`, `Infinity` and `-Infinity`,
/// and numbers like `1e999` that no float holds; none where there is nothing of the kind outside of
/// strings.
///
/// Python's `json.dumps` writes these words for floats that are not numbers, and the original
/// servers take them. They are not JSON, so this is for a second try after a [`SyntaxError`]. The
/// numbers are JSON, but many readers refuse a whole text that has one.
pub fn without_non_numbers(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut rest, mut in_text, mut found) = (bytes, false, false);
    while let Some((&byte, after)) = rest.split_first() {
        if !in_text && let Some(length) = non_number(rest) {
            out.extend_from_slice(b"null");
            rest = rest.get(length..).unwrap_or_default();
            found = true;
            continue;
        }
        let is_number = !in_text && is_part_of_number(byte);
        let taken = if is_number { number_length(rest) } else { 1 };
        out.extend_from_slice(rest.get(..taken).unwrap_or_default());
        rest = rest.get(taken..).unwrap_or_default();
        match byte {
            b'"' => in_text = !in_text,
            b'\\' if in_text => {
                if let Some(&escaped) = after.first() {
                    out.push(escaped);
                    rest = after.get(1..).unwrap_or_default();
                }
            }
            _ => {}
        }
    }
    found.then_some(out)
}

/// How long the word or number is that stands here and is none.
fn non_number(rest: &[u8]) -> Option<usize> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    if let Some(word) = WORDS.iter().find(|word| rest.starts_with(word)) {
        return Some(word.len());
    }
    let length = number_length(rest);
    let text = std::str::from_utf8(rest.get(..length)?).ok()?;
    text.parse::<f64>().is_ok_and(f64::is_infinite).then_some(length)
}

fn number_length(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| is_part_of_number(**byte)).count()
}

fn is_part_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// The JSON text with every escaped half of a surrogate pair replaced by `\\ufffd`; none where there
/// is none.
///
/// Python keeps bytes of file names and command lines that are not UTF-8 as such halves, and
/// `json.dumps` writes them. They stand for no character, and a strict reader refuses all of a text
/// that has one.
pub fn without_half_pairs(json: &str) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| rest.find('\\')) {
        let escape = at + found;
        at = match (unit(json, escape), unit(json, escape + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => escape + 12,
            (Some(0xd800..=0xdfff), _) => {
                out.push_str(json.get(copied..escape)?);
                out.push_str("\\ufffd");
                copied = escape + 6;
                copied
            }
            _ => escape + 2,
        };
    }
    if copied == 0 {
        return None;
    }
    out.push_str(json.get(copied..)?);
    Some(out)
}

/// The number in the escape `\\uXXXX` that stands here.
fn unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_lax() {
        check_integer("7", Ok(7));
        check_integer("\"7\"", Ok(7));
        check_integer("true", Ok(1));
        check_integer("false", Ok(0));
        check_integer("7.0", Ok(7));
        check_integer("7.5", Err("int_from_float"));
        check_integer("\"seven\"", Err("int_parsing"));
        check_integer("null", Err("int_type"));
        check_integer("[]", Err("int_type"));
        check_integer("{}", Err("int_type"));
    }

    #[track_caller]
    fn check_integer(text: &str, expected: Result<i64, &str>) {
        let found = read(text).integer().map(Integer::or_max).map_err(|fault| fault.kind);
        assert_eq!(found, expected, "text {text:?}");
    }

    #[test]
    fn numbers_are_lax_and_finite() {
        check_number("1", Ok(1.0));
        check_number("\" 1e3 \"", Ok(1000.0));
        check_number("true", Ok(1.0));
        check_number("\"abc\"", Err("float_parsing"));
        check_number("\"NaN\"", Err("finite_number"));
        check_number("1e999", Err("finite_number"));
        check_number("null", Err("float_type"));
    }

    #[track_caller]
    fn check_number(text: &str, expected: Result<f64, &str>) {
        assert_eq!(read(text).number().map_err(|fault| fault.kind), expected, "text {text:?}");
    }

    #[test]
    fn strings_are_strict() {
        assert_eq!(read(r#""a\u00e9\n""#).text().as_deref(), Ok("aé\n"));
        assert_eq!(read("1").text().map_err(|fault| fault.kind), Err("string_type"));
    }

    #[test]
    fn half_of_a_surrogate_pair_stands_for_no_character() {
        assert_eq!(read(r#""a\udc80\ud83d\ude00""#).text().as_deref(), Ok("a\u{fffd}😀"));
        assert_eq!(read(r#""\\\ud800""#).text().as_deref(), Ok("\\\u{fffd}"));
        assert_eq!(read(r#""\\ud800""#).text().as_deref(), Ok("\\ud800"));
        assert_eq!(read(r#""\ud83d\ud83d\ude00""#).text().as_deref(), Ok("\u{fffd}😀"));
        let members = read(r#"{"\udc80":1}"#).dictionary().expect("an object");
        assert_eq!(members.get("\u{fffd}").map(Json::as_text), Some("1"));
        assert_eq!(without_half_pairs(r#"{"a":"\u00e9 \ud83d\ude00 \\"}"#), None);
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        let members = read(r#"{"a":1,"b":null,"a":2}"#).dictionary().expect("an object");
        assert_eq!(members.get("a").map(Json::as_text), Some("2"));
        assert!(members.get("b").is_some() && members.given("b").is_none());
        assert_eq!(members.len(), 3);
    }

    #[test]
    fn deep_nesting_is_measured_not_recursed_into() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep).depth(), 100_000);
        assert_eq!(read(r#"{"a":"[[[{\"","b":[{}]}"#).depth(), 3);
        assert_eq!(read("1").depth(), 0);
    }

    #[test]
    fn a_syntax_error_has_its_place() {
        let error = Json::read(b"{\"a\":\n tru}").expect_err("not JSON");
        assert_eq!(error.position, 10);
        assert_eq!(Json::read(b"\xff").expect_err("not UTF-8").position, 0);
        assert!(Json::read(b"").is_err());
        assert!(Json::read(b"\xef\xbb\xbf{}").is_ok());
    }

    #[test]
    fn words_for_what_is_not_a_number_become_null() {
        let python = br#"{"a": NaN, "b": [-Infinity, Infinity], "NaN": "\"NaN"}"#;
        assert_eq!(
            without_non_numbers(python).as_deref(),
            Some(br#"{"a": null, "b": [null, null], "NaN": "\"NaN"}"#.as_slice())
        );
        assert_eq!(
            without_non_numbers(br#"{"a":[1e999,-1e999],"e":1.5e3,"1e999":true}"#).as_deref(),
            Some(br#"{"a":[null,null],"e":1.5e3,"1e999":true}"#.as_slice())
        );
        for fine in [r#"{"a": "NaN"}"#, r#"{"a":"1e999\\","b":false,"c":-0.5e-9}"#] {
            assert_eq!(without_non_numbers(fine.as_bytes()), None, "{fine}");
        }
    }

    fn read(text: &str) -> Json<'_> {
        Json::read(text.as_bytes()).expect("well-formed")
    }

    proptest::proptest! {
        #[test]
        fn every_well_formed_text_is_read(text in "\"([a-z]|\\\\u(d8|dc|00)[0-9]{2}|\\\\\\\\){0,12}\"") {
            let json = read(&text);
            let whole = without_half_pairs(json.as_text()).unwrap_or_else(|| text.clone());
            let parsed: String = serde_json::from_str(&whole).expect("no halves");
            let read = json.text();
            proptest::prop_assert_eq!(read.as_deref(), Ok(parsed.as_str()));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            if let Ok(json) = Json::read(&bytes) {
                let _ = (json.integer(), json.number(), json.text(), json.list(), json.model());
            }
            let _ = without_non_numbers(&bytes);
        }
    }
}
