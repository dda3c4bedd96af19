use super::body::{Json, json};
use super::caller::Caller;
use super::decide::permit;
use super::problem::ApiError;
use super::query::{InPath, not_found};
use super::role::{our_role, permission_names, scopes, wire_role};
use crate::accounts::TOKENS;
use crate::secrets::random_bytes;
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::{Change, TokenRecord};
use ringwall_server_api::{
    Page, Problem, ProblemKind, SecretText, TokenCreated, TokenRequest, TokenRow,
};
use ringwall_store::StateStore;
use std::sync::Arc;

const NAME_CHARS_MAX: usize = 128;
const DAYS_MAX: u32 = 3650;
const DAY_SECONDS: i64 = 86_400;
/// More tokens than anybody keeps track of.
const TOKENS_MAX: usize = 10_000;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
) -> Result<Json<Page<TokenRow>>, ApiError> {
    let records: Vec<(String, TokenRecord)> =
        server.engine.read(|session| session.documents(TOKENS)).await?;
    let used = server.sign_in.tokens_used.lock();
    let mut rows: Vec<TokenRow> = records
        .into_iter()
        .map(|(_, record)| TokenRow {
            last_used: used.get(&record.id).copied(),
            role: wire_role(record.role),
            scopes: record.scopes.map(permission_names),
            id: record.id,
            name: record.name,
            created: record.created,
            expires: record.expires,
        })
        .collect();
    rows.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    Ok(Json(Page::whole(rows)))
}

pub(super) async fn create(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(request): Json<TokenRequest>,
) -> Result<Response, ApiError> {
    let name = request.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
        let detail = format!("must have 1 to {NAME_CHARS_MAX} visible characters");
        return Err(Problem::invalid_field("name", detail).into());
    }
    if request.expires_in_days.is_some_and(|days| !(1..=DAYS_MAX).contains(&days)) {
        let detail = format!("must be 1 to {DAYS_MAX}");
        return Err(Problem::invalid_field("expires_in_days", detail).into());
    }
    let role = our_role(request.role);
    let scopes = request.scopes.map(|names| scopes(&names, role)).transpose()?;
    let all = role.permissions();
    let grants = scopes.map_or(all, |scopes| all.and(scopes));
    let action = Change::CreateToken { name: name.clone(), grants };
    let permit = permit(&server, &caller, &action, "").await?;
    let now = server.now();
    let expires =
        request.expires_in_days.map(|days| now.plus_seconds(i64::from(days) * DAY_SECONDS));
    let random = random_bytes::<40>().map_err(|error| ApiError::internal(&error))?;
    let new = TokenRecord::create(&name, role, scopes, expires, &random, now);
    let text =
        std::str::from_utf8(new.text.expose()).map_err(|error| ApiError::internal(&error))?;
    let created = TokenCreated { id: new.record.id.clone(), token: SecretText::from(text) };
    let record = new.record;
    server
        .engine
        .write(move |writing| {
            if writing.session.documents::<TokenRecord>(TOKENS)?.len() >= TOKENS_MAX {
                let detail = format!("there are {TOKENS_MAX} tokens already; delete some");
                return Ok(Err(ApiError::new(ProblemKind::Conflict, detail)));
            }
            writing.audit(permit.audit_entry())?;
            writing.session.put_document(TOKENS, &record.id, &record)?;
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
    let missing = not_found("token", &id);
    let action = Change::DeleteToken { token: id.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    server.sign_in.tokens_used.lock().remove(&id);
    let removed = server
        .engine
        .write(move |writing| {
            writing.audit(permit.audit_entry())?;
            writing.session.delete_document(TOKENS, &id)
        })
        .await?;
    server.sign_in.tell_signed_out();
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(missing) }
}
