use super::body::Json;
use super::identities;
use super::page::Wanted;
use super::problem::ApiError;
use super::query::{InPath, InQuery, not_found, source};
use super::scores::live;
use crate::engine::HostState;
use crate::guard::is_application;
use crate::server::Server;
use axum::extract::State;
use ringwall_event::{Connection, Source, Timestamp};
use ringwall_server_api::{HostHealth, HostProcess, HostRow, Page, PageQuery};
use ringwall_store::StateStore;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// Where a host stands in the list: newest first. By the first report, which does not change while
/// pages are turned.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    first_seen: Timestamp,
    id: Source,
}

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<HostRow>>, ApiError> {
    let wanted: Wanted<'_, Place> =
        Wanted::read(&server, "hosts", &(), query.limit, query.cursor.as_deref())?;
    let open_alerts = open_alerts(&server).await?;
    let now = server.now();
    let rows = {
        let derived = server.engine.derived();
        let mut hosts: Vec<_> = derived
            .hosts
            .iter()
            .filter(|(id, _)| !is_application(id))
            .map(|(id, host)| (Place { first_seen: host.first_seen, id: id.clone() }, host))
            .filter(|(place, _)| wanted.after.as_ref().is_none_or(|after| place < after))
            .collect();
        hosts.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
        hosts.truncate(wanted.fetch());
        hosts
            .into_iter()
            .map(|(place, host)| row(&server, &place.id, host, &open_alerts, now))
            .collect()
    };
    let page = wanted
        .page(rows, |row: &HostRow| Place { first_seen: row.first_seen, id: row.id.clone() })?;
    Ok(Json(page))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    InPath(id): InPath<String>,
) -> Result<Json<HostRow>, ApiError> {
    let open_alerts = open_alerts(&server).await?;
    with_host(&server, &id, |source, host| row(&server, source, host, &open_alerts, server.now()))
        .map(Json)
}

pub(super) async fn processes(
    State(server): State<Arc<Server>>,
    InPath(id): InPath<String>,
) -> Result<Json<Page<HostProcess>>, ApiError> {
    let now = server.now();
    with_host(&server, &id, |_, host| process_rows(host, now)).map(|rows| Json(Page::whole(rows)))
}

pub(super) async fn connections(
    State(server): State<Arc<Server>>,
    InPath(id): InPath<String>,
) -> Result<Json<Page<Connection>>, ApiError> {
    let connections = |_: &Source, host: &HostState| {
        let all = host.detection.table.connections();
        all.map(|entry| entry.connection.clone()).collect()
    };
    with_host(&server, &id, connections).map(|rows| Json(Page::whole(rows)))
}

fn with_host<T>(
    server: &Server,
    id: &str,
    read: impl FnOnce(&Source, &HostState) -> T,
) -> Result<T, ApiError> {
    let source = source(id)?;
    let derived = server.engine.derived();
    match derived.hosts.get(&source) {
        Some(host) => Ok(read(&source, host)),
        None => Err(not_found("host", id)),
    }
}

/// How many alerts of each source are open.
pub(super) async fn open_alerts(server: &Server) -> Result<HashMap<String, u64>, ApiError> {
    let counts = server.engine.read(|session| session.open_alerts_by_source()).await?;
    Ok(counts.into_iter().collect())
}

pub(super) fn row(
    server: &Server,
    id: &Source,
    host: &HostState,
    open_alerts: &HashMap<String, u64>,
    now: Timestamp,
) -> HostRow {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    HostRow {
        id: id.clone(),
        dialect: id.dialect.to_string(),
        name: id.name.to_string(),
        hostname: host.hostname.to_string(),
        online: is_online(id, host.last_seen, now),
        first_seen: host.first_seen,
        last_seen: host.last_seen,
        // Agents that only tell system calls tell no more of processes than their scores.
        processes: count(match host.detection.table.processes().len() {
            0 => live_scores(host, now).count(),
            listed => listed,
        }),
        connections: count(host.detection.table.connections().len()),
        open_alerts: open_alerts.get(&id.to_string()).copied().unwrap_or(0),
        risk_max: live_scores(host, now).max_by(f64::total_cmp),
        system: host.detection.table.system().clone(),
        events: host.events,
        events_lost: host.losses.events,
        health: host
            .detection
            .table
            .health()
            .map(|it| HostHealth { health: it.health.clone(), reported: it.reported }),
        identity: identities::of_host(server, id),
    }
}

/// Whether a host reported within a few times the interval of its dialect's agents: 15 s for our own
/// and for Watcher's; SysScore's send when 50 calls are gathered, whenever that is.
pub(super) fn is_online(id: &Source, last_seen: Timestamp, now: Timestamp) -> bool {
    let seconds = match &*id.dialect {
        Source::HOST_AGENT | Source::WATCHER => 60,
        _ => 300,
    };
    now < last_seen.plus_seconds(seconds)
}

/// The scores of the processes that did something lately.
fn live_scores(host: &HostState, now: Timestamp) -> impl Iterator<Item = f64> {
    host.scores.values().filter_map(move |entry| live(entry, now)).map(|score| score.risk_score)
}

fn process_rows(host: &HostState, now: Timestamp) -> Vec<HostProcess> {
    let risk = |pid| {
        let score = host.scores.get(&pid).and_then(|entry| live(entry, now));
        score.map(|score| score.risk_score)
    };
    let mut rows: Vec<HostProcess> = host
        .detection
        .table
        .processes()
        .map(|entry| {
            let process = entry.process.clone();
            HostProcess {
                pid: process.pid,
                start_time: process.start_time,
                name: process.name.into(),
                parent_pid: process.parent_pid,
                user: process.user.map(Into::into),
                executable: process.executable.map(Into::into),
                command_line: process.command_line.map(Into::into),
                cpu_percent: process.cpu_percent,
                memory_percent: process.memory_percent,
                first_seen: Some(entry.first_seen),
                last_seen: Some(entry.last_seen),
                risk_score: risk(process.pid),
                executable_sha256: process.executable_sha256.map(Into::into),
                container: process.container,
            }
        })
        .collect();
    if rows.is_empty() {
        rows.extend(host.scores.iter().map(|(pid, entry)| HostProcess {
            pid: *pid,
            start_time: None,
            name: entry.name.to_string(),
            parent_pid: None,
            user: None,
            executable: None,
            command_line: None,
            cpu_percent: None,
            memory_percent: None,
            first_seen: Some(entry.first_seen),
            last_seen: Some(entry.last_seen),
            risk_score: risk(*pid),
            executable_sha256: None,
            container: None,
        }));
    }
    rows
}
