use super::body::{Json, json};
use super::caller::Caller;
use super::decide::permit;
use super::page::Wanted;
use super::problem::ApiError;
use super::query::{InPath, InQuery, not_found};
use crate::indicators::{self, INDICATORS_MAX};
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::{Change, Permission};
use ringwall_detection::{
    IMPORT_BYTES_MAX, IMPORT_ITEMS_MAX, Import, Indicator, IndicatorAction, IndicatorKind,
    IndicatorOrigin, IndicatorValue, REFUSED_MAX, import_json, import_text,
};
use ringwall_event::{Severity, Timestamp};
use ringwall_server_api::{
    self as wire, IndicatorImport, IndicatorImportAnswer, IndicatorRefusal, IndicatorRequest,
    IndicatorRow, Page, PageQuery, Problem, ProblemKind,
};
use ringwall_store::{Session, StateStore, StoreError};
use serde_json::Value;
use std::sync::Arc;

/// In JSON a list is a little longer than by itself.
const IMPORT_BODY_BYTES_MAX: usize = IMPORT_BYTES_MAX + (IMPORT_BYTES_MAX >> 2);

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<IndicatorRow>>, ApiError> {
    let wanted: Wanted<'_, (Timestamp, String)> =
        Wanted::read(&server, "indicators", &(), query.limit, query.cursor.as_deref())?;
    let rules = server.engine.rules();
    let mut found: Vec<_> = rules
        .indicators
        .indicators()
        .iter()
        .map(|indicator| ((indicator.created, indicator.id()), indicator))
        .filter(|(place, _)| {
            wanted.after.as_ref().is_none_or(|(created, id)| *place < (*created, id.as_str()))
        })
        .collect();
    found.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
    found.truncate(wanted.fetch());
    let mut rows: Vec<IndicatorRow> = found.into_iter().map(|(_, listed)| row(listed)).collect();
    rows = server
        .engine
        .read(move |session| {
            for row in &mut rows {
                count_hits(session, row)?;
            }
            Ok(rows)
        })
        .await?;
    Ok(Json(wanted.page(rows, |row: &IndicatorRow| (row.created, row.id.clone()))?))
}

pub(super) async fn add(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(request): Json<IndicatorRequest>,
) -> Result<Response, ApiError> {
    let value = IndicatorValue::parse(kind(request.kind), &request.value)
        .map_err(|error| Problem::invalid_field("value", error.to_string()))?;
    let mut indicator = Indicator::new(value, IndicatorOrigin::User, server.now());
    let action = wanted_action(&caller, request.action);
    adjust(&mut indicator, action, request.severity, request.note.as_deref());
    let action = Change::AddIndicator {
        kind: indicator.kind().name().to_owned(),
        value: indicator.value().to_string(),
        kills: indicator.action == IndicatorAction::Kill,
    };
    let reason = request.note.unwrap_or_default();
    let permit = permit(&server, &caller, &action, &reason).await?;
    let answer = row(&indicator);
    let added = indicators::add(&server.engine, vec![indicator], move |writing| {
        writing.audit(permit.audit_entry())
    })
    .await?;
    if added.no_room > 0 {
        return Err(no_room());
    }
    Ok(json(StatusCode::CREATED, &answer))
}

pub(super) async fn import(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(request): Json<IndicatorImport, IMPORT_BODY_BYTES_MAX>,
) -> Result<Json<IndicatorImportAnswer>, ApiError> {
    let now = server.now();
    let mut import = read(&request, now)?;
    let action = wanted_action(&caller, request.action);
    for indicator in &mut import.indicators {
        indicator.origin = IndicatorOrigin::Import;
        adjust(indicator, action, request.severity, request.note.as_deref());
    }
    let action = Change::ImportIndicators {
        count: import.indicators.len(),
        kills: import.indicators.iter().any(|listed| listed.action == IndicatorAction::Kill),
    };
    let reason = request.note.unwrap_or_default();
    let permit = permit(&server, &caller, &action, &reason).await?;
    let added = indicators::add(&server.engine, import.indicators, move |writing| {
        writing.audit(permit.audit_entry())
    })
    .await?;
    if added.no_room > 0 {
        return Err(no_room());
    }
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let refused = import.refused.into_iter();
    Ok(Json(IndicatorImportAnswer {
        added: count(added.added),
        unchanged: count(added.unchanged),
        refused: refused
            .map(|item| IndicatorRefusal { line: count(item.line), reason: item.reason })
            .collect(),
    }))
}

