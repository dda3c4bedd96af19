//! The schemas of the event crate's types, which know nothing of OpenAPI.
//!
//! Only shapes: no value of these types is ever made. The tests hold them against the JSON of the
//! real types, so that they cannot drift.
#![expect(dead_code, reason = "shapes for the OpenAPI document, never constructed")]

use utoipa::ToSchema;

/// How bad something is: OCSF `severity_id` 1 to 5 by name.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

/// What people have done about an alert.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AlertState {
    Open,
    Acknowledged,
    Resolved,
}

/// The kinds of conclusion.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Finding {
    /// Something on the list of known bad things was seen.
    IndicatorMatch {
        /// `process`, `path`, `hash`, `address` or `domain`.
        indicator: String,
        /// The listed value that matched.
        value: String,
    },
    /// A program that this host never ran before.
    NewProcess,
    /// The risk of a process rose to the configured threshold.
    RiskThreshold,
    /// A host agent was handed commands that it did not believe.
    CommandRefused {
        /// Why: `altered`, `other_host`, `replayed` and their like.
        reason: String,
    },
    /// Two machines use the identity of one host agent.
    ClonedIdentity,
    /// The guard of an application found an attack in requests of one client.
    AppAttack {
        /// The client's address; empty where it is not known.
        address: String,
        /// `sqli`, `xss` and their like, or `unknown`.
        category: String,
    },
    /// The guard of an application banned a client, or could not.
    AppBan {
        /// The client's address; empty where it is not known.
        address: String,
        /// Why, in the guard's words.
        reason: String,
    },
    /// A client of an application behaves unlike a client should.
    AppAbuse {
        /// The client's address; empty where it is not known.
        address: String,
        /// The guard's name for it: `behavioral_violation`, `suspicious_request`.
        kind: String,
    },
    /// An application lets nobody in but those on a list.
    AppEmergency,
    /// The key of one application is used by many installations.
    GuardKeyShared,
    /// What came under the right key was signed or encrypted with a wrong one.
    GuardUnreadable {
        /// `signature` or `encryption`.
        what: String,
    },
}

/// What is ordered, together with what it is done to.
#[derive(ToSchema)]
#[serde(tag = "action", content = "target", rename_all = "snake_case")]
pub(crate) enum Order {
    /// End a process: SIGTERM, then SIGKILL after a grace.
    KillProcess(ProcessTarget),
    /// End a process and all that descend from it, frozen first so that none gets away.
    KillTree(ProcessTarget),
    /// Halt a process.
    StopProcess(ProcessTarget),
    /// Let a halted process go on.
    ContinueProcess(ProcessTarget),
    /// Bring a copy of a file to the server.
    CollectFile(FileTarget),
    /// Let no traffic with an address pass, for a time.
    BlockAddress(BlockTarget),
    /// Let traffic with an address pass again.
    UnblockAddress(UnblockTarget),
    /// Put a file where nobody runs or reads it, so that it can be put back.
    QuarantineFile(FileTarget),
    /// Put a quarantined file back.
    RestoreFile(QuarantineTarget),
}

/// The one file that an order is about.
#[derive(ToSchema)]
pub(crate) struct FileTarget {
    /// Where it is: from the root, without `.`, `..` and empty parts.
    #[schema(example = "/tmp/evil.sh", max_length = 4095)]
    path: String,
}

/// The quarantined file that an order is about.
#[derive(ToSchema)]
pub(crate) struct QuarantineTarget {
    /// The id of the command that quarantined it.
    #[schema(example = "cmd_0192f3b4c5d67e8f8a1b2c3d4e5f6071")]
    quarantine_id: String,
}

/// The addresses that are to be blocked, and for how long.
#[derive(ToSchema)]
pub(crate) struct BlockTarget {
    /// An address, or a network of them.
    #[schema(example = "203.0.113.9")]
    address: String,
    /// After so many seconds the block ends by itself.
    #[schema(minimum = 1)]
    seconds: u64,
}

/// The addresses that are not to be blocked any more.
#[derive(ToSchema)]
pub(crate) struct UnblockTarget {
    /// As they were blocked.
    #[schema(example = "203.0.113.9")]
    address: String,
}

/// A file that a host brought to the server.
#[derive(ToSchema)]
pub(crate) struct CollectedFile {
    /// How many bytes it has.
    #[schema(minimum = 0)]
    bytes: u64,
    /// Its SHA-256, 64 lower-case hexadecimal digits.
    sha256: String,
    /// When the server had the whole of it.
    #[schema(format = DateTime)]
    received: String,
    /// When the server gave it up for its age; null while it is there.
    #[schema(format = DateTime)]
    removed: Option<String>,
}

