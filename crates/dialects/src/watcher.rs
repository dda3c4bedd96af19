//! The Watcher server: what its agents send and its readers expect.
//!
//! ```
//! use ringwall_dialects::watcher::Payload;
//! use ringwall_event::{Activity, Timestamp};
//!
//! let body = br#"{"hostname": "mac.local", "timestamp": "2024-01-15T10:30:00",
//!                 "processes": [{"pid": "1234", "name": "python3"}]}"#;
//! let event = Payload::read(body).unwrap().into_event(Timestamp::from_millis(1_705_314_600_250));
//! assert_eq!(event.source.to_string(), "watcher:mac.local");
//! let Activity::Inventory(picture) = &event.activity else { panic!() };
//! assert_eq!(picture.processes[0].pid, 1234);
//! assert!(event.original.unwrap().contains(r#""name":"python3","command_line":null"#));
//! ```

mod event;
mod local_time;
mod payload;
mod read;
mod rows;
mod surface;

pub use payload::{Payload, ReportedConnection, ReportedProcess};
pub use rows::{
    AlertRow, SeverityBreakdown, StatsRow, original_event_extract, write_commands, write_events,
};
pub use surface::{OPENAPI, detail, health_body, root_body};

/// The most processes in one payload; more is a 422.
pub const PROCESSES_MAX: usize = 50_000;

/// The most connections in one payload; more is a 422.
pub const CONNECTIONS_MAX: usize = 50_000;

/// The longest hostname in bytes; a longer or empty one is a 422.
pub const HOSTNAME_BYTES_MAX: usize = 255;

/// The longest timestamp in bytes; more is a 422.
pub const TIMESTAMP_BYTES_MAX: usize = 1024;

/// How much of a process name is kept, in bytes. Processes choose their names and arguments, so what
/// is longer is cut: a refusal would let one process hide all others of its host.
pub const NAME_BYTES_MAX: usize = 1024;

/// How much of a command line is kept, in bytes.
pub const COMMAND_LINE_BYTES_MAX: usize = 32 << 10;

/// How much of every other text of a process or connection is kept, in bytes.
pub const TEXT_BYTES_MAX: usize = 255;

/// The longest `system_info` in bytes of its JSON text; more is a 422.
pub const SYSTEM_INFO_BYTES_MAX: usize = 64 << 10;

/// The deepest nesting within `system_info`; more is a 422.
pub const SYSTEM_INFO_DEPTH_MAX: usize = 64;

/// How many payloads `GET /events` answers with at most: what the original holds.
pub const EVENTS_MAX: usize = 1000;

/// How many payloads `GET /events` answers with where the reader does not say.
pub const EVENTS_DEFAULT: usize = 50;

/// How many alerts `GET /alerts` answers with at most.
pub const ALERTS_MAX: usize = 100;
