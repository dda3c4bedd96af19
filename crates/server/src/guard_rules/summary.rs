//! What changed between two states of a project's rules, in one line for people: pure.

use ringwall_dialects::guard::DynamicRules;
use serde_json::{Map, Value};

/// A line is at most this long.
const CHARS_MAX: usize = 300;

/// What `after` has that `before` had not, and the other way round.
pub(crate) fn summary(before: &DynamicRules, after: &DynamicRules) -> String {
    let (before, after) = (fields(before), fields(after));
    let changes: Vec<String> = after
        .iter()
        .filter_map(|(field, value)| {
            let old = before.get(field).unwrap_or(&Value::Null);
            (old != value).then(|| format!("{field}: {}", change(old, value)))
        })
        .collect();
    if changes.is_empty() {
        return "nothing changed".to_owned();
    }
    changes.join(", ").chars().take(CHARS_MAX).collect()
}

/// The editable fields as JSON.
pub(crate) fn fields(rules: &DynamicRules) -> Map<String, Value> {
    // It was written by ourselves.
    serde_json::from_str(&rules.write_editable()).unwrap_or_default()
}

fn change(old: &Value, new: &Value) -> String {
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => {
            let added = new.iter().filter(|entry| !old.contains(entry)).count();
            let removed = old.iter().filter(|entry| !new.contains(entry)).count();
            added_and_removed(added, removed)
        }
        (Value::Object(old), Value::Object(new)) => {
            let added = new.iter().filter(|(key, value)| old.get(*key) != Some(value)).count();
            let removed = old.keys().filter(|key| !new.contains_key(*key)).count();
            added_and_removed(added, removed)
        }
        (_, Value::Null) => "unset".to_owned(),
        (Value::Null, new) => new.to_string(),
        (old, new) => format!("{old} to {new}"),
    }
}

fn added_and_removed(added: usize, removed: usize) -> String {
    match (added, removed) {
        (0, 0) => "order".to_owned(),
        (added, 0) => format!("{added} added"),
        (0, removed) => format!("{removed} removed"),
        (added, removed) => format!("{added} added, {removed} removed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_changed() {
        check("{}", "{}", "nothing changed");
        check("{}", r#"{"emergency_mode":true}"#, "emergency_mode: false to true");
        check(
            r#"{"ip_blacklist":["192.0.2.1"],"global_rate_limit":5}"#,
            r#"{"ip_blacklist":["192.0.2.2","192.0.2.3"]}"#,
            "global_rate_limit: unset, ip_blacklist: 2 added, 1 removed",
        );
        check(
            r#"{"endpoint_rate_limits":{"/a":[1,60]}}"#,
            r#"{"endpoint_rate_limits":{"/a":[2,60]},"ttl":60}"#,
            "endpoint_rate_limits: 1 added, ttl: 300 to 60",
        );
    }

    #[track_caller]
    fn check(before: &str, after: &str, expected: &str) {
        let read = |text: &str| DynamicRules::read_edited(text.as_bytes()).unwrap();
        assert_eq!(summary(&read(before), &read(after)), expected);
    }
}
