//! The people who may sign in.

use super::body::{Json, JsonOrNothing, json};
use super::caller::Caller;
use super::decide::permit;
use super::password;
use super::problem::ApiError;
use super::query::{InPath, not_found};
use super::role::{our_role, wire_role};
use super::session::forget_first_password;
use crate::accounts::{ADMIN, USERS, UserRecord};
use crate::engine::Writing;
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::{Change, Permission, Permit};
use ringwall_server_api::{
    Page, PasswordAnswer, PasswordRequest, Problem, ProblemKind, UserChange, UserRequest, UserRow,
};
use ringwall_store::{StateStore, StoreError};
use std::sync::Arc;

const NAME_CHARS_MAX: usize = 64;
/// Far more people than look after ten thousand hosts.
const USERS_MAX: usize = 1000;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
) -> Result<Json<Page<UserRow>>, ApiError> {
    let records: Vec<(String, UserRecord)> =
        server.engine.read(|session| session.documents(USERS)).await?;
    let rows = records.into_iter().map(|(name, record)| row(&server, name, &record)).collect();
    Ok(Json(Page::whole(rows)))
}

pub(super) async fn create(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(request): Json<UserRequest>,
) -> Result<Response, ApiError> {
    let UserRequest { name, role, password: given } = request;
    if !is_name(&name) {
        let detail = format!(
            "must have 1 to {NAME_CHARS_MAX} of a-z, 0-9, `.`, `_`, `-`, `@`, `+`, a letter or digit first"
        );
        return Err(Problem::invalid_field("name", detail).into());
    }
    let role = our_role(role);
    let (secret, made) = password::new("password", given.as_ref(), &name)?;
    let action = Change::CreateUser { name: name.clone(), grants: role.permissions() };
    let permit = permit(&server, &caller, &action, &format!("as {role}")).await?;
    let hash = password::hash(&server, secret).await?;
    let user = name.clone();
    server
        .engine
        .write(move |writing| {
            let there = writing.session.documents::<UserRecord>(USERS)?;
            if there.iter().any(|(name, _)| *name == user) {
                return Ok(Err(conflict(format!("there is a user `{user}` already"))));
            }
            if there.len() >= USERS_MAX {
                return Ok(Err(conflict(format!("there are {USERS_MAX} users already"))));
            }
            writing.audit(permit.audit_entry())?;
            let record = UserRecord::new(role, hash, writing.now);
            writing.session.put_document(USERS, &user, &record)?;
            Ok(Ok(()))
        })
        .await??;
    Ok(json(StatusCode::CREATED, &PasswordAnswer { name, password: made }))
}

pub(super) async fn change(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(name): InPath<String>,
    Json(request): Json<UserChange>,
) -> Result<Json<UserRow>, ApiError> {
    let before = find(&server, &caller, &name).await?;
    let role = request.role.map(our_role);
    let after = role.unwrap_or(before.role);
    let mut reason = Vec::new();
    reason.extend(role.map(|role| format!("as {role}")));
    reason.extend(request.disabled.map(|off| if off { "disabled" } else { "enabled" }.to_owned()));
    if reason.is_empty() {
        let detail = "say what shall be other: `role` or `disabled`";
        return Err(ApiError::new(ProblemKind::InvalidRequest, detail));
    }
    let action = Change::ChangeUser { name: name.clone(), grants: after.permissions() };
    let permit = permit(&server, &caller, &action, &reason.join(", ")).await?;
    let record = alter(&server, &name, permit, move |record| {
        record.role = role.unwrap_or(record.role);
        record.disabled = request.disabled.unwrap_or(record.disabled);
        Ok(Then::Keep)
    })
    .await?;
    Ok(Json(row(&server, name, &record)))
}

