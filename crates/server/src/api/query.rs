//! Values from the query and the path.

use super::problem::ApiError;
use crate::server::Server;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use ringwall_event::{EventId, Source};
use ringwall_server_api::Problem;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The whole query.
pub(super) struct InQuery<T>(pub(super) T);

/// The whole query, for who checks a signature first.
pub(super) fn in_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    let Query(value) = Query::try_from_uri(uri)?;
    Ok(value)
}

impl<T: DeserializeOwned> FromRequestParts<Arc<Server>> for InQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Server>) -> Result<Self, ApiError> {
        in_query(&parts.uri).map(Self)
    }
}

/// What stands in the place of the path's parameters, decoded.
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Server>> for InPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Server>) -> Result<Self, ApiError> {
        let Path(value) = Path::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// The id of an event or alert, as a path has it; whatever else stands there does not exist.
pub(super) fn event_id(what: &str, text: &str) -> Result<EventId, ApiError> {
    text.parse().map_err(|_| not_found(what, text))
}

/// The id of a host: `dialect:name`.
pub(super) fn source(text: &str) -> Result<Source, ApiError> {
    Source::parse(text).ok_or_else(|| not_found("host", text))
}

/// There is no such thing; what was asked for is repeated in part only.
pub(super) fn not_found(what: &str, id: &str) -> ApiError {
    let id: String = id.chars().take(200).collect();
    Problem::not_found(what, &id).into()
}
