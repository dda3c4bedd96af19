//! What an answer to events, metrics or a status means.
//!
//! Only what the contract calls an acceptance counts as one. Everything else keeps the batch: a proxy in
//! the way that answers 404 for a minute must not cost a minute of telemetry.

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use ringwall_delivery::Outcome;
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// A 429 that does not say how long means this.
const BUSY_FOR: Duration = Duration::from_secs(60);

/// What an answer means, and whether somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    /// Waiting alone does not mend it.
    pub(super) is_alarming: bool,
}

/// Judges an answer that came `now`. A server that refuses is left alone for `refusal_wait`.
pub(super) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
    refusal_wait: Duration,
) -> Verdict {
    let calm = |outcome| Verdict { outcome, is_alarming: false };
    let why = || format!("the server answers {status}");
    match status.as_u16() {
        200 => match fault_of(body) {
            None => calm(Outcome::Delivered),
            Some(why) => Verdict {
                outcome: Outcome::Retry { after: None, why: why.to_owned() },
                is_alarming: true,
            },
        },
        201 => calm(Outcome::Delivered),
        413 => calm(Outcome::TooLarge { why: why() }),
        429 => {
            let after = retry_after(headers, now).unwrap_or(BUSY_FOR);
            calm(Outcome::Later { after: Some(after), why: why() })
        }
        500.. => calm(Outcome::Retry { after: retry_after(headers, now), why: why() }),
        // The server works, but not for us: no breaker, no hurry, and an alarm.
        _ => Verdict {
            outcome: Outcome::Later { after: Some(refusal_wait), why: why() },
            is_alarming: true,
        },
    }
}

/// Why a body with status 200 acknowledges nothing.
fn fault_of(body: &[u8]) -> Option<&'static str> {
    match serde_json::from_slice::<Value>(body) {
        Err(_) => Some("the server answers 200 with what is not JSON"),
        Ok(Value::Object(members)) if members.is_empty() => {
            Some("the server answers 200 with an empty object")
        }
        Ok(Value::Object(members)) => {
            let has_errors = match members.get("errors") {
                None | Some(Value::Null | Value::Bool(false)) => false,
                Some(Value::Array(errors)) => !errors.is_empty(),
                Some(Value::Object(errors)) => !errors.is_empty(),
                Some(Value::String(error)) => !error.is_empty(),
                Some(Value::Number(count)) => count.as_f64() != Some(0.0),
                Some(Value::Bool(true)) => true,
            };
            let failed = members.get("success") == Some(&Value::Bool(false));
            (failed || has_errors).then_some("the server answers 200 and tells of errors")
        }
        Ok(_) => None,
    }
}

/// Seconds, or a date (RFC 9110 §10.2.3); a moment that is past means at once.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let moment = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(SystemTime::from(moment).duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const REFUSAL_WAIT: Duration = Duration::from_secs(30);

    fn verdict(status: u16, retry_after: Option<&str>, body: &str) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, value.parse().unwrap());
        }
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let status = StatusCode::from_u16(status).unwrap();
        judge(status, &headers, body.as_bytes(), now, REFUSAL_WAIT)
    }

    #[test]
    fn only_an_acknowledgement_is_a_success() {
        for body in [r#"{"success":true,"errors":[]}"#, r#"{"stored":0}"#, "[]", "7", "null"] {
            assert_eq!(verdict(200, None, body).outcome, Outcome::Delivered, "{body}");
        }
        for body in
            ["", "{}", "<html>", r#"{"success":false}"#, r#"{"success":true,"errors":["a"]}"#]
        {
            let verdict = verdict(200, None, body);
            assert!(verdict.is_alarming, "{body}");
            assert!(matches!(verdict.outcome, Outcome::Retry { after: None, .. }), "{body}");
        }
        assert_eq!(verdict(201, None, "").outcome, Outcome::Delivered);
    }

    /// Flaws 3, 4 and 16: such answers deleted the batch, or were followed by the next attempt at once,
    /// or counted as success.
    #[test]
    fn flaws_3_4_and_16_what_is_no_acknowledgement_keeps_the_batch_and_waits() {
        for status in [
            202, 204, 207, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410,
            415, 422, 426, 451,
        ] {
            let verdict = verdict(status, None, r#"{"success":true}"#);
            assert!(verdict.is_alarming, "{status}");
            match verdict.outcome {
                Outcome::Later { after, .. } => assert_eq!(after, Some(REFUSAL_WAIT), "{status}"),
                other => panic!("{status}: {other:?}"),
            }
        }
    }

    /// Flaw 12: only numbers were understood, and a busy server counted as a broken one.
    #[test]
    fn flaw_12_a_busy_server_is_given_the_time_it_asks_for() {
        check(429, Some("7"), Some(7));
        check(429, Some("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        check(429, Some("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        check(429, Some("soon"), Some(60));
        check(429, Some("-5"), Some(60));
        check(429, None, Some(60));
        check(503, Some("7"), Some(7));
        check(503, Some("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        check(500, None, None);
        check(502, Some("1e99"), None);
    }

    #[track_caller]
    fn check(status: u16, header: Option<&str>, expected: Option<u64>) {
        let verdict = verdict(status, header, "");
        assert!(!verdict.is_alarming);
        let after = match verdict.outcome {
            Outcome::Later { after, .. } if status == 429 => after,
            Outcome::Retry { after, .. } if status != 429 => after,
            other => panic!("{status}: {other:?}"),
        };
        assert_eq!(after, expected.map(Duration::from_secs), "{status} {header:?}");
    }

    #[test]
    fn what_is_too_large_is_said_to_be() {
        assert!(matches!(verdict(413, None, "").outcome, Outcome::TooLarge { .. }));
    }

    proptest::proptest! {
        #[test]
        fn no_answer_panics(status in 100u16..1000, header in "[ -~]{0,40}", body: Vec<u8>) {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, header.parse().unwrap());
            let status = StatusCode::from_u16(status).unwrap();
            let verdict = judge(status, &headers, &body, SystemTime::now(), REFUSAL_WAIT);
            let is_success = verdict.outcome == Outcome::Delivered;
            proptest::prop_assert!(!is_success || status == 200 || status == 201);
        }
    }
}
