//! Our own HTTP API, `/api/v1` on the main listener: one file a resource.
//!
//! The table in [`router`] says of every path who may ask; the guards around it are in [`guard`]
//! and [`caller`], and every refusal leaves through [`problem`].

mod body;
mod caller;
mod collected;
mod decide;
mod guard;
mod page;
mod password;
mod problem;
mod query;
mod refusals;
mod role;
mod sign_in_state;

mod agent_enrol;
mod agent_signature;
mod agents;
mod alerts;
mod audit;
mod ca;
mod commands;
mod deliveries;
mod docs;
mod enrolments;
mod events;
mod guard_automatic;
mod guard_bans;
mod guard_projects;
mod guard_rules;
mod guard_telemetry;
mod health;
mod holds;
mod hosts;
mod identities;
mod indicators;
mod keys;
mod overview;
mod scores;
mod session;
mod sessions;
mod sql;
mod store;
mod stream;
mod timeline;
mod tokens;
mod users;
mod webhooks;

#[cfg(test)]
mod tests;

pub(crate) use caller::token_subject;
pub(crate) use session::{write_failed_sign_ins, write_rest_of_failed_sign_ins};
pub(crate) use sign_in_state::SignInState;

use crate::server::Server;
use axum::Router;
use axum::routing::{MethodRouter, any, delete, get, patch, post, put};
use caller::Who;
use ringwall_access::Permission as May;
use ringwall_server_api::paths;
use std::sync::Arc;

