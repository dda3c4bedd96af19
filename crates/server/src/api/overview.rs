use super::alerts;
use super::body::Json;
use super::hosts::is_online;
use super::problem::ApiError;
use super::scores;
use crate::guard::is_application;
use crate::server::{Server, VERSION};
use axum::extract::State;
use ringwall_event::CommandState;
use ringwall_server_api::{
    AlertCounts, BusyHost, CommandCounts, EventCounts, HostCounts, IntakeLoad, Minute, Overview,
    ServerFacts, SeverityCounts, Tick,
};
use ringwall_store::{AlertFilter, StateStore};
use std::sync::Arc;

const TOP: usize = 10;
const DAY_SECONDS: i64 = 86_400;

pub(super) async fn show(State(server): State<Arc<Server>>) -> Result<Json<Overview>, ApiError> {
    let now = server.now();
    let (open_alerts, commands, recent_alerts) = server
        .engine
        .read(move |session| {
            Ok((
                session.open_alerts_by_severity()?,
                session.command_counts(now.plus_seconds(-DAY_SECONDS))?,
                alerts::rows(session, &AlertFilter::default(), None, TOP)?,
            ))
        })
        .await?;
    let day_ago = now.plus_seconds(-DAY_SECONDS);
    let busiest_hosts = server.engine.top_sources(day_ago, now.plus_micros(1), TOP).await?;
    let mut by_severity = SeverityCounts::default();
    let mut open = 0_u64;
    for (severity, count) in open_alerts {
        *by_severity.of(severity) = count;
        open = open.saturating_add(count);
    }
    let mut command_counts = CommandCounts::default();
    for (state, count) in commands {
        match state {
            CommandState::Queued | CommandState::Delivered => command_counts.open += count,
            CommandState::Succeeded => command_counts.succeeded_24h += count,
            CommandState::Failed | CommandState::Expired => command_counts.failed_24h += count,
            CommandState::Withdrawn => {}
        }
    }
    let (queued, capacity) = server.engine.load();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let counts = counts(&server);
    let derived = server.engine.derived();
    Ok(Json(Overview {
        hosts: HostCounts {
            total: count(derived.hosts.keys().filter(|id| !is_application(id)).count()),
            online: counts.hosts_online,
        },
        events: EventCounts { total: counts.events_total, last_minute: counts.events_last_minute },
        alerts: AlertCounts { open, by_severity },
        commands: command_counts,
        timeline: derived
            .totals
            .minutes
            .last_hour(now)
            .into_iter()
            .map(|(minute, events, alerts)| Minute { minute, events, alerts })
            .collect(),
        busiest_hosts: busiest_hosts
            .into_iter()
            .map(|(id, events)| BusyHost { id, events })
            .collect(),
        top_risk: scores::riskiest(&derived, now, TOP),
        recent_alerts,
        server: ServerFacts {
            version: VERSION.to_owned(),
            started: server.started,
            data_dir_bytes: server.engine.size_bytes(),
            intake: IntakeLoad { queued: count(queued), capacity: count(capacity) },
        },
    }))
}

/// The counts that memory knows; the open alerts are not among them.
pub(super) fn counts(server: &Server) -> Tick {
    let now = server.now();
    let derived = server.engine.derived();
    let hosts = || derived.hosts.iter().filter(|(id, _)| !is_application(id));
    let online = hosts().filter(|(id, host)| is_online(id, host.last_seen, now)).count();
    // Minutes begin with the clock's: of the one before only the share counts that lies within the
    // last sixty seconds.
    let into_minute = u64::try_from(now.as_seconds().rem_euclid(60)).unwrap_or(0);
    let last_minute = match derived.totals.minutes.last_hour(now).as_slice() {
        [.., (_, before, _), (_, current, _)] => {
            current.saturating_add(before.saturating_mul(60 - into_minute) / 60)
        }
        _ => 0,
    };
    Tick {
        events_total: derived.totals.events,
        events_last_minute: last_minute,
        alerts_open: 0,
        hosts_online: u64::try_from(online).unwrap_or(u64::MAX),
    }
}
