//! JSON in and out.

use super::problem::ApiError;
use crate::server::Server;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ringwall_server_api::ProblemKind;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Bodies that people and programs write are small: 64 KiB.
pub(super) const BODY_BYTES_MAX: usize = 64 << 10;

/// A JSON body of at most `BYTES_MAX` bytes in; a JSON answer out.
///
/// Only `application/json` is read: what a form on another site can send is not.
pub(super) struct Json<T, const BYTES_MAX: usize = BODY_BYTES_MAX>(pub(super) T);

impl<T: DeserializeOwned, const BYTES_MAX: usize> FromRequest<Arc<Server>> for Json<T, BYTES_MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Arc<Server>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        must_be_json(&parts.headers)?;
        let bytes = crate::body::read(body, BYTES_MAX).await?;
        parse(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self.0)
    }
}

/// The same for bodies in which everything may be absent: then the body itself may be, too.
pub(super) struct JsonOrNothing<T>(pub(super) T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<Server>> for JsonOrNothing<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Arc<Server>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = crate::body::read(body, BODY_BYTES_MAX).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        must_be_json(&parts.headers)?;
        parse(&bytes).map(Self)
    }
}

/// A JSON answer.
pub(super) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            let json = HeaderValue::from_static("application/json");
            (status, [(header::CONTENT_TYPE, json)], Body::from(bytes)).into_response()
        }
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

/// Reads JSON that somebody sent.
pub(super) fn parse<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::new(ProblemKind::InvalidRequest, format!("body: {error}")))
}

pub(super) fn must_be_json(headers: &HeaderMap) -> Result<(), ApiError> {
    must_be_json_maybe_packed(headers)?;
    let is_packed = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_packed { Err(unsupported("the body must not be packed")) } else { Ok(()) }
}

/// The same where [`crate::unpack`] sees to the packing.
pub(super) fn must_be_json_maybe_packed(headers: &HeaderMap) -> Result<(), ApiError> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(unsupported("the body must be `application/json`"))
}

fn unsupported(detail: &str) -> ApiError {
    ApiError::new(ProblemKind::UnsupportedMediaType, detail)
}
