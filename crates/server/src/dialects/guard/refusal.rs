//! Every answer that is no success.

use crate::body::BodyError;
use crate::engine::TakeError;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// Why a request was not carried out.
#[derive(Debug)]
pub(in crate::dialects) enum Refusal {
    /// No key, or one of no project. Clients keep what they have.
    WrongKey,
    /// The key is of another project than the header says. They keep it, too.
    OtherProject,
    /// The signature is wrong, or missing where it is required.
    WrongSignature,
    /// Nothing can be taken for this project now, such as where its key is not known.
    NotReady(&'static str),
    /// Not now: nothing was taken.
    Later {
        /// When it is worth trying again.
        seconds: u64,
    },
    /// Too much at once. Clients halve the batch.
    TooLarge(String),
    /// Not a batch, and none will ever be read from it. Clients throw it away.
    Unreadable(String),
    /// There is nothing at this path.
    NoSuchPath,
    /// The framework's own.
    Plain(StatusCode, &'static str),
}

/// A disk that refuses, or a project without its keys, is not well again at once.
const TROUBLE_SECONDS: u64 = 30;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, reason, retry_after) = match self {
            Self::WrongKey => {
                (StatusCode::UNAUTHORIZED, "the key is missing or not known".to_owned(), None)
            }
            Self::OtherProject => {
                (StatusCode::FORBIDDEN, "the key is not of this project".to_owned(), None)
            }
            Self::WrongSignature => (
                StatusCode::FORBIDDEN,
                "the payload signature is missing or wrong".to_owned(),
                None,
            ),
            Self::NotReady(reason) => {
                (StatusCode::SERVICE_UNAVAILABLE, reason.to_owned(), Some(TROUBLE_SECONDS))
            }
            Self::Later { seconds } => {
                (StatusCode::SERVICE_UNAVAILABLE, "busy, try again".to_owned(), Some(seconds))
            }
            Self::TooLarge(reason) => (StatusCode::PAYLOAD_TOO_LARGE, reason, None),
            Self::Unreadable(reason) => (StatusCode::BAD_REQUEST, reason, None),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "no such path".to_owned(), None),
            Self::Plain(status, reason) => (status, reason.to_owned(), None),
        };
        let body = serde_json::json!({ "success": false, "errors": [reason] }).to_string();
        let json = HeaderValue::from_static("application/json");
        let mut response = (status, [(header::CONTENT_TYPE, json)], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after {
            // Whole seconds: clients understand no date.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => Self::TooLarge(error.to_string()),
            // Any 4xx of a time-out makes clients try again at once, without a pause.
            BodyError::NoRoom | BodyError::TooSlow | BodyError::BrokeOff => {
                Self::Later { seconds: 1 }
            }
        }
    }
}

impl From<TakeError> for Refusal {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Busy { retry_after_seconds } => Self::Later { seconds: retry_after_seconds },
            TakeError::TooManyEvents => Self::TooLarge(error.to_string()),
            TakeError::Storage(reason) => {
                tracing::error!(%reason, "a guard's batch could not be stored");
                Self::NotReady("storage is not available")
            }
        }
    }
}
