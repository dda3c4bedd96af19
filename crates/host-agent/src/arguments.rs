use crate::enrol::Enrolment;
use crate::identity::Identity;
use crate::own_limits::Limits;
use crate::rotation::not_enrolled;
use crate::settings::{CPU_PERCENT_MAX, HostSettings, Settings};
use crate::trust::Authority;
use crate::{machine, state_dir};
use clap::ValueEnum;
use ringwall_host_probes::hands::Patience;
use ringwall_lifecycle::Failure;
use ringwall_lifecycle::private_file::{self, PrivateFileError};
use ringwall_signing::Secret;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Watch this host, report to a server, and carry out its commands
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do instead of watching
    #[command(subcommand)]
    pub action: Option<Action>,

    /// Where the server is [default: http://127.0.0.1:7400; of the other dialects: their port on
    /// this machine]
    #[arg(long, value_name = "URL", global = true)]
    pub server: Option<String>,

    /// What kind of server it is
    #[arg(long, value_enum, default_value_t, global = true)]
    pub dialect: Dialect,

    /// The name of this host agent: to ask for when it enrols, else with `--dialect sysscore`
    /// [default: that of the host, or the one in the key file]
    #[arg(long, value_name = "NAME", global = true, visible_alias = "agent-id")]
    pub name: Option<String>,

    /// The key of this host agent, for `--dialect sysscore`: JSON with name and secret, as `ringwall
    /// keys create sysscore NAME --json` prints it; nobody else may read the file
    #[arg(long, value_name = "FILE", global = true)]
    pub key_file: Option<PathBuf>,

    /// The secret of this host agent alone, for `--dialect sysscore`; nobody else may read the file
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "key_file")]
    pub secret_file: Option<PathBuf>,

    /// Keep what outlives the agent in this folder, which nobody else may look into [default:
    /// /var/lib/ringwall-host-agent for root, else ringwall-host-agent in $XDG_STATE_HOME or
    /// ~/.local/state]
    #[arg(
        long,
        value_name = "DIRECTORY",
        global = true,
        env = "RINGWALL_AGENT_STATE_DIR",
        hide_env_values = true
    )]
    pub state_dir: Option<PathBuf>,

    /// Who vouches for the server over https: a file with the certificate of its authority, or the
    /// fingerprint of that [default: what the server told when this host enrolled]
    #[arg(
        long,
        value_name = "FILE|sha256:...",
        global = true,
        env = "RINGWALL_CA",
        hide_env_values = true
    )]
    pub ca: Option<String>,

    /// The name that the server's certificate is for, where that is not in its address
    #[arg(long, value_name = "NAME", global = true)]
    pub tls_name: Option<String>,

    /// What tells this machine from others; in a container, that of the host
    #[arg(long, value_name = "FILE", global = true, env = "RINGWALL_MACHINE_ID_FILE",
          hide_env_values = true, default_value = machine::MACHINE_ID)]
    pub machine_id_file: PathBuf,

    /// Days after which the agent replaces its key; 0 for never
    #[arg(long, value_name = "DAYS", global = true, default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(0..=3650))]
    pub rotate_key_days: u64,

    /// Seconds from one full picture to the next
    #[arg(long, value_name = "SECONDS", global = true, default_value_t = 15,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub collection_interval: u64,

    /// Seconds from one poll for commands to the next, with `--dialect watcher`
    #[arg(long, value_name = "SECONDS", global = true, default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub command_poll_interval: u64,

    /// Never end processes of this name, NAME@USER for those of one user only; may be repeated. A process
    /// chooses its name, so without a user whoever takes the name is safe, too
    #[arg(long, value_name = "NAME", global = true)]
    pub protect: Vec<String>,

    /// Seconds that a process may take to end after SIGTERM, before SIGKILL
    #[arg(long, value_name = "SECONDS", global = true, default_value_t = 2,
          value_parser = clap::value_parser!(u64).range(0..=60))]
    pub grace: u64,

    /// Bytes that events may take on the disk while the server cannot be reached; beyond it pictures are
    /// dropped first, then the oldest events
    #[arg(long, value_name = "BYTES", global = true, default_value_t = 256 << 20,
          value_parser = clap::value_parser!(u64).range(65_536..))]
    pub spool_bytes_max: u64,

    /// MiB of events held in memory where the state directory cannot be written
    #[arg(long, value_name = "MIB", global = true, default_value_t = 8,
          value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub buffer: u64,

    /// Percent of one core that the agent may use on average; beyond it, pictures, digests and
    /// connections come later, starts and ends of processes do not; 0: no limit
    #[arg(long, value_name = "PERCENT", global = true, default_value_t = CPU_PERCENT_MAX,
          value_parser = percent)]
    pub cpu_max: f64,

    /// MiB of memory that the agent may allocate; 0: no limit
    #[arg(long, value_name = "MIB", global = true, default_value_t = 256,
          value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
    pub memory_max: u64,

    /// How far the agent gives way to other programs, for the processor and for disks; 0 to 19
    #[arg(long, value_name = "NICENESS", global = true, default_value_t = 5,
          value_parser = clap::value_parser!(u8).range(0..=19))]
    pub nice: u8,

    /// MiB that a file may have to be collected for the server; 0 collects none
    #[arg(long, value_name = "MIB", global = true, default_value_t = 16,
          value_parser = clap::value_parser!(u64).range(0..=4096))]
    pub collect_max: u64,

    /// Find processes by scanning, even where the kernel would tell of them
    #[arg(long, global = true)]
    pub no_process_connector: bool,

    /// Read connections from /proc, even where the kernel lists sockets over netlink
    #[arg(long, global = true)]
    pub no_sock_diag: bool,

    /// Do not take the SHA-256 of program files
    #[arg(long, global = true)]
    pub no_executable_digests: bool,

    /// End when the process that started this one ends
    #[arg(long)]
    pub exit_with_parent: bool,
}

