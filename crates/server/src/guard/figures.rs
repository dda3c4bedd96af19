//! A project in a few numbers, for lists.

use super::agents::guards_of;
use super::measurements::{BLOCKED, EVENTS};
use ringwall_event::Timestamp;
use ringwall_store::{GuardMetricStore, Session, StoreError};
use std::collections::HashMap;

/// What is told of a project beside what it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProjectFigures {
    /// How many guards are known.
    pub(crate) agents: u64,
    /// How many installations used its key of late.
    pub(crate) installs: u64,
    /// How many of the guards have something that somebody should look at.
    pub(crate) unwell: u64,
    /// When one was last seen.
    pub(crate) last_seen: Option<Timestamp>,
    /// How many events came of late.
    pub(crate) events: u64,
    /// How many of them tell of something blocked.
    pub(crate) blocked: u64,
}

/// The figures of these projects, in their order; what is counted is counted since a moment.
///
/// # Errors
/// Where the database cannot be read.
pub(crate) fn figures_of(
    session: &Session<'_>,
    projects: &[Box<str>],
    since: Timestamp,
) -> Result<Vec<ProjectFigures>, StoreError> {
    let events: HashMap<String, u64> =
        session.guard_metric_counts(EVENTS, since)?.into_iter().collect();
    let blocked: HashMap<String, u64> =
        session.guard_metric_counts(BLOCKED, since)?.into_iter().collect();
    let mut all = Vec::with_capacity(projects.len());
    for project in projects {
        let guards = guards_of(session, project)?;
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let of_late = guards.iter().filter(|guard| guard.last_seen >= since);
        all.push(ProjectFigures {
            agents: count(guards.len()),
            installs: count(of_late.clone().filter(|guard| guard.install_id.is_some()).count()),
            unwell: count(of_late.filter(|guard| guard.warning().is_some()).count()),
            last_seen: guards.iter().map(|guard| guard.last_seen).max(),
            events: events.get(&**project).copied().unwrap_or_default(),
            blocked: blocked.get(&**project).copied().unwrap_or_default(),
        });
    }
    Ok(all)
}
