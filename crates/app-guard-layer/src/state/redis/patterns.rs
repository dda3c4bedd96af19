//! Patterns of one's own that all workers look for.
//!
//! Python workers keep them in one text with commas between, so that one which holds a comma comes back in
//! pieces. Ours lie beside it as a JSON list; of theirs we take what is not a piece of one of ours.

use super::{RedisState, RedisStateError};
use ::redis::Value;
use ringwall_app_guard::keys;
use std::collections::BTreeSet;

/// So many patterns are read and kept.
const PATTERNS_MAX: usize = 1_000;
/// No pattern is longer, in bytes.
const PATTERN_BYTES_MAX: usize = 4_096;
/// Of either text no more is read.
const TEXT_BYTES_MAX: usize = 1 << 20;

impl RedisState {
    /// All patterns: ours whole, and those that Python workers added.
    ///
    /// # Errors
    /// Where Redis gives no answer.
    pub async fn patterns(&self) -> Result<BTreeSet<String>, RedisStateError> {
        let ours = self.text(&self.our_patterns_key()).await?;
        let theirs = self.text(&self.their_patterns_key()).await?;
        Ok(united(ours.as_deref(), theirs.as_deref()))
    }

    /// Replaces the patterns that all workers look for. Python workers find those without a comma.
    ///
    /// # Errors
    /// Where there are too many or one is too long ([`RedisStateError::Refused`]), or Redis gives no answer.
    pub async fn store_patterns(&self, patterns: &BTreeSet<String>) -> Result<(), RedisStateError> {
        let is_bounded = patterns.len() <= PATTERNS_MAX
            && patterns.iter().all(|pattern| is_bounded(pattern))
            && patterns.iter().map(String::len).sum::<usize>() <= TEXT_BYTES_MAX / 2;
        if !is_bounded {
            return Err(RedisStateError::Refused("too many patterns".to_owned()));
        }
        let ours = serde_json::to_string(patterns).map_err(|_| RedisStateError::Unexpected)?;
        let theirs: Vec<&str> =
            patterns.iter().map(String::as_str).filter(|pattern| !pattern.contains(',')).collect();
        let mut command = ::redis::cmd("MSET");
        command.arg(self.our_patterns_key()).arg(ours);
        command.arg(self.their_patterns_key()).arg(theirs.join(","));
        self.link.send(&command).await.map(drop)
    }

    async fn text(&self, key: &str) -> Result<Option<String>, RedisStateError> {
        let mut command = ::redis::cmd("GETRANGE");
        command.arg(key).arg(0).arg(TEXT_BYTES_MAX);
        match self.link.send(&command).await? {
            Value::BulkString(bytes) if bytes.is_empty() => Ok(None),
            Value::BulkString(bytes) => Ok(String::from_utf8(bytes).ok()),
            _ => Err(RedisStateError::Unexpected),
        }
    }

    fn our_patterns_key(&self) -> String {
        self.prefixed("patterns:custom_json")
    }

    fn their_patterns_key(&self) -> String {
        self.prefixed(keys::CUSTOM_PATTERNS)
    }
}

fn united(ours: Option<&str>, theirs: Option<&str>) -> BTreeSet<String> {
    let ours: Vec<String> =
        ours.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let mut all: BTreeSet<String> =
        ours.into_iter().filter(|pattern| is_bounded(pattern)).take(PATTERNS_MAX).collect();
    let pieces: BTreeSet<String> =
        all.iter().flat_map(|pattern| pattern.split(',')).map(str::to_owned).collect();
    for pattern in theirs.into_iter().flat_map(|text| text.split(',')) {
        if all.len() >= PATTERNS_MAX {
            break;
        }
        if is_bounded(pattern) && !pieces.contains(pattern) {
            all.insert(pattern.to_owned());
        }
    }
    all
}

fn is_bounded(pattern: &str) -> bool {
    (1..=PATTERN_BYTES_MAX).contains(&pattern.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_with_a_comma_stays_whole() {
        check(Some(r#"["ab{2,3}c", "x"]"#), Some("x,y"), &["ab{2,3}c", "x", "y"]);
        // A Python worker that knew the pattern wrote it with a comma of its own.
        check(Some(r#"["ab{2,3}c"]"#), Some("ab{2,3}c,y"), &["ab{2,3}c", "y"]);
        check(None, Some("one,two"), &["one", "two"]);
        check(Some("not JSON"), Some(",,one"), &["one"]);
        check(None, None, &[]);
    }

    #[track_caller]
    fn check(ours: Option<&str>, theirs: Option<&str>, expected: &[&str]) {
        let all = united(ours, theirs);
        assert_eq!(all.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }
}
