//! Made-up events of made-up hosts, for benches, tests and demonstrations.
//!
//! Web servers, databases, bastions, workstations and build machines do what such machines do: daemons
//! run, cron jobs and shells start programs that start programs, connections come and go, sites are
//! visited and scanned, people sign in and others try to. Nothing here reads a clock or draws a
//! random number: the same [`Settings`] give the same events on every machine, and any part of the
//! time gives by itself what it gives as part of the whole.
//!
//! ```
//! use ringwall_event::Timestamp;
//! use ringwall_event_generator::{Generator, Settings};
//!
//! let start = Timestamp::from_micros(1_792_368_000_000_000);
//! let settings = Settings {
//!     seed: 7,
//!     hosts: 10,
//!     events: 5000,
//!     start,
//!     end: start.plus_seconds(86_400),
//!     host_prefix: "lab-".into(),
//! };
//! let generator = Generator::new(settings)?;
//! let events: usize = generator.batches().map(|batch| batch.events.len()).sum();
//! assert_eq!(events, 5000);
//! # Ok::<(), ringwall_event_generator::SettingsError>(())
//! ```
#![forbid(unsafe_code)]

mod batches;
mod connections;
mod host_run;
mod hosts;
mod needles;
mod pending;
mod programs;
mod random;
mod requests;
mod rhythm;
mod schedule;
mod settings;
mod sign_ins;
mod text;
mod world;

pub use batches::{Batch, Batches, Generator};
pub use needles::{Needle, NeedleKind, Occurrence};
pub use settings::{Settings, SettingsError};
