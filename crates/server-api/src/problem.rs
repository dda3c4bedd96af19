use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was not done: the body of every answer with a status of 400 or above
/// (RFC 9457, media type [`Problem::MEDIA_TYPE`]).
///
/// `detail` is for people and may change its wording; programs look at `type` and `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The kind of problem: `urn:ringwall:problem:` and its code. Never changes.
    #[serde(rename = "type")]
    #[schema(example = "urn:ringwall:problem:not-found")]
    pub type_uri: String,
    /// The kind in words.
    #[schema(example = "Not found")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What was wrong this time.
    #[schema(example = "there is no alert `0192f3b4c5d67e8f8a1b2c3d4e5f6071`")]
    pub detail: String,
    /// The path of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Stands in the server's log beside whatever it says of this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// What to do about it, where there is something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Each thing that was wrong with the request, where there are several or they have a place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemDetail>,
}

/// One thing that was wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemDetail {
    /// What was wrong.
    pub detail: String,
    /// Where in the body, as a JSON pointer in a fragment (RFC 6901 §6): `#/pid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Which parameter of the query or the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

/// The kinds of problem. A kind is one code, one title and one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The request cannot be read, or a value is out of its range.
    InvalidRequest,
    /// The cursor is altered, of another list, or too old.
    InvalidCursor,
    /// No credentials, or none that are valid. All reasons look the same.
    Unauthenticated,
    /// The role may not do this.
    Forbidden,
    /// The identity of the host agent was revoked; the signature itself is right.
    IdentityRevoked,
    /// The identity of the host agent is suspended, as two machines used it; the signature itself is right.
    IdentitySuspended,
    /// The request carries a cookie but not the session's `X-Ringwall-CSRF`.
    CsrfMissing,
    /// `authorise` refused the action; `detail` has its reason.
    ActionRefused,
    /// There is no such thing.
    NotFound,
    /// The path is right, the method is not.
    MethodNotAllowed,
    /// It exists already, or its state does not allow this any more.
    Conflict,
    /// The body is beyond the limit.
    BodyTooLarge,
    /// Rules have faults; `errors` says where each is.
    InvalidRules,
    /// The body is not JSON, or is packed in a way that is not supported.
    UnsupportedMediaType,
    /// Too many attempts; `Retry-After` says when to come back.
    TooManyRequests,
    /// Our fault; the log has the reason beside the correlation id.
    Internal,
    /// The server has no room now; nothing was taken. `Retry-After` says when to come back.
    Busy,
    /// The disk refuses; nothing was taken.
    StorageUnavailable,
}

impl ProblemKind {
    /// All of them, by status.
    pub const ALL: [Self; 18] = [
        Self::InvalidRequest,
        Self::InvalidCursor,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::IdentityRevoked,
        Self::IdentitySuspended,
        Self::CsrfMissing,
        Self::ActionRefused,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidRules,
        Self::TooManyRequests,
        Self::Internal,
        Self::Busy,
        Self::StorageUnavailable,
    ];

    /// The last part of the type URI.
    pub const fn code(self) -> &'static str {
        self.facts().0
    }

    /// The kind in words.
    pub const fn title(self) -> &'static str {
        self.facts().1
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.facts().2
    }

    /// The type URI.
    pub fn type_uri(self) -> String {
        format!("{}{}", Problem::TYPE_PREFIX, self.code())
    }

    const fn facts(self) -> (&'static str, &'static str, u16) {
        match self {
            Self::InvalidRequest => ("invalid-request", "Invalid request", 400),
            Self::InvalidCursor => ("invalid-cursor", "Invalid cursor", 400),
            Self::Unauthenticated => ("unauthenticated", "Not signed in", 401),
            Self::Forbidden => ("forbidden", "Not permitted", 403),
            Self::IdentityRevoked => ("identity-revoked", "Identity revoked", 403),
            Self::IdentitySuspended => ("identity-suspended", "Identity suspended", 403),
            Self::CsrfMissing => ("csrf-missing", "CSRF value missing", 403),
            Self::ActionRefused => ("action-refused", "Action refused", 403),
            Self::NotFound => ("not-found", "Not found", 404),
            Self::MethodNotAllowed => ("method-not-allowed", "Method not allowed", 405),
            Self::Conflict => ("conflict", "Conflict", 409),
            Self::BodyTooLarge => ("body-too-large", "Body too large", 413),
            Self::UnsupportedMediaType => ("unsupported-media-type", "Unsupported media type", 415),
            Self::InvalidRules => ("invalid-rules", "Invalid rules", 422),
            Self::TooManyRequests => ("too-many-requests", "Too many requests", 429),
            Self::Internal => ("internal", "Internal error", 500),
            Self::Busy => ("busy", "Busy", 503),
            Self::StorageUnavailable => ("storage-unavailable", "Storage unavailable", 503),
        }
    }
}

impl Problem {
    /// The media type of a problem body.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";
    /// What every type URI begins with.
    pub const TYPE_PREFIX: &'static str = "urn:ringwall:problem:";

    /// A problem of this kind; `detail` says what was wrong this time.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            type_uri: kind.type_uri(),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            instance: None,
            correlation_id: None,
            hint: None,
            errors: Vec::new(),
        }
    }

    /// There is no `what` called `id`.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(ProblemKind::NotFound, format!("there is no {what} `{id}`"))
    }

    /// The one answer to missing, wrong and expired credentials.
    pub fn unauthenticated() -> Self {
        Self::new(ProblemKind::Unauthenticated, "credentials are missing or not valid")
            .with_hint("sign in, or send `Authorization: Bearer rwt_…`")
    }

    /// A value of the query or the path is wrong.
    pub fn invalid_parameter(parameter: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut problem =
            Self::new(ProblemKind::InvalidRequest, format!("parameter `{parameter}`: {detail}"));
        problem.errors.push(ProblemDetail {
            detail,
            pointer: None,
            parameter: Some(parameter.to_owned()),
        });
        problem
    }

    /// A value of the body is wrong; `field` is its name, or its path with `/` between the steps.
    pub fn invalid_field(field: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut problem =
            Self::new(ProblemKind::InvalidRequest, format!("field `{field}`: {detail}"));
        problem.errors.push(ProblemDetail {
            detail,
            pointer: Some(format!("#/{field}")),
            parameter: None,
        });
        problem
    }

    /// With the path of the request.
    #[must_use]
    pub fn at(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// With what finds the request in the log.
    #[must_use]
    pub fn correlated(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// With a way out.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The kind, where it is one of ours.
    pub fn kind(&self) -> Option<ProblemKind> {
        let code = self.type_uri.strip_prefix(Self::TYPE_PREFIX)?;
        ProblemKind::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_code_alone() {
        for kind in ProblemKind::ALL {
            assert_eq!(Problem::new(kind, "x").kind(), Some(kind));
            assert!((400..600).contains(&kind.status()));
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let text = serde_json::to_string(&Problem::not_found("alert", "17")).unwrap();
        assert_eq!(
            text,
            r#"{"type":"urn:ringwall:problem:not-found","title":"Not found","status":404,"detail":"there is no alert `17`"}"#
        );
    }
}