/// How far a command has come.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CommandState {
    Queued,
    Delivered,
    Succeeded,
    Failed,
    Expired,
    Withdrawn,
}

/// The one process that an order is about. All that is given must agree.
#[derive(ToSchema)]
pub(crate) struct ProcessTarget {
    /// The process id, 2 or greater.
    #[schema(minimum = 2)]
    pid: i64,
    /// When the process started.
    #[schema(format = DateTime)]
    start_time: Option<String>,
    /// The short name of the program.
    name: String,
}

/// As much of a process as names it.
#[derive(ToSchema)]
pub(crate) struct ProcessRef {
    /// The process id.
    pid: i64,
    /// When it started, where known.
    #[schema(format = DateTime)]
    start_time: Option<String>,
    /// The short name of the program; empty where not known.
    #[serde(default)]
    name: String,
}

/// What a host says of itself.
#[derive(ToSchema)]
pub(crate) struct SystemInfo {
    /// The kernel's name: `Linux`, `Darwin`.
    platform: Option<String>,
    /// The distribution and its version.
    os: Option<String>,
    /// The release of the kernel.
    kernel: Option<String>,
    /// The machine's instruction set.
    architecture: Option<String>,
    /// Number of logical processors.
    #[schema(minimum = 0)]
    cpu_count: Option<u32>,
    /// Memory in bytes.
    #[schema(minimum = 0)]
    memory_total: Option<u64>,
    /// Memory that could be given out now, in bytes.
    #[schema(minimum = 0)]
    memory_available: Option<u64>,
    /// When the host started.
    #[schema(format = DateTime)]
    boot_time: Option<String>,
    /// The version of the agent that reports.
    agent_version: Option<String>,
}

/// An internet connection as a host reports it.
#[derive(ToSchema)]
pub(crate) struct Connection {
    /// `tcp` or `udp`; empty where the sender does not say.
    #[serde(default)]
    protocol: String,
    /// The address on the reporting host.
    local_address: String,
    /// The port on the reporting host.
    #[schema(maximum = 65535)]
    local_port: u16,
    /// The address of the other side; null for a listening socket.
    remote_address: Option<String>,
    /// The port of the other side; null for a listening socket.
    #[schema(maximum = 65535)]
    remote_port: Option<u16>,
    /// The state in the words of the sender: `ESTABLISHED`, `LISTEN`.
    status: String,
    /// The process that holds the socket, where known.
    pid: Option<i64>,
    /// The name of that process, where known.
    process_name: Option<String>,
}

/// A process as a host reports it.
#[derive(ToSchema)]
pub(crate) struct Process {
    /// The process id.
    pid: i64,
    /// When it started; with the pid this is its identity on its host.
    #[schema(format = DateTime)]
    start_time: Option<String>,
    /// The short name of the program.
    name: String,
    /// The process that started it.
    parent_pid: Option<i64>,
    /// The name of the user it runs as, or the number where there is no name.
    user: Option<String>,
    /// The absolute path of the program file.
    executable: Option<String>,
    /// The arguments joined by blanks, secrets masked.
    command_line: Option<String>,
    /// SHA-256 of the program file in lower-case hexadecimal.
    executable_sha256: Option<String>,
    /// Share of one core since the report before, in percent.
    cpu_percent: Option<f64>,
    /// Share of the host's memory that is resident, in percent.
    memory_percent: Option<f64>,
    /// The container it runs in; null for a process of the host itself.
    container: Option<Container>,
}

/// The container that a process runs in.
#[derive(ToSchema)]
pub(crate) struct Container {
    /// The id that the runtime gave it, in full; its name where the runtime gives names only.
    uid: String,
    /// What people call it, where that is known.
    name: Option<String>,
    /// What runs it: `docker`, `podman`, `containerd`, `cri-o`, `lxc`, `systemd-nspawn`.
    runtime: String,
    /// The Kubernetes pod that it belongs to.
    pod_uid: Option<String>,
}

