//! Every answer that is no success, in the forms of the dialect.

use super::json;
use crate::body::BodyError;
use crate::engine::TakeError;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ringwall_dialects::sysscore::Problem;
use ringwall_dialects::validation::{Fault, Json, Place, Refusals};
use ringwall_store::StoreError;

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) enum Refusal {
    /// `application/problem+json`; the exchange fills in address and correlation id.
    Problem(Unfinished),
    /// 422 with the places of all that is wrong.
    Invalid(Refusals),
    /// `{"detail": "…"}`, as the framework answers before any route is asked.
    Plain(StatusCode, &'static str),
}

/// A problem on its way to the exchange that knows address and correlation id.
#[derive(Clone, Debug)]
pub(super) struct Unfinished {
    pub(super) problem: Problem,
    pub(super) retry_after_seconds: Option<u64>,
    /// For the log, not for the client.
    pub(super) reason: Option<String>,
}

impl Refusal {
    /// One parameter that does not fit: `part` is `query` or `header`, `input` its text.
    pub(super) fn parameter(part: &str, name: &str, fault: &Fault, input: Option<&str>) -> Self {
        let mut refusals = Refusals::default();
        let input = input.map_or_else(|| "null".to_owned(), Json::quote);
        refusals.push(&Place::of(part).field(name), fault, &input);
        Self::Invalid(refusals)
    }

    /// Our fault: the reason goes to the log.
    pub(super) fn internal(reason: impl ToString) -> Self {
        Self::unfinished(Problem::INTERNAL, None, Some(reason.to_string()))
    }

    fn unfinished(
        problem: Problem,
        retry_after_seconds: Option<u64>,
        reason: Option<String>,
    ) -> Self {
        Self::Problem(Unfinished { problem, retry_after_seconds, reason })
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::unfinished(problem, None, None)
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
            BodyError::TooLarge(_) => Problem::BODY_TOO_LARGE.into(),
            BodyError::NoRoom => Self::unfinished(Problem::OVERLOADED, Some(1), None),
            BodyError::TooSlow | BodyError::BrokeOff => Problem::BODY_INCOMPLETE.into(),
        }
    }
}

impl From<TakeError> for Refusal {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Busy { retry_after_seconds } => {
                Self::unfinished(Problem::OVERLOADED, Some(retry_after_seconds), None)
            }
            TakeError::TooManyEvents => Problem::BODY_TOO_LARGE.into(),
            TakeError::Storage(reason) => Self::unfinished(
                Problem::STORAGE_UNAVAILABLE,
                Some(STORAGE_RETRY_SECONDS),
                Some(reason.to_string()),
            ),
        }
    }
}

/// A disk that refuses is not well again at once.
const STORAGE_RETRY_SECONDS: u64 = 5;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(unfinished) => {
                let status = StatusCode::from_u16(unfinished.problem.status)
                    .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut response = status.into_response();
                response.extensions_mut().insert(unfinished);
                response
            }
            Self::Invalid(refusals) => json(StatusCode::UNPROCESSABLE_ENTITY, refusals.to_body()),
            Self::Plain(status, detail) => {
                json(status, format!("{{\"detail\":{}}}", Json::quote(detail)))
            }
        }
    }
}
