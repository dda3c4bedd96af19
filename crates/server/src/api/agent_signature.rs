//! Who signed a request of a host agent, and whether it counts.

use super::problem::ApiError;
use super::session::address;
use crate::identities::{CloneEvidence, NotAccepted};
use crate::server::Server;
use axum::extract::{OriginalUri, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use ringwall_server_api::{Problem, ProblemKind};
use ringwall_signing::request_signature::{
    CONTENT_DIGEST_HEADER, Claim, INPUT_HEADER, Message, SIGNATURE_HEADER,
};
use std::net::IpAddr;

const LOGGED_CHARS_MAX: usize = 128;

/// A request of a host agent whose signature holds and whose identity counts.
pub(super) struct Signed {
    /// The name of the host agent.
    pub(super) agent: String,
    /// Which of its keys signed.
    pub(super) key_id: String,
    pub(super) headers: HeaderMap,
    /// From where it came.
    pub(super) address: IpAddr,
}

/// The three headers of a signature, each of which must be there once, and what else is signed.
pub(super) struct SignatureValues<'a> {
    pub(super) digest: &'a str,
    pub(super) input: &'a str,
    pub(super) signature: &'a str,
    /// As sent, whatever routers in between took off.
    pub(super) target: &'a str,
    content_type: Option<&'a str>,
    content_encoding: Option<&'a str>,
}

impl<'a> SignatureValues<'a> {
    pub(super) fn read(parts: &'a Parts) -> Option<Self> {
        let header = |name: &str| {
            let mut values = parts.headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (Some(value), None) => value.to_str().ok(),
                _ => None,
            }
        };
        // Sent twice or not as text, there is no telling which of them the signature is over.
        let at_most_once = |name: HeaderName| match parts.headers.get_all(&name).iter().count() {
            0 => Some(None),
            _ => header(name.as_str()).map(Some),
        };
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
        Some(Self {
            digest: header(CONTENT_DIGEST_HEADER)?,
            input: header(INPUT_HEADER)?,
            signature: header(SIGNATURE_HEADER)?,
            target: uri.path_and_query()?.as_str(),
            content_type: at_most_once(CONTENT_TYPE)?,
            content_encoding: at_most_once(CONTENT_ENCODING)?,
        })
    }

    /// What the signature must be over.
    pub(super) fn message(&self, parts: &'a Parts, body: &'a [u8]) -> Message<'a> {
        Message::new(parts.method.as_str(), self.target, body)
            .with_content(self.content_type, self.content_encoding)
    }
}

/// Reads a request's body and checks its signature, over the raw bytes and before anything of them is
/// parsed. Whatever is wrong with it, the answer is the same; only the log knows which.
pub(super) async fn signed(server: &Server, request: Request) -> Result<(Signed, Bytes), ApiError> {
    let (parts, body) = request.into_parts();
    let address = address(&parts.extensions);
    let values = SignatureValues::read(&parts).ok_or_else(|| refused("", "headers"))?;
    let claim = Claim::read(values.input, values.signature).map_err(|error| refused("", error))?;
    let body = crate::body::read(body, server.config.limits.body_bytes_max).await?;
    let (key, standing) = server.identities.key(claim.agent(), claim.key_id());
    let message = values.message(&parts, &body);
    let genuine = claim
        .verify(&key, &message, values.digest)
        .map_err(|error| refused(claim.agent(), error))?;
    let standing = standing.ok_or_else(|| refused(claim.agent(), "unknown agent or key"))?;
    let now = server.now();
    let accepted = server.identities.accept(&server.engine, &genuine, standing, address, now).await;
    if let Err(error) = accepted {
        // What was under way while the key was replaced is no second machine.
        if matches!(error, NotAccepted::RetiredKey)
            && server.identities.was_signed_after_change(genuine.agent(), genuine.created())
        {
            let evidence = CloneEvidence::RetiredKey;
            let (engine, name) = (&server.engine, genuine.agent());
            server.identities.tell_of_clone(engine, name, evidence, address, now).await?;
        }
        return Err(not_accepted(genuine.agent(), error));
    }
    let signed = Signed {
        agent: genuine.agent().to_owned(),
        key_id: genuine.key_id().to_owned(),
        headers: parts.headers,
        address,
    };
    Ok((signed, body))
}

/// Where the signature itself is right, its owner may know that it was shut out; a stale or repeated
/// request may come from anybody.
pub(super) fn not_accepted(agent: &str, why: NotAccepted) -> ApiError {
    match why {
        NotAccepted::Revoked => ApiError::new(
            ProblemKind::IdentityRevoked,
            "this host agent was revoked; its events are not taken",
        ),
        NotAccepted::Suspended => ApiError::new(
            ProblemKind::IdentitySuspended,
            "this host agent is suspended, as two machines used its identity",
        ),
        NotAccepted::Take(error) => error.into(),
        why => refused(agent, why),
    }
}

pub(super) fn refused(agent: &str, why: impl std::fmt::Display) -> ApiError {
    let agent: String = agent.chars().take(LOGGED_CHARS_MAX).collect();
    tracing::debug!(agent, %why, "host agent refused");
    Problem::unauthenticated().into()
}
