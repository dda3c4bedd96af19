//! When addresses are banned without anybody asking.

use super::body::Json;
use super::caller::Caller;
use super::decide::permit;
use super::problem::ApiError;
use crate::server::Server;
use axum::extract::State;
use ringwall_access::{Change, Permission, PermissionSet};
use ringwall_event::Finding;
use ringwall_server_api::{
    BAN_SECONDS_MAX, BAN_SECONDS_MIN, GuardAutomatic, GuardAutomaticRule, Problem,
};
use std::collections::HashSet;
use std::sync::Arc;

const RULES_MAX: usize = 100;
const NEVER_BAN_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 64;
const NAMES_MAX: usize = 100;
const THRESHOLD_MAX: u32 = 1000;
const WINDOW_SECONDS_MAX: u32 = 86_400;

pub(super) async fn show(
    State(server): State<Arc<Server>>,
) -> Result<Json<GuardAutomatic>, ApiError> {
    Ok(Json(server.guard_rules().automatic().settings().clone()))
}

pub(super) async fn replace(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(settings): Json<GuardAutomatic>,
) -> Result<Json<GuardAutomatic>, ApiError> {
    check(&settings)?;
    let enabled: Vec<&GuardAutomaticRule> =
        settings.rules.iter().filter(|rule| rule.enabled).collect();
    // Rules act in the name of whoever wrote them.
    let bans = !enabled.is_empty() || settings.share_app_bans;
    let orders = enabled.iter().any(|rule| rule.hosts);
    let grants: PermissionSet =
        [bans.then_some(Permission::BanAddresses), orders.then_some(Permission::OrderCommands)]
            .into_iter()
            .flatten()
            .collect();
    let action = Change::ChangeAutomaticBans { enabled: enabled.len(), grants };
    let permit = permit(&server, &caller, &action, "").await?;
    let answer = settings.clone();
    server
        .engine
        .write(move |writing| {
            writing.audit(permit.audit_entry())?;
            writing.put_automatic(&settings)
        })
        .await?;
    Ok(Json(answer))
}

fn check(settings: &GuardAutomatic) -> Result<(), ApiError> {
    let bad = |field: &str, detail: String| Err(Problem::invalid_field(field, detail).into());
    if settings.rules.len() > RULES_MAX {
        return bad("rules", format!("must be at most {RULES_MAX}"));
    }
    if settings.never_ban.len() > NEVER_BAN_MAX {
        return bad("never_ban", format!("must be at most {NEVER_BAN_MAX}"));
    }
    let mut names = HashSet::new();
    for (place, rule) in settings.rules.iter().enumerate() {
        if !names.insert(rule.name.as_str()) {
            return bad(&format!("rules/{place}/name"), format!("`{}` is there twice", rule.name));
        }
        if let Err((field, detail)) = check_rule(rule) {
            return bad(&format!("rules/{place}/{field}"), detail);
        }
    }
    Ok(())
}

fn check_rule(rule: &GuardAutomaticRule) -> Result<(), (&'static str, String)> {
    let bad = |field, detail: &str| Err((field, detail.to_owned()));
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if rule.name.is_empty() || rule.name.len() > NAME_BYTES_MAX || !rule.name.bytes().all(is_fine) {
        return bad("name", "must have 1 to 64 of `A-Z a-z 0-9 - _ .`");
    }
    if rule.name == "shared" {
        return bad("name", "`shared` is how bans are called that `share_app_bans` makes");
    }
    let when = &rule.when;
    if when.findings.is_empty() && when.event_types.is_empty() {
        return bad("when", "needs `findings` or `event_types`: else it waits for nothing");
    }
    if let Some(unknown) =
        when.findings.iter().find(|finding| !Finding::KINDS.contains(&finding.as_str()))
    {
        let known = Finding::KINDS.join(", ");
        return Err(("when/findings", format!("`{unknown}` is none of {known}")));
    }
    if when.findings.len() > NAMES_MAX || when.event_types.len() > NAMES_MAX {
        return Err(("when", format!("names more than {NAMES_MAX} kinds")));
    }
    let is_name = |name: &String| {
        !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(char::is_control)
    };
    if !when.event_types.iter().all(is_name) {
        return bad("when/event_types", "a type has 1 to 64 visible characters");
    }
    if !(1..=THRESHOLD_MAX).contains(&when.threshold) {
        return Err(("when/threshold", format!("must be 1 to {THRESHOLD_MAX}")));
    }
    if !(1..=WINDOW_SECONDS_MAX).contains(&when.window_seconds) {
        return Err(("when/window_seconds", format!("must be 1 to {WINDOW_SECONDS_MAX}")));
    }
    if !(BAN_SECONDS_MIN..=BAN_SECONDS_MAX).contains(&rule.ban_seconds) {
        return Err(("ban_seconds", format!("must be {BAN_SECONDS_MIN} to {BAN_SECONDS_MAX}")));
    }
    if rule.projects.as_ref().is_some_and(|projects| projects.len() > RULES_MAX) {
        return Err(("projects", format!("must be at most {RULES_MAX}")));
    }
    Ok(())
}
