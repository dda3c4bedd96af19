//! What a host shows, and the hands that act on it.
//!
//! A [`Probe`] watches: processes as they start and end, connections as they open and close, and a
//! full picture now and then, all as [`ringwall_event::Activity`]. [`hands`] end a process whose
//! identity is pinned first. Everything that a host's users control (names, command lines, files) is
//! read as hostile bytes: bounded, never panicking, secrets masked before anything leaves.
//!
//! ```no_run
//! use ringwall_host_probes::{Batch, LinuxProbe, Probe, ProbeSettings};
//! use std::time::Duration;
//!
//! let mut probe = LinuxProbe::new(ProbeSettings::default())?;
//! probe.start()?;
//! let mut batch = Batch::default();
//! loop {
//!     probe.next_batch(Duration::from_secs(1), &mut batch)?;
//!     for observation in batch.observations.drain(..) {
//!         let (_when, _what) = (observation.time, observation.activity);
//!     }
//! }
//! # #[allow(unreachable_code)]
//! # Ok::<(), ringwall_host_probes::ProbeError>(())
//! ```

#![forbid(unsafe_code)]

mod probe;

pub mod secret_mask;

#[cfg(target_os = "linux")]
mod boot_clock;
#[cfg(target_os = "linux")]
pub mod cgroup_path;
#[cfg(target_os = "linux")]
mod containers;
#[cfg(target_os = "linux")]
pub mod firewall;
#[cfg(target_os = "linux")]
pub mod hands;
#[cfg(target_os = "linux")]
mod linux_probe;
#[cfg(target_os = "linux")]
pub mod plain_file;
#[cfg(target_os = "linux")]
pub mod process_connector;
#[cfg(target_os = "linux")]
pub mod procfs;
#[cfg(target_os = "linux")]
mod program_file;
#[cfg(target_os = "linux")]
pub mod quarantine;
#[cfg(target_os = "linux")]
pub mod sock_diag;
#[cfg(target_os = "linux")]
pub mod user_names;

#[cfg(target_os = "linux")]
pub use linux_probe::LinuxProbe;
pub use probe::{
    Batch, Capabilities, ConnectionSource, Observation, Probe, ProbeError, ProbeSettings,
    ProcessChanges,
};
