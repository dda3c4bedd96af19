//! The HTTP API described once: paths, bodies, error codes, OpenAPI.
//!
//! The server answers with these types, the client and the command line read them, and
//! [`openapi()`] describes them, so the three cannot drift apart. Everything here is data: no I/O,
//! no clock.
//!
//! ```
//! use ringwall_server_api::{Page, Problem, ProblemKind, paths};
//!
//! let problem = Problem::new(ProblemKind::NotFound, "there is no alert `17`");
//! assert_eq!(problem.status, 404);
//! assert_eq!(problem.type_uri, "urn:ringwall:problem:not-found");
//!
//! let page: Page<u32> = serde_json::from_str(r#"{"data":[3,2],"next_cursor":null}"#).unwrap();
//! assert_eq!(page.data, [3, 2]);
//! assert_eq!(paths::fill(paths::ALERT, "a/b"), "/api/v1/alerts/a%2Fb");
//! ```
#![forbid(unsafe_code)]

pub mod paths;

mod page;
mod problem;
mod secret_text;

mod agents;
mod alerts;
mod audit;
mod commands;
mod events;
mod guard_automatic;
mod guard_bans;
mod guard_projects;
mod guard_rules;
mod guard_telemetry;
mod health;
mod holds;
mod hosts;
mod identities;
mod indicators;
mod keys;
mod overview;
mod scores;
mod session;
mod sql_query;
mod store;
mod stream;
mod timeline;
mod tokens;
mod users;
mod webhooks;

mod examples;
mod openapi;
mod schemas;
mod source_text;

pub use page::{LIMIT_DEFAULT, LIMIT_MAX, Page, PageQuery};
pub use problem::{Problem, ProblemDetail, ProblemKind};
pub use secret_text::SecretText;

pub use agents::{
    AgentEvent, AgentReport, AgentReportAnswer, CommandOutcome, CommandPayload, CommandRefusal,
    CommandRefusals, CommandResult, FILE_PART_BYTES_MAX, FilePart, FilePartAnswer, RefusedBecause,
    SignedCommand, SignedCommands, WAIT_SECONDS_MAX, header,
};
pub use alerts::{AlertQuery, AlertRow, KillRequest, NOTE_CHARS_MAX, NoteRequest};
pub use audit::{AuditOutcome, AuditRow};
pub use commands::{CommandQuery, CommandRequest, CommandRow};
pub use events::{EventQuery, EventRow};
pub use guard_automatic::{GuardAutomatic, GuardAutomaticRule, GuardAutomaticWhen};
pub use guard_bans::{
    BAN_SECONDS_MAX, BAN_SECONDS_MIN, GuardBanOrigin, GuardBanQuery, GuardBanRequest, GuardBanRow,
    GuardBanState, GuardLiftRequest,
};
pub use guard_projects::{
    GRACE_SECONDS_DEFAULT, GRACE_SECONDS_MAX, GuardProjectChange, GuardProjectKeys,
    GuardProjectRequest, GuardProjectRow, GuardRotateRequest,
};
pub use guard_rules::{
    GuardHistoryQuery, GuardPreview, GuardPreviewRequest, GuardPreviewRule, GuardPreviewSample,
    GuardPublished, GuardRestoreRequest, GuardRules, GuardRulesEditRow, GuardRulesRequest,
    PREVIEW_HOURS_DEFAULT, PREVIEW_HOURS_MAX,
};
pub use guard_telemetry::{
    GUARD_ENDPOINTS_MAX, GuardAgentRow, GuardEventQuery, GuardEventRow, GuardMetricEndpoint,
    GuardMetricPoint, GuardMetricQuery, GuardMetrics,
};
pub use health::{Health, HealthStatus};
pub use holds::{HoldRequest, HoldRow};
pub use hosts::{HostHealth, HostProcess, HostRow};
pub use identities::{
    AgentEnrolRequest, AgentEnrolled, AgentRotateRequest, AgentRotated, EnrolmentCreated,
    EnrolmentRequest, EnrolmentRow, HostIdentity, IdentityReason, IdentityRow, IdentityState,
};
pub use indicators::{
    IndicatorAction, IndicatorImport, IndicatorImportAnswer, IndicatorKind, IndicatorOrigin,
    IndicatorRefusal, IndicatorRequest, IndicatorRow,
};
pub use keys::{KeyCreated, KeyKind, KeyOrigin, KeyRequest, KeyRow};
pub use overview::{
    AlertCounts, BusyHost, CommandCounts, EventCounts, HostCounts, IntakeLoad, Minute, Overview,
    ServerFacts, SeverityCounts,
};
pub use scores::{ScoreQuery, ScoreRow};
pub use session::{Role, SESSION_COOKIE, SESSION_COOKIE_HTTPS, Session, SessionRequest};
pub use sql_query::{
    QueryAnswer, QueryColumn, QueryDone, QueryFailure, QueryFormat, QueryLine, QueryProgress,
    QueryRequest,
};
pub use store::{STORE_DAYS_MAX, StoreArchive, StoreDay, StoreIntake, StoreStats};
pub use stream::{EventsRow, Lagged, StreamEvent, StreamQuery, Tick, Topic};
pub use timeline::{TIMELINE_SERIES_MAX, Timeline, TimelineGroup, TimelineQuery, TimelineSeries};
pub use tokens::{TokenCreated, TokenRequest, TokenRow};
pub use users::{
    OwnPasswordRequest, PasswordAnswer, PasswordRequest, SessionQuery, SessionRow, UserChange,
    UserRequest, UserRow,
};
pub use webhooks::{
    AttemptRow, DeliveryCounts, DeliveryDetail, DeliveryQuery, DeliveryRow, DeliveryState,
    ReplayAnswer, WebhookChange, WebhookCreated, WebhookFormat, WebhookRequest, WebhookRow,
    WebhookSecret,
};

