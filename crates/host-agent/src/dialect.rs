//! One module for each kind of server.

pub(crate) mod ringwall;
pub(crate) mod sysscore;
pub(crate) mod watcher;
