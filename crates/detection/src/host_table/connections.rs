use super::Change;
use ringwall_event::{Connection, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many connections of one host are followed; further ones are not.
pub const CONNECTIONS_MAX: usize = 1 << 16;

/// A connection of a host, and when it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostConnection {
    /// As last reported.
    pub connection: Connection,
    /// When the server first took a report of it.
    pub first_seen: Timestamp,
    /// When the server last took a report of it.
    pub last_seen: Timestamp,
}

/// What makes two reports speak of one connection: the protocol, both ends and the process.
type Key = (Box<str>, Box<str>, u16, Option<Box<str>>, Option<u16>, Option<i64>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Connections {
    by_ends: BTreeMap<Key, HostConnection>,
}

impl Connections {
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &HostConnection> {
        self.by_ends.values()
    }

    pub(super) fn seen<'e>(
        &mut self,
        connection: &'e Connection,
        received: Timestamp,
    ) -> Option<Change<'e>> {
        let is_full = self.by_ends.len() >= CONNECTIONS_MAX;
        let key = key(connection);
        if let Some(known) = self.by_ends.get_mut(&key) {
            known.last_seen = received;
            if known.connection != *connection {
                known.connection = connection.clone();
            }
            return None;
        }
        if !is_full {
            let connection = connection.clone();
            let entry = HostConnection { connection, first_seen: received, last_seen: received };
            self.by_ends.insert(key, entry);
        }
        Some(Change::Connected(connection))
    }

    pub(super) fn closed<'e>(&mut self, connection: &Connection) -> Option<Change<'e>> {
        self.by_ends.remove(&key(connection)).map(|_| Change::Disconnected)
    }

    /// Takes a whole picture: what it does not hold is gone.
    pub(super) fn reconcile<'e>(
        &mut self,
        picture: &'e [Connection],
        received: Timestamp,
        changes: &mut Vec<Change<'e>>,
    ) {
        for connection in picture {
            changes.extend(self.seen(connection, received));
        }
        let before = self.by_ends.len();
        self.by_ends.retain(|_, entry| entry.last_seen == received);
        changes.extend((self.by_ends.len()..before).map(|_| Change::Disconnected));
    }
}

fn key(connection: &Connection) -> Key {
    (
        connection.protocol.clone(),
        connection.local_address.clone(),
        connection.local_port,
        connection.remote_address.clone(),
        connection.remote_port,
        connection.pid,
    )
}
