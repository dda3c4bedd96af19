//! One believable value of every body, for the document and for tests.

mod guard;
mod webhooks;

pub(crate) use guard::*;
pub(crate) use webhooks::*;

use crate::*;
use ringwall_event::{
    Activity, AgentHealth, AlertState, CommandState, Connection, Container, EventId, Finding,
    Order, Process, ProcessRef, ProcessTarget, Severity, Source, SystemInfo, Timestamp,
};
use serde_json::json;

const NOW_MICROS: i64 = 1_792_483_200_000_000;

fn seconds_ago(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOW_MICROS + 123_456).plus_seconds(-seconds)
}

fn id(position: u16) -> EventId {
    EventId::from_parts((NOW_MICROS / 1000).unsigned_abs(), 0x2_3456_789a_bcde, position)
}

fn web_1() -> Source {
    Source::new(Source::HOST_AGENT, "web-1")
}

fn process() -> ProcessRef {
    ProcessRef { pid: 4711, start_time: Some(seconds_ago(3)), name: "evil.sh".into() }
}

pub(crate) fn command() -> CommandRow {
    CommandRow {
        id: format!("cmd_{}", id(9)),
        source: web_1(),
        order: Order::KillProcess(ProcessTarget {
            pid: 4711,
            start_time: Some(seconds_ago(3)),
            name: "evil.sh".into(),
        }),
        reason: "known bad process 'evil.sh'".into(),
        ordered_by: "rule:indicator".into(),
        alert: Some(id(1)),
        state: CommandState::Succeeded,
        created: seconds_ago(2),
        expires: seconds_ago(-298),
        delivered: Some(seconds_ago(2)),
        finished: Some(seconds_ago(1)),
        deliveries: 1,
        result: Some("ended by SIGTERM".into()),
        file: None,
    }
}

pub(crate) fn alert() -> AlertRow {
    AlertRow {
        id: id(1),
        finding: Finding::IndicatorMatch { indicator: "process".into(), value: "evil.sh".into() },
        severity: Severity::High,
        state: AlertState::Open,
        source: web_1(),
        host: "web-1".into(),
        process: Some(process()),
        title: "known bad process 'evil.sh'".into(),
        reasons: vec!["the process name is on the indicator list".into()],
        count: 1,
        first_seen: seconds_ago(2),
        last_seen: seconds_ago(2),
        events: vec![id(0)],
        kill_offered: false,
        note: None,
        commands: vec![command()],
    }
}

pub(crate) fn score() -> ScoreRow {
    ScoreRow {
        process_id: "agent-1:4711".into(),
        source: Source::new(Source::SYSSCORE, "agent-1"),
        host: "agent-1".into(),
        pid: 4711,
        name: "evil.sh".into(),
        start_time: None,
        risk_score: 86.5,
        anomaly_score: Some(42.0),
        evidence_score: 86.5,
        reasons: vec!["ptrace was called 12 times in 5 minutes".into()],
        calculated_at: seconds_ago(1),
    }
}

pub(crate) fn host() -> HostRow {
    HostRow {
        id: web_1(),
        dialect: "host-agent".into(),
        name: "web-1".into(),
        hostname: "web-1.example.net".into(),
        online: true,
        first_seen: seconds_ago(86_400),
        last_seen: seconds_ago(1),
        processes: 212,
        connections: 37,
        open_alerts: 1,
        risk_max: Some(86.5),
        system: SystemInfo {
            platform: Some("Linux".into()),
            os: Some("Debian GNU/Linux 12".into()),
            kernel: Some("6.1.0-28-amd64".into()),
            architecture: Some("x86_64".into()),
            cpu_count: Some(8),
            memory_total: Some(17_179_869_184),
            memory_available: Some(9_663_676_416),
            boot_time: Some(seconds_ago(864_000)),
            agent_version: Some("0.1.0".into()),
        },
        events: 48_211,
        events_lost: 0,
        identity: Some(HostIdentity {
            state: IdentityState::Active,
            key_id: "56475aa75463474c".into(),
            enrolled: seconds_ago(86_400),
        }),
        health: Some(HostHealth {
            health: AgentHealth {
                version: "0.1.0".into(),
                started: Some(seconds_ago(864_000)),
                rss_bytes: 6_291_456,
                cpu_percent: 0.2,
                cpu_percent_max: Some(5.0),
                throttled: false,
                process_changes: "process_connector".into(),
                connections: "sock_diag".into(),
                spool_events: 0,
                spool_bytes: 0,
                spool_bytes_max: 67_108_864,
                dropped: 0,
            },
            reported: seconds_ago(20),
        }),
    }
}

