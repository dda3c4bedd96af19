//! What guarded applications are told: the rules that people edit.

use super::body::Json;
use super::caller::Caller;
use super::decide::permit;
use super::page::Wanted;
use super::problem::ApiError;
use super::query::{InPath, InQuery, not_found};
use crate::engine::Writing;
use crate::guard_rules::composition::TTL_SECONDS;
use crate::guard_rules::publishing::{Edited, read_edit};
use crate::guard_rules::{preview, summary};
use crate::server::Server;
use axum::extract::State;
use ringwall_access::{Change, Permit, Rules as AccessRules};
use ringwall_dialects::guard::{DynamicRules, RuleFault};
use ringwall_event::{Network, Timestamp};
use ringwall_server_api::{
    GuardHistoryQuery, GuardPreview, GuardPreviewRequest, GuardPublished, GuardRestoreRequest,
    GuardRules, GuardRulesEditRow, GuardRulesRequest, PREVIEW_HOURS_DEFAULT, PREVIEW_HOURS_MAX,
    Page, Problem, ProblemDetail, ProblemKind,
};
use ringwall_store::{GuardBanStore, GuardRulesStore, RulesEdit, Session, StoreError};
use serde_json::Value;
use std::sync::Arc;

/// Ten thousand addresses, and all the rest.
const BODY_BYTES_MAX: usize = 2 << 20;
const NOTE_CHARS_MAX: usize = 500;

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    InPath(project): InPath<String>,
) -> Result<Json<GuardRules>, ApiError> {
    must_exist(&server, &project)?;
    read_rules(&server, project).await.map(Json)
}

pub(super) async fn replace(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(project): InPath<String>,
    Json(request): Json<GuardRulesRequest, BODY_BYTES_MAX>,
) -> Result<Json<GuardRules>, ApiError> {
    check_note(request.note.as_deref())?;
    let permit = permitted(&server, &caller, &project, request.note.as_deref()).await?;
    must_exist(&server, &project)?;
    let rules = read_edited(&request.rules, &server.engine.rules().access)?;
    let edit = Wish { rules, base_version: Some(request.base_version), note: request.note };
    put(&server, &caller, permit, project, move |_| Ok(Ok(edit))).await.map(Json)
}

pub(super) async fn history(
    State(server): State<Arc<Server>>,
    InPath(project): InPath<String>,
    InQuery(query): InQuery<GuardHistoryQuery>,
) -> Result<Json<Page<GuardRulesEditRow>>, ApiError> {
    must_exist(&server, &project)?;
    let wanted: Wanted<'_, i64> = Wanted::read(
        &server,
        "guard_rules_history",
        &project,
        query.limit,
        query.cursor.as_deref(),
    )?;
    let (before, fetch, name) = (wanted.after, wanted.fetch(), project.clone());
    let edits =
        server.engine.read(move |session| session.rules_edits(&name, before, fetch)).await?;
    let rows = edits.into_iter().map(row).collect();
    Ok(Json(wanted.page(rows, |row: &GuardRulesEditRow| row.version)?))
}

pub(super) async fn restore(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(project): InPath<String>,
    Json(request): Json<GuardRestoreRequest>,
) -> Result<Json<GuardRules>, ApiError> {
    check_note(request.note.as_deref())?;
    let permit = permitted(&server, &caller, &project, request.note.as_deref()).await?;
    must_exist(&server, &project)?;
    let version = request.version;
    let note = request.note.unwrap_or_else(|| format!("version {version} again"));
    let name = project.clone();
    put(&server, &caller, permit, project, move |writing| {
        let Some(edit) = writing.session.rules_edit(&name, version)? else {
            return Ok(Err(not_found("version of these rules", &version.to_string())));
        };
        let rules = read_edit(&edit)?;
        // Whom nobody bans may have changed since.
        let faults = never_banned_faults(&rules, &writing.rules.access);
        if !faults.is_empty() {
            return Ok(Err(invalid(faults)));
        }
        Ok(Ok(Wish { rules, base_version: None, note: Some(note) }))
    })
    .await
    .map(Json)
}

