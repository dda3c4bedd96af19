//! Whether a regular expression is safe on every guard that gets it.
//!
//! Ours run on an automaton, in time linear in the input. The original's run on a backtracking
//! engine, where `(a+)+$` takes exponential time: such a pattern would stop every application that
//! takes the rules, so it is refused for all.

use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_syntax::hir::{Hir, HirKind};

/// The longest pattern in bytes.
pub(super) const PATTERN_BYTES_MAX: usize = 1000;

/// The most memory that one compiled pattern takes, in bytes.
const AUTOMATON_BYTES_MAX: usize = 1 << 20;

/// How deep the groups of a pattern may be nested.
const NESTING_MAX: u32 = 50;

/// What is wrong with the pattern, where something is.
pub(super) fn fault(pattern: &str) -> Option<String> {
    if pattern.is_empty() {
        return Some("an empty pattern is found in everything".to_owned());
    }
    if pattern.len() > PATTERN_BYTES_MAX {
        return Some(format!("{} bytes, at most {PATTERN_BYTES_MAX}", pattern.len()));
    }
    let config = syntax::Config::new().case_insensitive(true).nest_limit(NESTING_MAX);
    let hir = match syntax::parse_with(pattern, &config) {
        Ok(hir) => hir,
        Err(error) => return Some(one_line(&error.to_string())),
    };
    if hir.properties().minimum_len() == Some(0) {
        return Some("found in everything, as it can be empty".to_owned());
    }
    if repeats_a_repetition(&hir) {
        return Some(
            "a repetition without end within another takes exponential time on original guards"
                .to_owned(),
        );
    }
    let compiled = thompson::Compiler::new()
        .configure(thompson::Config::new().nfa_size_limit(Some(AUTOMATON_BYTES_MAX)))
        .build_from_hir(&hir);
    compiled.err().map(|error| one_line(&error.to_string()))
}

/// Whether something that repeats without end is within something that does. The nesting is bounded
/// by [`NESTING_MAX`], so the recursion is.
fn repeats_a_repetition(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            let is_endless = repetition.max.is_none_or(|max| max > 1000);
            (is_endless && has_endless_repetition(&repetition.sub))
                || repeats_a_repetition(&repetition.sub)
        }
        HirKind::Capture(capture) => repeats_a_repetition(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().any(repeats_a_repetition)
        }
        _ => false,
    }
}

fn has_endless_repetition(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            repetition.max.is_none_or(|max| max > 1000) || has_endless_repetition(&repetition.sub)
        }
        HirKind::Capture(capture) => has_endless_repetition(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().any(has_endless_repetition)
        }
        _ => false,
    }
}

/// The engine draws the pattern over several lines; the last one says what is wrong.
fn one_line(message: &str) -> String {
    let last = message.lines().rfind(|line| !line.trim().is_empty()).unwrap_or(message);
    last.trim().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_patterns_pass() {
        for pattern in
            ["sqlmap", r"\bcurl/\d+\.\d+", "(?i)bad-?bot", "(?:abc){2,3}c", "[^<]+<script"]
        {
            assert_eq!(fault(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn unsafe_patterns_are_refused_with_a_reason() {
        check("", "an empty pattern is found in everything");
        check(".*", "found in everything, as it can be empty");
        check(
            "(a+)+$",
            "a repetition without end within another takes exponential time on original guards",
        );
        check(
            "((?:ab*)c)*d",
            "a repetition without end within another takes exponential time on original guards",
        );
        check("(", "unclosed group");
        check(r"(?=a)b", "look-around, including look-ahead and look-behind, is not supported");
        check(r"(a)\1", "backreferences are not supported");
        check(&"a".repeat(1001), "1001 bytes, at most 1000");
        assert!(fault("(?:\\pL{500}){500}").is_some());
        assert!(fault(&"(".repeat(500)).is_some());
    }

    #[track_caller]
    fn check(pattern: &str, expected: &str) {
        assert_eq!(fault(pattern).as_deref(), Some(expected), "{pattern}");
    }
}
