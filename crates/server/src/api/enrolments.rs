//! Leave for host agents to enrol.

use super::agent_enrol::NAME_RULE;
use super::body::{Json, json};
use super::caller::{Caller, is_https};
use super::decide::permit;
use super::problem::ApiError;
use super::query::{InPath, not_found};
use crate::identities::ENROLMENTS;
use crate::secrets::random_bytes;
use crate::server::Server;
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::Response;
use ringwall_access::{Change, EnrolmentRecord, EnrolmentTerms};
use ringwall_event::Timestamp;
use ringwall_server_api::{
    EnrolmentCreated, EnrolmentRequest, EnrolmentRow, Page, Problem, ProblemKind, SecretText,
};
use ringwall_signing::request_signature::is_agent_name;
use ringwall_store::{Session, StateStore, StoreError};
use std::sync::Arc;

const USES_MAX: u32 = 10_000;
const SECONDS_MIN: u32 = 60;
const SECONDS_MAX: u32 = 604_800;
const SECONDS_DEFAULT: u32 = 3600;
/// More than anybody keeps track of.
const ENROLMENTS_MAX: usize = 1000;
/// Those that enrol nobody any more are listed for so long.
const VOID_KEPT_SECONDS: i64 = 30 * 86_400;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
) -> Result<Json<Page<EnrolmentRow>>, ApiError> {
    let records: Vec<(String, EnrolmentRecord)> =
        server.engine.read(|session| session.documents(ENROLMENTS)).await?;
    let mut rows: Vec<EnrolmentRow> = records.into_iter().map(|(_, record)| row(record)).collect();
    rows.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    Ok(Json(Page::whole(rows)))
}

pub(super) async fn create(
    State(server): State<Arc<Server>>,
    caller: Caller,
    headers: HeaderMap,
    extensions: Extensions,
    Json(request): Json<EnrolmentRequest>,
) -> Result<Response, ApiError> {
    let (terms, whom) = terms(&server, &caller, request)?;
    let permit = permit(&server, &caller, &Change::CreateEnrolment { whom }, "").await?;
    let random = random_bytes::<40>().map_err(|error| ApiError::internal(&error))?;
    let new = EnrolmentRecord::create(terms, &random, server.now());
    let token =
        std::str::from_utf8(new.text.expose()).map_err(|error| ApiError::internal(&error))?;
    let created = EnrolmentCreated {
        id: new.record.id.clone(),
        token: SecretText::from(token),
        expires: new.record.expires,
        command: SecretText::from(command(&server, &headers, &extensions, token)),
        server_fingerprint: Some(server.secrets.signing_key().public_key().id()),
    };
    let record = new.record;
    server
        .engine
        .write(move |writing| {
            if make_room(writing.session, writing.now)? >= ENROLMENTS_MAX {
                let detail = format!("there are {ENROLMENTS_MAX} enrolments already; delete some");
                return Ok(Err(ApiError::new(ProblemKind::Conflict, detail)));
            }
            writing.audit(permit.audit_entry())?;
            writing.session.put_document(ENROLMENTS, &record.id, &record)?;
            Ok(Ok(()))
        })
        .await??;
    Ok(json(StatusCode::CREATED, &created))
}

pub(super) async fn remove(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<StatusCode, ApiError> {
    let missing = not_found("enrolment", &id);
    let action = Change::WithdrawEnrolment { enrolment: id.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let removed = server
        .engine
        .write(move |writing| {
            writing.audit(permit.audit_entry())?;
            writing.session.delete_document(ENROLMENTS, &id)
        })
        .await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(missing) }
}

fn terms(
    server: &Server,
    caller: &Caller,
    request: EnrolmentRequest,
) -> Result<(EnrolmentTerms, String), ApiError> {
    let EnrolmentRequest { name, uses, expires_in_seconds, replaces } = request;
    for (field, name) in [("name", &name), ("replaces", &replaces)] {
        if name.as_ref().is_some_and(|name| !is_agent_name(name)) {
            return Err(Problem::invalid_field(field, NAME_RULE).into());
        }
    }
    if let (Some(name), Some(replaces)) = (&name, &replaces)
        && name != replaces
    {
        let detail = "must be that of `replaces`, or absent";
        return Err(Problem::invalid_field("name", detail).into());
    }
    let uses = uses.unwrap_or(1);
    if !(1..=USES_MAX).contains(&uses) {
        return Err(Problem::invalid_field("uses", format!("must be 1 to {USES_MAX}")).into());
    }
    if uses > 1 && (name.is_some() || replaces.is_some()) {
        let detail = "must be 1 where a name is given: a name is one host's";
        return Err(Problem::invalid_field("uses", detail).into());
    }
    let seconds = expires_in_seconds.unwrap_or(SECONDS_DEFAULT);
    if !(SECONDS_MIN..=SECONDS_MAX).contains(&seconds) {
        let detail = format!("must be {SECONDS_MIN} to {SECONDS_MAX}");
        return Err(Problem::invalid_field("expires_in_seconds", detail).into());
    }
    if let Some(replaces) = &replaces
        && server.identities.find(replaces).is_none()
    {
        let detail = format!("no host agent is enrolled as `{replaces}`");
        return Err(Problem::invalid_field("replaces", detail).into());
    }
    let whom = match (&name, &replaces) {
        (_, Some(name)) => format!("another machine as host-agent:{name}"),
        (Some(name), None) => format!("host-agent:{name}"),
        (None, None) if uses == 1 => "one host".to_owned(),
        (None, None) => format!("{uses} hosts"),
    };
    let expires = server.now().plus_seconds(i64::from(seconds));
    let created_by = caller.subject.to_string();
    Ok((EnrolmentTerms { name, replaces, uses, expires, created_by }, whom))
}

/// What to run on the host. The token goes over a pipe: an argument could be read by everybody there. Over
/// TLS the line pins the server's own authority.
fn command(server: &Server, headers: &HeaderMap, extensions: &Extensions, token: &str) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let bound = server.main_address.to_string();
    // The guard has seen to it that the name is ours, and no name of a host needs quotes.
    let host = host.unwrap_or(&bound);
    let (scheme, pin) = if is_https(headers, extensions) {
        let pin = server.tls.as_ref().and_then(|tls| tls.authority_fingerprint());
        ("https", pin.map(|pin| format!(" --ca {pin}")).unwrap_or_default())
    } else {
        ("http", String::new())
    };
    format!(
        "echo {token} | ringwall-host-agent enrol --server {scheme}://{host}{pin} --token-file -"
    )
}

/// Removes what enrolled nobody for long; how many there are then.
fn make_room(session: &Session<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let records: Vec<(String, EnrolmentRecord)> = session.documents(ENROLMENTS)?;
    let mut left = 0;
    for (id, record) in records {
        if now >= record.expires.plus_seconds(VOID_KEPT_SECONDS) {
            session.delete_document(ENROLMENTS, &id)?;
        } else {
            left += 1;
        }
    }
    Ok(left)
}

fn row(record: EnrolmentRecord) -> EnrolmentRow {
    EnrolmentRow {
        id: record.id,
        name: record.name,
        replaces: record.replaces,
        created_by: record.created_by,
        created: record.created,
        expires: record.expires,
        uses_left: record.uses_left,
        used_by: record.used_by,
    }
}