pub(super) async fn try_out(
    State(server): State<Arc<Server>>,
    InPath(project): InPath<String>,
    Json(request): Json<GuardPreviewRequest, BODY_BYTES_MAX>,
) -> Result<Json<GuardPreview>, ApiError> {
    must_exist(&server, &project)?;
    let hours = request.hours.unwrap_or(PREVIEW_HOURS_DEFAULT);
    if !(1..=PREVIEW_HOURS_MAX).contains(&hours) {
        let detail = format!("must be 1 to {PREVIEW_HOURS_MAX}");
        return Err(Problem::invalid_field("hours", detail).into());
    }
    let rules = read_edited(&request.rules, &server.engine.rules().access)?;
    let place = server
        .guard_rules()
        .preview_place()
        .ok_or_else(|| ApiError::new(ProblemKind::Busy, "other previews are under way").after(3))?;
    let now = server.now();
    let preview = server
        .engine
        .read(move |session| {
            let preview = preview::preview(session, &project, &rules, hours, now);
            drop(place);
            preview
        })
        .await?;
    Ok(Json(preview))
}

/// Rules that somebody wants to be in force.
struct Wish {
    rules: DynamicRules,
    base_version: Option<i64>,
    note: Option<String>,
}

async fn permitted(
    server: &Server,
    caller: &Caller,
    project: &str,
    note: Option<&str>,
) -> Result<Permit<Change>, ApiError> {
    let action = Change::ChangeGuardRules { project: project.to_owned() };
    permit(server, caller, &action, note.unwrap_or_default()).await
}

