use super::HostTable;
use super::connections::Connections;
use super::processes::Processes1;
use ringwall_event::{SystemInfo, Timestamp};
use serde::Deserialize;

/// [`HostTable`] as the first version of the program wrote it into checkpoints.
#[derive(Debug, Deserialize)]
pub(crate) struct HostTable1 {
    processes: Processes1,
    connections: Connections,
    system: SystemInfo,
    hostname: Box<str>,
    first_seen: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    events: u64,
}

impl From<HostTable1> for HostTable {
    fn from(table: HostTable1) -> Self {
        Self {
            processes: table.processes.into(),
            connections: table.connections,
            system: table.system,
            hostname: table.hostname,
            first_seen: table.first_seen,
            last_seen: table.last_seen,
            events: table.events,
            health: None,
        }
    }
}