pub(crate) fn identity() -> IdentityRow {
    IdentityRow {
        name: "web-1".into(),
        key_id: "56475aa75463474c".into(),
        machine: Some("9b1f0c77d2ae".into()),
        hostname: "web-1.example.net".into(),
        state: IdentityState::Active,
        enrolled: seconds_ago(86_400),
        enrolled_by: "5f2c9d1e4b7a8c30".into(),
        rotated: None,
        last_used: Some(seconds_ago(1)),
        address: Some("192.0.2.10".into()),
        version: "0.1.0".into(),
        warning: None,
    }
}

pub(crate) fn enrolment() -> EnrolmentRow {
    EnrolmentRow {
        id: "5f2c9d1e4b7a8c30".into(),
        name: Some("web-1".into()),
        replaces: None,
        created_by: "user:admin".into(),
        created: seconds_ago(86_400),
        expires: seconds_ago(86_400 - 3600),
        uses_left: 0,
        used_by: vec!["web-1".into()],
    }
}

pub(crate) fn enrolment_created() -> EnrolmentCreated {
    EnrolmentCreated {
        id: "5f2c9d1e4b7a8c30".into(),
        token: "rwe_5f2c9d1e4b7a8c30_…".into(),
        expires: seconds_ago(-3600),
        command: "echo rwe_5f2c9d1e4b7a8c30_… | ringwall-host-agent enrol --server \
                  http://127.0.0.1:7400 --token-file -"
            .into(),
        server_fingerprint: Some("1c0e8a3f5b7d9246".into()),
    }
}

pub(crate) fn host_process() -> HostProcess {
    HostProcess {
        pid: 4711,
        start_time: Some(seconds_ago(3)),
        name: "evil.sh".into(),
        parent_pid: Some(4023),
        user: Some("www-data".into()),
        executable: Some("/tmp/evil.sh".into()),
        command_line: Some("/tmp/evil.sh 1000".into()),
        cpu_percent: Some(0.3),
        memory_percent: Some(0.1),
        first_seen: Some(seconds_ago(2)),
        last_seen: Some(seconds_ago(2)),
        risk_score: Some(86.5),
        executable_sha256: Some(
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        ),
        container: Some(Box::new(Container {
            uid: "4bc1c0d9ac2a9a3b6a3d14f5f3a2cd9d6ae0e4c2d9d7a3e5f9b1f3f7c2d1e0a9".into(),
            name: Some("shop".into()),
            runtime: "docker".into(),
            pod_uid: None,
        })),
    }
}

pub(crate) fn connection() -> serde_json::Value {
    json!(Connection {
        protocol: "tcp".into(),
        local_address: "192.0.2.10".into(),
        local_port: 52114,
        remote_address: Some("198.51.100.7".into()),
        remote_port: Some(443),
        status: "ESTABLISHED".into(),
        pid: Some(812),
        process_name: Some("curl".into()),
    })
}

pub(crate) fn event() -> EventRow {
    EventRow {
        id: id(0),
        time: seconds_ago(3),
        received: seconds_ago(2),
        source: web_1(),
        host: "web-1".into(),
        severity: Severity::Informational,
        kind: "process_started".into(),
        pid: Some(4711),
        summary: "evil.sh started (pid 4711, user www-data): /tmp/evil.sh 1000".into(),
        ocsf: json!({
            "class_uid": 1007,
            "class_name": "Process Activity",
            "activity_name": "Launch",
            "process": { "pid": 4711, "name": "evil.sh" },
        }),
    }
}