/// Puts rules into force that `wish` makes within the transaction.
async fn put(
    server: &Arc<Server>,
    caller: &Caller,
    permit: Permit<Change>,
    project: String,
    wish: impl FnOnce(&mut Writing<'_>) -> Result<Result<Wish, ApiError>, StoreError> + Send + 'static,
) -> Result<GuardRules, ApiError> {
    let (name, updated_by) = (project.clone(), caller.subject.to_string());
    server
        .engine
        .write(move |writing| {
            if writing.stored_guard_project(&name)?.is_none() {
                return Ok(Err(not_found("guard project", &name)));
            }
            let wish = match wish(writing)? {
                Ok(wish) => wish,
                Err(error) => return Ok(Err(error)),
            };
            let newest = writing.session.newest_rules_edit(&name)?;
            let version = newest.as_ref().map_or(0, |edit| edit.version);
            if let Some(base) = wish.base_version
                && base != version
            {
                let by = newest.map_or_else(String::new, |edit| format!(" by {}", edit.updated_by));
                let detail = format!("the rules are at version {version}{by}, not at {base}");
                return Ok(Err(ApiError::new(ProblemKind::Conflict, detail)));
            }
            let before = newest.as_ref().map(read_edit).transpose()?.unwrap_or_else(untouched);
            writing.audit(permit.audit_entry())?;
            let edited = Edited {
                summary: summary::summary(&before, &wish.rules),
                rules: wish.rules,
                updated_by,
                note: wish.note.filter(|note| !note.trim().is_empty()),
            };
            writing.edit_guard_rules(&name, edited)?;
            Ok(Ok(()))
        })
        .await??;
    read_rules(server, project).await
}

async fn read_rules(server: &Arc<Server>, project: String) -> Result<GuardRules, ApiError> {
    let now = server.now();
    let rules = server.engine.read(move |session| rules(session, project, now)).await?;
    Ok(rules)
}

fn rules(session: &Session<'_>, project: String, now: Timestamp) -> Result<GuardRules, StoreError> {
    let edit = session.newest_rules_edit(&project)?;
    let published = session.published_rules(&project)?;
    let bans = session.count_bans_holding_in(&project)?;
    let rules = edit.as_ref().map(read_edit).transpose()?.unwrap_or_else(untouched);
    let version = edit.as_ref().map_or(0, |edit| edit.version);
    Ok(GuardRules {
        project,
        version,
        expired: rules.has_expired(now),
        rules: Value::Object(summary::fields(&rules)),
        updated: edit.as_ref().map(|edit| edit.updated),
        updated_by: edit.as_ref().map(|edit| edit.updated_by.clone()),
        note: edit.and_then(|edit| edit.note),
        etag: format!("\"{version}\""),
        published: GuardPublished {
            version: published.as_ref().map_or(0, |published| published.version),
            since: published.as_ref().map(|published| published.published),
            bans,
            bans_left_out: published.map_or(0, |published| published.left_out),
        },
    })
}

/// Rules before anybody edited them.
fn untouched() -> DynamicRules {
    DynamicRules { ttl: TTL_SECONDS, ..DynamicRules::default() }
}

fn read_edited(value: &Value, access: &AccessRules) -> Result<DynamicRules, ApiError> {
    let bytes = serde_json::to_vec(value).map_err(|error| ApiError::internal(&error))?;
    let mut rules = DynamicRules::read_edited(&bytes).map_err(invalid)?;
    if value.get("ttl").is_none_or(Value::is_null) {
        rules.ttl = TTL_SECONDS;
    }
    let faults = never_banned_faults(&rules, access);
    if faults.is_empty() { Ok(rules) } else { Err(invalid(faults)) }
}

fn never_banned_faults(rules: &DynamicRules, access: &AccessRules) -> Vec<RuleFault> {
    rules
        .ip_blacklist
        .iter()
        .enumerate()
        .filter_map(|(place, entry)| {
            let network: Network = entry.parse().ok()?;
            let why = access.never_banned(network)?;
            Some(RuleFault {
                field: format!("ip_blacklist[{place}]"),
                problem: format!("{network} is never banned: {why}"),
            })
        })
        .take(100)
        .collect()
}

fn invalid(faults: Vec<RuleFault>) -> ApiError {
    let detail = match faults.as_slice() {
        [fault] => fault.to_string(),
        faults => format!("{} faults, the first: {}", faults.len(), first(faults)),
    };
    let mut problem = Problem::new(ProblemKind::InvalidRules, detail);
    problem.errors = faults
        .into_iter()
        .map(|fault| ProblemDetail {
            detail: fault.problem,
            pointer: Some(pointer(&fault.field)),
            parameter: None,
        })
        .collect();
    problem.into()
}

fn first(faults: &[RuleFault]) -> String {
    faults.first().map_or_else(String::new, ToString::to_string)
}

/// The place of a fault as a JSON pointer (RFC 6901): `ip_blacklist[3]` and
/// `endpoint_rate_limits["/login"]` become `#/rules/ip_blacklist/3` and
/// `#/rules/endpoint_rate_limits/~1login`.
fn pointer(field: &str) -> String {
    let Some((name, key)) = field.split_once('[') else {
        return if field.is_empty() { "#/rules".to_owned() } else { format!("#/rules/{field}") };
    };
    let key = key.strip_suffix(']').unwrap_or(key);
    let key: String = serde_json::from_str(key).unwrap_or_else(|_| key.to_owned());
    format!("#/rules/{name}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn check_note(note: Option<&str>) -> Result<(), ApiError> {
    if note.is_some_and(|note| note.chars().count() > NOTE_CHARS_MAX) {
        let detail = format!("must have at most {NOTE_CHARS_MAX} characters");
        return Err(Problem::invalid_field("note", detail).into());
    }
    Ok(())
}

fn row(edit: RulesEdit) -> GuardRulesEditRow {
    GuardRulesEditRow {
        version: edit.version,
        updated: edit.updated,
        updated_by: edit.updated_by,
        note: edit.note,
        summary: edit.summary,
    }
}

/// Refuses where there is no such project.
pub(super) fn must_exist(server: &Server, project: &str) -> Result<(), ApiError> {
    match server.guard_projects().project(project) {
        Some(_) => Ok(()),
        None => Err(not_found("guard project", project)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_pointers() {
        for (field, expected) in [
            ("", "#/rules"),
            ("ttl", "#/rules/ttl"),
            ("ip_blacklist[3]", "#/rules/ip_blacklist/3"),
            (r#"endpoint_rate_limits["/a~b"]"#, "#/rules/endpoint_rate_limits/~1a~0b"),
        ] {
            assert_eq!(pointer(field), expected, "{field}");
        }
    }
}