pub(super) async fn remove(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<StatusCode, ApiError> {
    let missing = not_found("indicator", &id);
    let action = Change::RemoveIndicator { indicator: id.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let removed =
        indicators::remove(&server.engine, id, move |writing| writing.audit(permit.audit_entry()))
            .await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(missing) }
}

fn no_room() -> ApiError {
    let detail = format!("the list holds at most {INDICATORS_MAX} indicators; some found no room");
    ApiError::new(ProblemKind::Conflict, detail)
}

/// Where nothing is said, whoever may not order kills does not list things that order them either.
fn wanted_action(
    caller: &Caller,
    given: Option<wire::IndicatorAction>,
) -> Option<wire::IndicatorAction> {
    let alone =
        (!caller.subject.may(Permission::OrderCommands)).then_some(wire::IndicatorAction::Alert);
    given.or(alone)
}

fn adjust(
    indicator: &mut Indicator,
    action: Option<wire::IndicatorAction>,
    severity: Option<Severity>,
    note: Option<&str>,
) {
    let mut changed = indicator.clone();
    if let Some(action) = action {
        changed = changed.with_action(match action {
            wire::IndicatorAction::Kill => IndicatorAction::Kill,
            wire::IndicatorAction::Alert => IndicatorAction::Alert,
        });
    }
    if let Some(severity) = severity {
        changed = changed.with_severity(severity);
    }
    if let Some(note) = note {
        changed = changed.with_note(note);
    }
    *indicator = changed;
}

fn read(request: &IndicatorImport, now: Timestamp) -> Result<Import, ApiError> {
    match (&request.text, &request.json) {
        (Some(text), None) => {
            let of = request.kind.ok_or_else(|| {
                Problem::invalid_field("kind", "must say what the lines of `text` are")
            })?;
            let import = import_text(kind(of), text, now);
            Ok(import.map_err(|error| Problem::invalid_field("text", error.to_string()))?)
        }
        (None, Some(lists)) => read_lists(lists, now),
        _ => Err(ApiError::new(ProblemKind::InvalidRequest, "give either `text` or `json`")),
    }
}

/// Reads the lists one by one, each item on a line of its own, so that a refusal's line is the
/// item's position in its list.
fn read_lists(lists: &Value, now: Timestamp) -> Result<Import, ApiError> {
    let bad = |detail: String| ApiError::from(Problem::invalid_field("json", detail));
    let lists = lists.as_object().ok_or_else(|| bad("must be an object of lists".to_owned()))?;
    let mut whole = Import::default();
    for (key, list) in lists {
        let key = Value::from(key.as_str());
        let text = match list {
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(Value::to_string).collect();
                format!("{{{key}:[\n{}]}}", items.join(",\n"))
            }
            other => format!("{{{key}:{other}}}"),
        };
        let part = import_json(&text, now).map_err(|error| bad(error.to_string()))?;
        whole.indicators.extend(part.indicators);
        whole.refused_count += part.refused_count;
        let room = REFUSED_MAX.saturating_sub(whole.refused.len());
        whole.refused.extend(part.refused.into_iter().take(room).map(|mut item| {
            item.line = item.line.saturating_sub(1).max(1);
            item
        }));
        if whole.indicators.len() > IMPORT_ITEMS_MAX {
            return Err(bad(format!("must have at most {IMPORT_ITEMS_MAX} entries")));
        }
    }
    Ok(whole)
}

/// An alert's entity begins with the indicator that raised it.
fn count_hits(session: &Session<'_>, row: &mut IndicatorRow) -> Result<(), StoreError> {
    if let Some((hits, latest)) = session.sightings(&format!("{}/", row.id))? {
        row.hits = hits;
        row.last_hit = Some(latest);
    }
    Ok(())
}

const fn kind(kind: wire::IndicatorKind) -> IndicatorKind {
    match kind {
        wire::IndicatorKind::Process => IndicatorKind::Process,
        wire::IndicatorKind::Path => IndicatorKind::Path,
        wire::IndicatorKind::Hash => IndicatorKind::Hash,
        wire::IndicatorKind::Address => IndicatorKind::Address,
        wire::IndicatorKind::Domain => IndicatorKind::Domain,
    }
}

fn row(indicator: &Indicator) -> IndicatorRow {
    IndicatorRow {
        id: indicator.id().to_owned(),
        kind: match indicator.kind() {
            IndicatorKind::Process => wire::IndicatorKind::Process,
            IndicatorKind::Path => wire::IndicatorKind::Path,
            IndicatorKind::Hash => wire::IndicatorKind::Hash,
            IndicatorKind::Address => wire::IndicatorKind::Address,
            IndicatorKind::Domain => wire::IndicatorKind::Domain,
        },
        value: indicator.value().to_string(),
        action: match indicator.action {
            IndicatorAction::Kill => wire::IndicatorAction::Kill,
            IndicatorAction::Alert => wire::IndicatorAction::Alert,
        },
        severity: indicator.severity,
        origin: match indicator.origin {
            IndicatorOrigin::Default => wire::IndicatorOrigin::Default,
            IndicatorOrigin::User => wire::IndicatorOrigin::User,
            IndicatorOrigin::Import => wire::IndicatorOrigin::Import,
        },
        note: indicator.note.as_deref().map(str::to_owned),
        created: indicator.created,
        hits: 0,
        last_hit: None,
    }
}
