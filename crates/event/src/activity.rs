use crate::{AgentHealth, AppGuardEvent, Container, EventsLost, Timestamp};
use serde::{Deserialize, Serialize};

/// What happened, one variant per kind of observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Activity {
    /// A program began to run: OCSF process activity 1007, launch.
    ProcessStarted(Process),
    /// A process ended: OCSF 1007, terminate.
    ProcessEnded {
        /// The process that ended.
        process: ProcessRef,
        /// The exit code, or minus the signal that ended it; none where it is not known.
        exit_code: Option<i32>,
    },
    /// A connection came to be: OCSF network activity 4001, open.
    ConnectionOpened(Connection),
    /// A connection is gone: OCSF 4001, close.
    ConnectionClosed(Connection),
    /// A system call was made: OCSF kernel activity 1003, invoke.
    SystemCall {
        /// The process that made it; its name may be empty.
        process: ProcessRef,
        /// The name of the call, as in `execve`.
        name: Box<str>,
        /// The sender's own risk score, 0 to 100, where it sent a number.
        risk_score: Option<f64>,
        /// The sender's own anomaly score, 0 to 100, where it sent a number.
        anomaly_score: Option<f64>,
    },
    /// Everything that runs on a host at one moment: OCSF device inventory info 5001, collect.
    Inventory(Box<Inventory>),
    /// A web server or application answered a request: OCSF HTTP activity 4002.
    HttpRequest(Box<HttpRequest>),
    /// Somebody tried to sign in: OCSF authentication 3002, logon.
    SignIn(Box<SignIn>),
    /// A host agent tells how it is doing itself: OCSF application lifecycle 6002.
    AgentHealth(Box<AgentHealth>),
    /// Events of the host will never arrive: OCSF application lifecycle 6002.
    EventsLost(Box<EventsLost>),
    /// The guard of a web application saw or did something: OCSF detection finding 2004 where it found
    /// something, else HTTP activity 4002 or application lifecycle 6002.
    AppGuard(Box<AppGuardEvent>),
}

impl Activity {
    /// The pid of the process that this is about, where there is one.
    pub fn pid(&self) -> Option<i64> {
        match self {
            Self::ProcessStarted(process) => Some(process.pid),
            Self::ProcessEnded { process, .. } | Self::SystemCall { process, .. } => {
                Some(process.pid)
            }
            Self::ConnectionOpened(connection) | Self::ConnectionClosed(connection) => {
                connection.pid
            }
            Self::Inventory(_)
            | Self::HttpRequest(_)
            | Self::AgentHealth(_)
            | Self::EventsLost(_)
            | Self::AppGuard(_) => None,
            Self::SignIn(sign_in) => sign_in.pid,
        }
    }

    /// Cuts every text to what a host can honestly have there: names and users 255 bytes, paths and
    /// command lines 4 and 8 KiB. A cut text ends in `…`. So one sender cannot fill the memory that
    /// its pictures are kept in, and a long text does not hide its process.
    pub fn shorten_texts(&mut self) {
        match self {
            Self::ProcessStarted(process) => process.shorten_texts(),
            Self::ProcessEnded { process, .. } => shorten(&mut process.name, NAME_BYTES_MAX),
            Self::ConnectionOpened(connection) | Self::ConnectionClosed(connection) => {
                connection.shorten_texts();
            }
            Self::SystemCall { process, name, .. } => {
                shorten(&mut process.name, NAME_BYTES_MAX);
                shorten(name, NAME_BYTES_MAX);
            }
            Self::Inventory(inventory) => {
                inventory.processes.iter_mut().for_each(Process::shorten_texts);
                inventory.connections.iter_mut().for_each(Connection::shorten_texts);
                let system = &mut inventory.system;
                for text in [
                    &mut system.platform,
                    &mut system.os,
                    &mut system.kernel,
                    &mut system.architecture,
                    &mut system.agent_version,
                ] {
                    shorten_optional(text, NAME_BYTES_MAX);
                }
            }
            Self::HttpRequest(request) => request.shorten_texts(),
            Self::SignIn(sign_in) => sign_in.shorten_texts(),
            Self::AgentHealth(health) => {
                for text in
                    [&mut health.version, &mut health.process_changes, &mut health.connections]
                {
                    shorten(text, NAME_BYTES_MAX);
                }
            }
            Self::EventsLost(lost) => shorten(&mut lost.spool_id, NAME_BYTES_MAX),
            Self::AppGuard(seen) => seen.shorten_texts(),
        }
    }

