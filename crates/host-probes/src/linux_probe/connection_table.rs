use super::process_table::ProcessTable;
use crate::procfs::{NetLine, ProcReader, SocketState, sockets_in_use, tcp_counts};
use ringwall_event::Connection;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

/// The internet sockets that are open in the network namespace of this program.
#[derive(Debug, Default)]
pub(super) struct ConnectionTable {
    known: HashMap<Key, Known>,
    look: u64,
    /// Where the search for the holders of sockets goes on.
    unsearched: Vec<u32>,
    mark: Option<Mark>,
}

/// Counts that move whenever a connection comes or goes: reading them costs a hundredth of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    tcp: (u64, u64, u64),
    in_use: [Option<u64>; 4],
}

impl Mark {
    fn read(reader: &mut ProcReader) -> Option<Self> {
        let tcp = tcp_counts(reader.read("net/snmp", 16 << 10).ok()?)?;
        let four = reader.read("net/sockstat", 4096).ok()?;
        let (tcp_4, udp_4) = (sockets_in_use(four, b"TCP:"), sockets_in_use(four, b"UDP:"));
        // Without IPv6 in the kernel there is no such file.
        let six = reader.read("net/sockstat6", 4096).unwrap_or_default();
        let (tcp_6, udp_6) = (sockets_in_use(six, b"TCP6:"), sockets_in_use(six, b"UDP6:"));
        Some(Self { tcp, in_use: [tcp_4, udp_4, tcp_6, udp_6] })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    protocol: Protocol,
    local: SocketAddr,
    remote: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Protocol {
    Tcp,
    Udp,
}

#[derive(Debug)]
struct Known {
    state: SocketState,
    inode: u64,
    pid: Option<u32>,
    look: u64,
    /// How often all processes were searched for its holder.
    searches: u8,
}

/// What changed from one look to the next.
#[derive(Debug, Default)]
pub(super) struct ConnectionChanges {
    /// New ones, each with the system call that it shows.
    pub(super) opened: Vec<(Connection, Option<&'static str>)>,
    /// Those that are gone.
    pub(super) closed: Vec<Connection>,
}

/// More connections than this are not followed.
const CONNECTIONS_MAX: usize = 20_000;
/// Descriptors looked at in one search for the holders of new sockets; the next one goes on from there.
const DESCRIPTORS_PER_LOOK: usize = 20_000;
/// A socket whose holder was not found in so many searches belongs to the kernel or to somebody hidden.
const SEARCHES_MAX: u8 = 3;

const FILES: [(&str, Protocol); 4] = [
    ("net/tcp", Protocol::Tcp),
    ("net/tcp6", Protocol::Tcp),
    ("net/udp", Protocol::Udp),
    ("net/udp6", Protocol::Udp),
];

impl ConnectionTable {
    /// Whether a look would show anything new, or may yet find a holder that is not known.
    pub(super) fn is_moving(&self, reader: &mut ProcReader) -> bool {
        let mark = Mark::read(reader);
        mark.is_none() || mark != self.mark || self.known.values().any(Known::is_unclaimed)
    }

    /// Looks at all sockets and says what changed.
    pub(super) fn look(
        &mut self,
        reader: &mut ProcReader,
        processes: &ProcessTable,
    ) -> ConnectionChanges {
        self.look += 1;
        // Read before the sockets are: what comes in between shows at the next glance.
        self.mark = Mark::read(reader);
        let mut fresh = Vec::new();
        for (file, protocol) in FILES {
            let read = reader.lines(file, |line| {
                if let Some(line) = NetLine::parse(line) {
                    fresh.extend(self.see(protocol, &line));
                }
            });
            // Without IPv6 in the kernel two of the files are not there.
            if let Err(error) = read {
                tracing::trace!(file, %error, "connections of a protocol cannot be read");
            }
        }
        let mut changes = ConnectionChanges::default();
        let look = self.look;
        self.known.retain(|key, known| {
            let seen = known.look == look;
            if !seen {
                changes.closed.push(connection(key, known, processes));
            }
            seen
        });
        self.find_holders(reader, processes);
        let listening: HashSet<u16> = if fresh.is_empty() {
            HashSet::new()
        } else {
            let listeners = self.known.iter().filter(|(_, known)| known.is_listening());
            listeners.map(|(key, _)| key.local.port()).collect()
        };
        for key in fresh {
            if let Some(known) = self.known.get(&key) {
                let call = system_call(&key, known, &listening);
                changes.opened.push((connection(&key, known, processes), call));
            }
        }
        changes
    }

    /// All connections as of the last look.
    pub(super) fn all(&self, processes: &ProcessTable) -> Vec<Connection> {
        self.known.iter().map(|(key, known)| connection(key, known, processes)).collect()
    }

    /// The socket of a line; its key where it was not there at the look before.
    fn see(&mut self, protocol: Protocol, line: &NetLine) -> Option<Key> {
        // Without an inode no process holds it any more: remembered for stray packets only.
        if line.inode == 0 || matches!(line.state, SocketState::TimeWait) {
            return None;
        }
        let key = Key { protocol, local: line.local, remote: line.remote };
        let look = self.look;
        if let Some(known) = self.known.get_mut(&key) {
            // Several sockets may listen on one port: the first of a look stands for all.
            if known.look != look {
                known.look = look;
                known.state = line.state;
                if known.inode != line.inode {
                    known.inode = line.inode;
                    known.pid = None;
                    known.searches = 0;
                }
            }
            return None;
        }
        if self.known.len() >= CONNECTIONS_MAX {
            return None;
        }
        let known = Known { state: line.state, inode: line.inode, pid: None, look, searches: 0 };
        self.known.insert(key, known);
        Some(key)
    }

    /// Searches the descriptors of processes for the sockets whose holder is not known, the youngest
    /// processes first, as they most likely opened what is new.
    fn find_holders(&mut self, reader: &mut ProcReader, processes: &ProcessTable) {
        let mut wanted: HashMap<u64, Option<u32>> = self
            .known
            .values()
            .filter(|known| known.is_unclaimed())
            .map(|known| (known.inode, None))
            .collect();
        if wanted.is_empty() {
            return;
        }
        if self.unsearched.is_empty() {
            self.unsearched = processes.youngest_first();
            self.unsearched.reverse();
        }
        let mut missing = wanted.len();
        let mut descriptors = 0;
        while missing > 0 && descriptors < DESCRIPTORS_PER_LOOK {
            let Some(pid) = self.unsearched.pop() else {
                break;
            };
            let searched = reader.sockets_of(pid, |inode| {
                if let Some(holder @ None) = wanted.get_mut(&inode) {
                    *holder = Some(pid);
                    missing -= 1;
                }
                missing > 0
            });
            // Gone, or not ours to see.
            descriptors += searched.unwrap_or_default() + 1;
        }
        let complete = self.unsearched.is_empty();
        if missing == 0 {
            self.unsearched.clear();
        }
        for known in self.known.values_mut().filter(|known| known.pid.is_none()) {
            match wanted.get(&known.inode) {
                Some(Some(pid)) => known.pid = Some(*pid),
                Some(None) if complete => known.searches = known.searches.saturating_add(1),
                _ => {}
            }
        }
    }
}

impl Known {
    fn is_listening(&self) -> bool {
        self.state == SocketState::Listen
    }

    /// Whether its holder is still to be searched for.
    fn is_unclaimed(&self) -> bool {
        self.pid.is_none() && self.searches < SEARCHES_MAX
    }
}

fn connection(key: &Key, known: &Known, processes: &ProcessTable) -> Connection {
    let peer = (key.remote.port() != 0).then_some(key.remote);
    let status = match (key.protocol, known.state) {
        (Protocol::Udp, SocketState::Closed) => "NONE",
        (_, state) => state.name(),
    };
    Connection {
        protocol: match key.protocol {
            Protocol::Tcp => "tcp".into(),
            Protocol::Udp => "udp".into(),
        },
        local_address: key.local.ip().to_string().into(),
        local_port: key.local.port(),
        remote_address: peer.map(|peer| peer.ip().to_string().into()),
        remote_port: peer.map(|peer| peer.port()),
        status: status.into(),
        pid: known.pid.map(i64::from),
        process_name: known.pid.and_then(|pid| processes.name(pid)).map(Into::into),
    }
}

/// The system call that a new socket shows: who has a listener on the port accepted the connection.
fn system_call(key: &Key, known: &Known, listening: &HashSet<u16>) -> Option<&'static str> {
    match (key.protocol, known.state) {
        (Protocol::Tcp, SocketState::Listen) => Some("listen"),
        (Protocol::Tcp, _) if listening.contains(&key.local.port()) => Some("accept"),
        (Protocol::Tcp, SocketState::Closed | SocketState::Unknown) => None,
        (Protocol::Tcp, _) | (Protocol::Udp, SocketState::Established) => Some("connect"),
        (Protocol::Udp, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_connection_is_seen_with_its_holder_and_seen_to_go() {
        let mut reader = ProcReader::open().unwrap();
        let processes = table_of_this_process(&mut reader);
        let mut table = ConnectionTable::default();
        table.look(&mut reader, &processes);

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let server = listener.accept().unwrap();
        assert!(table.is_moving(&mut reader));
        let changes = table.look(&mut reader, &processes);
        let mut calls: Vec<_> = changes
            .opened
            .iter()
            .filter(|(found, _)| found.local_port == port || found.remote_port == Some(port))
            .map(|(found, call)| (found.status.to_string(), found.pid, *call))
            .collect();
        calls.sort();
        let own = Some(i64::from(std::process::id()));
        assert_eq!(
            calls,
            [
                ("ESTABLISHED".to_owned(), own, Some("accept")),
                ("ESTABLISHED".to_owned(), own, Some("connect")),
                ("LISTEN".to_owned(), own, Some("listen")),
            ]
        );
        assert!(table.all(&processes).iter().any(|found| found.remote_port == Some(port)));

        drop((client, server, listener));
        assert!(table.is_moving(&mut reader));
        let changes = table.look(&mut reader, &processes);
        let closed = changes
            .closed
            .iter()
            .filter(|found| found.local_port == port || found.remote_port == Some(port));
        assert_eq!(closed.count(), 3);
    }

    fn table_of_this_process(reader: &mut ProcReader) -> ProcessTable {
        use super::super::process_reader::vital;
        use super::super::process_table::KnownProcess;
        let own = std::process::id();
        let vital = vital(reader, own).unwrap();
        let process = ringwall_event::Process::default();
        let known = KnownProcess::new(process, 0, &vital, std::time::Instant::now(), 0);
        let mut table = ProcessTable::default();
        table.insert(own, known);
        table
    }
}
