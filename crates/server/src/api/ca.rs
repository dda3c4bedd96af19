use super::problem::ApiError;
use crate::server::Server;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use ringwall_server_api::ProblemKind;
use std::sync::Arc;

/// The authority's certificate. It is no secret, and nobody should believe it for its being here:
/// clients compare its fingerprint.
pub(super) async fn show(State(server): State<Arc<Server>>) -> Result<Response, ApiError> {
    let pem = server.tls.as_ref().and_then(|tls| tls.authority_pem()).ok_or_else(|| {
        ApiError::new(ProblemKind::NotFound, "no authority vouches for this server: it speaks plain http, or its own certificate comes without one")
    })?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"ringwall-ca.pem\""),
        ),
    ];
    Ok((headers, pem).into_response())
}