pub(crate) fn indicator() -> IndicatorRow {
    IndicatorRow {
        id: "process-evil.sh".into(),
        kind: IndicatorKind::Process,
        value: "evil.sh".into(),
        action: IndicatorAction::Kill,
        severity: Severity::High,
        origin: IndicatorOrigin::Default,
        note: None,
        created: seconds_ago(86_400),
        hits: 1,
        last_hit: Some(seconds_ago(2)),
    }
}

pub(crate) fn key() -> KeyRow {
    KeyRow {
        id: "sysscore/agent-1".into(),
        kind: KeyKind::SysScore,
        name: "agent-1".into(),
        created: Some(seconds_ago(3600)),
        last_used: Some(seconds_ago(12)),
        origin: KeyOrigin::Stored,
    }
}

pub(crate) fn key_created() -> KeyCreated {
    KeyCreated {
        kind: KeyKind::SysScore,
        id: "agent-1".into(),
        secret: "W1rq0vH3hQ2nSxk7oYcT9mJ5uZ8bEdGfLpAiRjNwXyU".into(),
    }
}

pub(crate) fn token() -> TokenRow {
    TokenRow {
        id: "tok_5f2c9d1e".into(),
        name: "ci".into(),
        role: Role::ReadOnly,
        scopes: Some(vec!["read_alerts".into(), "read_hosts".into()]),
        created: seconds_ago(3600),
        expires: Some(seconds_ago(-86_400 * 30)),
        last_used: None,
    }
}

pub(crate) fn user() -> UserRow {
    UserRow {
        name: "ada".into(),
        role: Role::Responder,
        disabled: false,
        created: seconds_ago(86_400 * 30),
        password_changed: Some(seconds_ago(86_400)),
        last_sign_in: Some(seconds_ago(3600)),
        sessions: 1,
    }
}

pub(crate) fn open_session() -> SessionRow {
    SessionRow {
        id: "5f2c9d1e0a7b4c33".into(),
        user: "ada".into(),
        created: seconds_ago(3600),
        last_used: seconds_ago(60),
        expires: seconds_ago(-12 * 3600),
        address: "192.0.2.7".into(),
        current: true,
    }
}

pub(crate) fn hold() -> HoldRow {
    HoldRow {
        name: "case-7".into(),
        source: Some(Source::new("host-agent", "web-1")),
        since: Some(seconds_ago(86_400 * 30)),
        until: None,
        reason: "court order 12/26".into(),
        created_by: "user:admin".into(),
        created: seconds_ago(3600),
    }
}

pub(crate) fn audit() -> AuditRow {
    AuditRow {
        id: "17".into(),
        time: seconds_ago(2),
        actor: "rule:indicator".into(),
        action: "kill_process".into(),
        subject: "host-agent:web-1 pid 4711 evil.sh".into(),
        outcome: AuditOutcome::Permitted,
        reason: Some("known bad process 'evil.sh'".into()),
    }
}

pub(crate) fn overview() -> Overview {
    let mut by_severity = SeverityCounts::default();
    *by_severity.of(Severity::High) = 1;
    Overview {
        hosts: HostCounts { total: 3, online: 2 },
        events: EventCounts { total: 48_211, last_minute: 264 },
        alerts: AlertCounts { open: 1, by_severity },
        commands: CommandCounts { open: 0, succeeded_24h: 1, failed_24h: 0 },
        timeline: vec![Minute {
            minute: Timestamp::from_micros(NOW_MICROS),
            events: 264,
            alerts: 1,
        }],
        busiest_hosts: vec![BusyHost { id: web_1(), events: 12_048 }],
        top_risk: vec![score()],
        recent_alerts: vec![alert()],
        server: ServerFacts {
            version: "0.1.0".into(),
            started: seconds_ago(90_000),
            data_dir_bytes: 5_242_880,
            intake: IntakeLoad { queued: 0, capacity: 4096 },
        },
    }
}

