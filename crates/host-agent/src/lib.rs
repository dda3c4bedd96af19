//! The host agent: watches a host, reports what it sees, and carries out signed commands.
//!
//! Probes see changes as they happen and take a full picture now and then; what is seen waits in a
//! spool on the disk, bounded in bytes, until the server has it. Commands come over a request that the server holds
//! open, so that an order is there within moments; each is checked (signed by the server that this
//! agent was enrolled at, for this host, not expired, not seen before) before the hands pin the one
//! process that is meant and end it.
//!
//! The same program speaks to original Watcher and SysScore servers.
//!
//! ```no_run
//! use ringwall_host_agent::{Enrolment, HostSettings, Settings, run_embedded};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let (_stop, stopped) = tokio::sync::watch::channel(false);
//! let enrolment = Enrolment {
//!     server: "http://127.0.0.1:7400".to_owned(),
//!     state_dir: "/var/lib/ringwall-host-agent".into(),
//!     ..Enrolment::default()
//! };
//! let identity = enrolment.enrol("rwe_…").await?;
//! let settings = Settings {
//!     key: identity.signing_key()?,
//!     trust: identity.trust()?,
//!     server_url: identity.server,
//!     agent_name: identity.name,
//!     server_public_key: identity.server_public_key,
//!     host: HostSettings::default(),
//!     state_dir: enrolment.state_dir,
//!     machine: None,
//!     rotate_key_every: std::time::Duration::from_secs(30 * 86_400),
//! };
//! run_embedded(settings, stopped).await
//! # }
//! ```
#![forbid(unsafe_code)]

mod arguments;
mod check;
mod command_memory;
mod commands;
mod dialect;
mod enrol;
mod execution;
mod identity;
mod kill;
mod machine;
mod output;
mod own_health;
mod own_limits;
mod parent;
mod refusals;
mod report;
pub mod reporting;
mod reversal;
mod rotation;
mod settings;
mod single_use;
mod state_dir;
mod syscall_view;
mod top;
mod trust;
mod verified_command;
mod watching;

pub use arguments::{Action, Arguments, Dialect, QuarantineAction, TopArguments};
pub use enrol::Enrolment;
pub use identity::{Identity, KeySeed};
pub use output::tell;
pub use settings::{HostSettings, Settings};

use ringwall_event::Timestamp;
use ringwall_lifecycle::logging::{self, LogFormat};
use ringwall_lifecycle::{Exit, Failure, Shutdown};
use ringwall_server_client::AgentClient;
use std::time::Duration;
use tokio::sync::watch;

/// The program: runs until asked to stop by SIGTERM or SIGINT, on one thread of its own beside the
/// probe's.
///
/// # Errors
/// Where the arguments make no sense, or this host cannot be watched.
pub fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // For ends of processes, and for looking up the server's address.
        .max_blocking_threads(kill::AT_ONCE + 2)
        .thread_keep_alive(Duration::from_secs(1))
        .thread_stack_size(512 << 10)
        .build()?;
    let result = runtime.block_on(run_async(arguments));
    // A process that is being ended right now must not hold up the end of this one.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn run_async(arguments: Arguments) -> anyhow::Result<Exit> {
    start_logging(&arguments)?;
    match &arguments.action {
        None => watch_host(arguments).await,
        Some(Action::Top(top)) => {
            top::run(top, arguments.host().probe()).await?;
            Ok(Exit::Yes)
        }
        Some(Action::Check { json }) => {
            let checks = check::run(&arguments).await?;
            output::checks(&checks, *json)?;
            Ok(if checks.ok { Exit::Yes } else { Exit::No })
        }
        Some(Action::Enrol { token, token_file, again, json }) => {
            let token = match (token_file, token) {
                (Some(path), _) => enrol::read_token(path)?,
                (None, Some(token)) => token.clone(),
                (None, None) => {
                    let hint = "`ringwall hosts enrol` prints one; give it by --token-file";
                    return Err(Failure::new("the token is missing").hint(hint).into());
                }
            };
            let identity = arguments.enrolment(*again)?.enrol(&token).await?;
            output::identity("enrolled", &identity, *json)?;
            Ok(Exit::Yes)
        }
        Some(Action::RotateKey) => {
            let settings = arguments.settings()?;
            let (url, name) = (&settings.server_url, &settings.agent_name);
            let client = AgentClient::trusting(url, name, settings.key, &settings.trust)?;
            let identity = rotation::prepare(&client, &settings.state_dir).await?;
            output::identity("replaced the key", &identity, false)?;
            Ok(Exit::Yes)
        }
        Some(Action::Quarantine { action }) => {
            reversal::run(&arguments.state_dir()?, action)?;
            Ok(Exit::Yes)
        }
        Some(Action::UnblockAll) => {
            reversal::unblock_all()?;
            Ok(Exit::Yes)
        }
    }
}

async fn watch_host(arguments: Arguments) -> anyhow::Result<Exit> {
    arguments.limits().apply();
    let parent = parent::parent();
    let shutdown = Shutdown::on_signals()?;
    if arguments.exit_with_parent {
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            parent::ended(parent).await;
            tracing::info!("the process that started this one has ended");
            shutdown.ask();
        });
    }
    match arguments.dialect {
        Dialect::Ringwall => run_embedded(arguments.settings()?, shutdown.receiver()).await?,
        Dialect::Watcher => {
            let interval = Duration::from_secs(arguments.command_poll_interval);
            let (server, host) = (arguments.server_url(), arguments.host());
            dialect::watcher::run(&server, host, interval, shutdown.receiver()).await?;
        }
        Dialect::Sysscore => {
            let (id, secret) = arguments.sysscore_key()?;
            let (server, host) = (arguments.server_url(), arguments.host());
            dialect::sysscore::run(&server, &id, secret, host, shutdown.receiver()).await?;
        }
    }
    Ok(Exit::Yes)
}

/// An agent of a Ringwall server inside another program: returns once `shutdown` turns true.
///
/// # Errors
/// Where this host cannot be watched, or the server's address is unusable. That the server cannot be
/// reached is no error: what is seen is kept, and sent when it is there.
pub async fn run_embedded(
    settings: Settings,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    dialect::ringwall::run(settings, shutdown).await
}

fn start_logging(arguments: &Arguments) -> Result<(), Failure> {
    let format = LogFormat::from_environment().map_err(|value| {
        Failure::new(format!("RINGWALL_LOG_FORMAT: `{value}` is neither text nor json"))
    })?;
    // The answer of a check is on stdout; on stderr only what is wrong.
    let level = match arguments.action {
        Some(Action::Check { .. }) => tracing::Level::ERROR,
        Some(_) => tracing::Level::WARN,
        None => tracing::Level::INFO,
    };
    logging::start(format, level).map_err(|error| {
        Failure::new(error).hint("it is as in `debug` or `info,ringwall_host_agent=debug`")
    })
}

/// The name that this host gives itself: the kernel's node name.
pub(crate) fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// A number by chance, to spread waits; the middle where the system has none to give.
pub(crate) fn chance() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

/// The present moment.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
