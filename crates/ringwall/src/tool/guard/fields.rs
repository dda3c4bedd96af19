//! Rules as they are given on the command line: a file, or single fields, or both.

use anyhow::{Context, Result};
use clap::Args;
use ringwall_lifecycle::Failure;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Ten thousand addresses, and all the rest.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Rules, given whole or field by field.
#[derive(Debug, Args)]
pub(super) struct RuleFields {
    /// Fields to change, as in emergency_mode=true or 'ip_blacklist=["203.0.113.0/24"]'; a field with
    /// nothing behind the sign falls back to its default
    #[arg(value_name = "FIELD=JSON")]
    fields: Vec<String>,
    /// Begin with the JSON object in this file (- for stdin) instead of the rules in force
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl RuleFields {
    /// Whether nothing was given.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.file.is_none()
    }

    /// The rules that are meant, where `in_force` holds now.
    pub(super) fn over(&self, in_force: &Value) -> Result<Value> {
        let mut rules = match &self.file {
            None => in_force.clone(),
            Some(path) => read_json(path)?,
        };
        let Some(members) = rules.as_object_mut() else {
            return Err(Failure::new("rules are a JSON object, field by field")
                .hint("`ringwall guard rules show PROJECT --json` prints one under `rules`")
                .into());
        };
        for field in &self.fields {
            set(members, field)?;
        }
        Ok(rules)
    }
}

/// A text that is no JSON is taken as a text: `message=closed` needs no quotes within quotes.
fn set(rules: &mut Map<String, Value>, field: &str) -> Result<(), Failure> {
    let Some((name, text)) = field.split_once('=') else {
        return Err(Failure::new(format!("no value in `{field}`"))
            .hint("as in emergency_mode=true; a name with = and nothing else unsets the field"));
    };
    let value = match text {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    };
    rules.insert(name.trim().to_owned(), value);
    Ok(())
}

/// Reads a JSON file, or stdin for `-`.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let mut text = String::new();
    let shown = path.display();
    if path == Path::new("-") {
        std::io::stdin().take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot read {shown}"))?;
        file.take(FILE_BYTES_MAX)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read {shown}"))?;
    }
    serde_json::from_str(&text).map_err(|error| Failure::new(format!("{shown}: {error}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_json_or_text_or_nothing() {
        check("emergency_mode=true", json!({ "a": 1, "emergency_mode": true }));
        check("message=closed for today", json!({ "a": 1, "message": "closed for today" }));
        check(r#"ip_blacklist=["192.0.2.1"]"#, json!({ "a": 1, "ip_blacklist": ["192.0.2.1"] }));
        check("a=", json!({ "a": null }));
        let fields = RuleFields { fields: vec!["a".into()], file: None };
        assert!(fields.over(&json!({})).is_err());
    }

    #[track_caller]
    fn check(field: &str, expected: Value) {
        let fields = RuleFields { fields: vec![field.into()], file: None };
        assert_eq!(fields.over(&json!({ "a": 1 })).unwrap(), expected, "{field}");
    }
}
