//! The parts that stay: the server, and everything at once.

pub(crate) mod query_worker;
pub(crate) mod server;
pub(crate) mod up;

mod serving;
