//! What every program does alike: configuration, logging, signals, exit codes.
//!
//! ```
//! use ringwall_lifecycle::env_file;
//!
//! let text = "# secrets\nexport AGENT_KEYS={\"agent-1\": \"secret-key-1\"}\n";
//! let variables = env_file::parse(text)?;
//! assert_eq!(variables["AGENT_KEYS"], r#"{"agent-1": "secret-key-1"}"#);
//! # Ok::<(), env_file::EnvFileError>(())
//! ```
#![forbid(unsafe_code)]

pub mod config;
pub mod data_dir;
pub mod env_file;
pub mod logging;
pub mod private_file;
pub mod shutdown;
pub mod visible;

mod exit;
mod local_addresses;
mod nearest;
mod ready_file;

pub use exit::{Exit, Failure};
pub use local_addresses::local_addresses;
pub use nearest::nearest;
pub use ready_file::{ReadyFile, ReadyFileError};
pub use shutdown::Shutdown;