const EXAMPLES: &str = "\
Examples:
  ringwall-host-agent enrol --server http://127.0.0.1:7400 --token-file token
  ringwall-host-agent
  ringwall-host-agent check
  ringwall-host-agent top
  ringwall-host-agent --dialect watcher --command-poll-interval 60
  ringwall-host-agent --dialect sysscore --agent-id agent-1 --secret-file secret";

/// What to do instead of watching.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Action {
    /// Tell what this agent can see and do here; exit 0 when all is well, 1 when not
    Check {
        /// Print the checks as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show live what this agent sees here: processes, connections, containers, and its own budget
    ///
    /// Needs no server. Without root it shows the processes of other users in part. In a terminal,
    /// q quits, c and m sort by processor and memory; anything else gets one picture as plain text.
    Top(TopArguments),
    /// Get an identity from a server, with a one-time token; then the agent runs without arguments
    #[command(after_help = ENROL_EXAMPLES)]
    Enrol {
        /// The token, as `ringwall hosts enrol` prints it. Everybody on this host can read arguments:
        /// rather give it by --token-file, or in the environment
        #[arg(
            long,
            value_name = "TOKEN",
            env = "RINGWALL_ENROLMENT_TOKEN",
            hide_env_values = true
        )]
        token: Option<String>,
        /// The file with the token; - reads stdin
        #[arg(long, value_name = "FILE", conflicts_with = "token")]
        token_file: Option<PathBuf>,
        /// Give up the identity that this host has
        #[arg(long)]
        again: bool,
        /// Print the identity as JSON, without its key
        #[arg(long)]
        json: bool,
    },
    /// Replace the key that this agent signs with; one that runs goes on with the new key
    RotateKey,
    /// Look at quarantined files, and put them back without the server
    Quarantine {
        /// What to do with them
        #[command(subcommand)]
        action: QuarantineAction,
    },
    /// End all blocks of addresses at once: takes the table `inet ringwall` out of the packet filter
    UnblockAll,
}

/// What to do with quarantined files.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum QuarantineAction {
    /// List them: id, when, size, SHA-256, where it was
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Put one back where it was, as it was; nothing is overwritten
    Restore {
        /// Its id: that of the command that quarantined it
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// What `top` shows, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct TopArguments {
    /// Show one picture and end
    #[arg(long)]
    pub once: bool,

    /// Print one picture as JSON and end
    #[arg(long)]
    pub json: bool,

    /// Seconds from one picture to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 2,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub interval: u64,
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=6400.0).contains(&number) { Ok(number) } else { Err("not in 0..=6400".to_owned()) }
}