/// How a host agent is doing, in its own words.
#[derive(ToSchema)]
pub(crate) struct AgentHealth {
    /// The version of the program.
    version: String,
    /// When it started.
    #[schema(format = DateTime)]
    started: Option<String>,
    /// Its resident memory in bytes.
    #[schema(minimum = 0)]
    rss_bytes: u64,
    /// What it used of one core since it told before, in percent.
    cpu_percent: f64,
    /// What it allows itself on average, in percent of one core; null where it is not limited.
    cpu_percent_max: Option<f64>,
    /// Whether it has slowed itself down since it told before, to stay within its budget.
    throttled: bool,
    /// How starts and ends of processes are learned: `process_connector`, `scan`.
    process_changes: String,
    /// How connections are learned: `sock_diag`, `procfs`, `none`; with `, cut` behind it where the host has
    /// more of them open than its agent follows.
    connections: String,
    /// Events that wait to be sent.
    #[schema(minimum = 0)]
    spool_events: u64,
    /// Bytes of events that wait to be sent.
    #[schema(minimum = 0)]
    spool_bytes: u64,
    /// So many bytes may wait before events are dropped.
    #[schema(minimum = 0)]
    spool_bytes_max: u64,
    /// Events that were dropped since the spool was made, for want of room.
    #[schema(minimum = 0)]
    dropped: u64,
}

/// Events of a host that will never arrive: dropped for want of room, or refused for good.
#[derive(ToSchema)]
pub(crate) struct EventsLost {
    /// Names the spool of the agent that they were lost from.
    spool_id: String,
    /// How many were lost since the count before.
    #[schema(minimum = 0)]
    count: u64,
    /// How many were lost since the spool was made.
    #[schema(minimum = 0)]
    total: u64,
}

/// What the guard of a web application saw or did, in its own words.
#[derive(ToSchema)]
pub(crate) struct AppGuardEvent {
    /// The kind: `penetration_attempt`, `ip_banned` and their like; the set is open.
    event_type: String,
    /// Whether it tells of an attack, a ban or odd behaviour.
    is_finding: bool,
    /// What the guard did: `request_blocked`, `logged_only`; may be empty.
    action: String,
    /// Why; may be empty.
    reason: String,
    /// The address of the client; null where it is about no client.
    client_address: Option<String>,
    /// The country of that address, as ISO 3166 code.
    country: Option<String>,
    /// What the client calls itself.
    user_agent: Option<String>,
    /// The method of the request.
    method: Option<String>,
    /// The path of the request.
    path: Option<String>,
    /// The status code of the answer.
    #[schema(maximum = 65535)]
    status: Option<u16>,
    /// How long the answer took, in milliseconds.
    duration_ms: Option<f64>,
    /// What kind of attack: `sqli`, `xss` and their like.
    category: Option<String>,
    /// The pattern that was found.
    pattern: Option<String>,
    /// Which rule of the route it was.
    decorator: Option<String>,
    /// Which rule it was.
    rule: Option<String>,
    /// Which part of the guard speaks.
    handler: Option<String>,
    /// Which installation of the guard.
    install_id: Option<String>,
}

/// A request to a web server or application, and its answer.
#[derive(ToSchema)]
pub(crate) struct HttpRequest {
    /// The method in the words of the sender: `GET`, `POST`.
    method: String,
    /// The path with its query, as requested.
    path: String,
    /// The host name that was asked for.
    hostname: Option<String>,
    /// The address that the request came from.
    client_address: Option<String>,
    /// The port that the request came from.
    #[schema(maximum = 65535)]
    client_port: Option<u16>,
    /// What the client calls itself.
    user_agent: Option<String>,
    /// The page that the client says it came from.
    referrer: Option<String>,
    /// The user who was signed in.
    user: Option<String>,
    /// The status code of the answer.
    #[schema(maximum = 65535)]
    status: Option<u16>,
    /// The size of the answer's body in bytes.
    #[schema(minimum = 0)]
    response_bytes: Option<u64>,
    /// How long the answer took, in milliseconds.
    #[schema(minimum = 0)]
    duration_ms: Option<u64>,
}

/// An attempt to sign in.
#[derive(ToSchema)]
pub(crate) struct SignIn {
    /// The name that was given.
    user: String,
    /// Whether it was let in.
    success: bool,
    /// The program that decided: `sshd`, `sudo`, the name of an application.
    service: Option<String>,
    /// How the user proved itself: `password`, `publickey`.
    protocol: Option<String>,
    /// The address that the attempt came from; null for a local one.
    client_address: Option<String>,
    /// The port that the attempt came from.
    #[schema(maximum = 65535)]
    client_port: Option<u16>,
    /// The process that decided, where known.
    pid: Option<i64>,
    /// Why it was refused, in the words of the sender.
    detail: Option<String>,
}

