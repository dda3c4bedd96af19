//! The operations on what guarded applications are told, and on bans.

use super::operation::{Described, get, post, put};
use crate::{
    GuardAutomatic, GuardBanQuery, GuardBanRequest, GuardBanRow, GuardHistoryQuery,
    GuardLiftRequest, GuardPreview, GuardPreviewRequest, GuardRestoreRequest, GuardRules,
    GuardRulesEditRow, GuardRulesRequest, Page, ProblemKind, examples, paths,
};
use serde_json::json;

pub(super) fn all() -> Vec<Described> {
    let mut all = rules();
    all.extend(bans());
    all
}

fn rules() -> Vec<Described> {
    let fields =
        || json!({ "blocked_user_agents": ["sqlmap"], "ip_blacklist": ["203.0.113.0/24"] });
    vec![
        get(paths::GUARD_RULES, "show_guard_rules", "The rules of a guarded application")
            .tag("guard")
            .answers::<GuardRules>(200, "As they were last edited", examples::guard_rules())
            .done(),
        put(paths::GUARD_RULES, "replace_guard_rules", "Put rules into force")
            .tag("guard")
            .about(
                "Applications that listen to `/dialects/guard/api/v1/rules/stream` have them within a \
                 second, others with their next question. What is left out falls back to the \
                 application's own configuration.",
            )
            .takes::<GuardRulesRequest>(
                true,
                json!({ "rules": fields(), "base_version": 86_401, "note": "scanners" }),
            )
            .answers::<GuardRules>(200, "In force", examples::guard_rules())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict, ProblemKind::InvalidRules])
            .done(),
        get(paths::GUARD_RULES_HISTORY, "list_guard_rules_history", "How rules were edited")
            .tag("guard")
            .query::<GuardHistoryQuery>()
            .answers::<Page<GuardRulesEditRow>>(
                200,
                "Newest first",
                Page::whole(vec![examples::guard_rules_edit()]),
            )
            .done(),
        post(paths::GUARD_RULES_RESTORE, "restore_guard_rules", "Put earlier rules into force again")
            .tag("guard")
            .about("They get a new version: applications take no smaller one.")
            .takes::<GuardRestoreRequest>(true, json!({ "version": 86_401 }))
            .answers::<GuardRules>(200, "In force", examples::guard_rules())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::InvalidRules])
            .done(),
        post(paths::GUARD_RULES_PREVIEW, "preview_guard_rules", "Try rules on what was stored")
            .tag("guard")
            .about(
                "What the rules would have blocked of the requests that the application's guards \
                 reported. It reads for a few seconds at most; `partial` says that there was more.",
            )
            .takes::<GuardPreviewRequest>(true, json!({ "rules": fields(), "hours": 24 }))
            .answers::<GuardPreview>(200, "What they block", examples::guard_preview())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::InvalidRules, ProblemKind::Busy])
            .done(),
    ]
}

fn bans() -> Vec<Described> {
    vec![
        get(paths::GUARD_BANS, "list_guard_bans", "Whom guarded applications do not let in")
            .tag("guard")
            .query::<GuardBanQuery>()
            .answers::<Page<GuardBanRow>>(
                200,
                "Newest first",
                Page::whole(vec![examples::guard_ban()]),
            )
            .done(),
        post(paths::GUARD_BANS, "create_guard_ban", "Ban an address")
            .tag("guard")
            .about(
                "From one guarded application or from all, and on demand on every enrolled host. \
                 Loopback, the server's own addresses, `protected.networks` and `never_ban` are refused.",
            )
            .takes::<GuardBanRequest>(
                true,
                json!({ "address": "203.0.113.7", "seconds": 3600, "reason": "probes" }),
            )
            .answers::<GuardBanRow>(201, "In force", examples::guard_ban())
            .refuses(&[
                ProblemKind::CsrfMissing,
                ProblemKind::ActionRefused,
                ProblemKind::Conflict,
                ProblemKind::NotFound,
            ])
            .done(),
        get(paths::GUARD_BAN, "show_guard_ban", "One ban")
            .tag("guard")
            .answers::<GuardBanRow>(200, "The ban", examples::guard_ban())
            .done(),
        post(paths::GUARD_BAN_LIFT, "lift_guard_ban", "Let a banned address in again")
            .tag("guard")
            .takes::<GuardLiftRequest>(true, json!({ "reason": "a customer" }))
            .answers::<GuardBanRow>(200, "Ended", examples::guard_ban())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        get(paths::GUARD_AUTOMATIC, "show_guard_automatic", "When addresses are banned by themselves")
            .tag("guard")
            .answers::<GuardAutomatic>(200, "The rules", examples::guard_automatic())
            .done(),
        put(paths::GUARD_AUTOMATIC, "replace_guard_automatic", "Change when addresses are banned")
            .tag("guard")
            .takes::<GuardAutomatic>(true, json!(examples::guard_automatic()))
            .answers::<GuardAutomatic>(200, "In force", examples::guard_automatic())
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
    ]
}
