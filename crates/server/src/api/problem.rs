//! Every refusal of the API: from what went wrong to an RFC 9457 body, in one place.

use crate::body::BodyError;
use crate::engine::{OrderError, TakeError};
use crate::keys::KeyError;
use crate::unpack::UnpackError;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ringwall_access::{Refusal, TooManyFailures};
use ringwall_server_api::{Problem, ProblemKind};
use ringwall_store::StoreError;

/// A request that is not done, and what its sender is told.
///
/// The sender's text is here; what only the log may see is logged where it becomes this.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    problem: Box<Problem>,
    retry_after_seconds: Option<u64>,
}

impl ApiError {
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Problem::new(kind, detail).into()
    }

    /// Our own fault. `why` is for the log.
    pub(super) fn internal(why: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %why, "request failed");
        Self::new(ProblemKind::Internal, "something went wrong here; the log knows more")
    }

    /// With the time after which to try again.
    pub(super) fn after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds.max(1));
        self
    }
}

impl IntoResponse for ApiError {
    /// The body is written by [`write_body`], once the path and the correlation id are known.
    fn into_response(self) -> Response {
        let mut response = StatusCode::from_u16(self.problem.status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            .into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.problem.status == StatusCode::UNAUTHORIZED.as_u16() {
            let scheme = HeaderValue::from_static("Bearer realm=\"ringwall\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives a refusal its body. Other answers stay as they are.
pub(super) fn write_body(mut response: Response, path: &str, correlation_id: &str) -> Response {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return response };
    let problem = error.problem.at(path).correlated(correlation_id);
    // Texts and numbers only: this cannot fail.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Problem::MEDIA_TYPE));
    // That of the body that was not there yet.
    headers.remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
    response
}

pub(super) async fn no_such_path(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    Problem::not_found("path", &path).into()
}

pub(super) async fn no_such_method() -> ApiError {
    ApiError::new(ProblemKind::MethodNotAllowed, "this path does not take this method")
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), retry_after_seconds: None }
    }
}

impl From<TakeError> for ApiError {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Busy { retry_after_seconds } => {
                Self::new(ProblemKind::Busy, "too much is waiting to be stored")
                    .after(retry_after_seconds)
            }
            TakeError::Storage(why) => storage_unavailable(&why),
            TakeError::TooManyEvents => Self::new(ProblemKind::BodyTooLarge, error.to_string()),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        storage_unavailable(&error)
    }
}

fn storage_unavailable(why: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(error = %why, "storage refused");
    ApiError::new(ProblemKind::StorageUnavailable, "the storage does not answer").after(5)
}

impl From<OrderError> for ApiError {
    fn from(error: OrderError) -> Self {
        let kind = match &error {
            OrderError::Refused(_) => ProblemKind::ActionRefused,
            OrderError::AlreadyOrdered(_) => ProblemKind::Conflict,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::new(ProblemKind::ActionRefused, refusal.why().to_string())
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Exists(..) | KeyError::FromEnvironment(_) => {
                Self::new(ProblemKind::Conflict, error.to_string())
            }
            KeyError::Missing(..) => Self::new(ProblemKind::NotFound, error.to_string()),
            KeyError::BadName => Problem::invalid_field("name", error.to_string()).into(),
            KeyError::BadSecret => Problem::invalid_field("secret", error.to_string()).into(),
            KeyError::Take(error) => error.into(),
            KeyError::Sealing(why) => Self::internal(&why),
        }
    }
}

impl From<TooManyFailures> for ApiError {
    fn from(error: TooManyFailures) -> Self {
        Self::new(ProblemKind::TooManyRequests, error.to_string()).after(error.retry_after_seconds)
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::TooLarge(_) => ProblemKind::BodyTooLarge,
            BodyError::TooSlow | BodyError::BrokeOff => ProblemKind::InvalidRequest,
            BodyError::NoRoom => return Self::new(ProblemKind::Busy, error.to_string()).after(1),
        };
        Self::new(kind, error.to_string())
    }
}

impl From<UnpackError> for ApiError {
    fn from(error: UnpackError) -> Self {
        let kind = match error {
            UnpackError::TooLarge(_) => ProblemKind::BodyTooLarge,
            UnpackError::UnknownEncoding => ProblemKind::UnsupportedMediaType,
            UnpackError::Damaged(_) => ProblemKind::InvalidRequest,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
        Self::new(ProblemKind::InvalidRequest, format!("query: {text}"))
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::new(ProblemKind::InvalidRequest, format!("path: {}", rejection.body_text()))
    }
}
