use super::{Fixture, Sender};
use axum::http::Method;
use ringwall_access::Role;
use ringwall_server_api::paths;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The least role that may ask.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Least {
    Nobody,
    ReadOnly,
    Analyst,
    Responder,
    Admin,
    /// Signed requests of host agents.
    HostAgent,
}

const MISSING_ID: &str = "00000000000000000000000000000000";

/// Every operation of the API with a request that fits, and who may make it.
fn operations() -> Vec<(Method, String, Value, Least)> {
    let at = |path: &str| paths::fill(path, MISSING_ID);
    let key = paths::fill(&paths::fill(paths::KEY, "sysscore"), "nobody");
    let get = |path: String, least| (Method::GET, path, Value::Null, least);
    let post = |path: String, body, least| (Method::POST, path, body, least);
    let put = |path: String, body, least| (Method::PUT, path, body, least);
    let delete = |path: String, least| (Method::DELETE, path, Value::Null, least);
    let sign_in = json!({"user": "nobody", "password": "wrong"});
    let kill = json!({
        "host": "host-agent:nobody", "action": "kill_process", "pid": 7, "name": "x", "reason": ""
    });
    vec![
        get(paths::HEALTH.into(), Least::Nobody),
        get(paths::OPENAPI.into(), Least::Nobody),
        get(paths::DOCS.into(), Least::Nobody),
        get(paths::CA.into(), Least::Nobody),
        post(paths::SESSION.into(), sign_in, Least::Nobody),
        get(paths::SESSION.into(), Least::ReadOnly),
        delete(paths::SESSION.into(), Least::ReadOnly),
        post(
            paths::SESSION_PASSWORD.into(),
            json!({"current": "x", "new": "a new pass phrase"}),
            Least::ReadOnly,
        ),
        get(paths::SESSIONS.into(), Least::ReadOnly),
        delete(paths::SESSIONS.into(), Least::ReadOnly),
        // One that is not there: whether it is one's own cannot be told.
        delete(at(paths::SESSION_OPEN), Least::Admin),
        get(paths::USERS.into(), Least::Admin),
        post(paths::USERS.into(), json!({"name": "new", "role": "read_only"}), Least::Admin),
        (Method::PATCH, at(paths::USER), json!({"disabled": true}), Least::Admin),
        delete(at(paths::USER), Least::Admin),
        post(at(paths::USER_PASSWORD), json!({}), Least::Admin),
        get(paths::OVERVIEW.into(), Least::ReadOnly),
        get(paths::STORE.into(), Least::ReadOnly),
        get(paths::HOSTS.into(), Least::ReadOnly),
        get(at(paths::HOST), Least::ReadOnly),
        get(at(paths::HOST_PROCESSES), Least::ReadOnly),
        get(at(paths::HOST_CONNECTIONS), Least::ReadOnly),
        get(paths::EVENTS.into(), Least::ReadOnly),
        get(at(paths::EVENT), Least::ReadOnly),
        // No row at all is refused before the program is looked for, which this server does not have.
        post(paths::QUERY.into(), json!({"sql": "SELECT 1", "row_limit": 0}), Least::ReadOnly),
        get(paths::TIMELINE.into(), Least::ReadOnly),
        get(paths::ALERTS.into(), Least::ReadOnly),
        get(at(paths::ALERT), Least::ReadOnly),
        post(at(paths::ALERT_ACKNOWLEDGE), json!({}), Least::Analyst),
        post(at(paths::ALERT_RESOLVE), json!({}), Least::Analyst),
        post(at(paths::ALERT_KILL), json!({}), Least::Responder),
        get(paths::COMMANDS.into(), Least::ReadOnly),
        get(at(paths::COMMAND), Least::ReadOnly),
        get(at(paths::COMMAND_FILE), Least::Responder),
        post(paths::COMMANDS.into(), kill, Least::Responder),
        post(at(paths::COMMAND_WITHDRAW), Value::Null, Least::Responder),
        get(paths::SCORES.into(), Least::ReadOnly),
        get(paths::INDICATORS.into(), Least::ReadOnly),
        post(
            paths::INDICATORS.into(),
            json!({"kind": "process", "value": "other.sh"}),
            Least::Analyst,
        ),
        post(
            paths::INDICATORS_IMPORT.into(),
            json!({"kind": "process", "text": "another.sh"}),
            Least::Analyst,
        ),
        delete(at(paths::INDICATOR), Least::Analyst),
        get(paths::KEYS.into(), Least::Admin),
        post(paths::KEYS.into(), json!({"kind": "sysscore", "name": "new"}), Least::Admin),
        delete(key, Least::Admin),
        get(paths::ENROLMENTS.into(), Least::Admin),
        post(paths::ENROLMENTS.into(), json!({}), Least::Admin),
        delete(at(paths::ENROLMENT), Least::Admin),
        get(paths::IDENTITIES.into(), Least::Admin),
        post(at(paths::IDENTITY_REVOKE), json!({}), Least::Admin),
        post(at(paths::IDENTITY_REINSTATE), json!({}), Least::Admin),
        delete(at(paths::IDENTITY), Least::Admin),
        get(paths::TOKENS.into(), Least::Admin),
        post(paths::TOKENS.into(), json!({"name": "new", "role": "read_only"}), Least::Admin),
        delete(at(paths::TOKEN), Least::Admin),
        get(paths::HOLDS.into(), Least::Analyst),
        get(paths::WEBHOOKS.into(), Least::Analyst),
        post(
            paths::WEBHOOKS.into(),
            json!({"name": "x", "url": "https://example.com/"}),
            Least::Admin,
        ),
        get(at(paths::WEBHOOK), Least::Analyst),
        (Method::PATCH, at(paths::WEBHOOK), json!({}), Least::Admin),
        delete(at(paths::WEBHOOK), Least::Admin),
        post(at(paths::WEBHOOK_TEST), Value::Null, Least::Admin),
        post(at(paths::WEBHOOK_REPLAY), Value::Null, Least::Responder),
        post(at(paths::WEBHOOK_ROTATE_SECRET), Value::Null, Least::Admin),
        get(paths::DELIVERIES.into(), Least::Analyst),
        get(at(paths::DELIVERY), Least::Analyst),
        post(at(paths::DELIVERY_REPLAY), Value::Null, Least::Responder),
        post(paths::HOLDS.into(), json!({"name": "new", "reason": "why"}), Least::Admin),
        delete(at(paths::HOLD), Least::Admin),
        get(paths::GUARD_PROJECTS.into(), Least::ReadOnly),
        post(paths::GUARD_PROJECTS.into(), json!({"name": "new"}), Least::Admin),
        get(at(paths::GUARD_PROJECT), Least::ReadOnly),
        (Method::PATCH, at(paths::GUARD_PROJECT), json!({}), Least::Admin),
        delete(at(paths::GUARD_PROJECT), Least::Admin),
        post(at(paths::GUARD_PROJECT_ROTATE), json!({}), Least::Admin),
        get(at(paths::GUARD_PROJECT_AGENTS), Least::ReadOnly),
        get(paths::GUARD_EVENTS.into(), Least::ReadOnly),
        get(paths::GUARD_METRICS.into(), Least::ReadOnly),
        get(at(paths::GUARD_RULES), Least::ReadOnly),
        put(at(paths::GUARD_RULES), json!({"rules": {}, "base_version": 0}), Least::Admin),
        get(at(paths::GUARD_RULES_HISTORY), Least::ReadOnly),
        post(at(paths::GUARD_RULES_RESTORE), json!({"version": 1}), Least::Admin),
        post(at(paths::GUARD_RULES_PREVIEW), json!({"rules": {}}), Least::ReadOnly),
        get(paths::GUARD_BANS.into(), Least::ReadOnly),
        post(
            paths::GUARD_BANS.into(),
            json!({"address": "192.0.2.1", "seconds": 60, "reason": "why"}),
            Least::Responder,
        ),
        get(at(paths::GUARD_BAN), Least::ReadOnly),
        post(at(paths::GUARD_BAN_LIFT), json!({"reason": "why"}), Least::Responder),
        get(paths::GUARD_AUTOMATIC.into(), Least::ReadOnly),
        put(paths::GUARD_AUTOMATIC.into(), json!({}), Least::Admin),
        get(paths::AUDIT.into(), Least::Analyst),
        get(paths::STREAM.into(), Least::ReadOnly),
        post(paths::AGENT_ENROL.into(), json!({}), Least::HostAgent),
        post(paths::AGENT_ROTATE.into(), json!({}), Least::HostAgent),
        post(paths::AGENT_REPORTS.into(), json!({}), Least::HostAgent),
        get(paths::AGENT_COMMANDS.into(), Least::HostAgent),
        post(at(paths::AGENT_COMMAND_FILE), Value::Null, Least::HostAgent),
        post(paths::AGENT_REFUSALS.into(), json!({}), Least::HostAgent),
        post(
            at(paths::AGENT_COMMAND_RESULT),
            json!({"state": "failed", "result": ""}),
            Least::HostAgent,
        ),
    ]
}

