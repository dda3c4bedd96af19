//! What was seen as lines of text. Names and command lines come from whoever runs the processes: each
//! cell goes through [`fitted`], which lets nothing through that commands a terminal.

use super::sight::{Sight, rss_bytes};
use ringwall_event::{Connection, Process};
use ringwall_host_probes::{Capabilities, ConnectionSource, ProcessChanges};
use ringwall_lifecycle::visible::fitted;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

/// How what was seen is laid out.
#[derive(Debug)]
pub(super) struct View {
    columns: usize,
    /// None where all of it is shown.
    rows: Option<usize>,
    sort: SortBy,
    colour: bool,
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SortBy {
    /// Who uses most of the processor.
    Processor,
    /// Who uses most memory.
    Memory,
    /// The lowest pid.
    Pid,
}

/// Wide enough for a command line in a file or a pipe.
const PLAIN_COLUMNS: usize = 200;
/// Lines above the processes: three of words, one of headings.
const HEAD_ROWS: usize = 4;
/// A blank line and headings between processes and connections.
const BETWEEN_ROWS: usize = 2;

impl View {
    /// All of it, for a pipe, a file, or one look in a terminal of so many columns.
    pub(super) fn plain(columns: Option<usize>) -> Self {
        let columns = columns.unwrap_or(PLAIN_COLUMNS);
        Self { columns, rows: None, sort: SortBy::Processor, colour: false }
    }

    /// As much as fits.
    pub(super) fn live(colour: bool) -> Self {
        Self { columns: 80, rows: Some(24), sort: SortBy::Processor, colour }
    }

    pub(super) fn sort_by(&mut self, sort: SortBy) {
        self.sort = sort;
    }

    /// Takes columns and rows of the terminal.
    pub(super) fn resize(&mut self, (columns, rows): (usize, usize)) {
        self.columns = columns;
        self.rows = Some(rows);
    }

    /// The lines, none longer than the columns, not more of them than the rows.
    pub(super) fn lines(&self, sight: &Sight) -> Vec<String> {
        let mut lines = head(sight);
        let (processes, connections) = self.shares(sight);
        lines.push(process_heading());
        let heading = lines.len() - 1;
        let held = connections_held(&sight.connections);
        let mut sorted: Vec<&Process> = sight.processes.iter().collect();
        sorted.sort_by(|a, b| self.order(a, b));
        lines.extend(
            sorted.iter().take(processes).map(|process| process_line(process, &held, sight)),
        );
        let second = (connections > 0).then_some(lines.len() + 1);
        if second.is_some() {
            lines.push(String::new());
            lines.push(connection_heading());
            let mut sorted: Vec<&Connection> = sight.connections.iter().collect();
            sorted.sort_by_key(|it| (it.remote_port.is_none(), it.pid, it.local_port));
            lines.extend(sorted.iter().take(connections).map(|it| connection_line(it)));
        }
        lines.truncate(self.rows.unwrap_or(usize::MAX));
        let is_heading = |row| row == heading || Some(row) == second;
        let lines = lines.into_iter().enumerate();
        lines.map(|(row, line)| self.finished(&line, is_heading(row))).collect()
    }

    fn finished(&self, line: &str, is_heading: bool) -> String {
        let line = fitted(line, self.columns);
        if is_heading && self.colour { format!("\u{1b}[7m{line}\u{1b}[0m") } else { line }
    }

    /// How many processes and connections are shown: connections get a third of the room.
    fn shares(&self, sight: &Sight) -> (usize, usize) {
        let Some(rows) = self.rows else {
            let connections = if sight.connections.is_empty() { 0 } else { usize::MAX };
            return (usize::MAX, connections);
        };
        let room = rows.saturating_sub(HEAD_ROWS);
        let connections = sight.connections.len().min(room / 3).saturating_sub(BETWEEN_ROWS);
        if connections == 0 {
            return (room, 0);
        }
        (room - connections - BETWEEN_ROWS, connections)
    }

