//! The wire types of the software that connects unchanged, to and from events.
//!
//! One module for each family; `validation` is what they share: the lax readings and the refusals
//! of the framework that the original servers are built on.

pub mod guard;
pub mod sysscore;
pub mod validation;
pub mod watcher;