pub use openapi::openapi;

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;
    use serde_json::json;

    #[test]
    fn what_is_sent_is_read_back() {
        check(examples::alert());
        check(examples::command());
        check(examples::event());
        check(examples::host());
        check(examples::host_process());
        check(examples::score());
        check(examples::indicator());
        check(examples::key());
        check(examples::key_created());
        check(examples::token());
        check(examples::webhook());
        check(examples::guard_project());
        check(examples::guard_project_keys());
        check(examples::guard_rules());
        check(examples::guard_rules_edit());
        check(examples::guard_preview());
        check(examples::guard_ban());
        check(examples::guard_automatic());
        check(examples::guard_agent());
        check(examples::guard_event());
        check(examples::guard_metrics());
        check(examples::delivery());
        check(examples::delivery_detail());
        check(examples::audit());
        check(examples::user());
        check(examples::open_session());
        check(examples::overview());
        check(examples::session());
        check(examples::store());
        check(examples::query_request());
        check(examples::query_answer());
        check(examples::agent_report());
        check(examples::signed_commands());
        check(Page { data: vec![examples::alert()], next_cursor: None });
    }

    #[track_caller]
    fn check<T: serde::Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T) {
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
    }

    #[test]
    fn the_stream_reads_what_it_writes() {
        let events = [
            StreamEvent::Alert(Box::new(examples::alert())),
            StreamEvent::Command(Box::new(examples::command())),
            StreamEvent::Host(Box::new(examples::host())),
            StreamEvent::Events(EventsRow { events: vec![examples::event()] }),
            StreamEvent::Tick(Tick { events_total: 7, ..Tick::default() }),
            StreamEvent::Lagged(Lagged { missed: 3 }),
        ];
        for event in events {
            let data = event.data().unwrap();
            assert!(!data.contains('\n'));
            assert_eq!(StreamEvent::read(event.name(), &data).unwrap(), Some(event));
        }
        assert_eq!(StreamEvent::read("of-a-later-version", "?").unwrap(), None);
    }

    #[test]
    fn requests_with_unknown_fields_are_refused() {
        let body = json!({ "kind": "process", "value": "x", "severty": "low" });
        assert!(serde_json::from_value::<IndicatorRequest>(body).is_err());
        let body = json!({ "host": "no-colon", "action": "kill_process", "pid": 7, "name": "x", "reason": "" });
        let error = serde_json::from_value::<CommandRequest>(body).unwrap_err().to_string();
        assert_eq!(error, "not of the form `dialect:name`: `no-colon`");
    }

    #[test]
    fn secrets_do_not_print() {
        let key = examples::key_created();
        assert!(!format!("{key:?}").contains(key.secret.expose()));
    }
}
