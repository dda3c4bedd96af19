use crate::reporting::SpoolSettings;
use ringwall_host_probes::ProbeSettings;
use ringwall_host_probes::hands::{Patience, Protected};
use ringwall_server_client::Trust;
use ringwall_signing::{PublicKey, SigningKey};
use std::path::PathBuf;
use std::time::Duration;

/// How a host agent that speaks to a Ringwall server runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address of the server, as in `http://127.0.0.1:7400`.
    pub server_url: String,
    /// The name under which the server knows this agent.
    pub agent_name: String,
    /// What its requests are signed with.
    pub key: SigningKey,
    /// What the server signs commands with; no other is believed.
    pub server_public_key: PublicKey,
    /// Who may vouch for the server over https.
    pub trust: Trust,
    /// How this host is watched and acted on.
    pub host: HostSettings,
    /// The folder in which the agent keeps what outlives it; made where it is missing.
    pub state_dir: PathBuf,
    /// What tells this machine from others; none where there is nothing of the kind.
    pub machine: Option<String>,
    /// How old the key may become before it is replaced; zero for any age.
    pub rotate_key_every: Duration,
}

impl Settings {
    /// Where events wait.
    pub(crate) fn spool(&self) -> SpoolSettings {
        SpoolSettings {
            folder: self.state_dir.join("spool"),
            bytes_max: self.host.spool_bytes_max,
            memory_bytes_max: self.host.buffer_bytes_max,
        }
    }
}

/// How a host is watched and acted on, whoever the server is.
#[derive(Clone, Debug, PartialEq)]
pub struct HostSettings {
    /// From one full picture to the next.
    pub collection_interval: Duration,
    /// Processes that are never ended, beside the first one, the agent and its parent.
    pub protected: Protected,
    /// How long a process may take to end after SIGTERM.
    pub patience: Patience,
    /// What waits on the disk while the server cannot be reached, in bytes; beyond it pictures are dropped
    /// first, then the oldest events.
    pub spool_bytes_max: u64,
    /// The same in memory, where the disk cannot be used.
    pub buffer_bytes_max: u64,
    /// No larger file is collected for the server, in bytes.
    pub collect_bytes_max: u64,
    /// Whether to use the kernel's process connector where it is permitted.
    pub process_connector: bool,
    /// Whether to list sockets over netlink where the kernel does.
    pub sock_diag: bool,
    /// Whether to take the SHA-256 of program files.
    pub executable_digests: bool,
    /// What the agent may use of one core on average, in percent; none: as much as it takes.
    pub cpu_percent_max: Option<f64>,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            collection_interval: Duration::from_secs(15),
            protected: Protected {
                system_programs: SYSTEM_PROGRAMS.iter().map(|name| (*name).into()).collect(),
                ..Protected::default()
            },
            patience: Patience::default(),
            spool_bytes_max: 256 << 20,
            buffer_bytes_max: 8 << 20,
            collect_bytes_max: 16 << 20,
            process_connector: true,
            sock_diag: true,
            executable_digests: true,
            cpu_percent_max: Some(CPU_PERCENT_MAX),
        }
    }
}

impl HostSettings {
    /// What the probe needs to know.
    pub(crate) fn probe(&self) -> ProbeSettings {
        ProbeSettings {
            collection_interval: self.collection_interval,
            process_connector: self.process_connector,
            sock_diag: self.sock_diag,
            executable_digests: self.executable_digests,
            cpu_percent_max: self.cpu_percent_max,
            ..ProbeSettings::default()
        }
    }
}

/// What an agent allows itself of one core where nothing else is said, in percent.
pub(crate) const CPU_PERCENT_MAX: f64 = 5.0;

/// Without these a host cannot be reached or does not work any more, or nobody watches it. The system's own
/// only: whoever else runs under one of these names, or runs one of these programs, is ended like any other.
const SYSTEM_PROGRAMS: [&str; 28] = [
    "NetworkManager",
    "agetty",
    "auditd",
    "containerd",
    "containerd-shim",
    "containerd-shim-runc-v2",
    "dbus-broker",
    "dbus-broker-launch",
    "dbus-daemon",
    "dockerd",
    "dumb-init",
    "init",
    "kubelet",
    "openrc-init",
    "ringwall",
    "ringwall-host-agent",
    "runit",
    "s6-svscan",
    "sshd",
    "sshd-auth",
    "sshd-session",
    "systemd",
    "systemd-journald",
    "systemd-logind",
    "systemd-networkd",
    "systemd-resolved",
    "systemd-udevd",
    "tini",
];