    /// The lower-case name of the kind: `process_started`, `system_call`, ….
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ProcessStarted(_) => "process_started",
            Self::ProcessEnded { .. } => "process_ended",
            Self::ConnectionOpened(_) => "connection_opened",
            Self::ConnectionClosed(_) => "connection_closed",
            Self::SystemCall { .. } => "system_call",
            Self::Inventory(_) => "inventory",
            Self::HttpRequest(_) => "http_request",
            Self::SignIn(_) => "sign_in",
            Self::AgentHealth(_) => "agent_health",
            Self::EventsLost(_) => "events_lost",
            Self::AppGuard(_) => "app_guard",
        }
    }

    /// Every name that [`Activity::kind`] gives.
    pub const KINDS: [&'static str; 11] = [
        "process_started",
        "process_ended",
        "connection_opened",
        "connection_closed",
        "system_call",
        "inventory",
        "http_request",
        "sign_in",
        "agent_health",
        "events_lost",
        "app_guard",
    ];
}

/// A process as a host reports it. Fields that the sender does not know are none or empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// The process id. Senders of old dialects may claim any integer.
    pub pid: i64,
    /// When it started; with the pid this is its identity on its host.
    #[serde(default)]
    pub start_time: Option<Timestamp>,
    /// The short name of the program.
    pub name: Box<str>,
    /// The process that started it.
    #[serde(default)]
    pub parent_pid: Option<i64>,
    /// The name of the user it runs as, or the number where there is no name.
    #[serde(default)]
    pub user: Option<Box<str>>,
    /// The absolute path of the program file.
    #[serde(default)]
    pub executable: Option<Box<str>>,
    /// The arguments joined by blanks, secrets masked.
    #[serde(default)]
    pub command_line: Option<Box<str>>,
    /// SHA-256 of the program file in lower-case hexadecimal.
    #[serde(default)]
    pub executable_sha256: Option<Box<str>>,
    /// Share of one core since the report before, in percent; above 100 on several cores.
    #[serde(default)]
    pub cpu_percent: Option<f64>,
    /// Share of the host's memory that is resident, in percent.
    #[serde(default)]
    pub memory_percent: Option<f64>,
    /// The container it runs in; none for a process of the host itself.
    #[serde(default)]
    pub container: Option<Box<Container>>,
}

const NAME_BYTES_MAX: usize = 255;
const PATH_BYTES_MAX: usize = 4 << 10;
const COMMAND_LINE_BYTES_MAX: usize = 8 << 10;

impl Process {
    fn shorten_texts(&mut self) {
        shorten(&mut self.name, NAME_BYTES_MAX);
        shorten_optional(&mut self.user, NAME_BYTES_MAX);
        shorten_optional(&mut self.executable, PATH_BYTES_MAX);
        shorten_optional(&mut self.command_line, COMMAND_LINE_BYTES_MAX);
        shorten_optional(&mut self.executable_sha256, NAME_BYTES_MAX);
        if let Some(container) = &mut self.container {
            shorten(&mut container.uid, NAME_BYTES_MAX);
            shorten(&mut container.runtime, NAME_BYTES_MAX);
            shorten_optional(&mut container.name, NAME_BYTES_MAX);
            shorten_optional(&mut container.pod_uid, NAME_BYTES_MAX);
        }
    }
}

impl Connection {
    fn shorten_texts(&mut self) {
        for text in [&mut self.protocol, &mut self.local_address, &mut self.status] {
            shorten(text, NAME_BYTES_MAX);
        }
        shorten_optional(&mut self.remote_address, NAME_BYTES_MAX);
        shorten_optional(&mut self.process_name, NAME_BYTES_MAX);
    }
}

impl HttpRequest {
    fn shorten_texts(&mut self) {
        shorten(&mut self.method, NAME_BYTES_MAX);
        shorten(&mut self.path, COMMAND_LINE_BYTES_MAX);
        for text in [&mut self.hostname, &mut self.client_address, &mut self.user] {
            shorten_optional(text, NAME_BYTES_MAX);
        }
        for text in [&mut self.user_agent, &mut self.referrer] {
            shorten_optional(text, PATH_BYTES_MAX);
        }
    }
}

