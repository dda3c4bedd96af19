//! The guards of a project: one record an installation.

use ringwall_dialects::guard::Status;
use ringwall_event::Timestamp;
use ringwall_store::{Session, StateStore, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The kind of document that the guards of a project are kept as, by what tells them apart.
pub(super) fn agents_of(project: &str) -> String {
    format!("guard_agent/{project}")
}

/// How many guards of a project are kept; beyond that those silent for longest are forgotten.
pub(super) const AGENTS_MAX: usize = 1000;
/// How many of its errors are kept of a guard, and how much of each: a record is read with each request.
const ERRORS_KEPT: usize = 10;
const ERROR_BYTES_KEPT: usize = 256;
/// A record of which only the time of the last sighting changed is written not more often than this.
const WRITTEN_EVERY_MICROS: i64 = 10_000_000;

/// What the keys of guards begin with that say which installation they are.
const INSTALLATION: &str = "install:";

/// Who sent a request, as its headers and its connection tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sighting {
    /// Which installation; agents before 2.5 do not say.
    pub(crate) install_id: Option<Box<str>>,
    /// The address that it came from.
    pub(crate) address: Box<str>,
    /// What it says about itself.
    pub(crate) facts: AgentFacts,
}

/// What a guard says about itself in one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgentFacts {
    /// The version of the agent.
    pub(crate) agent_version: Option<Box<str>>,
    /// The version of the middleware.
    pub(crate) guard_version: Option<Box<str>>,
    /// The version of the middleware's engine.
    pub(crate) guard_core_version: Option<Box<str>>,
    /// How it is.
    pub(crate) status: Option<Status>,
}

/// A guard as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AgentRecord {
    pub(crate) install_id: Option<Box<str>>,
    pub(crate) address: Box<str>,
    pub(crate) agent_version: Option<Box<str>>,
    pub(crate) guard_version: Option<Box<str>>,
    pub(crate) guard_core_version: Option<Box<str>>,
    pub(crate) status: Option<Box<str>>,
    pub(crate) uptime_seconds: f64,
    pub(crate) events_sent: u64,
    pub(crate) events_failed: u64,
    pub(crate) buffer_size: u64,
    pub(crate) dropped: Option<u64>,
    pub(crate) errors: Vec<Box<str>>,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// When it last told its status.
    pub(crate) last_status: Option<Timestamp>,
}

/// The guards of a project, as they are kept.
///
/// # Errors
/// Where the database cannot be read.
pub(crate) fn guards_of(
    session: &Session<'_>,
    project: &str,
) -> Result<Vec<AgentRecord>, StoreError> {
    let records: Vec<(String, AgentRecord)> = session.documents(&agents_of(project))?;
    Ok(records.into_iter().map(|(_, record)| record).collect())
}

impl Sighting {
    /// What tells it from the other guards of its project: its installation, else its address.
    pub(super) fn key(&self) -> String {
        match &self.install_id {
            Some(id) => format!("{INSTALLATION}{id}"),
            None => format!("address:{}", self.address),
        }
    }
}

impl AgentRecord {
    /// Takes in a sighting; whether that is worth writing down.
    pub(super) fn see(&mut self, sighting: &Sighting, now: Timestamp) -> bool {
        let before = self.clone();
        if self.first_seen == Timestamp::default() {
            self.first_seen = now;
        }
        self.install_id = sighting.install_id.clone();
        self.address = sighting.address.clone();
        let facts = &sighting.facts;
        for (known, told) in [
            (&mut self.agent_version, &facts.agent_version),
            (&mut self.guard_version, &facts.guard_version),
            (&mut self.guard_core_version, &facts.guard_core_version),
        ] {
            if told.is_some() {
                known.clone_from(told);
            }
        }
        if let Some(status) = &facts.status {
            self.status = Some(status.status.clone()).filter(|status| !status.is_empty());
            self.uptime_seconds = if status.uptime.is_finite() { status.uptime } else { 0.0 };
            self.events_sent = status.events_sent;
            self.events_failed = status.events_failed;
            self.buffer_size = status.buffer_size;
            self.dropped = status.dropped;
            let errors = status.errors.iter().take(ERRORS_KEPT);
            self.errors = errors.map(|error| beginning(error, ERROR_BYTES_KEPT)).collect();
            self.last_status = Some(now);
        }
        let age = now.micros_since(before.last_seen);
        let is_same = Self { last_seen: self.last_seen, ..before } == *self;
        if is_same && (0..WRITTEN_EVERY_MICROS).contains(&age) {
            return false;
        }
        self.last_seen = now;
        true
    }

    /// What somebody should look at.
    pub(crate) fn warning(&self) -> Option<String> {
        let dropped = self.dropped.unwrap_or_default();
        let is_well = matches!(self.status.as_deref(), None | Some("healthy"));
        match (dropped, self.errors.first()) {
            (0, _) if is_well => None,
            (0, Some(error)) => Some(error.to_string()),
            (0, None) => {
                self.status.as_deref().map(|status| format!("it says that it is {status}"))
            }
            (dropped, _) => Some(format!("it dropped {dropped} items")),
        }
    }
}

/// As much of a text as is kept.
fn beginning(text: &str, bytes_max: usize) -> Box<str> {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default().into()
}

/// Which guards of each project are known, and when each was seen last: so that a new one need not have
/// all records read.
#[derive(Debug, Default)]
pub(crate) struct KnownGuards(HashMap<Box<str>, HashMap<Box<str>, Timestamp>>);

impl KnownGuards {
    /// The guards of a project by their keys, read once where they are not in memory.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub(super) fn of(
        &mut self,
        session: &Session<'_>,
        project: &str,
    ) -> Result<&mut HashMap<Box<str>, Timestamp>, StoreError> {
        match self.0.entry(project.into()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(free) => {
                let records: Vec<(String, AgentRecord)> = session.documents(&agents_of(project))?;
                let seen = records.into_iter().map(|(key, record)| (key.into(), record.last_seen));
                Ok(free.insert(seen.collect()))
            }
        }
    }

    /// Forgets a project's.
    pub(super) fn forget(&mut self, project: &str) {
        self.0.remove(project);
    }
}

/// Whether a guard with this key says which installation it is.
pub(super) fn is_installation(key: &str) -> bool {
    key.starts_with(INSTALLATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sighting_is_written_when_it_tells_something() {
        let at = |second: i64| Timestamp::from_millis(1_700_000_000_000).plus_seconds(second);
        let mut record = AgentRecord::default();
        let mut sighting = Sighting {
            install_id: Some("id".into()),
            address: "192.0.2.1".into(),
            facts: AgentFacts { agent_version: Some("3.2.4".into()), ..AgentFacts::default() },
        };
        assert!(record.see(&sighting, at(0)));
        assert!(!record.see(&sighting, at(3)));
        assert!(record.see(&sighting, at(11)));
        assert_eq!((record.first_seen, record.last_seen), (at(0), at(11)));
        sighting.facts.status = Some(Status {
            status: "degraded".into(),
            errors: vec!["Buffer nearly full".into(); 50],
            events_sent: 7,
            ..Status::default()
        });
        assert!(record.see(&sighting, at(12)));
        assert_eq!(record.warning().as_deref(), Some("Buffer nearly full"));
        assert_eq!((record.events_sent, record.errors.len()), (7, ERRORS_KEPT));
        assert_eq!(&*beginning(&"é".repeat(200), 255), "é".repeat(127));
        sighting.facts = AgentFacts::default();
        assert!(!record.see(&sighting, at(13)), "versions and status stay known");
        assert_eq!(record.agent_version.as_deref(), Some("3.2.4"));
    }
}
