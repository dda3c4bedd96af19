//! What runs on a host, as its reports tell, and what changed with each of them.

mod connections;
mod form_1;
mod processes;

pub use connections::{CONNECTIONS_MAX, HostConnection};
pub(crate) use form_1::HostTable1;
pub use processes::{HostProcess, PROCESSES_MAX};

use connections::Connections;
use processes::Processes;
use ringwall_event::{
    Activity, AgentHealth, Connection, Event, Process, ProcessRef, SystemInfo, Timestamp,
};
use serde::{Deserialize, Serialize};

/// The processes and connections of one source. It follows from the events alone: the same events
/// in the same order give the same table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostTable {
    processes: Processes,
    connections: Connections,
    system: SystemInfo,
    hostname: Box<str>,
    first_seen: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    events: u64,
    health: Option<Box<ReportedHealth>>,
}

/// How the host agent of a host said that it is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportedHealth {
    /// In its words.
    pub health: AgentHealth,
    /// When the server took it.
    pub reported: Timestamp,
}

/// What an event changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change<'e> {
    /// A process that was not there before.
    Appeared(&'e Process),
    /// The same process runs another program now, or more became known of it.
    Changed {
        /// As it is now.
        process: &'e Process,
        /// As it was.
        before: ProcessRef,
    },
    /// The pid belongs to another process now; the one before ended unseen.
    Replaced {
        /// The one that has the pid now.
        process: &'e Process,
        /// The one that ended.
        ended: ProcessRef,
    },
    /// A process is gone.
    Vanished {
        /// Which.
        ended: ProcessRef,
        /// When it was first seen: its identity where the source knows no start times.
        first_seen: Timestamp,
    },
    /// A connection that was not there before.
    Connected(&'e Connection),
    /// A connection is gone.
    Disconnected,
}

impl HostTable {
    /// Takes in one event; what it changed. System calls change nothing here.
    pub fn apply<'e>(&mut self, event: &'e Event) -> Vec<Change<'e>> {
        let received = event.received;
        self.first_seen.get_or_insert(received);
        self.last_seen = Some(received);
        self.events = self.events.saturating_add(1);
        if self.hostname != event.host {
            self.hostname = event.host.clone();
        }
        let mut changes = Vec::new();
        match &event.activity {
            Activity::ProcessStarted(process) => {
                changes.extend(self.processes.started(process, event.time, received));
            }
            Activity::ProcessEnded { process, .. } => {
                changes.extend(self.processes.ended(process));
            }
            Activity::ConnectionOpened(connection) => {
                changes.extend(self.connections.seen(connection, received));
            }
            Activity::ConnectionClosed(connection) => {
                changes.extend(self.connections.closed(connection));
            }
            Activity::Inventory(inventory) => {
                self.processes.reconcile(&inventory.processes, event.time, received, &mut changes);
                self.connections.reconcile(&inventory.connections, received, &mut changes);
                self.system = inventory.system.clone();
            }
            Activity::AgentHealth(health) => {
                let health = AgentHealth::clone(health);
                self.health = Some(Box::new(ReportedHealth { health, reported: received }));
            }
            _ => {}
        }
        changes
    }

    /// The process that has this pid.
    pub fn process(&self, pid: i64) -> Option<&HostProcess> {
        self.processes.get(pid)
    }

    /// Every process, by pid.
    pub fn processes(&self) -> impl ExactSizeIterator<Item = &HostProcess> {
        self.processes.iter()
    }

    /// Every connection.
    pub fn connections(&self) -> impl ExactSizeIterator<Item = &HostConnection> {
        self.connections.iter()
    }

    /// What the host last said of itself.
    pub const fn system(&self) -> &SystemInfo {
        &self.system
    }

    /// How its host agent last said that it is doing; none where it never did.
    pub fn health(&self) -> Option<&ReportedHealth> {
        self.health.as_deref()
    }

    /// The name of the host in its last event.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// When its first event was taken.
    pub const fn first_seen(&self) -> Option<Timestamp> {
        self.first_seen
    }

    /// When its latest event was taken.
    pub const fn last_seen(&self) -> Option<Timestamp> {
        self.last_seen
    }

    /// How many events were taken.
    pub const fn events(&self) -> u64 {
        self.events
    }
}

#[cfg(test)]
mod tests;