/// Everything below `/api/v1`, with its guards.
pub(crate) fn router(server: Arc<Server>) -> Router {
    // Who acts, in the routes of `changes`, is only signed in here: whether they may is decided by
    // `authorise`, which leaves an audit entry either way.
    let changes = Who::SignedIn;
    let routes: [(&str, Who, MethodRouter<Arc<Server>>); _] = [
        (paths::HEALTH, Who::Anybody, get(health::show)),
        (paths::OPENAPI, Who::Anybody, get(docs::openapi)),
        (paths::DOCS, Who::Anybody, get(docs::page)),
        (paths::CA, Who::Anybody, get(ca::show)),
        (paths::SESSION, Who::Anybody, post(session::sign_in)),
        (paths::SESSION, Who::SignedIn, get(session::show)),
        (paths::SESSION, Who::SignedIn, delete(session::sign_out)),
        (paths::SESSION_PASSWORD, Who::SignedIn, post(session::change_password)),
        (paths::SESSIONS, Who::SignedIn, get(sessions::list)),
        (paths::SESSIONS, Who::SignedIn, delete(sessions::end_all)),
        (paths::SESSION_OPEN, Who::SignedIn, delete(sessions::end)),
        (paths::OVERVIEW, Who::May(May::ReadHosts), get(overview::show)),
        (paths::STORE, Who::May(May::ReadEvents), get(store::show)),
        (paths::HOSTS, Who::May(May::ReadHosts), get(hosts::list)),
        (paths::HOST, Who::May(May::ReadHosts), get(hosts::show)),
        (paths::HOST_PROCESSES, Who::May(May::ReadHosts), get(hosts::processes)),
        (paths::HOST_CONNECTIONS, Who::May(May::ReadHosts), get(hosts::connections)),
        (paths::EVENTS, Who::May(May::ReadEvents), get(events::list)),
        (paths::EVENT, Who::May(May::ReadEvents), get(events::show)),
        (paths::QUERY, Who::May(May::ReadEvents), post(sql::run)),
        (paths::TIMELINE, Who::May(May::ReadEvents), get(timeline::show)),
        (paths::ALERTS, Who::May(May::ReadAlerts), get(alerts::list)),
        (paths::ALERT, Who::May(May::ReadAlerts), get(alerts::show)),
        (paths::ALERT_ACKNOWLEDGE, changes, post(alerts::acknowledge)),
        (paths::ALERT_RESOLVE, changes, post(alerts::resolve)),
        (paths::ALERT_KILL, changes, post(alerts::kill)),
        (paths::COMMANDS, Who::May(May::ReadCommands), get(commands::list)),
        (paths::COMMAND, Who::May(May::ReadCommands), get(commands::show)),
        // Reading a collected file is authorised like a change, for its audit entry.
        (paths::COMMAND_FILE, changes, get(collected::fetch)),
        (paths::COMMANDS, changes, post(commands::order)),
        (paths::COMMAND_WITHDRAW, changes, post(commands::withdraw)),
        (paths::SCORES, Who::May(May::ReadScores), get(scores::list)),
        (paths::INDICATORS, Who::May(May::ReadIndicators), get(indicators::list)),
        (paths::INDICATORS, changes, post(indicators::add)),
        (paths::INDICATORS_IMPORT, changes, post(indicators::import)),
        (paths::INDICATOR, changes, delete(indicators::remove)),
        (paths::KEYS, Who::May(May::ReadKeys), get(keys::list)),
        (paths::KEYS, changes, post(keys::create)),
        (paths::KEY, changes, delete(keys::remove)),
        (paths::ENROLMENTS, Who::May(May::ReadKeys), get(enrolments::list)),
        (paths::ENROLMENTS, changes, post(enrolments::create)),
        (paths::ENROLMENT, changes, delete(enrolments::remove)),
        (paths::IDENTITIES, Who::May(May::ReadKeys), get(identities::list)),
        (paths::IDENTITY_REVOKE, changes, post(identities::revoke)),
        (paths::IDENTITY_REINSTATE, changes, post(identities::reinstate)),
        (paths::IDENTITY, changes, delete(identities::remove)),
        (paths::TOKENS, Who::May(May::ReadTokens), get(tokens::list)),
        (paths::TOKENS, changes, post(tokens::create)),
        (paths::TOKEN, changes, delete(tokens::remove)),
        (paths::USERS, Who::May(May::ReadUsers), get(users::list)),
        (paths::USERS, changes, post(users::create)),
        (paths::USER, changes, patch(users::change)),
        (paths::USER, changes, delete(users::remove)),
        (paths::USER_PASSWORD, changes, post(users::set_password)),
        (paths::HOLDS, Who::May(May::ReadHolds), get(holds::list)),
        (paths::HOLDS, changes, post(holds::add)),
        (paths::HOLD, changes, delete(holds::remove)),
        (paths::WEBHOOKS, Who::May(May::ReadWebhooks), get(webhooks::list)),
        (paths::WEBHOOKS, changes, post(webhooks::create)),
        (paths::WEBHOOK, Who::May(May::ReadWebhooks), get(webhooks::show)),
        (paths::WEBHOOK, changes, patch(webhooks::change)),
        (paths::WEBHOOK, changes, delete(webhooks::remove)),
        (paths::WEBHOOK_TEST, changes, post(webhooks::test)),
        (paths::WEBHOOK_REPLAY, changes, post(webhooks::replay)),
        (paths::WEBHOOK_ROTATE_SECRET, changes, post(webhooks::rotate_secret)),
        (paths::DELIVERIES, Who::May(May::ReadWebhooks), get(deliveries::list)),
        (paths::DELIVERY, Who::May(May::ReadWebhooks), get(deliveries::show)),
        (paths::DELIVERY_REPLAY, changes, post(deliveries::replay)),
        (paths::GUARD_PROJECTS, Who::May(May::ReadGuard), get(guard_projects::list)),
        (paths::GUARD_PROJECTS, changes, post(guard_projects::create)),
        (paths::GUARD_PROJECT, Who::May(May::ReadGuard), get(guard_projects::show)),
        (paths::GUARD_PROJECT, changes, patch(guard_projects::change)),
        (paths::GUARD_PROJECT, changes, delete(guard_projects::remove)),
        (paths::GUARD_PROJECT_ROTATE, changes, post(guard_projects::rotate)),
        (paths::GUARD_RULES, Who::May(May::ReadGuard), get(guard_rules::show)),
        (paths::GUARD_RULES, changes, put(guard_rules::replace)),
        (paths::GUARD_RULES_HISTORY, Who::May(May::ReadGuard), get(guard_rules::history)),
        (paths::GUARD_RULES_RESTORE, changes, post(guard_rules::restore)),
        (paths::GUARD_RULES_PREVIEW, Who::May(May::ReadGuard), post(guard_rules::try_out)),
        (paths::GUARD_BANS, Who::May(May::ReadGuard), get(guard_bans::list)),
        (paths::GUARD_BANS, changes, post(guard_bans::add)),
        (paths::GUARD_BAN, Who::May(May::ReadGuard), get(guard_bans::show)),
        (paths::GUARD_BAN_LIFT, changes, post(guard_bans::lift)),
        (paths::GUARD_AUTOMATIC, Who::May(May::ReadGuard), get(guard_automatic::show)),
        (paths::GUARD_AUTOMATIC, changes, put(guard_automatic::replace)),
        (paths::GUARD_PROJECT_AGENTS, Who::May(May::ReadGuard), get(guard_telemetry::agents)),
        (paths::GUARD_EVENTS, Who::May(May::ReadGuard), get(guard_telemetry::events)),
        (paths::GUARD_METRICS, Who::May(May::ReadGuard), get(guard_telemetry::metrics)),
        (paths::AUDIT, Who::May(May::ReadAudit), get(audit::list)),
        (paths::STREAM, Who::May(May::ReadHosts), get(stream::follow)),
        // Host agents sign their requests; the handlers check that before anything else.
        (paths::AGENT_ENROL, Who::Anybody, post(agent_enrol::enrol)),
        (paths::AGENT_ROTATE, Who::Anybody, post(agent_enrol::rotate)),
        (paths::AGENT_REPORTS, Who::Anybody, post(agents::report)),
        (paths::AGENT_COMMANDS, Who::Anybody, get(agents::commands)),
        (paths::AGENT_COMMAND_FILE, Who::Anybody, post(collected::bring)),
        (paths::AGENT_REFUSALS, Who::Anybody, post(refusals::take)),
        (paths::AGENT_COMMAND_RESULT, Who::Anybody, post(agents::result)),
    ];
    let mut router = Router::new();
    for (path, who, methods) in routes {
        router = router.route(path, caller::check(methods, who, &server));
    }
    router
        .route(paths::PREFIX, any(problem::no_such_path))
        .route("/api/v1/", any(problem::no_such_path))
        .route("/api/v1/{*rest}", any(problem::no_such_path))
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&server), guard::run))
        .with_state(server)
}