/// All processes and connections of a host at one moment.
#[derive(ToSchema)]
pub(crate) struct Inventory {
    /// Every process seen.
    processes: Vec<Process>,
    /// Every connection seen.
    #[serde(default)]
    connections: Vec<Connection>,
    /// What the host is.
    #[serde(default)]
    system: SystemInfo,
}

/// What happened: an object with one field, named for the kind.
#[derive(ToSchema)]
pub(crate) enum Activity {
    /// A program began to run.
    ProcessStarted(Process),
    /// A process ended.
    ProcessEnded {
        /// The process that ended.
        process: ProcessRef,
        /// The exit code, or minus the signal that ended it; null where it is not known.
        exit_code: Option<i32>,
    },
    /// A connection came to be.
    ConnectionOpened(Connection),
    /// A connection is gone.
    ConnectionClosed(Connection),
    /// A system call was made.
    SystemCall {
        /// The process that made it; its name may be empty.
        process: ProcessRef,
        /// The name of the call, as in `execve`.
        name: String,
        /// The sender's own risk score, 0 to 100.
        risk_score: Option<f64>,
        /// The sender's own anomaly score, 0 to 100.
        anomaly_score: Option<f64>,
    },
    /// Everything that runs on a host at one moment.
    Inventory(Inventory),
    /// A web server or application answered a request.
    HttpRequest(HttpRequest),
    /// Somebody tried to sign in.
    SignIn(SignIn),
    /// A host agent tells how it is doing itself.
    AgentHealth(AgentHealth),
    /// Events of the host will never arrive.
    EventsLost(EventsLost),
    /// The guard of a web application saw or did something.
    AppGuard(AppGuardEvent),
}

/// What of a project's rules can be edited (all fields may be left out or null).
#[derive(ToSchema)]
pub(crate) struct GuardRuleFields {
    /// When the rules end, and the application's own configuration holds again.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// How many seconds an agent may go without asking again.
    #[schema(minimum = 1, maximum = 86400, default = 15)]
    ttl: Option<u32>,
    /// Addresses and networks that are banned for `ip_ban_duration` seconds.
    ip_blacklist: Option<Vec<String>>,
    /// Addresses and networks that are unbanned.
    ip_whitelist: Option<Vec<String>>,
    /// How long those of `ip_blacklist` are banned, in seconds.
    #[schema(minimum = 1, maximum = 31_536_000, default = 3600)]
    ip_ban_duration: Option<u32>,
    /// ISO 3166 codes of countries that are not let in.
    blocked_countries: Option<Vec<String>>,
    /// ISO 3166 codes: only these countries are let in.
    whitelist_countries: Option<Vec<String>>,
    /// Requests of one address in `global_rate_window`.
    #[schema(minimum = 1)]
    global_rate_limit: Option<u32>,
    /// Seconds.
    #[schema(minimum = 1)]
    global_rate_window: Option<u32>,
    /// `[requests, seconds]` by exact path.
    #[schema(example = json!({"/login": [5, 60]}))]
    endpoint_rate_limits: Option<std::collections::BTreeMap<String, Vec<u32>>>,
    /// `AWS GCP Azure DigitalOcean Linode Vultr`, or `GCP:!region`.
    blocked_cloud_providers: Option<Vec<String>>,
    /// Regular expressions, searched for without regard to case.
    blocked_user_agents: Option<Vec<String>>,
    /// Regular expressions that are added to the detection.
    suspicious_patterns: Option<Vec<String>>,
    /// Replaces the application's own setting.
    enable_penetration_detection: Option<bool>,
    /// Replaces the application's own setting.
    enable_ip_banning: Option<bool>,
    /// Replaces the application's own setting.
    enable_rate_limiting: Option<bool>,
    /// Replaces the application's own setting.
    enable_rate_limit_auto_ban: Option<bool>,
    /// Detections before an address is banned by the application.
    #[schema(minimum = 1)]
    auto_ban_threshold: Option<u32>,
    /// How long then, in seconds.
    #[schema(minimum = 1)]
    auto_ban_duration: Option<u32>,
    /// Everybody but `emergency_whitelist` is answered 503.
    emergency_mode: Option<bool>,
    /// Addresses; with newer guards networks, too.
    emergency_whitelist: Option<Vec<String>>,
    /// Without effect in the original middleware.
    emergency_whitelist_only: Option<bool>,
    /// Without effect in the original middleware.
    #[schema(max_length = 500)]
    message: Option<String>,
}

#[cfg(test)]
mod tests {
    use ringwall_event as event;
    use serde_json::{Value, json};
    use utoipa::PartialSchema;

