use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};

/// A field of an audit entry holds at most this many characters; what is beyond is cut off.
const FIELD_CHARS_MAX: usize = 500;

/// What is remembered of a decision: who wanted what, when and why, and whether they got it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When it was decided.
    pub time: Timestamp,
    /// Who wanted it: `user:admin`, `token:ci`, `rule:indicator`.
    pub actor: String,
    /// What: `kill_process`, `sign_in`.
    pub action: String,
    /// To what or whom.
    pub subject: String,
    /// What was decided.
    pub outcome: Outcome,
    /// Why it was wanted; where refused, why it was refused.
    pub reason: String,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Permitted,
    /// It was not.
    Refused,
}

impl Outcome {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Refused => "refused",
        }
    }
}

impl AuditEntry {
    /// An entry for what was decided elsewhere than in [`authorise`](crate::authorise): signing in.
    ///
    /// Texts are made safe to print: control characters become blanks, and long ones are cut.
    pub fn new(
        time: Timestamp,
        actor: &str,
        action: &str,
        subject: &str,
        outcome: Outcome,
        reason: &str,
    ) -> Self {
        Self {
            time,
            actor: one_line(actor),
            action: one_line(action),
            subject: one_line(subject),
            outcome,
            reason: one_line(reason),
        }
    }

    /// The entry for an attempt to sign in.
    pub fn sign_in(time: Timestamp, user: &str, address: &str, outcome: Outcome) -> Self {
        let reason = match outcome {
            Outcome::Permitted => "password accepted",
            Outcome::Refused => "wrong user or password",
        };
        Self::new(time, &format!("user:{user}"), "sign_in", address, outcome, reason)
    }
}

/// The text on one line and not too long: names and reasons come from outside and are printed on
/// terminals.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .take(FIELD_CHARS_MAX)
        .map(|character| if is_harmless(character) { character } else { ' ' })
        .collect()
}

/// Neither a control character nor one that reverses the order of what is seen.
fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_become_one_plain_line() {
        check("plain é 漢", "plain é 漢");
        check("a\nb\r\tc\0", "a b  c ");
        check("\u{1b}[31mred\u{9b}", " [31mred ");
        check("abc\u{202e}fed\u{2028}", "abc fed ");
        assert_eq!(one_line(&"x".repeat(10_000)).len(), FIELD_CHARS_MAX);
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(one_line(text), expected, "text {text:?}");
    }

    #[test]
    fn an_entry_has_the_names_of_the_api() {
        let entry =
            AuditEntry::sign_in(Timestamp::from_micros(0), "admin", "127.0.0.1", Outcome::Refused);
        assert_eq!(
            serde_json::to_value(entry).unwrap(),
            serde_json::json!({
                "time": "1970-01-01T00:00:00Z", "actor": "user:admin", "action": "sign_in",
                "subject": "127.0.0.1", "outcome": "refused", "reason": "wrong user or password",
            })
        );
    }
}
