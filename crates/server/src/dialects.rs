//! The routes of the software that connects unchanged, one module a family.

mod description;
pub(crate) mod guard;
pub(crate) mod guard_rules;
pub(crate) mod sysscore;
pub(crate) mod watcher;
