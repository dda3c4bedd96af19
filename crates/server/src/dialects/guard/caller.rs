//! Who asks: the project of the key, by the headers alone. Nothing of a body is read before.

use super::refusal::Refusal;
use crate::guard::{AgentFacts, Project, Sighting};
use crate::server::Server;
use axum::extract::ConnectInfo;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const PROJECT_ID: HeaderName = HeaderName::from_static("x-project-id");
const INSTALL_ID: HeaderName = HeaderName::from_static("x-agent-install-id");
/// Longer ones are no ids of ours or of the original's, which are UUIDs.
const INSTALL_ID_BYTES_MAX: usize = 64;
const VERSION_BYTES_MAX: usize = 64;

/// A guard whose key is right.
pub(in crate::dialects) struct Caller {
    /// What it reports for.
    pub(in crate::dialects) project: Arc<Project>,
    /// Which installation it is.
    pub(in crate::dialects) install_id: Option<Box<str>>,
    /// Where it asks from.
    pub(in crate::dialects) address: Box<str>,
    /// The version that its `User-Agent` tells.
    version: Option<Box<str>>,
    /// Its place among the requests of its project, until it is answered, or what it sent is written.
    _place: OwnedSemaphorePermit,
}

impl Caller {
    /// Finds the project of the key in either header.
    ///
    /// # Errors
    /// Where there is no such key, it is another project's than the header says, or nothing can be taken
    /// for the project, or not now.
    pub(in crate::dialects) fn of(server: &Server, parts: &Parts) -> Result<Self, Refusal> {
        let headers = &parts.headers;
        let (project, _) = project_of(server, headers)?;
        if !project.is_ready() {
            return Err(Refusal::NotReady("the project's secrets cannot be opened"));
        }
        let place = project.share().place().ok_or(Refusal::Later { seconds: 1 })?;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = peer.map(|peer| peer.0.ip().to_canonical().to_string()).unwrap_or_default();
        Ok(Self {
            project,
            install_id: install_id(headers),
            address: address.into(),
            version: version(headers),
            _place: place,
        })
    }

    /// The guard as its project keeps it.
    pub(super) fn sighting(&self, facts: AgentFacts) -> Sighting {
        let agent_version = facts.agent_version.clone().or_else(|| self.version.clone());
        Sighting {
            install_id: self.install_id.clone(),
            address: self.address.clone(),
            facts: AgentFacts { agent_version, ..facts },
        }
    }
}

/// The project of the key in either header, and the key.
///
/// # Errors
/// Where there is no such key, or it is another project's than the header says.
pub(in crate::dialects) fn project_of<'h>(
    server: &Server,
    headers: &'h HeaderMap,
) -> Result<(Arc<Project>, &'h [u8]), Refusal> {
    let (projects, now) = (server.guard_projects(), server.now());
    let mut known = keys(headers).filter_map(|key| Some((projects.of_key(key, now)?, key)));
    let (project, key) = known.next().ok_or(Refusal::WrongKey)?;
    let claimed = headers.get(PROJECT_ID).map(HeaderValue::as_bytes).unwrap_or_default();
    if !claimed.is_empty() && claimed != project.name.as_bytes() {
        return Err(Refusal::OtherProject);
    }
    Ok((project, key))
}

/// The keys that a request shows: newer agents one way, older ones the other.
fn keys(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(key.trim_ascii())
    });
    headers.get(API_KEY).map(HeaderValue::as_bytes).into_iter().chain(bearer)
}

fn install_id(headers: &HeaderMap) -> Option<Box<str>> {
    let id = headers.get(INSTALL_ID)?.to_str().ok()?.trim();
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_fine = !id.is_empty() && id.len() <= INSTALL_ID_BYTES_MAX && id.bytes().all(is_id);
    is_fine.then(|| id.into())
}

/// `guard-agent/3.2.4`; what the batch says of its version is more to be trusted.
fn version(headers: &HeaderMap) -> Option<Box<str>> {
    let agent = headers.get(header::USER_AGENT)?.to_str().ok()?;
    let (name, version) = agent.split_once('/')?;
    let is_guard = name.eq_ignore_ascii_case("guard-agent")
        || name.eq_ignore_ascii_case("FastAPI-Guard-Agent")
        || name.eq_ignore_ascii_case("ringwall-app-guard");
    (is_guard && (1..=VERSION_BYTES_MAX).contains(&version.len())).then(|| version.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn both_headers_carry_a_key() {
        let found = |pairs| keys(&headers(pairs)).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(found(&[("x-api-key", "a")]), [b"a"]);
        assert_eq!(found(&[("authorization", "Bearer b")]), [b"b"]);
        assert_eq!(found(&[("authorization", "bearer b"), ("x-api-key", "a")]), [b"a", b"b"]);
        assert!(found(&[("authorization", "Basic b")]).is_empty());
        assert!(found(&[("authorization", "Bear")]).is_empty());
        assert!(found(&[]).is_empty());
    }

    #[test]
    fn ids_and_versions_are_believed_where_they_can_be() {
        let id = |text| install_id(&headers(&[("x-agent-install-id", text)]));
        assert_eq!(id("3f2a-1").as_deref(), Some("3f2a-1"));
        assert_eq!(id("a b"), None);
        assert_eq!(id(""), None);
        let version = |text| version(&headers(&[("user-agent", text)]));
        assert_eq!(version("guard-agent/3.2.4").as_deref(), Some("3.2.4"));
        assert_eq!(version("FastAPI-Guard-Agent/0.0.1").as_deref(), Some("0.0.1"));
        assert_eq!(version("curl/8.5.0"), None);
    }
}
