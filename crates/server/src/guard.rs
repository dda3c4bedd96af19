//! Guarded applications: who may report for them, and with what.

mod project;
mod projects;

pub(crate) use project::{ProjectKeys, ProjectWanted, StoredProject};
pub(crate) use projects::{GuardProjects, Project};
