use super::process_table::ProcessTable;
use crate::probe::ConnectionSource;
use crate::procfs::{NetLine, ProcReader, SocketState, sockets_in_use, tcp_counts};
use crate::sock_diag::{SockDiag, Transport};
use ringwall_event::Connection;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

/// The internet sockets that are open: in the network of this program, and in those of containers.
#[derive(Debug)]
pub(super) struct ConnectionTable {
    known: HashMap<Key, Known>,
    look: u64,
    /// Where the search for the holders of sockets goes on.
    unsearched: Vec<u32>,
    mark: Option<Mark>,
    /// None where the tables in procfs serve instead.
    diag: Option<SockDiag>,
    source: ConnectionSource,
    /// The network that this program is in.
    own_network: Option<u64>,
    /// Sockets for which there was no room: in this network, and in the others.
    left_out: [u64; 2],
    connections_max: usize,
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
    /// None for the network of this program.
    network: Option<u64>,
    transport: Transport,
    local: SocketAddr,
    remote: SocketAddr,
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

/// More connections than this are not followed, but counted.
const CONNECTIONS_MAX: usize = 20_000;
/// Descriptors looked at in one search for the holders of new sockets; the next one goes on from there.
const DESCRIPTORS_PER_LOOK: usize = 20_000;
/// A socket whose holder was not found in so many searches belongs to the kernel or to somebody hidden.
const SEARCHES_MAX: u8 = 3;

/// Networks beside that of this program that are looked at, those with the oldest numbers first.
const NETWORKS_MAX: usize = 64;

const FILES: [(&str, Transport); 4] = [
    ("net/tcp", Transport::Tcp),
    ("net/tcp6", Transport::Tcp),
    ("net/udp", Transport::Udp),
    ("net/udp6", Transport::Udp),
];

impl ConnectionTable {
    /// An empty table; with `sock_diag`, the kernel is asked for its lists of sockets where it gives
    /// them.
    pub(super) fn new(reader: &mut ProcReader, sock_diag: bool) -> Self {
        let opened = match sock_diag {
            true => SockDiag::open().map_err(|error| format!("sock_diag: {error}")),
            false => Err("sock_diag is switched off".to_owned()),
        };
        let (diag, source) = match opened {
            Ok(diag) => (Some(diag), ConnectionSource::SockDiag),
            Err(reason) if reader.read("net/tcp", 1).is_ok() => {
                (None, ConnectionSource::Procfs(reason))
            }
            Err(_) => (None, ConnectionSource::None),
        };
        Self {
            known: HashMap::new(),
            look: 0,
            unsearched: Vec::new(),
            mark: None,
            diag,
            source,
            own_network: super::process_reader::network(reader, std::process::id()),
            left_out: [0; 2],
            connections_max: CONNECTIONS_MAX,
        }
    }

    /// How connections are learned.
    pub(super) fn source(&self) -> &ConnectionSource {
        &self.source
    }

    /// How many sockets the latest looks found no room for: they are not followed.
    pub(super) fn left_out(&self) -> u64 {
        let [here, elsewhere] = self.left_out;
        here.saturating_add(elsewhere)
    }

    /// Whether a look would show anything new, or may yet find a holder that is not known.
    pub(super) fn is_moving(&self, reader: &mut ProcReader) -> bool {
        let mark = Mark::read(reader);
        mark.is_none() || mark != self.mark || self.known.values().any(Known::is_unclaimed)
    }

    /// Looks at all sockets in the network of this program and says what changed.
    pub(super) fn look(
        &mut self,
        reader: &mut ProcReader,
        processes: &ProcessTable,
    ) -> ConnectionChanges {
        self.look += 1;
        // Read before the sockets are: what comes in between shows at the next glance.
        self.mark = Mark::read(reader);
        self.left_out[0] = 0;
        let mut fresh = Vec::new();
        if !self.list_by_diag(&mut fresh) {
            self.list_by_procfs(reader, None, &mut fresh);
        }
        self.conclude(&fresh, reader, processes, |network| network.is_none())
    }

    /// Looks at all sockets in the networks that other processes are in, as those of containers. Each
    /// process shows the tables of its network, so nothing has to be entered for that.
    pub(super) fn look_elsewhere(
        &mut self,
        reader: &mut ProcReader,
        processes: &ProcessTable,
    ) -> ConnectionChanges {
        if self.own_network.is_none() {
            return ConnectionChanges::default();
        }
        self.look += 1;
        self.left_out[1] = 0;
        let mut fresh = Vec::new();
        let networks = processes.networks_beside(self.own_network);
        for place in networks.into_iter().take(NETWORKS_MAX) {
            self.list_by_procfs(reader, Some(place), &mut fresh);
        }
        self.conclude(&fresh, reader, processes, |network| network.is_some())
    }