impl AppGuardEvent {
    fn shorten_texts(&mut self) {
        shorten(&mut self.event_type, NAME_BYTES_MAX);
        shorten(&mut self.action, NAME_BYTES_MAX);
        shorten(&mut self.reason, PATH_BYTES_MAX);
        for text in [
            &mut self.client_address,
            &mut self.country,
            &mut self.method,
            &mut self.category,
            &mut self.decorator,
            &mut self.rule,
            &mut self.handler,
            &mut self.install_id,
        ] {
            shorten_optional(text, NAME_BYTES_MAX);
        }
        for text in [&mut self.user_agent, &mut self.pattern] {
            shorten_optional(text, PATH_BYTES_MAX);
        }
        shorten_optional(&mut self.path, COMMAND_LINE_BYTES_MAX);
    }
}

impl SignIn {
    fn shorten_texts(&mut self) {
        shorten(&mut self.user, NAME_BYTES_MAX);
        for text in
            [&mut self.service, &mut self.protocol, &mut self.client_address, &mut self.detail]
        {
            shorten_optional(text, NAME_BYTES_MAX);
        }
    }
}

fn shorten_optional(text: &mut Option<Box<str>>, bytes_max: usize) {
    if let Some(text) = text {
        shorten(text, bytes_max);
    }
}

fn shorten(text: &mut Box<str>, bytes_max: usize) {
    const MARK: &str = "…";
    if text.len() > bytes_max {
        let kept = text.get(..text.floor_char_boundary(bytes_max - MARK.len())).unwrap_or_default();
        *text = format!("{kept}{MARK}").into();
    }
}

/// As much of a process as names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessRef {
    /// The process id.
    pub pid: i64,
    /// When it started, where known.
    #[serde(default)]
    pub start_time: Option<Timestamp>,
    /// The short name of the program; empty where not known.
    #[serde(default)]
    pub name: Box<str>,
}

impl From<&Process> for ProcessRef {
    fn from(process: &Process) -> Self {
        Self { pid: process.pid, start_time: process.start_time, name: process.name.clone() }
    }
}

/// An internet connection as a host reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Connection {
    /// `tcp` or `udp`; empty where the sender does not say.
    #[serde(default)]
    pub protocol: Box<str>,
    /// The address on the reporting host.
    pub local_address: Box<str>,
    /// The port on the reporting host.
    pub local_port: u16,
    /// The address of the other side; none for a listening socket.
    #[serde(default)]
    pub remote_address: Option<Box<str>>,
    /// The port of the other side; none for a listening socket.
    #[serde(default)]
    pub remote_port: Option<u16>,
    /// The state in the words of the sender: `ESTABLISHED`, `LISTEN`, ….
    pub status: Box<str>,
    /// The process that holds the socket, where known.
    #[serde(default)]
    pub pid: Option<i64>,
    /// The name of that process, where known.
    #[serde(default)]
    pub process_name: Option<Box<str>>,
}

/// A request to a web server or application, and its answer. Fields that the sender does not know are
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// The method in the words of the sender: `GET`, `POST`, ….
    pub method: Box<str>,
    /// The path with its query, as requested.
    pub path: Box<str>,
    /// The host name that was asked for.
    #[serde(default)]
    pub hostname: Option<Box<str>>,
    /// The address that the request came from.
    #[serde(default)]
    pub client_address: Option<Box<str>>,
    /// The port that the request came from.
    #[serde(default)]
    pub client_port: Option<u16>,
    /// What the client calls itself.
    #[serde(default)]
    pub user_agent: Option<Box<str>>,
    /// The page that the client says it came from.
    #[serde(default)]
    pub referrer: Option<Box<str>>,
    /// The user who was signed in.
    #[serde(default)]
    pub user: Option<Box<str>>,
    /// The status code of the answer.
    #[serde(default)]
    pub status: Option<u16>,
    /// The size of the answer's body in bytes.
    #[serde(default)]
    pub response_bytes: Option<u64>,
    /// How long the answer took, in milliseconds.
    #[serde(default)]
    pub duration_ms: Option<u64>,
}

/// An attempt to sign in. Fields that the sender does not know are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The name that was given.
    pub user: Box<str>,
    /// Whether it was let in.
    pub success: bool,
    /// The program that decided: `sshd`, `sudo`, the name of an application.
    #[serde(default)]
    pub service: Option<Box<str>>,
    /// How the user proved itself: `password`, `publickey`, ….
    #[serde(default)]
    pub protocol: Option<Box<str>>,
    /// The address that the attempt came from; none for a local one.
    #[serde(default)]
    pub client_address: Option<Box<str>>,
    /// The port that the attempt came from.
    #[serde(default)]
    pub client_port: Option<u16>,
    /// The process that decided, where known.
    #[serde(default)]
    pub pid: Option<i64>,
    /// Why it was refused, in the words of the sender.
    #[serde(default)]
    pub detail: Option<Box<str>>,
}

