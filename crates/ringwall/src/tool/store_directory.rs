//! The data directory that is worked on without asking a server.

use clap::Args;
use ringwall_lifecycle::{Failure, data_dir};
use std::path::PathBuf;

/// Which data directory, and in which form the answer is printed.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Data and form")]
pub(crate) struct StoreDirectory {
    /// The data directory
    ///
    /// It is worked on directly, with the rights of its owner; no server is asked. Default:
    /// RINGWALL_DATA_DIR, else ringwall in $XDG_DATA_HOME or ~/.local/share.
    #[arg(long, value_name = "DIRECTORY", global = true)]
    data_dir: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl StoreDirectory {
    /// Where it is.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        self.data_dir.clone().or_else(|| data_dir::find(|name| std::env::var_os(name))).ok_or_else(
            || Failure::new("no data directory is named: HOME is not set").hint("give --data-dir"),
        )
    }
}