fn request<'f>(fixture: &'f Fixture, operation: &(Method, String, Value, Least)) -> Sender<'f> {
    let (method, path, body, _) = operation;
    let request = fixture.ask(method.clone(), path);
    if body.is_null() { request } else { request.json(body) }
}

#[tokio::test]
async fn without_credentials_nothing_is_told_or_done() {
    let fixture = Fixture::new().await;
    let unknown = "rwt_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut other_secret = fixture.admin.clone();
    let last = if other_secret.ends_with('A') { "E" } else { "A" };
    other_secret.replace_range(other_secret.len() - 1.., last);
    let credentials = [
        None,
        Some(("authorization", format!("Bearer {unknown}"))),
        Some(("authorization", format!("Bearer {other_secret}"))),
        Some(("authorization", format!("Bearer  {}x", fixture.admin))),
        Some(("authorization", format!("Basic {}", fixture.admin))),
        Some(("authorization", fixture.admin.clone())),
        Some(("authorization", String::new())),
        Some(("cookie", "ringwall_session=AAAA".to_owned())),
        Some(("cookie", format!("ringwall_session={}", "A".repeat(43)))),
        Some(("cookie", format!("ringwall_session={}", fixture.admin))),
    ];
    for operation in operations() {
        if operation.3 == Least::Nobody {
            continue;
        }
        for credential in &credentials {
            let mut request = request(&fixture, &operation);
            if let Some((name, value)) = credential {
                request = request.header(name, value);
            }
            let answer = request.send().await;
            let what = format!("{} {} with {credential:?}", operation.0, operation.1);
            assert_eq!(answer.status.as_u16(), 401, "{what}: {}", answer.text);
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{what}");
            let problem = answer.is_problem(401, "unauthenticated");
            assert_eq!(problem["detail"], "credentials are missing or not valid", "{what}");
        }
    }
}

