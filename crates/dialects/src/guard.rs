//! The guard family: telemetry of web applications that are guarded from inside, and the rules they get.
//!
//! Clients of every version write these bodies, in the forms that Python's JSON writer gives them, so
//! reading is lenient: a batch is refused only where nothing in it can be read. What is left out of a
//! batch is counted and shown with its reason ([`LeftOut`]).
//!
//! ```
//! use ringwall_dialects::guard::{EventClass, TimeForm, read_batch};
//!
//! let body = br#"{"project_id":"default","batch_id":"1763669799561-0a1b2c3d","metrics":[
//!     {"timestamp":"2026-11-20 20:16:39","metric_type":"response_time","value":NaN,"tags":{}}],
//!   "events":[{"timestamp":"2026-11-20 20:16:39.561480+00:00","event_type":"ip_banned",
//!     "ip_address":"203.0.113.9","action_taken":"banned","reason":"\udc80"}]}"#;
//! let batch = read_batch(body).unwrap();
//! let event = &batch.events[0];
//! assert_eq!(event.timestamp.to_string(), "2026-11-20T20:16:39.561480Z");
//! assert_eq!(&*event.reason, "\u{fffd}");
//! assert_eq!(event.class(), EventClass::Ban);
//! assert_eq!(batch.left_out.items_total, 1);
//! assert_eq!(batch.left_out.items[0].reason.to_string(), "`value` is not a finite number");
//! assert!(batch.write(TimeForm::Space).starts_with(br#"{"project_id":"default","events":[{"#));
//! ```

mod ascii_json;
mod batch;
mod dynamic_rules;
mod envelope;
mod event;
mod event_context;
mod event_type;
mod left_out;
mod metric;
mod network;
mod payload_signature;
mod status;
mod text;
mod time_form;

pub use ascii_json::{push_number, push_text, push_value};
pub use batch::{Batch, BatchError, read_batch};
pub use dynamic_rules::{
    CLOUD_PROVIDERS, DynamicRules, EndpointRate, RuleFault, RulesAnswer, RulesError,
};
pub use envelope::{EncryptionKey, EncryptionKeyError, Envelope, EnvelopeError};
pub use event::Event;
pub use event_context::{EventContext, SET_ASIDE};
pub use event_type::{EventClass, KNOWN_EVENT_TYPES, class_of, severity_of};
pub use left_out::{ItemKind, LeftOut, LeftOutItem, LeftOutReason};
pub use metric::{KNOWN_METRIC_TYPES, Metric};
pub use network::{NetworkError, parse_network};
pub use payload_signature::{sign, verify};
pub use status::Status;
pub use time_form::TimeForm;

/// The most events and metrics together in one batch; more is [`BatchError::TooManyItems`], which a
/// server answers with 413, so that the client halves the batch.
pub const ITEMS_MAX: usize = 20_000;

/// The longest idempotency key in bytes that is kept as it is; a longer one is kept as its digest.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;

/// How much of a short text (types, names, versions, methods) is kept, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// How much of a long text (user agent, reason, path, pattern) is kept, in bytes.
pub const TEXT_BYTES_MAX: usize = 8 << 10;

/// How much of an event's `metadata` is kept, in bytes of its JSON text.
pub const METADATA_BYTES_MAX: usize = 64 << 10;

/// How much of an event's unknown fields is kept, in bytes of their JSON text.
pub const EXTRA_BYTES_MAX: usize = 16 << 10;

/// How many unknown fields of an event, or members of its `metadata`, are kept.
pub const MEMBERS_MAX: usize = 256;

/// The deepest nesting within `metadata` and unknown fields; what is deeper is kept as text.
pub const DEPTH_MAX: usize = 32;

/// How many tags of a metric are kept.
pub const TAGS_MAX: usize = 64;

/// How many errors of a status are kept.
pub const STATUS_ERRORS_MAX: usize = 50;
