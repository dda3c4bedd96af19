//! What must not leave does not: by the name of the field, and by what stands in it.
//!
//! Everything an event holds passes here before it waits in a spool, so no secret rests on a disk or in
//! Redis either. Texts are redacted first and cut afterwards: half a token is a secret, too.

mod content;

use content::Contents;
use ringwall_dialects::guard::Event;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What stands in the place of what was redacted.
pub(super) const REDACTED: &str = "[REDACTED]";

/// What stands at the end of what was cut.
const TRUNCATED: &str = "...[TRUNCATED]";

/// Deeper than this, all of a value is redacted.
const DEPTH_MAX: usize = 10;

/// A text that looks like JSON and is longer is redacted whole, in bytes.
const EMBEDDED_BYTES_MAX: usize = 8192;

/// An event's metadata takes so many times what a single text may take, and no more.
const METADATA_TEXTS: usize = 16;

/// A shorter secret is not looked for in other texts: it would be found in half of their words.
const REPEATED_CHARACTERS_MIN: usize = 4;

/// Names that are secret wherever they stand, beside those that the settings add. Written with `-` for
/// every `_`, blank and dot.
const ALWAYS: [&str; 38] = [
    "access-token",
    "api-key",
    "apikey",
    "auth-token",
    "authorization",
    "bearer",
    "client-secret",
    "cookie",
    "credential",
    "credentials",
    "csrf-token",
    "id-token",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "private-key",
    "proxy-authorization",
    "pwd",
    "refresh-token",
    "secret",
    "secret-key",
    "session",
    "session-id",
    "sessionid",
    "set-cookie",
    "signature",
    "token",
    "x-access-token",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-authorization",
    "x-csrf-token",
    "x-forwarded-authorization",
    "x-session-token",
    "x-vault-token",
    "x-xsrf-token",
];

/// Redacts events. Made once: it compiles its patterns.
#[derive(Debug)]
pub(super) struct Redaction {
    names: BTreeSet<String>,
    contents: Contents,
    text_bytes_max: usize,
}

impl Redaction {
    pub(super) fn new(sensitive_headers: &[String], text_bytes_max: usize) -> Self {
        let own = sensitive_headers.iter().map(|name| normal(name));
        let names: BTreeSet<String> = ALWAYS
            .into_iter()
            .map(str::to_owned)
            .chain(own)
            .filter(|name| !name.is_empty())
            .collect();
        Self { contents: Contents::new(&names), names, text_bytes_max }
    }

    /// Redacts and cuts every field that a client or an application had its hands in.
    pub(super) fn event(&self, event: &mut Event) {
        if let Some(secret) = self.sensitive_preview(&event.metadata) {
            for text in [&mut event.reason].into_iter().chain(event.pattern_matched.as_mut()) {
                if text.contains(&secret) {
                    *text = text.replace(&secret, REDACTED).into();
                }
            }
            event.metadata.values_mut().for_each(|value| replace(value, &secret, 0));
        }
        for text in [&mut event.event_type, &mut event.action_taken, &mut event.reason] {
            self.text(text);
        }
        for text in [
            &mut event.user_agent,
            &mut event.endpoint,
            &mut event.decorator_type,
            &mut event.rule_type,
            &mut event.pattern_matched,
            &mut event.handler_name,
            &mut event.method,
        ]
        .into_iter()
        .flatten()
        {
            self.text(text);
        }
        let mut bytes_left = self.text_bytes_max.saturating_mul(METADATA_TEXTS);
        for members in [&mut event.metadata, &mut event.extra] {
            self.members(members, 0);
            let before = members.len();
            members.retain(|name, value| {
                let cost = name.len() + size(value);
                let fits = cost <= bytes_left;
                bytes_left -= if fits { cost } else { 0 };
                fits
            });
            if members.len() < before {
                members.insert("truncated".to_owned(), true.into());
            }
        }
    }

    /// A path, or another text that is no event's: redacted and cut.
    pub(super) fn text(&self, text: &mut Box<str>) {
        if let Cow::Owned(clean) = self.clean(text) {
            *text = clean.into();
        }
    }

    fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let clean = self.contents.redact(text);
        if clean.len() <= self.text_bytes_max {
            return clean;
        }
        let end = clean.floor_char_boundary(self.text_bytes_max.saturating_sub(TRUNCATED.len()));
        Cow::Owned(format!("{}{TRUNCATED}", clean.get(..end).unwrap_or_default()))
    }

    fn is_sensitive(&self, name: &str) -> bool {
        self.names.contains(&normal(name))
    }

    /// What was found in a place with a sensitive name (`request_body:user.password`, `header:cookie`), as far as
    /// the event repeats it.
    fn sensitive_preview(&self, metadata: &Map<String, Value>) -> Option<String> {
        let preview = metadata.get("content_preview").and_then(Value::as_str)?.trim();
        (preview.chars().count() >= REPEATED_CHARACTERS_MIN && self.is_about_secret(metadata))
            .then(|| preview.to_owned())
    }

    /// Whether the `context` of these members is a place with a sensitive name.
    fn is_about_secret(&self, members: &Map<String, Value>) -> bool {
        let Some(context) = members.get("context").and_then(Value::as_str) else { return false };
        let names = context.split_once(':').map_or(context, |(_, names)| names);
        self.is_sensitive(names)
            || names.split(['.', '[', ']', ':', '/']).any(|name| self.is_sensitive(name))
    }

    fn members(&self, members: &mut Map<String, Value>, depth: usize) {
        // As in `{"name": "Cookie", "value": "…"}`, the form that ASGI tools log headers in.
        let named = ["name", "key", "header"].iter().any(|name| {
            members.get(*name).and_then(Value::as_str).is_some_and(|name| self.is_sensitive(name))
        });
        let is_about_secret = self.is_about_secret(members);
        for (name, value) in members.iter_mut() {
            if self.is_sensitive(name)
                || (named && matches!(name.as_str(), "value" | "values"))
                || (is_about_secret && name == "content_preview")
            {
                redact_whole(value);
            } else {
                self.value(value, depth + 1);
            }
        }
    }

    fn value(&self, value: &mut Value, depth: usize) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::Array(_) | Value::Object(_) if depth > DEPTH_MAX => redact_whole(value),
            Value::Object(members) => self.members(members, depth),
            Value::Array(items) => {
                // As in `["Cookie", "…"]`: a pair of a name and its value.
                if let [Value::String(name), second] = items.as_mut_slice()
                    && self.is_sensitive(name)
                {
                    redact_whole(second);
                    return;
                }
                items.iter_mut().for_each(|item| self.value(item, depth + 1));
            }
            Value::String(text) => self.string(text, depth),
        }
    }

    fn string(&self, text: &mut String, depth: usize) {
        let looks_like_json = text.trim_start().starts_with(['{', '[', '"']);
        if looks_like_json {
            if text.len() > EMBEDDED_BYTES_MAX {
                REDACTED.clone_into(text);
                return;
            }
            if let Ok(mut inner @ (Value::Object(_) | Value::Array(_) | Value::String(_))) =
                serde_json::from_str::<Value>(text)
            {
                self.value(&mut inner, depth + 1);
                *text = inner.to_string();
            }
        }
        if let Cow::Owned(clean) = self.clean(text) {
            *text = clean;
        }
    }
}

/// Takes a secret out of all texts.
fn replace(value: &mut Value, secret: &str, depth: usize) {
    match value {
        Value::String(text) if text.contains(secret) => *text = text.replace(secret, REDACTED),
        Value::Array(items) if depth < DEPTH_MAX => {
            items.iter_mut().for_each(|item| replace(item, secret, depth + 1));
        }
        Value::Object(members) if depth < DEPTH_MAX => {
            members.values_mut().for_each(|value| replace(value, secret, depth + 1));
        }
        _ => {}
    }
}

/// What was given stays visible as such, `null` stays `null`.
fn redact_whole(value: &mut Value) {
    if !value.is_null() {
        *value = REDACTED.into();
    }
}

/// Names count without regard to case, blanks around them and which sign joins their words.
fn normal(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace(['_', ' ', '.'], "-")
}

/// About how many bytes the value takes as JSON.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 12,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + size(value) + 4).sum::<usize>() + 2
        }
    }
}

#[cfg(test)]
mod tests;
