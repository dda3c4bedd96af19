//! The paths of the API, whole, with `{name}` where a value goes.

/// What every path of the API begins with.
pub const PREFIX: &str = "/api/v1";

/// Signing in and out.
pub const SESSION: &str = "/api/v1/session";
/// One's own password.
pub const SESSION_PASSWORD: &str = "/api/v1/session/password";
/// Who is signed in, and where.
pub const SESSIONS: &str = "/api/v1/sessions";
/// One open session.
pub const SESSION_OPEN: &str = "/api/v1/sessions/{id}";
/// Whether the server lives.
pub const HEALTH: &str = "/api/v1/health";
/// The description of all this.
pub const OPENAPI: &str = "/api/v1/openapi.json";
/// The description for people.
pub const DOCS: &str = "/api/v1/docs";
/// The certificate of the authority that vouches for this server.
pub const CA: &str = "/api/v1/ca.pem";
/// Everything at a glance.
pub const OVERVIEW: &str = "/api/v1/overview";
/// What the store holds.
pub const STORE: &str = "/api/v1/store";
/// All hosts.
pub const HOSTS: &str = "/api/v1/hosts";
/// One host.
pub const HOST: &str = "/api/v1/hosts/{id}";
/// What runs on a host.
pub const HOST_PROCESSES: &str = "/api/v1/hosts/{id}/processes";
/// Whom a host talks to.
pub const HOST_CONNECTIONS: &str = "/api/v1/hosts/{id}/connections";
/// What was observed.
pub const EVENTS: &str = "/api/v1/events";
/// One observation.
pub const EVENT: &str = "/api/v1/events/{id}";
/// Questions in SQL.
pub const QUERY: &str = "/api/v1/query";
/// How much was received, over time.
pub const TIMELINE: &str = "/api/v1/timeline";
/// What was concluded.
pub const ALERTS: &str = "/api/v1/alerts";
/// One conclusion.
pub const ALERT: &str = "/api/v1/alerts/{id}";
/// Somebody has it.
pub const ALERT_ACKNOWLEDGE: &str = "/api/v1/alerts/{id}/acknowledge";
/// Dealt with.
pub const ALERT_RESOLVE: &str = "/api/v1/alerts/{id}/resolve";
/// Ends the process that an alert is about.
pub const ALERT_KILL: &str = "/api/v1/alerts/{id}/kill";
/// Orders to hosts.
pub const COMMANDS: &str = "/api/v1/commands";
/// One order.
pub const COMMAND: &str = "/api/v1/commands/{id}";
/// Takes an order back.
pub const COMMAND_WITHDRAW: &str = "/api/v1/commands/{id}/withdraw";
/// The file that a host brought.
pub const COMMAND_FILE: &str = "/api/v1/commands/{id}/file";
/// Risk scores of processes.
pub const SCORES: &str = "/api/v1/scores";
/// The list of known bad things.
pub const INDICATORS: &str = "/api/v1/indicators";
/// Many indicators at once.
pub const INDICATORS_IMPORT: &str = "/api/v1/indicators/import";
/// One indicator.
pub const INDICATOR: &str = "/api/v1/indicators/{id}";
/// The keys of agents.
pub const KEYS: &str = "/api/v1/keys";
/// One key.
pub const KEY: &str = "/api/v1/keys/{kind}/{name}";
/// The tokens of programs.
pub const TOKENS: &str = "/api/v1/tokens";
/// One token.
pub const TOKEN: &str = "/api/v1/tokens/{id}";
/// The people who may sign in.
pub const USERS: &str = "/api/v1/users";
/// One of them.
pub const USER: &str = "/api/v1/users/{name}";
/// Their password.
pub const USER_PASSWORD: &str = "/api/v1/users/{name}/password";
/// Who did what, and whether it was permitted.
pub const AUDIT: &str = "/api/v1/audit";
/// Legal holds: what must be kept.
pub const HOLDS: &str = "/api/v1/holds";
/// One legal hold.
pub const HOLD: &str = "/api/v1/holds/{name}";
/// Where alerts are told.
pub const WEBHOOKS: &str = "/api/v1/webhooks";
/// One webhook.
pub const WEBHOOK: &str = "/api/v1/webhooks/{id}";
/// Tries a webhook.
pub const WEBHOOK_TEST: &str = "/api/v1/webhooks/{id}/test";
/// Sends a webhook's dead letters again.
pub const WEBHOOK_REPLAY: &str = "/api/v1/webhooks/{id}/replay";
/// Gives a webhook a new secret.
pub const WEBHOOK_ROTATE_SECRET: &str = "/api/v1/webhooks/{id}/rotate-secret";
/// What was told to webhooks, or is to be.
pub const DELIVERIES: &str = "/api/v1/deliveries";
/// One message to one receiver.
pub const DELIVERY: &str = "/api/v1/deliveries/{id}";
/// Sends a delivery again.
pub const DELIVERY_REPLAY: &str = "/api/v1/deliveries/{id}/replay";
/// The applications whose guards report.
pub const GUARD_PROJECTS: &str = "/api/v1/guard/projects";
/// One of them.
pub const GUARD_PROJECT: &str = "/api/v1/guard/projects/{name}";
/// Gives a project's guards another key and other secrets.
pub const GUARD_PROJECT_ROTATE: &str = "/api/v1/guard/projects/{name}/rotate";
/// The rules of a guarded application.
pub const GUARD_RULES: &str = "/api/v1/guard/projects/{name}/rules";
/// How they were edited.
pub const GUARD_RULES_HISTORY: &str = "/api/v1/guard/projects/{name}/rules/history";
/// Puts earlier ones into force again.
pub const GUARD_RULES_RESTORE: &str = "/api/v1/guard/projects/{name}/rules/restore";
/// Tries rules on what was stored.
pub const GUARD_RULES_PREVIEW: &str = "/api/v1/guard/projects/{name}/rules/preview";
/// Whom guarded applications do not let in.
pub const GUARD_BANS: &str = "/api/v1/guard/bans";
/// One ban.
pub const GUARD_BAN: &str = "/api/v1/guard/bans/{id}";
/// Ends a ban.
pub const GUARD_BAN_LIFT: &str = "/api/v1/guard/bans/{id}/lift";
/// When addresses are banned without anybody asking.
pub const GUARD_AUTOMATIC: &str = "/api/v1/guard/automatic";
/// The guards that report for a project.
pub const GUARD_PROJECT_AGENTS: &str = "/api/v1/guard/projects/{name}/agents";
/// What guards saw and did.
pub const GUARD_EVENTS: &str = "/api/v1/guard/events";
/// What guards measured.
pub const GUARD_METRICS: &str = "/api/v1/guard/metrics";
/// What happens from now on.
pub const STREAM: &str = "/api/v1/stream";
/// Leave for host agents to enrol.
pub const ENROLMENTS: &str = "/api/v1/enrolments";
/// One enrolment.
pub const ENROLMENT: &str = "/api/v1/enrolments/{id}";
/// The host agents that enrolled.
pub const IDENTITIES: &str = "/api/v1/identities";
/// One of them.
pub const IDENTITY: &str = "/api/v1/identities/{name}";
/// Its requests are not accepted any more.
pub const IDENTITY_REVOKE: &str = "/api/v1/identities/{name}/revoke";
/// They are accepted again.
pub const IDENTITY_REINSTATE: &str = "/api/v1/identities/{name}/reinstate";
/// Where a host shows its token and gets an identity.
pub const AGENT_ENROL: &str = "/api/v1/agent/enrol";
/// Where host agents replace their keys.
pub const AGENT_ROTATE: &str = "/api/v1/agent/rotate";
/// Where host agents bring their events.
pub const AGENT_REPORTS: &str = "/api/v1/agent/reports";
/// Where host agents fetch their commands.
pub const AGENT_COMMANDS: &str = "/api/v1/agent/commands";
/// Where host agents bring a file that they were ordered to.
pub const AGENT_COMMAND_FILE: &str = "/api/v1/agent/commands/{id}/file";
/// Where host agents tell of commands that they did not believe.
pub const AGENT_REFUSALS: &str = "/api/v1/agent/refusals";
/// Where host agents say what became of a command.
pub const AGENT_COMMAND_RESULT: &str = "/api/v1/agent/commands/{id}/result";

/// Puts `value`, percent-encoded, in the place of the first `{name}`; call it again for the next.
///
/// ```
/// use ringwall_server_api::paths;
/// let key = paths::fill(&paths::fill(paths::KEY, "sysscore"), "agent 1");
/// assert_eq!(key, "/api/v1/keys/sysscore/agent%201");
/// ```
pub fn fill(path: &str, value: &str) -> String {
    match (path.split_once('{'), path.split_once('}')) {
        (Some((before, _)), Some((_, after))) => format!("{before}{}{after}", encode(value)),
        _ => path.to_owned(),
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986 §2.3.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 0xf] {
                out.push(
                    char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase(),
                );
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        check("host-agent:web-1", "/api/v1/hosts/host-agent%3Aweb-1/processes");
        check("../x?y#z", "/api/v1/hosts/..%2Fx%3Fy%23z/processes");
        check("{id}%2F", "/api/v1/hosts/%7Bid%7D%252F/processes");
        check("é\n", "/api/v1/hosts/%C3%A9%0A/processes");
    }

    #[track_caller]
    fn check(value: &str, expected: &str) {
        assert_eq!(fill(HOST_PROCESSES, value), expected, "value {value:?}");
    }
}
