use super::body::{Json, json};
use super::caller::Caller;
use super::decide::{audit, permit};
use super::problem::ApiError;
use super::query::{InPath, not_found};
use crate::keys::{KeyFacts, KeyKind};
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::Change;
use ringwall_server_api::{
    self as wire, KeyCreated, KeyOrigin, KeyRequest, KeyRow, Page, SecretText,
};
use ringwall_signing::Secret;
use std::sync::Arc;

pub(super) async fn list(State(server): State<Arc<Server>>) -> Json<Page<KeyRow>> {
    Json(Page::whole(server.keys.list().into_iter().map(row).collect()))
}

pub(super) async fn create(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(request): Json<KeyRequest>,
) -> Result<Response, ApiError> {
    let KeyRequest { kind, name, secret } = request;
    let action = Change::CreateKey { kind: kind.name().to_owned(), name: name.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let secret = secret.map(|secret| Secret::from(secret.expose()));
    let secret = server
        .keys
        .create(&server.engine, &server.secrets, ours(kind), &name, secret, audit(permit))
        .await?;
    let text = std::str::from_utf8(secret.expose()).map_err(|error| ApiError::internal(&error))?;
    let created = KeyCreated { kind, id: name, secret: SecretText::from(text) };
    Ok(json(StatusCode::CREATED, &created))
}

pub(super) async fn remove(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath((kind, name)): InPath<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let Some(kind) = KeyKind::from_name(&kind) else {
        return Err(not_found("kind of key", &kind));
    };
    let action = Change::DeleteKey { kind: kind.name().to_owned(), name: name.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    server.keys.delete(&server.engine, kind, &name, audit(permit)).await?;
    Ok(StatusCode::NO_CONTENT)
}

const fn ours(kind: wire::KeyKind) -> KeyKind {
    match kind {
        wire::KeyKind::SysScore => KeyKind::SysScore,
    }
}

fn row(key: KeyFacts) -> KeyRow {
    KeyRow {
        id: format!("{}/{}", key.kind.name(), key.name),
        kind: match key.kind {
            KeyKind::SysScore => wire::KeyKind::SysScore,
        },
        name: key.name,
        created: key.created,
        last_used: key.last_used,
        origin: if key.from_environment { KeyOrigin::Environment } else { KeyOrigin::Stored },
    }
}
