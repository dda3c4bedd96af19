//! The one security event, and the words around it.
//!
//! Everything that reports to the server becomes an [`Event`]: compact in memory, with an OCSF-named
//! JSON face ([`ocsf`]) and the sender's original kept beside it.
//!
//! ```
//! use ringwall_event::{Event, EventId, Activity, Process, Severity, Source, Timestamp};
//!
//! let event = Event {
//!     id: EventId::from_parts(1_700_000_000_000, 0, 0),
//!     time: Timestamp::from_micros(1_700_000_000_000_000),
//!     received: Timestamp::from_micros(1_700_000_000_100_000),
//!     source: Source::new("host-agent", "web-1"),
//!     host: "web-1".into(),
//!     severity: Severity::Informational,
//!     activity: Activity::ProcessStarted(Process { pid: 42, name: "nginx".into(), ..Process::default() }),
//!     original: None,
//! };
//! assert_eq!(event.to_ocsf()["class_uid"], 1007);
//! ```

mod absolute_path;
mod activity;
mod agent_health;
mod alert;
mod app_guard;
mod command;
mod container;
mod event_id;
mod events_lost;
pub mod form_1;
mod network;
mod ocsf;
mod order;
mod severity;
mod source;
mod timestamp;

pub use absolute_path::{AbsolutePath, AbsolutePathError};
pub use activity::{
    Activity, Connection, HttpRequest, Inventory, Process, ProcessRef, SignIn, SystemInfo,
};
pub use agent_health::AgentHealth;
pub use alert::{Alert, AlertState, Finding};
pub use app_guard::AppGuardEvent;
pub use command::{CollectedFile, Command, CommandState};
pub use container::Container;
pub use event_id::{EventId, EventIdError};
pub use events_lost::EventsLost;
pub use network::{Network, NetworkError};
pub use order::{
    BlockTarget, CommandAction, CommandId, CommandIdError, FileTarget, Order, ProcessTarget,
    QuarantineTarget, UnblockTarget,
};
pub use severity::Severity;
pub use source::Source;
pub use timestamp::{Timestamp, TimestampError};

use serde::{Deserialize, Serialize};

/// One observation, as the server keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Sorts by the time of receipt; unique over all sources.
    pub id: EventId,
    /// When it happened, as the sender claims; the time of receipt where the sender does not say.
    pub time: Timestamp,
    /// When the server took it.
    pub received: Timestamp,
    /// The authenticated (or, for a dialect without credentials, the claimed) sender.
    pub source: Source,
    /// The name of the host it happened on.
    pub host: Box<str>,
    /// How bad it is by itself.
    pub severity: Severity,
    /// What happened.
    pub activity: Activity,
    /// The sender's own JSON text, as received, where the typed fields do not hold all of it.
    pub original: Option<Box<str>>,
}

impl Event {
    /// The pid of the process that the event is about, where there is one.
    pub fn pid(&self) -> Option<i64> {
        self.activity.pid()
    }

    /// The JSON face: OCSF 1.x class and field names.
    pub fn to_ocsf(&self) -> serde_json::Value {
        ocsf::event(self)
    }
}