const ENROL_EXAMPLES: &str = "\
Examples:
  echo rwe_... | ringwall-host-agent enrol --server http://127.0.0.1:7400 --token-file -
  ringwall-host-agent enrol --server http://127.0.0.1:7400 --token-file token --name web-1";

/// What kind of server there is at the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Dialect {
    /// A Ringwall server
    #[default]
    Ringwall,
    /// An original AI-Eye Watcher server
    Watcher,
    /// An original SysScore server
    Sysscore,
}

impl Dialect {
    fn default_server(self) -> &'static str {
        match self {
            Self::Ringwall => "http://127.0.0.1:7400",
            Self::Watcher => "http://127.0.0.1:9000",
            Self::Sysscore => "http://127.0.0.1:8000/api/v1",
        }
    }
}

/// The content of a key file. Further fields are ignored: the answer to the creation of a key serves.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(alias = "id")]
    name: Option<String>,
    secret: String,
}

/// No key file is longer.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

impl Arguments {
    /// Where the server is.
    pub(crate) fn server_url(&self) -> String {
        self.server.clone().unwrap_or_else(|| self.dialect.default_server().to_owned())
    }

    /// How this host is watched and acted on.
    pub(crate) fn host(&self) -> HostSettings {
        let mut host = HostSettings {
            collection_interval: Duration::from_secs(self.collection_interval),
            patience: Patience { grace: Duration::from_secs(self.grace), ..Patience::default() },
            spool_bytes_max: self.spool_bytes_max,
            buffer_bytes_max: self.buffer << 20,
            collect_bytes_max: self.collect_max << 20,
            process_connector: !self.no_process_connector,
            sock_diag: !self.no_sock_diag,
            executable_digests: !self.no_executable_digests,
            cpu_percent_max: (self.cpu_max > 0.0).then_some(self.cpu_max),
            ..HostSettings::default()
        };
        host.protected.names.extend(self.protect.iter().map(|name| name.as_str().into()));
        host
    }

