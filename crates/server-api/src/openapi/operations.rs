//! Every operation, in the order of a first read.

use super::operation::{Described, delete, get, post, query_parameter};
use crate::{
    AgentEnrolRequest, AgentEnrolled, AgentReport, AgentReportAnswer, AgentRotateRequest,
    AgentRotated, AlertQuery, AlertRow, AuditRow, CommandPayload, CommandQuery, CommandRefusals,
    CommandRequest, CommandResult, CommandRow, EnrolmentCreated, EnrolmentRequest, EnrolmentRow,
    EventQuery, EventRow, EventsRow, FilePart, FilePartAnswer, Health, HealthStatus, HoldRequest,
    HoldRow, HostProcess, HostRow, IdentityReason, IdentityRow, IndicatorImport,
    IndicatorImportAnswer, IndicatorRequest, IndicatorRow, KeyCreated, KeyRequest, KeyRow,
    KillRequest, Lagged, NoteRequest, Overview, Page, PageQuery, ProblemKind, QueryAnswer,
    QueryLine, QueryRequest, ScoreQuery, ScoreRow, Session, SessionRequest, SignedCommands,
    StoreStats, StreamQuery, Tick, Timeline, TimelineQuery, TokenCreated, TokenRequest, TokenRow,
    examples, paths, schemas,
};
use serde_json::json;
use utoipa::openapi::schema::Type;

