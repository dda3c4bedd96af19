use super::body::Json;
use super::page::{PAGE_BUDGET, Wanted};
use super::problem::ApiError;
use super::query::{InPath, InQuery, event_id, not_found};
use crate::server::Server;
use axum::extract::State;
use ringwall_event::{
    Activity, AgentHealth, AppGuardEvent, Connection, Event, EventId, HttpRequest, Process,
    ProcessRef, SignIn, Timestamp,
};
use ringwall_server_api::{EventQuery, EventRow, Page, Problem};
use ringwall_store::{EventFilter, EventStore, PagePosition};
use std::sync::Arc;

/// A line for people is at most this long.
const SUMMARY_CHARS_MAX: usize = 300;
/// What is looked for is at most this long.
const CONTAINS_BYTES_MAX: usize = 256;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<EventQuery>,
) -> Result<Json<Page<EventRow>>, ApiError> {
    if let Some(kind) = &query.kind
        && !Activity::KINDS.contains(&kind.as_str())
    {
        let detail = format!("must be one of {}", Activity::KINDS.join(", "));
        return Err(Problem::invalid_parameter("kind", detail).into());
    }
    if let Some(words) = &query.contains
        && !(1..=CONTAINS_BYTES_MAX).contains(&words.len())
    {
        let detail = format!("must have 1 to {CONTAINS_BYTES_MAX} bytes");
        return Err(Problem::invalid_parameter("contains", detail).into());
    }
    let purpose = (&query.host, query.pid, &query.kind, &query.contains, query.since, query.until);
    let wanted: Wanted<'_, (Timestamp, EventId)> =
        Wanted::read(&server, "events", &purpose, query.limit, query.cursor.as_deref())?;
    let filter = EventFilter {
        source: query.host,
        dialect: None,
        pid: query.pid,
        kind: query.kind,
        contains: query.contains,
        since: query.since,
        until: query.until,
    };
    let after = wanted.after.map(|(time, id)| PagePosition { time, id });
    let fetch = wanted.fetch();
    let (rows, resume): (Vec<EventRow>, _) = server
        .engine
        .read(move |session| {
            let page = session.events_within(&filter, after, fetch, PAGE_BUDGET)?;
            Ok((page.events.iter().map(row).collect(), page.resume))
        })
        .await?;
    let resume = resume.map(|position| (position.time, position.id));
    Ok(Json(wanted.page_until(rows, |row| (row.time, row.id), resume)?))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    InPath(text): InPath<String>,
) -> Result<Json<EventRow>, ApiError> {
    let id = event_id("event", &text)?;
    let event = server.engine.read(move |session| session.event(id)).await?;
    event.as_ref().map(row).map(Json).ok_or_else(|| not_found("event", &text))
}

pub(super) fn row(event: &Event) -> EventRow {
    EventRow {
        id: event.id,
        time: event.time,
        received: event.received,
        source: event.source.clone(),
        host: event.host.to_string(),
        severity: event.severity,
        kind: event.activity.kind().to_owned(),
        pid: event.pid(),
        summary: summary(&event.activity),
        ocsf: event.to_ocsf(),
    }
}

/// One line for people. Its parts come from the host: what could move a cursor or hide text on a
/// terminal becomes a blank.
fn summary(activity: &Activity) -> String {
    let text = match activity {
        Activity::ProcessStarted(process) => started(process),
        Activity::ProcessEnded { process, exit_code } => match exit_code {
            Some(code) if *code < 0 => {
                format!("{} ended by signal {}", who(process), code.unsigned_abs())
            }
            Some(code) => format!("{} ended with {code}", who(process)),
            None => format!("{} ended", who(process)),
        },
        Activity::ConnectionOpened(connection) => connected("opened", connection),
        Activity::ConnectionClosed(connection) => connected("closed", connection),
        Activity::SystemCall { process, name, .. } => format!("{} called {name}", who(process)),
        Activity::Inventory(inventory) => format!(
            "{} processes, {} connections",
            inventory.processes.len(),
            inventory.connections.len()
        ),
        Activity::HttpRequest(request) => requested(request),
        Activity::SignIn(sign_in) => signed_in(sign_in),
        Activity::AgentHealth(health) => told_health(health),
        Activity::EventsLost(lost) => format!(
            "{} events will never arrive: dropped or refused, {} in all",
            lost.count, lost.total
        ),
        Activity::AppGuard(seen) => guarded(seen),
        other => other.kind().replace('_', " "),
    };
    text.chars()
        .take(SUMMARY_CHARS_MAX)
        .map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c })
        .collect()
}

fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

fn told_health(health: &AgentHealth) -> String {
    let mut text = format!(
        "host agent {}: {:.1} MiB, {:.1} % of a core",
        health.version,
        health.rss_bytes as f64 / f64::from(1 << 20),
        health.cpu_percent
    );
    if health.throttled {
        text.push_str(", slowed by its budget");
    }
    if health.spool_events > 0 {
        text.push_str(&format!(", {} events wait", health.spool_events));
    }
    if health.dropped > 0 {
        text.push_str(&format!(", {} dropped", health.dropped));
    }
    text
}

fn started(process: &Process) -> String {
    let mut text = format!("{} started", who(&ProcessRef::from(process)));
    if let Some(user) = &process.user {
        text.push_str(&format!(" by {user}"));
    }
    if let Some(container) = &process.container {
        text.push_str(&format!(" in {} container {}", container.runtime, container.label()));
    }
    if let Some(line) = process.command_line.as_ref().or(process.executable.as_ref()) {
        text.push_str(&format!(": {line}"));
    }
    text
}