pub(crate) fn store() -> StoreStats {
    let (events, bytes) = (1_204_118, 24_082_360);
    StoreStats {
        events: events + 2_117,
        intake: StoreIntake { batches: 88, events: 2_117, waiting_since: Some(seconds_ago(70)) },
        archive: StoreArchive { files: 3, events, bytes, bytes_per_event: Some(20.0) },
        database_bytes: 5_242_880,
        oldest: Some(seconds_ago(90_000)),
        newest: Some(seconds_ago(1)),
        holds: 0,
        days: vec![StoreDay {
            day: Timestamp::from_micros(NOW_MICROS - NOW_MICROS % 86_400_000_000),
            events: events + 2_117,
            bytes,
        }],
    }
}

pub(crate) fn timeline() -> Timeline {
    Timeline {
        step_seconds: 21_600,
        since: Timestamp::from_micros(NOW_MICROS).plus_seconds(-36_000),
        until: Timestamp::from_micros(NOW_MICROS).plus_seconds(14_400),
        by: TimelineGroup::Kind,
        series: vec![
            TimelineSeries { key: "process_started".into(), counts: vec![1204, 0, 318] },
            TimelineSeries { key: "sign_in".into(), counts: vec![2, 17, 0] },
        ],
        total: 1541,
    }
}

pub(crate) fn agent_report() -> AgentReport {
    AgentReport {
        spool_id: "0d3f7a52c1e94b0a8f6e2d1c0b9a8877".into(),
        sequence: 42,
        hostname: "web-1.example.net".into(),
        dropped_total: 0,
        events: vec![AgentEvent {
            time: seconds_ago(3),
            severity: None,
            activity: Activity::ProcessStarted(Process {
                pid: 4711,
                start_time: Some(seconds_ago(3)),
                name: "evil.sh".into(),
                parent_pid: Some(4023),
                user: Some("www-data".into()),
                executable: Some("/tmp/evil.sh".into()),
                command_line: Some("/tmp/evil.sh 1000".into()),
                ..Process::default()
            }),
        }],
    }
}

pub(crate) fn signed_commands() -> SignedCommands {
    SignedCommands {
        commands: vec![SignedCommand {
            payload: "eyJhY3Rpb24iOiJraWxsX3Byb2Nlc3MiLCAi4oCmIjogIuKApiJ9".into(),
            signature: "4pyTIGFuIEVkMjU1MTkgc2lnbmF0dXJlIG9mIDY0IGJ5dGVz".into(),
        }],
    }
}

pub(crate) fn session() -> Session {
    Session {
        user: "ada".into(),
        role: Role::ReadOnly,
        permissions: ["read_hosts", "read_events", "read_alerts", "read_commands", "read_scores"]
            .map(str::to_owned)
            .to_vec(),
        csrf: "fPZcO2nE4mJ8xqTQd1yVhA".into(),
    }
}

pub(crate) fn query_request() -> QueryRequest {
    QueryRequest {
        sql: "SELECT process_name, count(*) AS starts FROM events WHERE kind = 'process_started' \
              AND time > ago('24h') GROUP BY process_name ORDER BY starts DESC LIMIT 1"
            .into(),
        row_limit: Some(1000),
        time_limit_ms: Some(10_000),
        format: None,
        explain: false,
    }
}

pub(crate) fn query_answer() -> QueryAnswer {
    let column =
        |name: &str, kind: &str| QueryColumn { name: name.to_owned(), kind: kind.to_owned() };
    QueryAnswer {
        columns: vec![column("process_name", "text"), column("starts", "any")],
        rows: vec![vec!["evil.sh".into(), 12.into()]],
        done: QueryDone {
            rows: 1,
            truncated: false,
            elapsed_ms: 84,
            cpu_ms: 120,
            events_scanned: 1_204_113,
            events_skipped: 98_795_887,
        },
    }
}