    /// Whether the kernel gave its lists; once it did not, it is asked no more.
    fn list_by_diag(&mut self, fresh: &mut Vec<Key>) -> bool {
        let Some(mut diag) = self.diag.take() else {
            return false;
        };
        let listed = [Transport::Tcp, Transport::Udp].into_iter().try_for_each(|transport| {
            diag.list(transport, |line| fresh.extend(self.see(None, transport, &line)))
        });
        match listed {
            Ok(()) => self.diag = Some(diag),
            Err(error) => {
                tracing::warn!(%error, "sock_diag failed: connections from procfs from now on");
                self.source = ConnectionSource::Procfs(format!("sock_diag: {error}"));
            }
        }
        self.diag.is_some()
    }

    /// Of this program's network, or of another one as the process in it shows it.
    fn list_by_procfs(
        &mut self,
        reader: &mut ProcReader,
        place: Option<(u64, u32)>,
        fresh: &mut Vec<Key>,
    ) {
        for (file, transport) in FILES {
            let path = match place {
                Some((_, pid)) => Cow::Owned(format!("{pid}/{file}")),
                None => Cow::Borrowed(file),
            };
            let network = place.map(|(network, _)| network);
            let read = reader.lines(&path, |line| {
                if let Some(line) = NetLine::parse(line) {
                    fresh.extend(self.see(network, transport, &line));
                }
            });
            // Without IPv6 in the kernel two of the files are not there.
            if let Err(error) = read {
                tracing::trace!(file, %error, "connections of a protocol cannot be read");
            }
        }
    }

    /// What changed in the networks that were looked at, the new ones being known already.
    fn conclude(
        &mut self,
        fresh: &[Key],
        reader: &mut ProcReader,
        processes: &ProcessTable,
        was_looked_at: impl Fn(Option<u64>) -> bool,
    ) -> ConnectionChanges {
        let mut changes = ConnectionChanges::default();
        let look = self.look;
        self.known.retain(|key, known| {
            let stays = known.look == look || !was_looked_at(key.network);
            if !stays {
                changes.closed.push(connection(key, known, processes));
            }
            stays
        });
        self.find_holders(reader, processes);
        let listening: HashSet<(Option<u64>, u16)> = if fresh.is_empty() {
            HashSet::new()
        } else {
            let listeners = self.known.iter().filter(|(_, known)| known.is_listening());
            listeners.map(|(key, _)| (key.network, key.local.port())).collect()
        };
        for key in fresh {
            if let Some(known) = self.known.get(key) {
                let call = system_call(key, known, &listening);
                changes.opened.push((connection(key, known, processes), call));
            }
        }
        changes
    }

    /// All connections as of the last look.
    pub(super) fn all(&self, processes: &ProcessTable) -> Vec<Connection> {
        self.known.iter().map(|(key, known)| connection(key, known, processes)).collect()
    }

    /// The socket of a line; its key where it was not there at the look before.
    fn see(&mut self, network: Option<u64>, transport: Transport, line: &NetLine) -> Option<Key> {
        // Without an inode no process holds it any more: remembered for stray packets only.
        if line.inode == 0 || matches!(line.state, SocketState::TimeWait) {
            return None;
        }
        let key = Key { network, transport, local: line.local, remote: line.remote };
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
        if self.known.len() >= self.connections_max {
            let [here, elsewhere] = &mut self.left_out;
            *(if network.is_none() { here } else { elsewhere }) += 1;
            return None;
        }
        let known = Known { state: line.state, inode: line.inode, pid: None, look, searches: 0 };
        self.known.insert(key, known);
        Some(key)
    }

