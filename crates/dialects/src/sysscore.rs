//! The SysScore platform API: what its agents send and its readers expect.
//!
//! ```
//! use ringwall_dialects::sysscore::{Batch, EventContext};
//! use ringwall_event::Timestamp;
//!
//! let body = br#"{"events": [{"pid": 7, "syscall": "ptrace", "timestamp": "2026-01-15T10:00:00.5",
//!                  "metadata": {"anomaly_score": 3, "path": "/tmp"}}]}"#;
//! let batch = Batch::read(body).unwrap();
//! let received = Timestamp::from_micros(1_768_471_201_000_000);
//! let context = EventContext::new("agent-1", received);
//! let event = context.event(batch.items.into_iter().next().unwrap().unwrap());
//! assert_eq!(event.pid(), Some(7));
//! assert_eq!(event.time.to_string(), "2026-01-15T10:00:00.500000Z");
//! assert_eq!(event.original.as_deref(), Some(r#"{"anomaly_score": 3, "path": "/tmp"}"#));
//! ```

mod agent;
mod agent_webhook;
mod answer;
mod batch;
mod correlation_id;
mod date_time;
mod identity;
mod item;
mod metadata;
mod operator_token;
mod problem;
mod rows;

pub use agent::{Agent, AgentRegistration};
pub use agent_webhook::AgentWebhook;
pub use answer::{ItemResult, write_answer, write_replay};
pub use batch::Batch;
pub use correlation_id::{CORRELATION_ID_BYTES_MAX, accept_correlation_id};
pub use date_time::{parse_date_time, write_naive_iso};
pub use identity::IdentityHasher;
pub use item::{EventContext, Item, ItemError, first_equals};
pub use metadata::Metadata;
pub use operator_token::{OperatorTokenError, verify_operator_token};
pub use problem::Problem;
pub use rows::{EventRow, Page, ProcessRow, ScoreRow, process_id, split_process_id};

/// The description of the HTTP API: OpenAPI 3.1, its server at `/`.
pub const OPENAPI: &str = include_str!("sysscore/openapi.json");

/// The most items in one batch; more is a 422.
pub const ITEMS_MAX: usize = 10_000;

/// The longest name of a call, in bytes; more makes the item an error. The original takes any
/// length, so this leaves ample room.
pub const SYSCALL_BYTES_MAX: usize = 128 << 10;

/// The longest metadata of one item, in bytes of its JSON text; more makes the item an error.
pub const METADATA_BYTES_MAX: usize = 64 << 10;

/// The deepest nesting within metadata; more makes the item an error.
pub const METADATA_DEPTH_MAX: usize = 64;

/// The longest idempotency key, in bytes; a longer one is a 422.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 1024;

/// The longest id, name or host name of an agent, in characters.
pub const AGENT_TEXT_CHARS_MAX: usize = 256;
