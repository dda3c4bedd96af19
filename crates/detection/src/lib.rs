//! Events to alerts: indicators, the new-process rule, and what runs on each host.
//!
//! Nothing here reads a clock or a file: state, a batch of events and the compiled indicators go in,
//! [`Proposal`]s come out, and the caller acts.
//!
//! ```
//! use ringwall_detection::{DetectionRules, HostState, IndicatorSet, Kill, conclude, default_indicators};
//! use ringwall_event::{Activity, Event, EventId, Process, Severity, Source, Timestamp};
//!
//! let now = Timestamp::parse("2026-01-15T10:00:00Z").unwrap();
//! let indicators = IndicatorSet::new(default_indicators());
//! let mut host = HostState::default();
//! let started = Event {
//!     id: EventId::from_parts(1, 0, 0),
//!     time: now,
//!     received: now,
//!     source: Source::new(Source::HOST_AGENT, "web-1"),
//!     host: "web-1".into(),
//!     severity: Severity::Informational,
//!     activity: Activity::ProcessStarted(Process { pid: 42, name: "evil.sh".into(), ..Process::default() }),
//!     original: None,
//! };
//! let proposals = conclude(&mut host, &[started], &indicators, &DetectionRules::default());
//! assert_eq!(proposals[0].title, "known bad process 'evil.sh'");
//! assert_eq!(proposals[0].kill, Kill::Order);
//! ```
#![forbid(unsafe_code)]

mod conclusions;
mod default_indicators;
pub mod form_1;
mod host_table;
mod indicator;
mod indicator_import;
mod indicator_set;
mod new_process;

pub use conclusions::{
    DetectionRules, HostState, Kill, Proposal, RiskRise, conclude, conclude_known,
};
pub use default_indicators::{DUAL_USE_NAMES, WATCHER_NAMES, default_indicators};
pub use host_table::{
    CONNECTIONS_MAX, Change, HostConnection, HostProcess, HostTable, PROCESSES_MAX, ReportedHealth,
};
pub use indicator::{
    Indicator, IndicatorAction, IndicatorError, IndicatorKind, IndicatorOrigin, IndicatorValue,
};
pub use indicator_import::{
    IMPORT_BYTES_MAX, IMPORT_ITEMS_MAX, Import, ImportError, REFUSED_MAX, RefusedItem, import_json,
    import_text,
};
pub use indicator_set::{IndicatorMatch, IndicatorSet, MatchedOn};
pub use new_process::{Learning, NAMES_MAX, SeenNames};
