//! How a host gets an identity, and how it replaces its key.

use super::agent_signature::{SignatureValues, refused, signed};
use super::body::{BODY_BYTES_MAX, Json, must_be_json, parse};
use super::problem::ApiError;
use super::session::address;
use crate::identities::{EnrolError, Identities};
use crate::server::Server;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use ringwall_access::{AuditEntry, EnrolmentClaim, Outcome, PresentedEnrolment, SKEW_MAX_SECONDS};
use ringwall_server_api::{
    AgentEnrolRequest, AgentEnrolled, AgentRotateRequest, AgentRotated, Problem, ProblemKind,
};
use ringwall_signing::PublicKey;
use ringwall_signing::request_signature::{Claim, UNNAMED, is_agent_name};
use std::net::IpAddr;
use std::sync::Arc;

const HOSTNAME_BYTES_MAX: usize = 255;
const VERSION_BYTES_MAX: usize = 64;
const MACHINE_DIGITS: usize = 64;

/// `POST /agent/enrol`: the token first, then the body, then the proof that the private key is there.
///
/// The same request sent again changes nothing, so there is no nonce to remember.
pub(super) async fn enrol(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Json<AgentEnrolled>, ApiError> {
    let address = address(request.extensions());
    server.identities.failures.lock().check(address, server.now())?;
    let token = presented(request.headers());
    let id = token.as_ref().map_or_else(|| "unknown".to_owned(), |token| token.id().to_owned());
    match enrol_with(&server, token, request, address).await {
        Ok(enrolled) => Ok(Json(enrolled)),
        Err(failure) => {
            if let Some(why) = failure.told {
                count_failure(&server, &id, address, &why).await?;
            }
            Err(failure.answer)
        }
    }
}

/// Why a host was not enrolled: what it hears, and what the audit log does.
struct Failure {
    answer: ApiError,
    /// None where nobody was at fault.
    told: Option<String>,
}

impl Failure {
    fn new(why: impl std::fmt::Display, answer: impl Into<ApiError>) -> Self {
        Self { answer: answer.into(), told: Some(why.to_string()) }
    }
}

impl From<EnrolError> for Failure {
    fn from(error: EnrolError) -> Self {
        let why = error.to_string();
        match error {
            EnrolError::Token(_) => Self::new(why, Problem::unauthenticated()),
            // Who has the token may know what became of it.
            EnrolError::Expired(_) | EnrolError::UsedUp => Self::new(
                &why,
                Problem::new(ProblemKind::ActionRefused, &why)
                    .with_hint("`ringwall hosts enrol` makes a new one"),
            ),
            EnrolError::Refused(_) => Self::new(
                &why,
                Problem::new(ProblemKind::Conflict, &why).with_hint(
                    "`ringwall hosts enrol --replaces NAME` lets this machine take a name over",
                ),
            ),
            EnrolError::Take(error) => Self { answer: error.into(), told: None },
        }
    }
}

impl From<ApiError> for Failure {
    fn from(answer: ApiError) -> Self {
        Self { answer, told: None }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let why = problem.detail.clone();
        Self::new(why, problem)
    }
}

async fn enrol_with(
    server: &Server,
    token: Option<PresentedEnrolment>,
    request: Request,
    address: IpAddr,
) -> Result<AgentEnrolled, Failure> {
    let token = token.ok_or_else(|| Failure::new("no token", Problem::unauthenticated()))?;
    Identities::check_token(&server.engine, &token).await?;
    let (parts, body) = request.into_parts();
    must_be_json(&parts.headers)?;
    let body = crate::body::read(body, BODY_BYTES_MAX).await.map_err(ApiError::from)?;
    let request: AgentEnrolRequest = parse(&body)?;
    let key = PublicKey::from_base64(&request.public_key)
        .map_err(|error| Problem::invalid_field("public_key", error.to_string()))?;
    prove(server, &parts, &body, &key)?;
    let claim = claim(key, request)?;
    let key_id = claim.key.id();
    let enrolled = server.identities.enrol(&server.engine, token, claim, address).await?;
    tracing::info!(
        agent = enrolled.name,
        key = key_id,
        %address,
        how = enrolled.admission.words(),
        "host agent enrolled"
    );
    Ok(AgentEnrolled {
        name: enrolled.name,
        key_id,
        server_public_key: server.secrets.signing_key().public_key().to_base64(),
        ca_certificate: server.tls.as_ref().and_then(|tls| tls.authority_pem()),
    })
}

/// Whether the request is signed, now, by the holder of the key that it brings.
fn prove(
    server: &Server,
    parts: &axum::http::request::Parts,
    body: &[u8],
    key: &PublicKey,
) -> Result<(), Failure> {
    let not_proven = |why: &dyn std::fmt::Display| {
        Failure::new(format!("the key is not proven: {why}"), refused(UNNAMED, why))
    };
    let values = SignatureValues::read(parts).ok_or_else(|| not_proven(&"headers"))?;
    let claim = Claim::read(values.input, values.signature).map_err(|error| not_proven(&error))?;
    if claim.agent() != UNNAMED || claim.key_id() != key.id() {
        return Err(not_proven(&"signed under another name or key"));
    }
    let message = values.message(parts, body);
    claim.verify(key, &message, values.digest).map_err(|error| not_proven(&error))?;
    let apart = claim.created() - server.now().as_millis() / 1000;
    if apart.abs() > SKEW_MAX_SECONDS {
        let side = if apart < 0 { "behind" } else { "ahead of" };
        let detail = format!("this host's clock is {} s {side} the server's", apart.abs());
        return Err(Problem::new(ProblemKind::InvalidRequest, detail).into());
    }
    Ok(())
}

fn claim(key: PublicKey, request: AgentEnrolRequest) -> Result<EnrolmentClaim, Failure> {
    let AgentEnrolRequest { public_key: _, name, machine, hostname, version } = request;
    if name.as_ref().is_some_and(|name| !is_agent_name(name)) {
        return Err(Problem::invalid_field("name", NAME_RULE).into());
    }
    let is_digest = |text: &String| {
        text.len() == MACHINE_DIGITS
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if machine.as_ref().is_some_and(|machine| !is_digest(machine)) {
        return Err(Problem::invalid_field("machine", "must be 64 hexadecimal digits").into());
    }
    for (field, text, bytes_max) in
        [("hostname", &hostname, HOSTNAME_BYTES_MAX), ("version", &version, VERSION_BYTES_MAX)]
    {
        if text.is_empty() || text.len() > bytes_max || text.contains(char::is_control) {
            let detail = format!("must have 1 to {bytes_max} bytes on one line");
            return Err(Problem::invalid_field(field, detail).into());
        }
    }
    Ok(EnrolmentClaim { key, name, machine, hostname, version })
}

pub(super) const NAME_RULE: &str =
    "must be 1 to 128 of `A-Z a-z 0-9 . _ -`, a letter or a digit first";

/// The token of an `Authorization` header that is there once.
fn presented(headers: &HeaderMap) -> Option<PresentedEnrolment> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    PresentedEnrolment::parse(token.trim_start_matches(' '))
}

async fn count_failure(
    server: &Server,
    id: &str,
    address: IpAddr,
    why: &str,
) -> Result<(), ApiError> {
    tracing::debug!(enrolment = id, %address, why, "host not enrolled");
    let stands_for = server.identities.failures.lock().count(address, server.now());
    let Some(attempts) = stands_for else { return Ok(()) };
    let reason = match attempts {
        1 => why.to_owned(),
        more => format!("{why}; stands for {more} attempts from there"),
    };
    let actor = format!("enrolment:{id}");
    server
        .engine
        .write(move |writing| {
            let place = address.to_string();
            let (now, refused) = (writing.now, Outcome::Refused);
            writing.audit(&AuditEntry::new(now, &actor, "enrol", &place, refused, &reason))
        })
        .await?;
    Ok(())
}

/// `POST /agent/rotate`: the present key says which one follows it.
pub(super) async fn rotate(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Json<AgentRotated>, ApiError> {
    let (signed, body) = signed(&server, request).await?;
    must_be_json(&signed.headers)?;
    let request: AgentRotateRequest = parse(&body)?;
    let key = PublicKey::from_base64(&request.public_key)
        .map_err(|error| Problem::invalid_field("public_key", error.to_string()))?;
    let is_there = server.identities.prepare_rotation(&server.engine, &signed.agent, key).await?;
    if !is_there {
        return Err(refused(&signed.agent, "the identity is gone"));
    }
    Ok(Json(AgentRotated { key_id: key.id() }))
}
