//! What `up` and `server` share: from the command line to a running server.

use anyhow::{Context, Error, Result};
use clap::Args;
use ringwall_lifecycle::config::Loaded;
use ringwall_lifecycle::{Failure, Shutdown, data_dir, env_file};
use ringwall_server::{Config, RunOptions};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// How the server is started.
#[derive(Debug, Args)]
pub(crate) struct Serving {
    /// The configuration file; without it, everything is at its default
    ///
    /// `ringwall config explain` prints one to begin with.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Keep everything in this folder
    ///
    /// Default: what the configuration says, else RINGWALL_DATA_DIR, else ringwall in
    /// $XDG_DATA_HOME or ~/.local/share.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Read further environment variables from this file
    ///
    /// Lines of NAME=value, as SysScore's documents show them: AGENT_KEYS, OAUTH2_SECRET_KEY.
    /// What the environment itself says stands.
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// Write the addresses and the first credentials here once everything listens
    ///
    /// JSON, readable for its owner only, whole at once. The same always stands as ready.json in
    /// the data directory while the server runs.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Let the system choose every port; the ready file tells which
    #[arg(long)]
    pub(crate) ephemeral_ports: bool,
}

impl Serving {
    /// The configuration, with the data directory that is meant.
    pub(crate) fn configuration(&self) -> Result<Loaded<Config>> {
        let mut loaded = Config::load(self.config.as_deref())?;
        if let Some(given) = &self.data_dir {
            loaded.value.server.data_dir.clone_from(given);
            loaded.overridden("server.data_dir", "--data-dir");
        } else if loaded.value.server.data_dir.as_os_str().is_empty() {
            loaded.value.server.data_dir = data_dir::find(|name| std::env::var_os(name))
                .ok_or_else(|| {
                    Failure::new("no data directory: HOME is not set").hint("give --data-dir")
                })?;
            loaded.overridden("server.data_dir", "the environment");
        }
        Ok(loaded)
    }

    /// How this start differs from the configuration.
    pub(crate) fn options(
        &self,
        stop: &Shutdown,
        dialect_ports_required: bool,
    ) -> Result<RunOptions> {
        Ok(RunOptions {
            ready_file: self.ready_file.clone(),
            ephemeral_ports: self.ephemeral_ports,
            dialect_ports_required,
            env: self.environment()?,
            program: Some(std::env::current_exe().context("own program not found")?),
            shutdown: stop.receiver(),
        })
    }

    /// The environment, and beneath it what the file says.
    fn environment(&self) -> Result<BTreeMap<String, String>> {
        let mut variables = match &self.env_file {
            Some(path) => env_file::read(path)?,
            None => BTreeMap::new(),
        };
        variables.extend(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }));
        Ok(variables)
    }
}

/// Adds a way out to what commonly keeps a server from starting.
pub(crate) fn with_hint(error: Error) -> Error {
    let of_system = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    let hint = match of_system.map(io::Error::kind) {
        Some(io::ErrorKind::AddrInUse) => {
            "does a server run already? `ringwall status` tells; --ephemeral-ports takes any free ports"
        }
        Some(io::ErrorKind::StorageFull) => "free some space on that disk",
        Some(io::ErrorKind::PermissionDenied) => {
            "give a folder of your own by --data-dir, or ports above 1023"
        }
        _ if error.to_string().contains("another server is running") => {
            "`ringwall status` asks it; another --data-dir starts a second one"
        }
        _ => return error,
    };
    Failure::new(format!("{error:#}")).hint(hint).into()
}

/// A runtime on all cores, for a server.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    allow_open_files();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("ringwall")
        .build()
        .context("cannot start")
}

/// Each host agent takes two connections, and what programs are given at first is often 1024 files: as many
/// as are permitted.
fn allow_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::debug!(%error, "no more open files than at first");
    }
}
