//! The applications whose guards report.

use super::body::{Json, JsonOrNothing, json};
use super::caller::Caller;
use super::decide::permit;
use super::problem::ApiError;
use super::query::{InPath, not_found};
use crate::guard::{
    Project, ProjectFigures, ProjectKeys, ProjectWanted, StoredProject, figures_of,
};
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::Change;
use ringwall_server_api::{
    GRACE_SECONDS_DEFAULT, GRACE_SECONDS_MAX, GuardProjectChange, GuardProjectKeys,
    GuardProjectRequest, GuardProjectRow, GuardRotateRequest, Page, Problem, ProblemKind,
    SecretText,
};
use ringwall_signing::Secret;
use ringwall_store::StoreError;
use std::sync::Arc;

const NAME_BYTES_MAX: usize = 64;
/// What is counted of a project in lists: a day.
const FIGURES_SECONDS: i64 = 86_400;
/// More applications than anybody keeps track of.
const PROJECTS_MAX: usize = 1000;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
) -> Result<Json<Page<GuardProjectRow>>, ApiError> {
    let projects = server.guard_projects().all();
    let names: Vec<Box<str>> = projects.iter().map(|project| project.name.clone()).collect();
    let since = server.now().plus_seconds(-FIGURES_SECONDS);
    let figures = server.engine.read(move |session| figures_of(session, &names, since)).await?;
    let rows =
        projects.iter().zip(figures).map(|(project, figures)| row(&server, project, figures));
    Ok(Json(Page::whole(rows.collect())))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    InPath(name): InPath<String>,
) -> Result<Json<GuardProjectRow>, ApiError> {
    let project = server.guard_projects().project(&name).ok_or_else(|| missing(&name))?;
    let (names, since) = ([project.name.clone()], server.now().plus_seconds(-FIGURES_SECONDS));
    let figures = server.engine.read(move |session| figures_of(session, &names, since)).await?;
    Ok(Json(row(&server, &project, figures.into_iter().next().unwrap_or_default())))
}