    /// Searches the descriptors of processes for the sockets whose holder is not known, the youngest
    /// processes first, as they most likely opened what is new.
    fn find_holders(&mut self, reader: &mut ProcReader, processes: &ProcessTable) {
        for known in self.known.values_mut() {
            // Who is gone may have left the socket to a child.
            if known.pid.is_some_and(|pid| processes.get(pid).is_none()) {
                (known.pid, known.searches) = (None, 0);
            }
        }
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
    let status = match (key.transport, known.state) {
        (Transport::Udp, SocketState::Closed) => "NONE",
        (_, state) => state.name(),
    };
    Connection {
        protocol: match key.transport {
            Transport::Tcp => "tcp".into(),
            Transport::Udp => "udp".into(),
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
fn system_call(
    key: &Key,
    known: &Known,
    listening: &HashSet<(Option<u64>, u16)>,
) -> Option<&'static str> {
    match (key.transport, known.state) {
        (Transport::Tcp, SocketState::Listen) => Some("listen"),
        (Transport::Tcp, _) if listening.contains(&(key.network, key.local.port())) => {
            Some("accept")
        }
        (Transport::Tcp, SocketState::Closed | SocketState::Unknown) => None,
        (Transport::Tcp, _) | (Transport::Udp, SocketState::Established) => Some("connect"),
        (Transport::Udp, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_connection_is_seen_with_its_holder_and_seen_to_go() {
        for sock_diag in [true, false] {
            let mut reader = ProcReader::open().unwrap();
            let table = ConnectionTable::new(&mut reader, sock_diag);
            assert_eq!(table.source() == &ConnectionSource::SockDiag, sock_diag);
            check_a_connection(table, reader);
        }
    }

    fn check_a_connection(mut table: ConnectionTable, mut reader: ProcReader) {
        let processes = table_of_processes(&mut reader, &[std::process::id()]);
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

        // Its holder is gone and nobody has the socket: it is not said to be his any more.
        let nobody = table_of_processes(&mut reader, &[]);
        table.look(&mut reader, &nobody);
        let all = table.all(&nobody);
        let held = all.iter().find(|found| found.local_port == port).unwrap();
        assert_eq!(held.pid, None);

        drop((client, server, listener));
        assert!(table.is_moving(&mut reader));
        let changes = table.look(&mut reader, &processes);
        let closed = changes
            .closed
            .iter()
            .filter(|found| found.local_port == port || found.remote_port == Some(port));
        assert_eq!(closed.count(), 3);
    }

    #[test]
    fn what_is_beyond_the_bound_is_counted() {
        let mut reader = ProcReader::open().unwrap();
        let mut table = ConnectionTable::new(&mut reader, true);
        let processes = table_of_processes(&mut reader, &[std::process::id()]);
        table.connections_max = 0;
        let held: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        for _ in 0..2 {
            // Of each look, not of all of them.
            assert!(table.look(&mut reader, &processes).opened.is_empty());
            assert!((3..10_000).contains(&table.left_out()), "{}", table.left_out());
        }
        table.connections_max = CONNECTIONS_MAX;
        table.look(&mut reader, &processes);
        assert_eq!(table.left_out(), 0);
        assert!(table.all(&processes).len() >= held.len());
    }

    /// What a look costs with many sockets, by either way: `cargo test -- --ignored --nocapture`.
    #[test]
    #[ignore = "a figure, not a law"]
    fn a_look_at_many_sockets_is_measured() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut held = Vec::new();
        for _ in 0..1500 {
            let client = TcpStream::connect(address).unwrap();
            held.push((client, listener.accept().unwrap()));
        }
        let mut reader = ProcReader::open().unwrap();
        let processes = table_of_processes(&mut reader, &[std::process::id()]);
        for sock_diag in [true, false] {
            let mut table = ConnectionTable::new(&mut reader, sock_diag);
            let first = table.look(&mut reader, &processes).opened.len();
            let began = super::super::processor_time();
            let looks = 200;
            for _ in 0..looks {
                table.look(&mut reader, &processes);
            }
            let each = (super::super::processor_time() - began) / looks;
            eprintln!(
                "{}: {first} sockets, {each:?} of processor time a look",
                table.source().name()
            );
        }
    }

    #[test]
    fn sockets_in_another_network_are_seen_through_a_process_in_it() {
        // A shell in a network of its own, where a privilege or a user namespace allows that.
        let script = "exec python3 -c 'import socket,sys; s=socket.create_server((\"0.0.0.0\", 4711));\
                      print(flush=True); sys.stdin.read()'";
        let arguments = ["--user", "--map-root-user", "--net", "sh", "-c", script];
        let child = std::process::Command::new("unshare")
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn();
        let Ok(mut child) = child else { return eprintln!("skipped: no unshare here") };
        let mut line = [0];
        let began = std::io::Read::read(&mut child.stdout.take().unwrap(), &mut line).unwrap() == 1;
        if began {
            let mut reader = ProcReader::open().unwrap();
            let mut table = ConnectionTable::new(&mut reader, true);
            let processes = table_of_processes(&mut reader, &[std::process::id(), child.id()]);
            assert!(
                table
                    .look(&mut reader, &processes)
                    .opened
                    .iter()
                    .all(|(it, _)| it.local_port != 4711)
            );
            let changes = table.look_elsewhere(&mut reader, &processes);
            let found: Vec<_> =
                changes.opened.iter().map(|(it, call)| (it.local_port, it.pid, *call)).collect();
            assert_eq!(found, [(4711, Some(i64::from(child.id())), Some("listen"))]);
            // A look at the one leaves the other as it was.
            assert!(
                table.look(&mut reader, &processes).closed.iter().all(|it| it.local_port != 4711)
            );
            let without = table_of_processes(&mut reader, &[std::process::id()]);
            let changes = table.look_elsewhere(&mut reader, &without);
            assert_eq!(changes.closed.iter().map(|it| it.local_port).collect::<Vec<_>>(), [4711]);
        } else {
            eprintln!("skipped: no network of its own is allowed here");
        }
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    fn table_of_processes(reader: &mut ProcReader, pids: &[u32]) -> ProcessTable {
        use super::super::process_reader::{Described, network, vital};
        use super::super::process_table::KnownProcess;
        let mut table = ProcessTable::default();
        for pid in pids.iter().copied() {
            let described = Described {
                process: ringwall_event::Process::default(),
                arguments_mark: 0,
                network: network(reader, pid),
            };
            let vital = vital(reader, pid).unwrap();
            let known = KnownProcess::new(described, &vital, std::time::Instant::now(), 0);
            table.insert(pid, known);
        }
        table
    }
}