    #[test]
    fn shapes_have_the_fields_of_the_real_types() {
        check::<super::Process, _>(&event::Process::default());
        check::<super::ProcessRef, _>(&event::ProcessRef::default());
        check::<super::Connection, _>(&event::Connection::default());
        check::<super::SystemInfo, _>(&event::SystemInfo::default());
        check::<super::Inventory, _>(&event::Inventory::default());
        check::<super::HttpRequest, _>(&event::HttpRequest::default());
        check::<super::SignIn, _>(&event::SignIn::default());
        check::<super::Container, _>(&event::Container::default());
        check::<super::AgentHealth, _>(&event::AgentHealth::default());
        check::<super::EventsLost, _>(&event::EventsLost::default());
        check::<super::AppGuardEvent, _>(&event::AppGuardEvent::default());
        let path = event::AbsolutePath::parse("/x").unwrap();
        let address = "192.0.2.7".parse().unwrap();
        let quarantine_id = event::CommandId::parse("cmd_1").unwrap();
        check::<super::ProcessTarget, _>(&event::ProcessTarget {
            pid: 2,
            start_time: None,
            name: "x".into(),
        });
        check::<super::FileTarget, _>(&event::FileTarget { path });
        check::<super::QuarantineTarget, _>(&event::QuarantineTarget { quarantine_id });
        check::<super::BlockTarget, _>(&event::BlockTarget { address, seconds: 1 });
        check::<super::UnblockTarget, _>(&event::UnblockTarget { address });
        check::<super::CollectedFile, _>(&event::CollectedFile {
            bytes: 0,
            sha256: "".into(),
            received: event::Timestamp::default(),
            removed: None,
        });
    }

    #[test]
    fn shapes_have_the_words_of_the_real_types() {
        check_words::<super::Severity, _>(&event::Severity::ALL);
        use event::AlertState::{Acknowledged, Open, Resolved};
        check_words::<super::AlertState, _>(&[Open, Acknowledged, Resolved]);
        use event::CommandState::{Delivered, Expired, Failed, Queued, Succeeded, Withdrawn};
        let states = [Queued, Delivered, Succeeded, Failed, Expired, Withdrawn];
        check_words::<super::CommandState, _>(&states);
    }

    #[test]
    fn every_order_is_among_the_variants() {
        let schema = serde_json::to_value(super::Order::schema()).unwrap();
        let described: Vec<&str> = schema["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|variant| variant["properties"]["action"]["enum"][0].as_str().unwrap())
            .collect();
        assert_eq!(described, event::CommandAction::ALL.map(event::CommandAction::name));
    }

    #[test]
    fn every_activity_is_among_the_variants() {
        let schema = serde_json::to_value(super::Activity::schema()).unwrap();
        let described: Vec<String> = schema["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|variant| keys(&variant["properties"]).remove(0))
            .collect();
        let process = event::ProcessRef::default();
        let real = [
            event::Activity::ProcessStarted(event::Process::default()),
            event::Activity::ProcessEnded { process: process.clone(), exit_code: None },
            event::Activity::ConnectionOpened(event::Connection::default()),
            event::Activity::ConnectionClosed(event::Connection::default()),
            event::Activity::SystemCall {
                process,
                name: "execve".into(),
                risk_score: None,
                anomaly_score: None,
            },
            event::Activity::Inventory(Box::default()),
            event::Activity::HttpRequest(Box::default()),
            event::Activity::SignIn(Box::default()),
            event::Activity::AgentHealth(Box::default()),
            event::Activity::EventsLost(Box::default()),
            event::Activity::AppGuard(Box::default()),
        ];
        assert_eq!(real.len(), event::Activity::KINDS.len());
        let real: Vec<String> =
            real.iter().map(|a| keys(&serde_json::to_value(a).unwrap()).remove(0)).collect();
        assert_eq!(described, real);
    }

    #[track_caller]
    fn check<Shape: PartialSchema, Real: serde::Serialize>(real: &Real) {
        let schema = serde_json::to_value(Shape::schema()).unwrap();
        let real = serde_json::to_value(real).unwrap();
        assert_eq!(keys(&schema["properties"]), keys(&real));
    }

    #[track_caller]
    fn check_words<Shape: PartialSchema, Real: serde::Serialize>(real: &[Real]) {
        let schema = serde_json::to_value(Shape::schema()).unwrap();
        assert_eq!(schema["enum"], json!(real));
    }

    fn keys(value: &Value) -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    }
}
