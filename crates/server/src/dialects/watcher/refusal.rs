//! Every answer that is no success, in the forms of the dialect.

use super::json;
use crate::body::BodyError;
use crate::engine::TakeError;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ringwall_dialects::validation::{Fault, Json, Place, Refusals};
use ringwall_dialects::watcher::detail;
use ringwall_store::StoreError;

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) enum Refusal {
    /// 422 with the places of all that is wrong.
    Invalid(Refusals),
    /// `{"detail": "…"}`.
    Plain(StatusCode, &'static str),
    /// 503: the client may come back after this many seconds.
    Later(&'static str, u64),
    /// 500, or 503 where it may pass: the reason is for the log only.
    Internal(String),
}

impl Refusal {
    /// One query parameter that does not fit.
    pub(super) fn parameter(name: &str, fault: &Fault, input: Option<&str>) -> Self {
        let mut refusals = Refusals::default();
        let input = input.map_or_else(|| "null".to_owned(), Json::quote);
        refusals.push(&Place::of("query").field(name), fault, &input);
        Self::Invalid(refusals)
    }

    /// Our fault: the reason goes to the log.
    pub(super) fn internal(reason: impl ToString) -> Self {
        Self::Internal(reason.to_string())
    }
}

impl From<Refusals> for Refusal {
    fn from(refusals: Refusals) -> Self {
        Self::Invalid(refusals)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::internal(error)
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => {
                Self::Plain(StatusCode::PAYLOAD_TOO_LARGE, "Request body is too large")
            }
            BodyError::NoRoom => Self::Later("Busy, try again later", 1),
            BodyError::TooSlow | BodyError::BrokeOff => {
                Self::Plain(StatusCode::REQUEST_TIMEOUT, "Request body did not arrive")
            }
        }
    }
}

impl From<TakeError> for Refusal {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Busy { retry_after_seconds } => {
                Self::Later("Busy, try again later", retry_after_seconds)
            }
            TakeError::Storage(reason) => {
                tracing::error!(%reason, "payload not stored");
                Self::Later("Storage is not available", STORAGE_RETRY_SECONDS)
            }
            TakeError::TooManyEvents => Self::internal(error),
        }
    }
}

/// A disk that refuses is not well again at once.
const STORAGE_RETRY_SECONDS: u64 = 5;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(refusals) => json(StatusCode::UNPROCESSABLE_ENTITY, refusals.to_body()),
            Self::Plain(status, text) => json(status, detail(text)),
            Self::Later(text, seconds) => {
                let mut response = json(StatusCode::SERVICE_UNAVAILABLE, detail(text));
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
            Self::Internal(reason) => {
                tracing::error!(reason, "request failed");
                json(StatusCode::INTERNAL_SERVER_ERROR, detail("Internal Server Error"))
            }
        }
    }
}