    /// What the agent allows itself.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            niceness: self.nice,
            memory_bytes_max: (self.memory_max > 0).then_some(self.memory_max << 20),
        }
    }

    /// Whether anything was said about the key of a SysScore agent.
    pub(crate) fn has_key(&self) -> bool {
        self.key_file.is_some() || self.secret_file.is_some()
    }

    /// The identity of this host, where it enrolled.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, Failure> {
        Identity::load(&self.state_dir()?)
    }

    /// All that an agent of a Ringwall server needs.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let identity = self.identity()?.ok_or_else(not_enrolled)?;
        if let Some(name) = self.name.as_ref().filter(|name| **name != identity.name) {
            let known = &identity.name;
            return Err(Failure::new(format!("this host is enrolled as {known}, not as {name}"))
                .hint("a host gets its name when it enrols"));
        }
        let key = identity.signing_key()?;
        let tls_name = self.tls_name.as_ref().or(identity.tls_name.as_ref());
        let trust = Authority::read(self.ca.as_deref())?
            .trust(identity.ca_certificate.as_deref(), tls_name.map(String::as_str))?;
        Ok(Settings {
            trust,
            server_url: self.server.clone().unwrap_or(identity.server),
            agent_name: identity.name,
            key,
            server_public_key: identity.server_public_key,
            host: self.host(),
            state_dir: self.state_dir()?,
            machine: machine::digest(&self.machine_id_file),
            rotate_key_every: Duration::from_secs(self.rotate_key_days * 86_400),
        })
    }

    /// How to enrol.
    pub(crate) fn enrolment(&self, again: bool) -> Result<Enrolment, Failure> {
        Ok(Enrolment {
            server: self.server_url(),
            name: self.name.clone(),
            state_dir: self.state_dir()?,
            machine_id_file: self.machine_id_file.clone(),
            ca: self.ca.clone(),
            tls_name: self.tls_name.clone(),
            again,
        })
    }

    /// The folder in which this agent keeps what outlives it.
    pub(crate) fn state_dir(&self) -> Result<PathBuf, Failure> {
        let given = self.state_dir.clone().filter(|path| !path.as_os_str().is_empty());
        let found = given.or_else(|| {
            let is_root = rustix::process::geteuid().is_root();
            state_dir::find(is_root, |name| std::env::var_os(name))
        });
        found.ok_or_else(|| {
            Failure::new("no state directory: HOME is not set").hint("give --state-dir")
        })
    }

    /// The id and secret of an agent of a SysScore server.
    pub(crate) fn sysscore_key(&self) -> Result<(String, Secret), Failure> {
        let key = self.key()?;
        Ok((self.agent_name(key.name.as_deref()), key.secret.into()))
    }

    fn agent_name(&self, in_key_file: Option<&str>) -> String {
        let given = self.name.as_deref().or(in_key_file);
        given.map_or_else(crate::host_name, str::to_owned)
    }

    fn key(&self) -> Result<KeyFile, Failure> {
        if let Some(path) = &self.key_file {
            let bytes = read(path)?;
            // The error of the parser could repeat a part of the secret.
            return serde_json::from_slice(&bytes).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                let place = path.display();
                Failure::new(format!("{place}:{line}:{column}: not the key of an agent")).hint(
                    "it is JSON with name and secret, as printed by `ringwall keys create sysscore \
                     NAME --json`",
                )
            });
        }
        let Some(path) = &self.secret_file else {
            return Err(Failure::new("the key of this agent is missing").hint(
                "create one with `ringwall keys create sysscore NAME --json` on the server, and \
                 give the file by --key-file",
            ));
        };
        let text = String::from_utf8(read(path)?)
            .map_err(|_| Failure::new(format!("{}: not text", path.display())))?;
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret.strip_suffix('\r').unwrap_or(secret).to_owned();
        if secret.is_empty() {
            return Err(Failure::new(format!("{}: no secret in it", path.display())));
        }
        Ok(KeyFile { name: None, secret })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    private_file::read(path, KEY_FILE_BYTES_MAX).map_err(|error| {
        let failure = Failure::new(error.to_string());
        match error {
            PrivateFileError::Exposed { .. } => {
                failure.hint(format!("chmod 600 {}", path.display()))
            }
            _ => failure,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::os::unix::fs::PermissionsExt;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn arguments(line: &[&str]) -> Arguments {
        Program::try_parse_from(std::iter::once(&"agent").chain(line)).unwrap().arguments
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Program::command().debug_assert();
        assert!(matches!(
            arguments(&["check", "--json", "--server", "http://h"]).action,
            Some(Action::Check { json: true })
        ));
        assert_eq!(arguments(&["--dialect", "watcher"]).server_url(), "http://127.0.0.1:9000");
        assert_eq!(arguments(&["--server", "http://h"]).server_url(), "http://h");
        let protect = arguments(&["--protect", "a", "--protect", "b"]).host().protected;
        assert_eq!(protect.names, ["a".into(), "b".into()]);
        assert!(Program::try_parse_from(["agent", "--collection-interval", "0"]).is_err());
    }

    #[test]
    fn keys_come_from_private_files_only() {
        let folder = std::env::temp_dir().join(format!("ringwall-agent-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("key.json");
        let path = file.to_str().unwrap();
        let sysscore = |line: &[&str]| arguments(line).sysscore_key();
        private_file::write(&file, br#"{"kind":"sysscore","id":"a-1","secret":"s3cret"}"#).unwrap();
        let (name, secret) = sysscore(&["--key-file", path]).unwrap();
        assert_eq!((name.as_str(), secret), ("a-1", Secret::from("s3cret")));
        assert_eq!(sysscore(&["--key-file", path, "--name", "x"]).unwrap().0, "x");

        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = sysscore(&["--key-file", path]).unwrap_err();
        assert_eq!(refused.hint.unwrap(), format!("chmod 600 {path}"));

        private_file::write(&file, b"{\"secret\": s3cret}").unwrap();
        let refused = sysscore(&["--key-file", path]).unwrap_err();
        assert!(!refused.message.contains("s3cret"), "{}", refused.message);

        private_file::write(&file, b"s3cret\n").unwrap();
        let (name, secret) =
            arguments(&["--secret-file", path, "--agent-id", "agent-1"]).sysscore_key().unwrap();
        assert_eq!((name.as_str(), secret), ("agent-1", Secret::from("s3cret")));
        assert!(sysscore(&[]).is_err());
        let nowhere = folder.join("state");
        let refused = arguments(&["--state-dir", nowhere.to_str().unwrap()]).settings();
        assert!(refused.unwrap_err().hint.unwrap().contains("ringwall hosts enrol"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
