use ringwall_event::{Activity, Timestamp};
use serde::Serialize;
use std::time::Duration;

/// Watches a host. One implementation per kind of kernel; a program drives it from one thread.
pub trait Probe: Send {
    /// Begins to watch, and takes the first full picture.
    ///
    /// # Errors
    /// Where nothing at all can be seen on this host.
    fn start(&mut self) -> Result<(), ProbeError>;

    /// Waits at most `wait` for changes and adds them to `batch`.
    ///
    /// Changes that come close together arrive together; a full picture is an
    /// [`Activity::Inventory`] among them.
    ///
    /// # Errors
    /// Where watching has come to an end.
    fn next_batch(&mut self, wait: Duration, batch: &mut Batch) -> Result<(), ProbeError>;

    /// What can be seen here; right after [`Probe::start`].
    fn capabilities(&self) -> &Capabilities;
}

/// Something that was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// When.
    pub time: Timestamp,
    /// What.
    pub activity: Activity,
    /// The system call that shows itself in it, where it is clear which: `execve`, `connect`, ….
    pub system_call: Option<&'static str>,
}

/// What one wait brought.
#[derive(Debug, Default)]
pub struct Batch {
    /// What was seen, in order.
    pub observations: Vec<Observation>,
    /// How often the kernel lost notices of processes; each loss was followed by a look at all.
    pub losses: u64,
    /// Whether anything was put off to stay within the probe's budget.
    pub throttled: bool,
    /// Connections that are open and not followed, as there are too many.
    pub connections_left_out: u64,
}

/// What a probe can see on its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// How starts and ends of processes are learned.
    pub process_changes: ProcessChanges,
    /// Whether the processes of other users show their program file and their sockets.
    pub other_users: bool,
    /// How connections are learned.
    pub connections: ConnectionSource,
}

/// How connections are learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "by", content = "because")]
#[non_exhaustive]
pub enum ConnectionSource {
    /// The kernel lists sockets over netlink.
    SockDiag,
    /// From the tables in procfs, for this reason.
    Procfs(String),
    /// Not at all.
    None,
}

impl ConnectionSource {
    /// Its name in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SockDiag => "sock_diag",
            Self::Procfs(_) => "procfs",
            Self::None => "none",
        }
    }
}

impl ProcessChanges {
    /// Its name in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ProcessConnector => "process_connector",
            Self::Scan(_) => "scan",
        }
    }
}

/// How starts and ends of processes are learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "by", content = "because")]
#[non_exhaustive]
pub enum ProcessChanges {
    /// The kernel tells of each at once.
    ProcessConnector,
    /// By looking several times a second, for this reason; what lives shorter may be missed.
    Scan(String),
}

/// How a probe watches.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeSettings {
    /// From one full picture to the next.
    pub collection_interval: Duration,
    /// Changes are held back this long, so that those that belong together travel together.
    pub coalesce: Duration,
    /// Whether to use the kernel's process connector where it is permitted.
    pub process_connector: bool,
    /// Whether to report system calls that are no change by themselves: `ptrace`, `setuid`.
    pub system_calls: bool,
    /// Whether to take the SHA-256 of program files.
    pub executable_digests: bool,
    /// Whether to list sockets over netlink where the kernel does.
    pub sock_diag: bool,
    /// What this program may use of one core on average, in percent; none: as much as it takes. Beyond
    /// it, pictures, digests and connections wait; starts and ends of processes never do.
    pub cpu_percent_max: Option<f64>,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self {
            collection_interval: Duration::from_secs(15),
            coalesce: Duration::from_millis(25),
            process_connector: true,
            system_calls: false,
            executable_digests: true,
            sock_diag: true,
            cpu_percent_max: None,
        }
    }
}

/// Why a host cannot be watched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The process file system cannot be read.
    #[error("cannot read `/proc`: {0}")]
    Procfs(String),
    /// The kernel does not say when it started.
    #[error("`/proc/stat` does not tell when this host started")]
    BootTime,
    /// No probe is written for this kind of kernel yet.
    #[error("this program cannot watch hosts of this kind yet")]
    Unsupported,
}
