//! The routes of the software that connects unchanged, one module a family.

pub(crate) mod sysscore;
pub(crate) mod watcher;
