//! Guarded applications: who may report for them, and what becomes of what they report beside events.

mod agents;
mod figures;
mod item_key;
mod measurements;
mod project;
mod project_share;
mod projects;
mod report;
mod trouble;
mod upkeep;

pub(crate) use agents::{AgentFacts, AgentRecord, KnownGuards, Sighting, guards_of};
pub(crate) use figures::{ProjectFigures, figures_of};
pub(crate) use item_key::{ItemKeys, Repeats};
pub(crate) use measurements::{buckets, kept_as, names as metric_names};
pub(crate) use project::{ProjectKeys, ProjectWanted, StoredProject};
pub(crate) use project_share::BODY_BYTES_MAX as PROJECT_BODY_BYTES_MAX;
pub(crate) use projects::{GuardProjects, Project};
pub(crate) use report::GuardReport;
pub(crate) use trouble::{GuardTroubles, Trouble};
pub(crate) use upkeep::run;

use ringwall_event::Source;

/// Whether what a source reports is of an application, and so of no host: it has no processes, and takes
/// no commands.
pub(crate) fn is_application(source: &Source) -> bool {
    &*source.dialect == Source::GUARD
}
