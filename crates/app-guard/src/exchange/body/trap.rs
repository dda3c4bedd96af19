//! Fields that people do not see, and that only programs fill.

use crate::path::percent_decoded;
use serde_json::Value;

/// How much of a body is looked at for trap fields.
const BYTES_MAX: usize = 262_144;

/// How deep objects are walked.
const DEPTH_MAX: usize = 16;

/// Gathers the beginning of a body to look for filled fields in.
#[derive(Debug)]
pub(super) struct Trap {
    form: Form,
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Form {
    Json,
    Multipart(Option<Box<str>>),
    Encoded,
}

impl Trap {
    pub(super) fn new(content_type: Option<&str>) -> Self {
        let content_type = content_type.unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let media_type = media_type.to_ascii_lowercase();
        let form = if media_type.ends_with("json") {
            Form::Json
        } else if media_type == "multipart/form-data" {
            Form::Multipart(boundary(content_type))
        } else {
            Form::Encoded
        };
        Self { form, bytes: Vec::new() }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        let room = BYTES_MAX.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(chunk.get(..room.min(chunk.len())).unwrap_or_default());
    }

    /// The first of these fields that is filled.
    pub(super) fn filled(&self, fields: &[Box<str>]) -> Option<Box<str>> {
        match &self.form {
            Form::Json => {
                let read = serde_json::from_slice::<Value>(&self.bytes);
                let filled = |field: &str| match &read {
                    Ok(value) => json_fills(value, field, 0),
                    // Longer than what is looked at, or broken: then as text.
                    Err(_) => text_fills(&self.bytes, field),
                };
                fields.iter().find(|field| filled(field)).cloned()
            }
            Form::Multipart(boundary) => {
                let text = String::from_utf8_lossy(&self.bytes);
                let boundary = boundary.as_deref()?;
                fields.iter().find(|field| multipart_fills(&text, boundary, field)).cloned()
            }
            Form::Encoded => {
                let text = String::from_utf8_lossy(&self.bytes);
                fields.iter().find(|field| encoded_fills(&text, field)).cloned()
            }
        }
    }
}

fn json_fills(value: &Value, field: &str, depth: usize) -> bool {
    match value {
        _ if depth > DEPTH_MAX => false,
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            (name == field && is_filled(value)) || json_fills(value, field, depth + 1)
        }),
        Value::Array(items) => items.iter().any(|item| json_fills(item, field, depth + 1)),
        _ => false,
    }
}

/// Whether the name stands there with something behind its colon.
fn text_fills(bytes: &[u8], field: &str) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let name = format!("\"{field}\"");
    text.match_indices(&name).any(|(at, name)| {
        let behind = text.get(at + name.len()..).unwrap_or_default().trim_start();
        let value = behind.strip_prefix(':').map(str::trim_start).unwrap_or_default();
        let empty = ["\"\"", "null", "false", "[]", "{}"];
        !value.is_empty() && !empty.iter().any(|empty| value.starts_with(empty))
    })
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

fn encoded_fills(text: &str, field: &str) -> bool {
    text.split('&').any(|pair| {
        let Some((name, value)) = pair.split_once('=') else { return false };
        let name = name.replace('+', " ");
        let decoded = percent_decoded(&name);
        decoded.as_deref().unwrap_or(&name).trim() == field
            && !value.replace('+', " ").trim().is_empty()
    })
}

fn multipart_fills(text: &str, boundary: &str, field: &str) -> bool {
    let delimiter = format!("--{boundary}");
    text.split(delimiter.as_str()).any(|part| {
        let Some((head, content)) = part.split_once("\r\n\r\n") else { return false };
        part_name(head).is_some_and(|name| name == field) && !content.trim().is_empty()
    })
}

/// The name that `Content-Disposition` gives a part.
fn part_name(head: &str) -> Option<&str> {
    let is_disposition = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("content-disposition")
    };
    let line = head.lines().find(is_disposition)?;
    let parameters = line.split(';').map(str::trim);
    let value = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("name"))?
        .1;
    Some(value.trim().trim_matches('"'))
}

fn boundary(content_type: &str) -> Option<Box<str>> {
    let parameters = content_type.split(';').skip(1).filter_map(|text| text.split_once('='));
    let (_, value) =
        parameters.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty()).then(|| value.into())
}
