use serde::Serialize;
use std::borrow::Cow;

/// An error in the dialect's form: `application/problem+json` (RFC 9457), with the original's
/// members and the `type` that it leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code of the original's vocabulary; with hyphens the last part of `type`.
    pub code: &'static str,
    /// The kind of error, for people.
    pub title: &'static str,
    /// This error, for people.
    pub detail: Cow<'static, str>,
    /// What to do about it.
    pub remediation: Option<&'static str>,
}

/// Longer ids are cut where a detail repeats them.
const ECHO_CHARS_MAX: usize = 128;

/// Longer request addresses are cut.
const INSTANCE_BYTES_MAX: usize = 2048;

impl Problem {
    /// An agent that is not known, and one whose signature does not verify: told apart, the answer
    /// would list the agents to anyone who asks (flaw 13).
    pub const AGENT_REFUSED: Self = Self {
        status: 401,
        code: "unauthorized",
        title: "Unauthorized",
        detail: Cow::Borrowed("Invalid signature"),
        remediation: Some(
            "Check that the agent's key is known to the server, and that X-Agent-Signature is the \
             padded base64 of HMAC-SHA256 under its secret over the body as sent",
        ),
    };

    /// A bearer token that does not verify.
    pub const TOKEN_REFUSED: Self = Self {
        status: 401,
        code: "unauthorized",
        title: "Unauthorized",
        detail: Cow::Borrowed("Invalid or expired token"),
        remediation: Some("Get a new token and send it as Authorization: Bearer <token>"),
    };

    /// A token that may not do this.
    pub const FORBIDDEN: Self = Self {
        status: 403,
        code: "forbidden",
        title: "Forbidden",
        detail: Cow::Borrowed("This token may not do that"),
        remediation: Some("Use a token with a role that may"),
    };

    /// A batch with a key neither in the header nor in the body.
    pub const IDEMPOTENCY_KEY_REQUIRED: Self = Self {
        status: 400,
        code: "idempotency_key_required",
        title: "Idempotency Key Required",
        detail: Cow::Borrowed("An idempotency key is required to send events"),
        remediation: Some(
            "Send the header Idempotency-Key, or idempotency_key in the body: unique for each \
             batch, the same for its retries",
        ),
    };

    /// A cursor that is not ours, or too old.
    pub const INVALID_CURSOR: Self = Self {
        status: 400,
        code: "invalid_cursor",
        title: "Invalid Cursor",
        detail: Cow::Borrowed("Cursor is invalid or expired"),
        remediation: Some("Begin again without a cursor"),
    };

    /// A body beyond the limit.
    pub const BODY_TOO_LARGE: Self = Self {
        status: 413,
        code: "invalid_request",
        title: "Content Too Large",
        detail: Cow::Borrowed("The body is larger than the server takes"),
        remediation: Some("Send fewer events at once"),
    };

    /// The server cannot take more now; the answer carries `Retry-After`.
    pub const OVERLOADED: Self = Self {
        status: 503,
        code: "rate_limit_exceeded",
        title: "Service Unavailable",
        detail: Cow::Borrowed("The server cannot take more at the moment"),
        remediation: Some("Send the same body under the same key again after Retry-After seconds"),
    };

    /// The body did not arrive in time, or not whole.
    pub const BODY_INCOMPLETE: Self = Self {
        status: 408,
        code: "invalid_request",
        title: "Request Timeout",
        detail: Cow::Borrowed("The body did not arrive whole and in time"),
        remediation: Some("Send the same body under the same key again"),
    };

    /// The disk refuses; the answer carries `Retry-After`.
    pub const STORAGE_UNAVAILABLE: Self = Self {
        status: 503,
        code: "internal_error",
        title: "Service Unavailable",
        detail: Cow::Borrowed("The server cannot store anything at the moment"),
        remediation: Some("Send the same body under the same key again after Retry-After seconds"),
    };

    /// Our fault; the log has the reason under the correlation id.
    pub const INTERNAL: Self = Self {
        status: 500,
        code: "internal_error",
        title: "Internal Server Error",
        detail: Cow::Borrowed("An unexpected error occurred"),
        remediation: None,
    };

    /// No such process, or one without recent events.
    pub fn process_not_found(id: &str) -> Self {
        Self {
            status: 404,
            code: "not_found",
            title: "Process Not Found",
            detail: format!("Process {} not found", shortened(id)).into(),
            remediation: Some("GET /api/v1/processes lists the known processes"),
        }
    }

    /// No such registered agent.
    pub fn agent_not_found(id: &str) -> Self {
        Self {
            status: 404,
            code: "not_found",
            title: "Agent Not Found",
            detail: format!("Agent {} not found", shortened(id)).into(),
            remediation: Some("GET /api/v1/agents lists the registered agents"),
        }
    }

    /// More registrations than are kept.
    pub const TOO_MANY_AGENTS: Self = Self {
        status: 409,
        code: "conflict",
        title: "Too Many Agents",
        detail: Cow::Borrowed("No more agents can be registered"),
        remediation: Some("Agents may post events without being registered"),
    };

    /// A second registration of one id.
    pub fn agent_already_exists(id: &str) -> Self {
        Self {
            status: 409,
            code: "conflict",
            title: "Agent Already Exists",
            detail: format!("Agent {} is already registered", shortened(id)).into(),
            remediation: Some("Use another id"),
        }
    }

    /// The body, `application/problem+json`; `instance` is the address that was asked for.
    pub fn to_body(&self, instance: &str, correlation_id: &str) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            detail: &'a str,
            instance: &'a str,
            correlation_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            remediation: Option<&'a str>,
        }
        let mut end = instance.len().min(INSTANCE_BYTES_MAX);
        while !instance.is_char_boundary(end) {
            end -= 1;
        }
        let body = Body {
            r#type: format!("urn:ringwall:problem:{}", self.code.replace('_', "-")),
            title: self.title,
            status: self.status,
            detail: &self.detail,
            instance: instance.get(..end).unwrap_or_default(),
            correlation_id,
            remediation: self.remediation,
        };
        // Texts and numbers always serialise.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

fn shortened(id: &str) -> String {
    id.chars().take(ECHO_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_body_has_the_members_of_the_original_and_a_type() {
        let body = Problem::INVALID_CURSOR.to_body("http://h/api/v1/events?cursor=x", "c-1");
        assert_eq!(
            serde_json::from_str::<Value>(&body).expect("JSON"),
            json!({
                "type": "urn:ringwall:problem:invalid-cursor",
                "title": "Invalid Cursor",
                "status": 400,
                "detail": "Cursor is invalid or expired",
                "instance": "http://h/api/v1/events?cursor=x",
                "correlation_id": "c-1",
                "remediation": "Begin again without a cursor",
            })
        );
        let body = Problem::INTERNAL.to_body("", "");
        let body = serde_json::from_str::<Value>(&body).expect("JSON");
        assert_eq!(body.get("remediation"), None);
    }

    #[test]
    fn what_is_repeated_is_bounded() {
        let problem = Problem::process_not_found(&"é".repeat(10_000));
        assert!(problem.to_body(&"ü".repeat(10_000), "c").len() < 3000);
    }
}