#[tokio::test]
async fn each_role_may_what_the_table_says() {
    let fixture = Fixture::new().await;
    for (role, allowed) in [
        (Role::ReadOnly, &[Least::Nobody, Least::ReadOnly][..]),
        (Role::Analyst, &[Least::Nobody, Least::ReadOnly, Least::Analyst]),
        (Role::Responder, &[Least::Nobody, Least::ReadOnly, Least::Analyst, Least::Responder]),
        (
            Role::Admin,
            &[Least::Nobody, Least::ReadOnly, Least::Analyst, Least::Responder, Least::Admin],
        ),
    ] {
        let token = fixture.token(role).await;
        for operation in operations() {
            let (method, path, _, least) = &operation;
            // A stream does not end by itself, and has tests of its own.
            if path == paths::STREAM {
                continue;
            }
            let answer = request(&fixture, &operation).token(&token).send().await;
            let status = answer.status.as_u16();
            let what = format!("{role}: {method} {path}: {status} {}", answer.text);
            if *least == Least::HostAgent {
                assert_eq!(status, 401, "{what}");
            } else if allowed.contains(least) {
                assert!(status < 500 && status != 403, "{what}");
                assert!(status != 401 || path == paths::SESSION, "{what}");
            } else {
                assert_eq!(status, 403, "{what}");
                assert!(answer.json()["detail"].as_str().unwrap().contains("may not"), "{what}");
            }
        }
    }
}