pub(super) async fn create(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(request): Json<GuardProjectRequest>,
) -> Result<Response, ApiError> {
    let name = checked_name(&request.name)?.to_owned();
    if request.require_signature && !request.signing {
        let detail = "needs `signing`: without a secret nothing can be signed";
        return Err(Problem::invalid_field("require_signature", detail).into());
    }
    let action = Change::AddGuardProject { project: name.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let wanted = ProjectWanted {
        encryption: request.encryption,
        signing: request.signing,
        require_signature: request.require_signature,
        created: server.now(),
        created_by: caller.subject.to_string(),
    };
    let (stored, keys) =
        StoredProject::new(&server.secrets, wanted).map_err(|error| ApiError::internal(&error))?;
    let answer = told(&name, &keys)?;
    let project = Project::open(&server.secrets, &name, stored);
    server
        .engine
        .write(move |writing| {
            if writing.stored_guard_project(&name)?.is_some() {
                let detail = format!("there is a guard project `{name}` already");
                return Ok(Err(ApiError::new(ProblemKind::Conflict, detail)));
            }
            if writing.guard_project_count() >= PROJECTS_MAX {
                let detail =
                    format!("there are {PROJECTS_MAX} guard projects already; remove some");
                return Ok(Err(ApiError::new(ProblemKind::Conflict, detail)));
            }
            writing.audit(permit.audit_entry())?;
            writing.put_guard_project(project)?;
            writing.publish_guard_rules(&name)?;
            Ok(Ok(()))
        })
        .await??;
    Ok(json(StatusCode::CREATED, &answer))
}

pub(super) async fn change(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(name): InPath<String>,
    Json(request): Json<GuardProjectChange>,
) -> Result<Json<GuardProjectRow>, ApiError> {
    let action = Change::ChangeGuardProject { project: name.clone() };
    let reason = match request.require_signature {
        Some(true) => "what is not signed is refused from now on",
        Some(false) => "what is not signed is taken from now on",
        None => "nothing is changed",
    };
    let permit = permit(&server, &caller, &action, reason).await?;
    let (changing, project) = (Arc::clone(&server), name.clone());
    server
        .engine
        .write(move |writing| {
            let Some(mut stored) = writing.stored_guard_project(&project)? else {
                return Ok(Err(missing(&project)));
            };
            if let Some(require) = request.require_signature {
                if require && !stored.signs() {
                    let detail = "the project has no signing secret: nothing of it can be signed";
                    return Ok(Err(Problem::invalid_field("require_signature", detail).into()));
                }
                stored.require_signature = require;
            }
            writing.audit(permit.audit_entry())?;
            writing.put_guard_project(Project::open(&changing.secrets, &project, stored))?;
            Ok::<_, StoreError>(Ok::<_, ApiError>(()))
        })
        .await??;
    show(State(server), InPath(name)).await
}

pub(super) async fn rotate(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(name): InPath<String>,
    JsonOrNothing(request): JsonOrNothing<GuardRotateRequest>,
) -> Result<Json<GuardProjectKeys>, ApiError> {
    let grace = request.grace_seconds.unwrap_or(GRACE_SECONDS_DEFAULT);
    if grace > GRACE_SECONDS_MAX {
        let detail = format!("must be at most {GRACE_SECONDS_MAX}");
        return Err(Problem::invalid_field("grace_seconds", detail).into());
    }
    let action = Change::RotateGuardProject { project: name.clone() };
    let reason = format!("what was before is good for {grace} s");
    let permit = permit(&server, &caller, &action, &reason).await?;
    let rotating = Arc::clone(&server);
    let answer = server
        .engine
        .write(move |writing| {
            let Some(mut stored) = writing.stored_guard_project(&name)? else {
                return Ok(Err(missing(&name)));
            };
            let until = writing.now.plus_seconds(i64::from(grace));
            let rotated = stored
                .rotate(&rotating.secrets, writing.now, until)
                .map_err(|error| ApiError::internal(&error))
                .and_then(|keys| told(&name, &keys));
            let answer = match rotated {
                Ok(answer) => answer,
                Err(error) => return Ok(Err(error)),
            };
            writing.audit(permit.audit_entry())?;
            writing.put_guard_project(Project::open(&rotating.secrets, &name, stored))?;
            Ok::<_, StoreError>(Ok(answer))
        })
        .await??;
    Ok(Json(answer))
}

pub(super) async fn remove(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(name): InPath<String>,
) -> Result<StatusCode, ApiError> {
    let nothing = missing(&name);
    let action = Change::RemoveGuardProject { project: name.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let removed = server
        .engine
        .write(move |writing| {
            writing.audit(permit.audit_entry())?;
            let removed = writing.remove_guard_project(&name)?;
            writing.forget_guard_rules(&name)?;
            Ok(removed)
        })
        .await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(nothing) }
}

fn row(server: &Server, project: &Project, figures: ProjectFigures) -> GuardProjectRow {
    let stored = &project.stored;
    let installs_max = server.config.guard.installs_per_key_max;
    let warning = if !project.is_ready() {
        Some(
            "its secrets cannot be opened: was the master key replaced? rotate its keys".to_owned(),
        )
    } else if installs_max > 0 && figures.installs > installs_max {
        Some(format!("its key is used by {} installations", figures.installs))
    } else {
        match figures.unwell {
            0 => None,
            1 => Some("one of its guards is not well".to_owned()),
            unwell => Some(format!("{unwell} of its guards are not well")),
        }
    };
    GuardProjectRow {
        name: project.name.to_string(),
        created: stored.created,
        created_by: stored.created_by.clone(),
        encrypted: stored.encrypts(),
        signed: stored.signs(),
        require_signature: stored.require_signature,
        previous_until: stored.previous_until(),
        agents: figures.agents,
        last_seen: figures.last_seen,
        events_24h: figures.events,
        blocked_24h: figures.blocked,
        rules_version: server
            .guard_rules()
            .published(&project.name)
            .map_or(0, |rules| rules.version.unsigned_abs()),
        warning,
    }
}

fn told(project: &str, keys: &ProjectKeys) -> Result<GuardProjectKeys, ApiError> {
    let text = |secret: &Secret| {
        let text = std::str::from_utf8(secret.expose());
        text.map(SecretText::from).map_err(|error| ApiError::internal(&error))
    };
    Ok(GuardProjectKeys {
        project: project.to_owned(),
        key: text(&keys.key)?,
        signing_secret: keys.signing_secret.as_ref().map(text).transpose()?,
        encryption_key: keys.encryption_key.as_ref().map(text).transpose()?,
    })
}

pub(super) fn missing(name: &str) -> ApiError {
    not_found("guard project", name)
}

/// A name goes into a header, into paths and onto command lines: none of them shall have to quote it.
fn checked_name(name: &str) -> Result<&str, ApiError> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_fine) {
        return Ok(name);
    }
    let detail = "must have 1 to 64 of `A-Z a-z 0-9 - _ .`, a letter or digit first";
    Err(Problem::invalid_field("name", detail).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_need_no_quotes() {
        for (name, expected) in [
            ("shop", true),
            ("Shop-2.eu_west", true),
            ("7", true),
            (&*"x".repeat(64), true),
            (&*"x".repeat(65), false),
            ("", false),
            ("-rf", false),
            (".", false),
            ("a b", false),
            ("a/b", false),
            ("é", false),
            ("a\n", false),
        ] {
            assert_eq!(checked_name(name).is_ok(), expected, "name {name:?}");
        }
    }
}