pub(super) fn all() -> Vec<Described> {
    [
        server(),
        hosts(),
        events(),
        alerts(),
        commands(),
        indicators(),
        super::webhooks::all(),
        super::guard::all(),
        super::guard_rules::all(),
        access(),
        super::people::all(),
        stream(),
        agents(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A page as an example: one row, and where to go on.
pub(super) fn page<T>(row: T) -> Page<T> {
    Page { data: vec![row], next_cursor: Some("AAAAAWhN…".to_owned()) }
}

fn server() -> Vec<Described> {
    let health =
        Health { status: HealthStatus::Ok, version: "0.1.0".to_owned(), problems: Vec::new() };
    vec![
        get(paths::HEALTH, "health", "Whether the server lives")
            .tag("overview")
            .for_anybody()
            .answers::<Health>(200, "It lives", &health)
            .answers::<Health>(
                503,
                "It lives and cannot store",
                Health { status: HealthStatus::Degraded, ..health },
            )
            .done(),
        get(paths::OPENAPI, "openapi", "This document")
            .tag("overview")
            .for_anybody()
            .answers_text(200, "OpenAPI 3.1", "application/json")
            .done(),
        get(paths::DOCS, "docs", "This document as a page for people")
            .tag("overview")
            .for_anybody()
            .answers_text(200, "A page without anything from elsewhere", "text/html")
            .done(),
        get(paths::CA, "ca", "The authority that vouches for this server")
            .tag("overview")
            .about(
                "Its certificate, as PEM, where the server speaks TLS. Compare its fingerprint with the \
                 one that `ringwall ca` prints on the server before you trust it.",
            )
            .for_anybody()
            .answers_text(200, "The certificate", "application/x-pem-file")
            .refuses(&[ProblemKind::NotFound])
            .done(),
        get(paths::OVERVIEW, "overview", "Everything at a glance")
            .tag("overview")
            .answers::<Overview>(200, "The counts, and what is most urgent", examples::overview())
            .done(),
        get(paths::STORE, "store", "What the store holds")
            .tag("overview")
            .answers::<StoreStats>(200, "Events, files, bytes and days", examples::store())
            .done(),
    ]
}

fn hosts() -> Vec<Described> {
    vec![
        get(paths::HOSTS, "list_hosts", "All hosts")
            .tag("hosts")
            .query::<PageQuery>()
            .answers::<Page<HostRow>>(
                200,
                "The host that reported last is first",
                page(examples::host()),
            )
            .done(),
        get(paths::HOST, "show_host", "One host")
            .tag("hosts")
            .answers::<HostRow>(200, "The host", examples::host())
            .done(),
        get(paths::HOST_PROCESSES, "list_host_processes", "What runs on a host")
            .tag("hosts")
            .about("The processes of the latest picture and what changed since, always whole.")
            .answers::<Page<HostProcess>>(
                200,
                "Ordered by pid",
                Page::whole(vec![examples::host_process()]),
            )
            .done(),
        get(paths::HOST_CONNECTIONS, "list_host_connections", "Whom a host talks to")
            .tag("hosts")
            .about("The connections of the latest picture and what changed since, always whole.")
            .answers::<Page<schemas::Connection>>(
                200,
                "The connections",
                Page::whole(vec![examples::connection()]),
            )
            .done(),
        get(paths::SCORES, "list_scores", "How risky processes are, and why")
            .tag("hosts")
            .query::<ScoreQuery>()
            .answers::<Page<ScoreRow>>(
                200,
                "The latest change first; one row per process",
                page(examples::score()),
            )
            .done(),
    ]
}

fn events() -> Vec<Described> {
    vec![
        get(paths::EVENTS, "list_events", "What was observed")
            .tag("events")
            .query::<EventQuery>()
            .answers::<Page<EventRow>>(200, "Newest first", page(examples::event()))
            .done(),
        get(paths::EVENT, "show_event", "One observation")
            .tag("events")
            .answers::<EventRow>(200, "The event", examples::event())
            .done(),
        get(paths::TIMELINE, "timeline", "How much was received, over time")
            .tag("events")
            .about(
                "Counted by the time of receipt, which only goes forward; the time that senders \
                 claim plays no part. Cheap for any span: nothing is scanned.",
            )
            .query::<TimelineQuery>()
            .answers::<Timeline>(200, "The counts, bucket by bucket", examples::timeline())
            .done(),
        post(paths::QUERY, "query", "Ask in SQL")
            .tag("events")
            .about(
                "One `SELECT` over everything that is stored, run by a process of its own with \
                 bounds of time, memory and rows. With `\"format\": \"ndjson\"` the answer is \
                 `application/x-ndjson`, a `QueryLine` a line, as rows are found; the last line \
                 is `done` or `error`. Closing the connection ends the query.",
            )
            .takes::<QueryRequest>(true, json!(examples::query_request()))
            .answers::<QueryAnswer>(200, "The rows", examples::query_answer())
            .mentions::<QueryLine>()
            .refuses(&[
                ProblemKind::CsrfMissing,
                ProblemKind::TooManyRequests,
                ProblemKind::StorageUnavailable,
            ])
            .done(),
    ]
}

fn alerts() -> Vec<Described> {
    let note = json!(NoteRequest { note: Some("mine; looking at it".to_owned()) });
    let kill = json!(KillRequest { reason: Some("not one of ours".to_owned()) });
    vec![
        get(paths::ALERTS, "list_alerts", "What was concluded")
            .tag("alerts")
            .query::<AlertQuery>()
            .answers::<Page<AlertRow>>(200, "Newest first", page(examples::alert()))
            .done(),
        get(paths::ALERT, "show_alert", "One conclusion")
            .tag("alerts")
            .answers::<AlertRow>(200, "The alert", examples::alert())
            .done(),
        post(paths::ALERT_ACKNOWLEDGE, "acknowledge_alert", "Somebody has it")
            .tag("alerts")
            .takes::<NoteRequest>(false, note.clone())
            .answers::<AlertRow>(200, "The alert as it is now", examples::alert())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        post(paths::ALERT_RESOLVE, "resolve_alert", "Dealt with")
            .tag("alerts")
            .about("A new sighting of the same thing opens a new alert.")
            .takes::<NoteRequest>(false, note)
            .answers::<AlertRow>(200, "The alert as it is now", examples::alert())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        post(paths::ALERT_KILL, "kill_alert_process", "End the process that an alert is about")
            .tag("alerts")
            .about("An open order for the same process is answered, not repeated.")
            .takes::<KillRequest>(false, kill)
            .answers::<CommandRow>(
                202,
                "Ordered; follow the command to its result",
                examples::command(),
            )
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::ActionRefused, ProblemKind::Conflict])
            .done(),
    ]
}

fn commands() -> Vec<Described> {
    let order = json!({
        "host": "host-agent:web-1", "action": "kill_process", "pid": 4711, "name": "evil.sh",
        "reason": "not one of ours",
    });
    vec![
        get(paths::COMMANDS, "list_commands", "What was ordered")
            .tag("commands")
            .query::<CommandQuery>()
            .answers::<Page<CommandRow>>(200, "Newest first", page(examples::command()))
            .done(),
        post(paths::COMMANDS, "create_command", "Order something by hand")
            .tag("commands")
            .takes::<CommandRequest>(true, order)
            .answers::<CommandRow>(
                202,
                "Ordered; follow the command to its result",
                examples::command(),
            )
            .refuses(&[
                ProblemKind::CsrfMissing,
                ProblemKind::ActionRefused,
                ProblemKind::NotFound,
                ProblemKind::Conflict,
            ])
            .done(),
        get(paths::COMMAND, "show_command", "One order")
            .tag("commands")
            .answers::<CommandRow>(200, "The command", examples::command())
            .done(),
        get(paths::COMMAND_FILE, "collected_file", "The file that a host brought")
            .tag("commands")
            .about(
                "As an attachment; `Repr-Digest` has its SHA-256. Needs the permission \
                 `collect_files`, and leaves an audit entry. Whatever is in it, it came from a host \
                 that may be in somebody else's hands.",
            )
            .answers_text(200, "The file", "application/octet-stream")
            .refuses(&[ProblemKind::ActionRefused, ProblemKind::Conflict])
            .done(),
        post(paths::COMMAND_WITHDRAW, "withdraw_command", "Take an order back")
            .tag("commands")
            .answers::<CommandRow>(200, "The command as it is now", examples::command())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
    ]
}

fn indicators() -> Vec<Described> {
    let one = json!({ "kind": "process", "value": "evil.sh", "action": "kill" });
    let list =
        json!({ "kind": "domain", "text": "# from the incident of Tuesday\nevil.example\n" });
    let answer = IndicatorImportAnswer { added: 1, ..IndicatorImportAnswer::default() };
    vec![
        get(paths::INDICATORS, "list_indicators", "The list of known bad things")
            .tag("indicators")
            .answers::<Page<IndicatorRow>>(
                200,
                "Always whole",
                Page::whole(vec![examples::indicator()]),
            )
            .done(),
        post(paths::INDICATORS, "create_indicator", "Add a known bad thing")
            .tag("indicators")
            .about("In force from the next batch of events on.")
            .takes::<IndicatorRequest>(true, one)
            .answers::<IndicatorRow>(201, "Added", examples::indicator())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        post(paths::INDICATORS_IMPORT, "import_indicators", "Add many known bad things")
            .tag("indicators")
            .takes::<IndicatorImport>(true, list)
            .answers::<IndicatorImportAnswer>(200, "What became of each", answer)
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
        delete(paths::INDICATOR, "delete_indicator", "Take a thing off the list")
            .tag("indicators")
            .answers_text(204, "Gone", "")
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
    ]
}

fn access() -> Vec<Described> {
    vec![
        post(paths::SESSION, "sign_in", "Sign in")
            .tag("access")
            .for_anybody()
            .takes::<SessionRequest>(true, json!({ "user": "admin", "password": "…" }))
            .answers::<Session>(200, "Signed in; the cookie is set", examples::session())
            .refuses(&[ProblemKind::Unauthenticated, ProblemKind::TooManyRequests])
            .done(),
        get(paths::SESSION, "show_session", "Who is signed in")
            .tag("access")
            .answers::<Session>(200, "The session", examples::session())
            .done(),
        delete(paths::SESSION, "sign_out", "Sign out")
            .tag("access")
            .answers_text(204, "Signed out; the cookie is gone", "")
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
        get(paths::KEYS, "list_keys", "The keys of agents")
            .tag("access")
            .query::<PageQuery>()
            .answers::<Page<KeyRow>>(
                200,
                "By kind and name, without secrets",
                Page::whole(vec![examples::key()]),
            )
            .done(),
        post(paths::KEYS, "create_key", "Make a key for an agent")
            .tag("access")
            .takes::<KeyRequest>(true, json!({ "kind": "sysscore", "name": "agent-1" }))
            .answers::<KeyCreated>(
                201,
                "Made; the secret is told this once",
                examples::key_created(),
            )
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        delete(paths::KEY, "delete_key", "Remove a key")
            .tag("access")
            .about("What it signs is refused from now on.")
            .answers_text(204, "Gone", "")
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        get(paths::ENROLMENTS, "list_enrolments", "Leave for host agents to enrol")
            .tag("access")
            .answers::<Page<EnrolmentRow>>(
                200,
                "Newest first, without their tokens",
                Page::whole(vec![examples::enrolment()]),
            )
            .done(),
        post(paths::ENROLMENTS, "create_enrolment", "Give leave to enrol")
            .tag("access")
            .takes::<EnrolmentRequest>(true, json!({ "name": "web-1", "expires_in_seconds": 3600 }))
            .answers::<EnrolmentCreated>(
                201,
                "Made; the token is told this once",
                examples::enrolment_created(),
            )
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        delete(paths::ENROLMENT, "delete_enrolment", "Take leave to enrol back")
            .tag("access")
            .about("Hosts that enrolled with it stay.")
            .answers_text(204, "Gone", "")
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
        get(paths::IDENTITIES, "list_identities", "The host agents that enrolled")
            .tag("access")
            .answers::<Page<IdentityRow>>(200, "By name", Page::whole(vec![examples::identity()]))
            .done(),
        post(paths::IDENTITY_REVOKE, "revoke_identity", "Shut a host agent out")
            .tag("access")
            .about("At once, and for requests that it holds open, too. It keeps its events.")
            .takes::<IdentityReason>(false, json!({ "reason": "the host was stolen" }))
            .answers::<IdentityRow>(200, "The identity as it is now", examples::identity())
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
        post(paths::IDENTITY_REINSTATE, "reinstate_identity", "Let a host agent in again")
            .tag("access")
            .about("Takes back that it was revoked or suspended, and the suspicion of a clone.")
            .takes::<IdentityReason>(false, json!({ "reason": "it was a snapshot" }))
            .answers::<IdentityRow>(200, "The identity as it is now", examples::identity())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        delete(paths::IDENTITY, "delete_identity", "Forget a host agent")
            .tag("access")
            .about("Its requests are refused from now on, and its name is free. Its events stay.")
            .answers_text(204, "Gone", "")
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
        get(paths::TOKENS, "list_tokens", "The tokens of programs")
            .tag("access")
            .query::<PageQuery>()
            .answers::<Page<TokenRow>>(
                200,
                "Newest first, without their texts",
                Page::whole(vec![examples::token()]),
            )
            .done(),
        post(paths::TOKENS, "create_token", "Make a token for a program")
            .tag("access")
            .takes::<TokenRequest>(
                true,
                json!({
                    "name": "ci", "role": "read_only", "scopes": ["read_alerts"],
                    "expires_in_days": 30,
                }),
            )
            .answers::<TokenCreated>(
                201,
                "Made; its text is told this once",
                json!({ "id": "tok_5f2c9d1e", "token": "rwt_3q2-7wQkT9…" }),
            )
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
        delete(paths::TOKEN, "delete_token", "Remove a token")
            .tag("access")
            .answers_text(204, "Gone", "")
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
        get(paths::HOLDS, "list_holds", "What must be kept")
            .tag("access")
            .answers::<Page<HoldRow>>(200, "By name", Page::whole(vec![examples::hold()]))
            .done(),
        post(paths::HOLDS, "create_hold", "Put a legal hold into force")
            .tag("access")
            .about(
                "What was received within its bounds is not given up, whatever its age and however \
                 large the archive is.",
            )
            .takes::<HoldRequest>(
                true,
                json!({
                    "name": "case-7", "source": "host-agent:web-1",
                    "since": "2026-01-01T00:00:00Z", "reason": "court order 12/26",
                }),
            )
            .answers::<HoldRow>(201, "In force", examples::hold())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        delete(paths::HOLD, "delete_hold", "Lift a legal hold")
            .tag("access")
            .answers_text(204, "Gone", "")
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
        get(paths::AUDIT, "list_audit", "Who did what, and whether it was permitted")
            .tag("access")
            .query::<PageQuery>()
            .answers::<Page<AuditRow>>(200, "Newest first", page(examples::audit()))
            .done(),
    ]
}

fn stream() -> Vec<Described> {
    vec![
        get(paths::STREAM, "stream", "What happens from now on")
            .tag("stream")
            .about(
                "Server-sent events, each with JSON as its data: `alert` (an Alert), `command` (a \
                 Command), `host` (a Host), `events` (EventBatch, only where the topic is asked \
                 for), `tick` (Tick, every 2 s) and `lagged` (Lagged: the reader was too slow; load \
                 the lists again). A comment line keeps the connection alive.",
            )
            .query::<StreamQuery>()
            .answers_text(200, "Stays open", "text/event-stream")
            .mentions::<EventsRow>()
            .mentions::<Tick>()
            .mentions::<Lagged>()
            .mentions::<AlertRow>()
            .mentions::<CommandRow>()
            .mentions::<HostRow>()
            .done(),
    ]
}

fn agents() -> Vec<Described> {
    let wait = query_parameter(
        "wait",
        Type::Integer,
        "How many seconds the request may be held open until there is a command; 0 to 30, 0 where \
         it is absent.",
    );
    let result = json!({ "state": "succeeded", "result": "ended by SIGTERM" });
    let refusals = json!({ "refusals": [{
        "reason": "altered",
        "count": 1,
        "command": "cmd_0192f3b4c5d67e8f8a1b2c3d4e5f6071",
        "detail": "signature: does not match"
    }] });
    let run = query_parameter(
        "run",
        Type::String,
        "Drawn at the start of the agent: two that take turns are two agents with one identity.",
    );
    let machine = query_parameter(
        "machine",
        Type::String,
        "What tells the machine from others, as when it enrolled.",
    );
    let public_key = "A6EHv/POEL4dcN0Y50vAmWfk1jCboQ1fHdyGZBJVMbg=";
    let enrolled = AgentEnrolled {
        name: "web-1".to_owned(),
        key_id: "56475aa75463474c".to_owned(),
        server_public_key: public_key.to_owned(),
        ca_certificate: None,
    };
    let machine_facts = json!({
        "public_key": public_key,
        "machine": "9b1f0c77d2ae4f6d8e01b2c3a4958677889900aabbccddeeff00112233445566",
        "hostname": "web-1.example.net", "version": "0.1.0",
    });
    let shut_out = [ProblemKind::IdentityRevoked, ProblemKind::IdentitySuspended];
    vec![
        post(paths::AGENT_ENROL, "enrol", "Get an identity")
            .tag("host agents")
            .about(
                "With `Authorization: Bearer rwe_…`, and signed with the private key of the public \
                 key in the body, under the name `-`. The same machine keeps its name; a name that \
                 another machine has is given away only where the enrolment says so. The same \
                 request again gets the same answer.",
            )
            .for_agents()
            .takes::<AgentEnrolRequest>(true, machine_facts)
            .answers::<AgentEnrolled>(200, "Enrolled", enrolled)
            .refuses(&[
                ProblemKind::ActionRefused,
                ProblemKind::Conflict,
                ProblemKind::TooManyRequests,
                ProblemKind::Busy,
                ProblemKind::StorageUnavailable,
            ])
            .done(),
        post(paths::AGENT_ROTATE, "rotate_agent_key", "Replace one's key")
            .tag("host agents")
            .about(
                "Signed with the present key. Both keys are accepted until the new one is first \
                 used; then the present one is void.",
            )
            .for_agents()
            .takes::<AgentRotateRequest>(true, json!({ "public_key": public_key }))
            .answers::<AgentRotated>(
                200,
                "Noted",
                AgentRotated { key_id: "56475aa75463474c".to_owned() },
            )
            .refuses(&shut_out)
            .refuses(&[ProblemKind::Busy, ProblemKind::StorageUnavailable])
            .done(),
        post(paths::AGENT_REPORTS, "report", "Bring events")
            .tag("host agents")
            .about(
                "All or nothing: an answer of 200 means that every event is on disk. The same body \
                 under the same `spool_id` and `sequence` is stored once, however often it is sent.",
            )
            .for_agents()
            .takes::<AgentReport>(true, json!(examples::agent_report()))
            .answers::<AgentReportAnswer>(
                200,
                "Stored",
                AgentReportAnswer { accepted: 1, duplicates: 0 },
            )
            .refuses(&shut_out)
            .refuses(&[ProblemKind::Busy, ProblemKind::StorageUnavailable])
            .done(),
        get(paths::AGENT_COMMANDS, "fetch_commands", "Fetch commands")
            .tag("host agents")
            .about("A command is handed out again until its result is told or its time is over.")
            .for_agents()
            .parameter(wait)
            .parameter(run)
            .parameter(machine)
            .answers::<SignedCommands>(200, "The commands, maybe none", examples::signed_commands())
            .mentions::<CommandPayload>()
            .refuses(&shut_out)
            .refuses(&[ProblemKind::Busy])
            .done(),
        post(paths::AGENT_COMMAND_FILE, "bring_file_part", "Bring a part of a file")
            .tag("host agents")
            .about(
                "The body is at most 524,288 bytes of the file, as they are. Only for a command \
                 `collect_file` of this agent that is delivered and has not ended. A part that was \
                 brought before changes nothing; a part that does not follow what is there is left, and \
                 the answer says where to go on. With the last byte the whole is checked and stored.",
            )
            .for_agents()
            .query::<FilePart>()
            .answers::<FilePartAnswer>(
                200,
                "What is there now",
                FilePartAnswer { received: 524_288, complete: false },
            )
            .refuses(&[
                ProblemKind::Conflict,
                ProblemKind::BodyTooLarge,
                ProblemKind::UnsupportedMediaType,
                ProblemKind::Busy,
                ProblemKind::StorageUnavailable,
            ])
            .done(),
        post(paths::AGENT_REFUSALS, "tell_refusals", "Tell of commands that were not believed")
            .tag("host agents")
            .about("Each reason raises an alert, or counts under the one that is open.")
            .for_agents()
            .takes::<CommandRefusals>(true, refusals)
            .answers_text(204, "Noted", "")
            .refuses(&[ProblemKind::Busy, ProblemKind::StorageUnavailable])
            .done(),
        post(paths::AGENT_COMMAND_RESULT, "tell_command_result", "Say what became of a command")
            .tag("host agents")
            .for_agents()
            .takes::<CommandResult>(true, result)
            .answers_text(204, "Noted", "")
            .refuses(&shut_out)
            .refuses(&[ProblemKind::Conflict, ProblemKind::Busy, ProblemKind::StorageUnavailable])
            .done(),
    ]
}