pub(super) async fn remove(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(name): InPath<String>,
) -> Result<StatusCode, ApiError> {
    find(&server, &caller, &name).await?;
    let action = Change::DeleteUser { name: name.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    alter(&server, &name, permit, |_| Ok(Then::Remove)).await?;
    forget_first_password_of(&server, &name).await;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_password(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(name): InPath<String>,
    JsonOrNothing(request): JsonOrNothing<PasswordRequest>,
) -> Result<Json<PasswordAnswer>, ApiError> {
    let before = find(&server, &caller, &name).await?;
    let (secret, made) = password::new("password", request.password.as_ref(), &name)?;
    let action = Change::SetPassword { name: name.clone(), grants: before.role.permissions() };
    let permit = permit(&server, &caller, &action, "").await?;
    let hash = password::hash(&server, secret).await?;
    let now = server.now();
    alter(&server, &name, permit, move |record| {
        if record.role != before.role {
            // Mightier by now, maybe, than what was permitted.
            return Err(conflict("the user's role was just changed; try again".to_owned()));
        }
        record.password_hash = hash;
        record.password_changed = Some(now);
        Ok(Then::Keep)
    })
    .await?;
    forget_first_password_of(&server, &name).await;
    Ok(Json(PasswordAnswer { name, password: made }))
}

/// What becomes of somebody after [`alter`].
#[derive(PartialEq)]
enum Then {
    Keep,
    Remove,
}

/// Changes or removes somebody, and signs them out everywhere, in one step with the audit entry. The
/// last administrator stays one: without them nobody could put things right.
async fn alter(
    server: &Arc<Server>,
    name: &str,
    permit: Permit<Change>,
    how: impl FnOnce(&mut UserRecord) -> Result<Then, ApiError> + Send + 'static,
) -> Result<UserRecord, ApiError> {
    let (changer, name) = (Arc::clone(server), name.to_owned());
    let job = move |writing: &mut Writing<'_>| -> Result<Result<UserRecord, ApiError>, StoreError> {
        let all: Vec<(String, UserRecord)> = writing.session.documents(USERS)?;
        let Some((_, before)) = all.iter().find(|(other, _)| *other == name) else {
            return Ok(Err(not_found("user", &name)));
        };
        let mut after = before.clone();
        let then = match how(&mut after) {
            Ok(then) => then,
            Err(refused) => return Ok(Err(refused)),
        };
        let stays_admin = then == Then::Keep && after.is_active_admin();
        let others = all.iter().filter(|(other, _)| *other != name);
        if before.is_active_admin()
            && !stays_admin
            && !others.into_iter().any(|(_, other)| other.is_active_admin())
        {
            let detail = format!("`{name}` is the last administrator who can sign in");
            return Ok(Err(conflict(detail)));
        }
        writing.audit(permit.audit_entry())?;
        match then {
            Then::Keep => writing.session.put_document(USERS, &name, &after)?,
            Then::Remove => {
                writing.session.delete_document(USERS, &name)?;
            }
        }
        // Here, where no sign-in comes between: those open their sessions in this thread, too.
        changer.sign_in.close(|sessions| sessions.close_all_of(&name));
        Ok(Ok(after))
    };
    server.engine.write(job).await?
}

/// Whom it is about; whoever may not change people is not told whether there is somebody.
async fn find(server: &Server, caller: &Caller, name: &str) -> Result<UserRecord, ApiError> {
    let key = name.to_owned();
    let found: Option<UserRecord> =
        server.engine.read(move |session| session.document(USERS, &key)).await?;
    found.ok_or_else(|| caller.without(Permission::ChangeUsers, not_found("user", name)))
}

/// The first password was that of one user only.
async fn forget_first_password_of(server: &Arc<Server>, name: &str) {
    if name == ADMIN {
        forget_first_password(server).await;
    }
}

fn conflict(detail: String) -> ApiError {
    ApiError::new(ProblemKind::Conflict, detail)
}

/// Lower case only: `Admin` and `admin` would be two people who look alike.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_CHARS_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-@+".contains(&byte)
        })
}

fn row(server: &Server, name: String, record: &UserRecord) -> UserRow {
    let sessions = server.sign_in.sessions.lock().list(server.now());
    let open = sessions.iter().filter(|session| session.user == name).count();
    UserRow {
        role: wire_role(record.role),
        disabled: record.disabled,
        created: record.created,
        password_changed: record.password_changed,
        last_sign_in: record.last_sign_in,
        sessions: u64::try_from(open).unwrap_or(u64::MAX),
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_look_alike() {
        for (name, expected) in [
            ("ada", true),
            ("ada.lovelace@example.com", true),
            ("7of9", true),
            ("Ada", false),
            ("аda", false),
            (".ada", false),
            ("a da", false),
            ("", false),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
        ] {
            assert_eq!(is_name(name), expected, "name {name:?}");
        }
    }
}