/// A page of somebody else's can have the browser send the cookie, but not this header.
#[tokio::test]
async fn every_change_with_a_cookie_needs_the_csrf_value() {
    let fixture = Fixture::new().await;
    let body = json!({"user": "admin", "password": fixture.password});
    let signed_in = fixture.ask(Method::POST, paths::SESSION).json(&body).send().await;
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
    let mut tried = 0;
    for operation in operations() {
        let (method, path, _, least) = &operation;
        if method.is_safe() || matches!(least, Least::Nobody | Least::HostAgent) {
            continue;
        }
        for value in [None, Some("x"), Some("")] {
            let mut request = request(&fixture, &operation).header("cookie", &cookie);
            if let Some(value) = value {
                request = request.header("x-ringwall-csrf", value);
            }
            let answer = request.send().await;
            let what = format!("{method} {path} with {value:?}: {}", answer.text);
            assert_eq!(answer.status.as_u16(), 403, "{what}");
            assert_eq!(answer.json()["type"], "urn:ringwall:problem:csrf-missing", "{what}");
        }
        tried += 1;
    }
    assert!(tried > 20, "{tried} operations");
    // Nothing of it signed anybody out.
    let shown = fixture.ask(Method::GET, paths::SESSION).header("cookie", &cookie).send().await;
    assert_eq!(shown.status.as_u16(), 200, "{}", shown.text);
}

#[tokio::test]
async fn refused_changes_are_written_down() {
    let fixture = Fixture::new().await;
    let token = fixture.token(Role::ReadOnly).await;
    let body = json!({"name": "mine", "role": "admin"});
    let answer = fixture.ask(Method::POST, paths::TOKENS).token(&token).json(&body).send().await;
    answer.is_problem(403, "action-refused");
    let audit = fixture.get(paths::AUDIT).await;
    let entry = &audit["data"][0];
    assert_eq!(entry["actor"], "token:read_only");
    assert_eq!(entry["action"], "create_token");
    assert_eq!(entry["subject"], "token mine");
    assert_eq!(entry["outcome"], "refused");
    assert_eq!(fixture.get(paths::TOKENS).await["data"].as_array().unwrap().len(), 2);
}

/// What is described is there, and what is there is described, with its authorisation tested above.
#[test]
fn the_table_is_the_whole_document() {
    let document = serde_json::to_value(ringwall_server_api::openapi()).unwrap();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if operation.get("responses").is_some() {
                described.insert(format!("{} {}", method.to_uppercase(), parameters_blank(path)));
            }
        }
    }
    let tested: BTreeSet<String> = operations()
        .iter()
        .map(|(method, path, _, _)| {
            let path = path.replace(MISSING_ID, "{}").replace("sysscore/nobody", "{}/{}");
            format!("{method} {path}")
        })
        .collect();
    assert_eq!(described, tested);
}

fn parameters_blank(path: &str) -> String {
    let mut out = String::new();
    for part in path.split('{') {
        match part.split_once('}') {
            Some((_, rest)) => out.push_str(&format!("{{}}{rest}")),
            None => out.push_str(part),
        }
    }
    out
}
