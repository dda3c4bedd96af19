//! The operations on guarded applications.

use super::operation::{Described, delete, get, patch, post};
use super::operations::page;
use crate::{
    GuardAgentRow, GuardEventQuery, GuardEventRow, GuardMetricQuery, GuardMetrics,
    GuardProjectChange, GuardProjectKeys, GuardProjectRequest, GuardProjectRow, GuardRotateRequest,
    Page, ProblemKind, examples, paths,
};
use serde_json::json;

pub(super) fn all() -> Vec<Described> {
    let mut all = projects();
    all.extend(telemetry());
    all
}

fn telemetry() -> Vec<Described> {
    vec![
        get(
            paths::GUARD_PROJECT_AGENTS,
            "list_guard_agents",
            "The guards that report for a project",
        )
        .tag("guard")
        .answers::<Page<GuardAgentRow>>(
            200,
            "The one that was seen last first; always whole, at most 1000",
            Page::whole(vec![examples::guard_agent()]),
        )
        .done(),
        get(paths::GUARD_EVENTS, "list_guard_events", "What guards saw and did")
            .tag("guard")
            .about("They are events like others, too: see `/events` and the stream.")
            .query::<GuardEventQuery>()
            .answers::<Page<GuardEventRow>>(200, "Newest first", page(examples::guard_event()))
            .done(),
        get(paths::GUARD_METRICS, "show_guard_metrics", "What guards measured")
            .tag("guard")
            .query::<GuardMetricQuery>()
            .answers::<GuardMetrics>(200, "Over time, and by path", examples::guard_metrics())
            .refuses(&[ProblemKind::NotFound])
            .done(),
    ]
}

fn projects() -> Vec<Described> {
    vec![
        get(paths::GUARD_PROJECTS, "list_guard_projects", "The applications whose guards report")
            .tag("guard")
            .answers::<Page<GuardProjectRow>>(
                200,
                "By name",
                Page::whole(vec![examples::guard_project()]),
            )
            .done(),
        post(paths::GUARD_PROJECTS, "create_guard_project", "Let an application's guards report")
            .tag("guard")
            .about(
                "Guards speak to `/dialects/guard` with the key. The server keeps a hash of it, and \
                 the two secrets sealed.",
            )
            .takes::<GuardProjectRequest>(true, json!({ "name": "shop" }))
            .answers::<GuardProjectKeys>(
                201,
                "Added; key and secrets are told this once",
                examples::guard_project_keys(),
            )
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        get(paths::GUARD_PROJECT, "show_guard_project", "One application")
            .tag("guard")
            .answers::<GuardProjectRow>(200, "The project", examples::guard_project())
            .done(),
        patch(
            paths::GUARD_PROJECT,
            "change_guard_project",
            "Change what is demanded of a project's guards",
        )
        .tag("guard")
        .about("It holds from the next batch on, for guards that have the keys already.")
        .takes::<GuardProjectChange>(true, json!({ "require_signature": true }))
        .answers::<GuardProjectRow>(200, "As it is now", examples::guard_project())
        .refuses(&[ProblemKind::CsrfMissing])
        .done(),
        post(
            paths::GUARD_PROJECT_ROTATE,
            "rotate_guard_project",
            "Give a project's guards another key and other secrets",
        )
        .tag("guard")
        .about(
            "Those of now stay good for the grace; those of a rotation before that are void at once.",
        )
        .takes::<GuardRotateRequest>(false, json!({ "grace_seconds": 86_400 }))
        .answers::<GuardProjectKeys>(
            200,
            "Key and secrets are told this once",
            examples::guard_project_keys(),
        )
        .refuses(&[ProblemKind::CsrfMissing])
        .done(),
        delete(paths::GUARD_PROJECT, "delete_guard_project", "Let a project's guards report no more")
            .tag("guard")
            .about("What they reported stays; their metrics and rules go.")
            .answers_text(204, "Gone", "")
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
    ]
}