    fn order(&self, a: &Process, b: &Process) -> Ordering {
        let share = |a: Option<f64>, b: Option<f64>| {
            b.unwrap_or_default().total_cmp(&a.unwrap_or_default())
        };
        let by_processor = || share(a.cpu_percent, b.cpu_percent);
        let by_memory = || share(a.memory_percent, b.memory_percent);
        let by_pid = || a.pid.cmp(&b.pid);
        match self.sort {
            SortBy::Processor => by_processor().then_with(by_memory).then_with(by_pid),
            SortBy::Memory => by_memory().then_with(by_processor).then_with(by_pid),
            SortBy::Pid => by_pid(),
        }
    }
}

fn head(sight: &Sight) -> Vec<String> {
    let containers: BTreeSet<&str> = sight
        .processes
        .iter()
        .filter_map(|process| Some(&*process.container.as_ref()?.uid))
        .collect();
    let system = sight.system.os.as_deref().unwrap_or("Linux");
    let first = format!("{} · {system} · {}", sight.host, sight.time);
    let second = format!(
        "{} processes, {} starts a second · {} connections · {} containers · {}",
        sight.processes.len(),
        sight.starts_per_second,
        sight.connections.len(),
        containers.len(),
        sight.capabilities.as_ref().map(sees).unwrap_or_default()
    );
    let mut third = match sight.agents.as_slice() {
        [] => "no host agent runs here".to_owned(),
        agents => agents
            .iter()
            .map(|agent| {
                let load = agent.cpu_percent.unwrap_or_default();
                let memory = agent.rss_bytes.map(mebibytes).unwrap_or_default();
                let most = match agent.cpu_percent_max {
                    most if most > 0.0 => format!("{most} % are its budget"),
                    _ => "no budget".to_owned(),
                };
                format!("host agent {}: {load:.1} % of a core, {most}{memory}", agent.pid)
            })
            .collect::<Vec<_>>()
            .join(" · "),
    };
    let own = &sight.own;
    third.push_str(&format!(" · this view: {:.1} %{}", own.cpu_percent, mebibytes(own.rss_bytes)));
    vec![first, second, third]
}

fn mebibytes(bytes: u64) -> String {
    format!(", {:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn sees(capabilities: &Capabilities) -> String {
    let changes = match capabilities.process_changes {
        ProcessChanges::ProcessConnector => "told of starts by the kernel",
        _ => "starts by scanning",
    };
    let sockets = match capabilities.connections {
        ConnectionSource::SockDiag => "sockets by sock_diag",
        ConnectionSource::Procfs(_) => "sockets by procfs",
        _ => "no sockets",
    };
    let users = if capabilities.other_users { "" } else { ", other users in part" };
    format!("{changes}, {sockets}{users}")
}

/// A row of cells, each in its columns; the last one has what is left.
fn row(cells: &[(&str, Width)], last: &str) -> String {
    let mut line = String::new();
    for (text, width) in cells {
        let cell = match width {
            Width::Left(columns) => fitted(text, *columns),
            Width::Right(columns) => format!("{text:>columns$}", columns = *columns),
        };
        line.push_str(&cell);
        line.push(' ');
    }
    line + last
}

#[derive(Clone, Copy)]
enum Width {
    Left(usize),
    /// For numbers of ours.
    Right(usize),
}

const PROCESS_WIDTHS: [Width; 7] = [
    Width::Right(7),
    Width::Left(10),
    Width::Right(6),
    Width::Right(8),
    Width::Left(14),
    Width::Left(8),
    Width::Right(5),
];

const CONNECTION_WIDTHS: [Width; 5] =
    [Width::Left(5), Width::Left(28), Width::Left(28), Width::Left(11), Width::Right(7)];

fn cells<const N: usize>(texts: [&str; N], widths: [Width; N]) -> [(&str, Width); N] {
    let mut widths = widths.into_iter();
    texts.map(|text| (text, widths.next().unwrap_or(Width::Left(0))))
}

fn process_heading() -> String {
    let texts = ["PID", "USER", "CPU %", "MEMORY", "CONTAINER", "SHA-256", "CONNS"];
    row(&cells(texts, PROCESS_WIDTHS), "COMMAND")
}

fn process_line(process: &Process, held: &HashMap<i64, usize>, sight: &Sight) -> String {
    let memory = rss_bytes(process, sight.system.memory_total);
    let memory = memory.map(|bytes| format!("{:.1}M", bytes as f64 / f64::from(1 << 20)));
    let cpu = process.cpu_percent.map(|share| format!("{share:.1}"));
    let conns = held.get(&process.pid).map(ToString::to_string);
    let digest = match (&process.executable_sha256, &process.executable) {
        (Some(digest), _) => digest.get(..8).unwrap_or(digest),
        // Still to be read, or it cannot be.
        (None, Some(_)) => "…",
        (None, None) => "-",
    };
    let pid = process.pid.to_string();
    let texts = [
        pid.as_str(),
        process.user.as_deref().unwrap_or("-"),
        cpu.as_deref().unwrap_or("-"),
        memory.as_deref().unwrap_or("-"),
        process.container.as_ref().map_or("-", |container| container.label()),
        digest,
        conns.as_deref().unwrap_or("-"),
    ];
    let line = process.command_line.as_deref().filter(|line| !line.is_empty());
    row(&cells(texts, PROCESS_WIDTHS), line.unwrap_or(&process.name))
}

fn connection_heading() -> String {
    row(&cells(["PROTO", "LOCAL", "REMOTE", "STATUS", "PID"], CONNECTION_WIDTHS), "PROCESS")
}

fn connection_line(connection: &Connection) -> String {
    let local = end_point(&connection.local_address, connection.local_port);
    let remote = match (&connection.remote_address, connection.remote_port) {
        (Some(address), Some(port)) => end_point(address, port),
        _ => "-".to_owned(),
    };
    let pid = connection.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let texts = [&connection.protocol, local.as_str(), &remote, &connection.status, &pid];
    row(&cells(texts, CONNECTION_WIDTHS), connection.process_name.as_deref().unwrap_or("-"))
}

fn end_point(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn connections_held(connections: &[Connection]) -> HashMap<i64, usize> {
    let mut held = HashMap::new();
    for pid in connections.iter().filter_map(|connection| connection.pid) {
        *held.entry(pid).or_default() += 1;
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ringwall_event::Container;

    fn process(pid: i64, cpu: f64, memory: f64, line: &str) -> Process {
        Process {
            pid,
            name: "x".into(),
            user: Some("ada".into()),
            command_line: Some(line.into()),
            cpu_percent: Some(cpu),
            memory_percent: Some(memory),
            ..Process::default()
        }
    }

    fn sight(processes: Vec<Process>, connections: usize) -> Sight {
        let connection = Connection {
            protocol: "tcp".into(),
            local_address: "::1".into(),
            local_port: 443,
            status: "LISTEN".into(),
            pid: Some(7),
            process_name: Some("nginx".into()),
            ..Connection::default()
        };
        let mut sight = Sight::default();
        sight.host = "web-1".to_owned();
        sight.processes = processes;
        sight.connections = vec![connection; connections];
        sight.system.memory_total = Some(1 << 30);
        sight
    }

    fn order(sort: SortBy) -> Vec<String> {
        let processes =
            vec![process(7, 1.0, 3.0, "a"), process(8, 2.0, 1.0, "b"), process(9, 1.0, 5.0, "c")];
        let mut view = View::plain(None);
        view.sort_by(sort);
        let lines = view.lines(&sight(processes, 0));
        lines[HEAD_ROWS..]
            .iter()
            .map(|line| line.trim_end().chars().last().unwrap().to_string())
            .collect()
    }

    #[test]
    fn processes_are_sorted() {
        assert_eq!(order(SortBy::Processor), ["b", "c", "a"]);
        assert_eq!(order(SortBy::Memory), ["c", "a", "b"]);
        assert_eq!(order(SortBy::Pid), ["a", "b", "c"]);
    }

    #[test]
    fn a_process_has_its_cells() {
        let container =
            Container { uid: "x".into(), name: Some("shop".into()), ..Container::default() };
        let process = Process {
            container: Some(Box::new(container)),
            executable: Some("/bin/x".into()),
            executable_sha256: Some("0123456789abcdef".into()),
            ..process(7, 12.34, 50.0, "nginx: master")
        };
        let lines = View::plain(None).lines(&sight(vec![process], 2));
        let words: Vec<&str> = lines[HEAD_ROWS].split_whitespace().collect();
        assert_eq!(
            words,
            ["7", "ada", "12.3", "512.0M", "shop", "01234567", "2", "nginx:", "master"]
        );
        let words: Vec<&str> = lines.last().unwrap().split_whitespace().collect();
        assert_eq!(words, ["tcp", "[::1]:443", "-", "LISTEN", "7", "nginx"]);
    }

    #[test]
    fn connections_get_a_third_of_the_room_where_there_is_any() {
        check((80, 24), 100, 100, 24);
        check((80, 24), 3, 0, 7);
        check((80, 24), 100, 1, 24);
        check((80, 4), 100, 100, 4);
        check((1, 1), 100, 100, 1);
    }

    #[track_caller]
    fn check(size: (usize, usize), processes: usize, connections: usize, expected: usize) {
        let processes = vec![process(7, 0.0, 0.0, "x"); processes];
        let mut view = View::live(true);
        view.resize(size);
        assert_eq!(view.lines(&sight(processes, connections)).len(), expected, "{size:?}");
    }

    proptest! {
        #[test]
        fn nothing_from_a_process_commands_the_terminal(
            texts in prop::collection::vec(".*|\u{1b}\\[31m.*|\u{202e}.*", 7),
            columns in 1usize..200,
            rows in 1usize..40,
        ) {
            let text = |at: usize| -> Box<str> { texts[at].as_str().into() };
            let container = Container {
                uid: text(0),
                name: Some(text(1)),
                runtime: text(2),
                pod_uid: None,
            };
            let process = Process {
                name: text(3),
                user: Some(text(4)),
                command_line: Some(text(5)),
                container: Some(Box::new(container)),
                ..process(7, 0.0, 0.0, "")
            };
            let mut sight = sight(vec![process; 3], 9);
            for connection in &mut sight.connections {
                connection.process_name = Some(text(6));
            }
            let mut view = View::live(false);
            view.resize((columns, rows));
            let lines = view.lines(&sight);
            prop_assert!(lines.len() <= rows);
            for line in lines {
                prop_assert!(!line.chars().any(ringwall_lifecycle::visible::deceives), "{line:?}");
            }
        }
    }
}
