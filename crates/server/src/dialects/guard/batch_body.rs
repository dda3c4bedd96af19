//! The body of a POST: read, its signature looked at on both bases, unpacked.

use super::caller::Caller;
use super::refusal::Refusal;
use super::unpack::unpack;
use crate::body;
use crate::guard::Trouble;
use crate::server::Server;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use ringwall_dialects::guard::verify;

const SIGNATURE: HeaderName = HeaderName::from_static("x-payload-signature");

/// The JSON text that a guard sent, believed as far as its project asks for.
///
/// # Errors
/// Where it is too large, cannot be unpacked, or its signature is wrong, or missing where the project
/// requires one.
pub(super) async fn read(
    server: &Server,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Refusal> {
    let bytes_max = server.config.limits.body_bytes_max;
    let wire = body::read(body, bytes_max).await?;
    let text = unpack(headers, wire.clone(), bytes_max)?;
    if let Some(trouble) = trouble(server, caller, headers, &wire, &text) {
        let troubles = &server.guard_troubles;
        troubles.tell(&server.engine, &caller.project, trouble, &caller.address).await;
        return Err(Refusal::WrongSignature);
    }
    Ok(text)
}

fn trouble(
    server: &Server,
    caller: &Caller,
    headers: &HeaderMap,
    wire: &[u8],
    text: &[u8],
) -> Option<Trouble> {
    let project = &caller.project;
    if !project.stored.signs() {
        return None;
    }
    let Some(signature) = headers.get(SIGNATURE) else {
        return project.stored.require_signature.then_some(Trouble::MissingSignature);
    };
    let signature = signature.to_str().unwrap_or_default();
    // Agents 2.5 to 3.0 sign what goes over the wire, later ones the text within. Every basis is tried
    // under every secret, whichever fits: how long it takes tells nothing.
    let mut is_signed = false;
    for secret in project.signing_secrets(server.now()) {
        is_signed |= verify(secret, wire, signature) | verify(secret, text, signature);
    }
    (!is_signed).then_some(Trouble::WrongSignature)
}