/// All processes and connections of a host at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// Every process seen.
    pub processes: Vec<Process>,
    /// Every connection seen.
    #[serde(default)]
    pub connections: Vec<Connection>,
    /// What the host is.
    #[serde(default)]
    pub system: SystemInfo,
}

/// What a host says of itself. Fields that it does not know are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SystemInfo {
    /// The kernel's name: `Linux`, `Darwin`.
    #[serde(default)]
    pub platform: Option<Box<str>>,
    /// The distribution and its version, as in `Debian GNU/Linux 12`.
    #[serde(default)]
    pub os: Option<Box<str>>,
    /// The release of the kernel.
    #[serde(default)]
    pub kernel: Option<Box<str>>,
    /// The machine's instruction set, as in `x86_64`.
    #[serde(default)]
    pub architecture: Option<Box<str>>,
    /// Number of logical processors.
    #[serde(default)]
    pub cpu_count: Option<u32>,
    /// Memory in bytes.
    #[serde(default)]
    pub memory_total: Option<u64>,
    /// Memory that could be given out now, in bytes.
    #[serde(default)]
    pub memory_available: Option<u64>,
    /// When the host started.
    #[serde(default)]
    pub boot_time: Option<Timestamp>,
    /// The version of the agent that reports.
    #[serde(default)]
    pub agent_version: Option<Box<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn texts_are_cut_at_a_character(text in "[a-zé漢]{0,200}", bytes_max in 3usize..300) {
            let mut cut: Box<str> = text.as_str().into();
            shorten(&mut cut, bytes_max);
            proptest::prop_assert!(cut.len() <= bytes_max);
            let whole = text.len() <= bytes_max;
            proptest::prop_assert_eq!(&*cut == text.as_str(), whole);
            proptest::prop_assert!(whole || text.starts_with(cut.trim_end_matches('…')));
        }
    }

    #[test]
    fn a_picture_full_of_long_texts_becomes_small() {
        let long: Box<str> = "x".repeat(1 << 20).into();
        let process = Process {
            name: long.clone(),
            command_line: Some(long.clone()),
            executable: Some(long.clone()),
            user: Some(long.clone()),
            container: Some(Box::new(Container {
                uid: long.clone(),
                name: Some(long.clone()),
                runtime: long.clone(),
                pod_uid: Some(long),
            })),
            ..Process::default()
        };
        let inventory = Inventory { processes: vec![process], ..Inventory::default() };
        let mut activity = Activity::Inventory(Box::new(inventory));
        activity.shorten_texts();
        assert!(serde_json::to_string(&activity).unwrap().len() < 16 << 10);
    }

    #[test]
    fn requests_and_sign_ins_full_of_long_texts_become_small() {
        let long: Box<str> = "x".repeat(1 << 20).into();
        let some = || Some(long.clone());
        let request = HttpRequest {
            method: long.clone(),
            path: long.clone(),
            hostname: some(),
            client_address: some(),
            user_agent: some(),
            referrer: some(),
            user: some(),
            ..HttpRequest::default()
        };
        let sign_in = SignIn {
            user: long.clone(),
            service: some(),
            protocol: some(),
            client_address: some(),
            detail: some(),
            ..SignIn::default()
        };
        for (mut activity, bytes_max) in [
            (Activity::HttpRequest(Box::new(request)), 18 << 10),
            (Activity::SignIn(Box::new(sign_in)), 2 << 10),
        ] {
            activity.shorten_texts();
            let bytes = serde_json::to_string(&activity).unwrap().len();
            assert!(bytes < bytes_max, "{}: {bytes} bytes", activity.kind());
        }
    }

    #[test]
    fn kinds_have_a_name_each() {
        let process = ProcessRef::default;
        let one_of_each = [
            Activity::ProcessStarted(Process::default()),
            Activity::ProcessEnded { process: process(), exit_code: None },
            Activity::ConnectionOpened(Connection::default()),
            Activity::ConnectionClosed(Connection::default()),
            Activity::SystemCall {
                process: process(),
                name: "execve".into(),
                risk_score: None,
                anomaly_score: None,
            },
            Activity::Inventory(Box::default()),
            Activity::HttpRequest(Box::default()),
            Activity::SignIn(Box::default()),
            Activity::AgentHealth(Box::default()),
            Activity::EventsLost(Box::default()),
            Activity::AppGuard(Box::default()),
        ];
        assert_eq!(one_of_each.map(|activity| activity.kind()), Activity::KINDS);
    }
}