fn connected(verb: &str, connection: &Connection) -> String {
    let Connection { protocol, local_address, local_port, .. } = connection;
    let mut text = match (&connection.process_name, connection.pid) {
        (Some(name), Some(pid)) => format!("{name} (pid {pid}) {verb} "),
        (None, Some(pid)) => format!("pid {pid} {verb} "),
        _ => format!("{verb} "),
    };
    text.push_str(&format!("{protocol} {local_address}:{local_port}"));
    match (&connection.remote_address, connection.remote_port) {
        (Some(address), Some(port)) => text.push_str(&format!(" to {address}:{port}")),
        (Some(address), None) => text.push_str(&format!(" to {address}")),
        _ => text.push_str(" (listening)"),
    }
    text
}

fn requested(request: &HttpRequest) -> String {
    let HttpRequest { method, hostname, path, .. } = request;
    let mut text = format!("{method} {}{path}", hostname.as_deref().unwrap_or_default());
    if let Some(status) = request.status {
        text.push_str(&format!(" {status}"));
    }
    if let Some(address) = &request.client_address {
        text.push_str(&format!(" from {address}"));
    }
    if let Some(user) = &request.user {
        text.push_str(&format!(" by {user}"));
    }
    text
}

fn guarded(seen: &AppGuardEvent) -> String {
    let mut text = seen.event_type.replace('_', " ");
    if let Some(category) = &seen.category {
        text.push_str(&format!(" ({category})"));
    }
    if let Some(path) = &seen.path {
        text.push_str(&format!(": {} {path}", seen.method.as_deref().unwrap_or_default()));
    }
    if let Some(address) = &seen.client_address {
        text.push_str(&format!(" from {address}"));
    }
    if !seen.action.is_empty() {
        text.push_str(&format!(", {}", seen.action.replace('_', " ")));
    }
    text
}

fn signed_in(sign_in: &SignIn) -> String {
    let verdict = if sign_in.success { "accepted" } else { "refused" };
    let mut text = format!("sign-in of {} {verdict}", sign_in.user);
    if let Some(service) = &sign_in.service {
        text.push_str(&format!(" by {service}"));
    }
    if let Some(address) = &sign_in.client_address {
        text.push_str(&format!(" from {address}"));
    }
    if let Some(detail) = &sign_in.detail {
        text.push_str(&format!(": {detail}"));
    }
    text
}

fn who(process: &ProcessRef) -> String {
    if process.name.is_empty() {
        format!("pid {}", process.pid)
    } else {
        format!("{} (pid {})", process.name, process.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_one_line_that_hides_nothing() {
        let process = Process {
            pid: 42,
            name: "evil\u{1b}[2K.sh".into(),
            user: Some("root".into()),
            command_line: Some("evil.sh\n--now \u{202e}txt".into()),
            ..Process::default()
        };
        check(
            &Activity::ProcessStarted(process),
            "evil [2K.sh (pid 42) started by root: evil.sh --now  txt",
        );
        let process = ProcessRef { pid: 7, ..ProcessRef::default() };
        check(
            &Activity::SystemCall {
                process: process.clone(),
                name: "open".into(),
                risk_score: None,
                anomaly_score: None,
            },
            "pid 7 called open",
        );
        check(&Activity::ProcessEnded { process, exit_code: Some(-9) }, "pid 7 ended by signal 9");
        check(
            &Activity::ConnectionOpened(Connection {
                protocol: "tcp".into(),
                local_address: "10.0.0.1".into(),
                local_port: 40_000,
                remote_address: Some("192.0.2.1".into()),
                remote_port: Some(443),
                pid: Some(9),
                process_name: Some("curl".into()),
                ..Connection::default()
            }),
            "curl (pid 9) opened tcp 10.0.0.1:40000 to 192.0.2.1:443",
        );
    }

    #[test]
    fn a_request_tells_what_was_asked_and_by_whom() {
        let request = HttpRequest {
            method: "GET".into(),
            path: "/login".into(),
            status: Some(200),
            client_address: Some("203.0.113.9".into()),
            ..HttpRequest::default()
        };
        let http = |request: HttpRequest| Activity::HttpRequest(Box::new(request));
        check(&http(request.clone()), "GET /login 200 from 203.0.113.9");
        let hostname = Some("shop.example".into());
        let user = Some("ada\u{7}".into());
        check(
            &http(HttpRequest { hostname, user, ..request.clone() }),
            "GET shop.example/login 200 from 203.0.113.9 by ada ",
        );
        check(&http(HttpRequest { status: None, client_address: None, ..request }), "GET /login");
    }

    #[test]
    fn a_sign_in_tells_who_was_let_in_or_not() {
        let refused = SignIn {
            user: "root".into(),
            service: Some("sshd".into()),
            client_address: Some("203.0.113.9".into()),
            detail: Some("invalid password".into()),
            ..SignIn::default()
        };
        let sign_in = |sign_in: SignIn| Activity::SignIn(Box::new(sign_in));
        check(
            &sign_in(refused),
            "sign-in of root refused by sshd from 203.0.113.9: invalid password",
        );
        let local = SignIn { user: "ada".into(), success: true, ..SignIn::default() };
        check(&sign_in(local), "sign-in of ada accepted");
    }

    #[track_caller]
    fn check(activity: &Activity, expected: &str) {
        assert_eq!(summary(activity), expected);
    }
}
