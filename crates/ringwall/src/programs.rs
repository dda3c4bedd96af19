//! The parts that stay: the server, and everything at once.

pub(crate) mod server;
pub(crate) mod up;

mod serving;
