//! The operations on guarded applications.

use super::operation::{Described, delete, get, post};
use crate::{
    GuardProjectKeys, GuardProjectRequest, GuardProjectRow, GuardRotateRequest, Page, ProblemKind,
    examples, paths,
};
use serde_json::json;

pub(super) fn all() -> Vec<Described> {
    projects()
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
