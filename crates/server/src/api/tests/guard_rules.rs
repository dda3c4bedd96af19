//! What guarded applications are told: rules, bans, and when they hear of it.

use super::fixture::{AGENT, Fixture};
use crate::dialects;
use crate::engine::{IntakeBatch, now};
use crate::guard_rules::publishing::Edited;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use ringwall_access::Role;
use ringwall_dialects::guard::{DynamicRules, verify};
use ringwall_event::{Activity, Event, EventId, Severity, Source, Timestamp};
use ringwall_signing::Secret;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

const RULES: &str = "/api/v1/guard/projects/shop/rules";

/// A guard of the project `shop`.
pub(super) struct Guard {
    router: Router,
    key: String,
    secret: Secret,
}

impl Guard {
    pub(super) async fn new(fixture: &Fixture) -> Self {
        Self::of(fixture, "shop").await
    }

    pub(super) async fn of(fixture: &Fixture, project: &str) -> Self {
        let added = fixture.post("/api/v1/guard/projects", json!({ "name": project })).await.json();
        let router = dialects::guard_rules::routes().with_state(Arc::clone(&fixture.server));
        Self {
            router,
            key: added["key"].as_str().unwrap().to_owned(),
            secret: added["signing_secret"].as_str().unwrap().to_owned().into(),
        }
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> axum::response::Response {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// What a poll answers; its signature must be right.
    pub(super) async fn poll(&self) -> DynamicRules {
        let response = self.ask("/api/v1/rules", &[("x-api-key", &self.key)]).await;
        assert_eq!(response.status(), StatusCode::OK);
        let signature = response.headers()["x-payload-signature"].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(verify(&self.secret, &body, &signature));
        DynamicRules::read(&body).unwrap()
    }

    async fn listen(&self) -> Listening<'_> {
        let response = self.ask("/api/v1/rules/stream", &[("x-api-key", &self.key)]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Listening { guard: self, body: response.into_body(), text: String::new() }
    }
}

struct Listening<'a> {
    guard: &'a Guard,
    body: Body,
    text: String,
}

impl Listening<'_> {
    /// The next rules; none at the end of the stream.
    async fn next(&mut self) -> Option<DynamicRules> {
        loop {
            while let Some((message, rest)) = self.text.split_once("\n\n") {
                let message = message.to_owned();
                self.text = rest.to_owned();
                let Some(data) = message.lines().find_map(|line| line.strip_prefix("data: "))
                else {
                    continue;
                };
                let id = message.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
                let data: Value = serde_json::from_str(data).unwrap();
                let text = data["rules"].as_str().unwrap();
                let signature = data["signature"].as_str().unwrap();
                assert!(verify(&self.guard.secret, text.as_bytes(), signature));
                let rules = DynamicRules::read(text.as_bytes()).unwrap();
                assert_eq!(rules.version.to_string(), id);
                return Some(rules);
            }
            let frame = tokio::time::timeout(Duration::from_secs(60), self.body.frame());
            let frame = frame.await.expect("a message within a minute")?;
            self.text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
    }
}

async fn put(fixture: &Fixture, base: &Value, rules: Value) -> super::fixture::Answer {
    let body = json!({ "rules": rules, "base_version": base, "note": "a test" });
    fixture.ask(Method::PUT, RULES).token(&fixture.admin).json(&body).send().await
}

pub(super) fn texts(list: &[Box<str>]) -> Vec<&str> {
    list.iter().map(|entry| &**entry).collect()
}

#[tokio::test]
async fn rules_are_edited_listed_and_restored_under_versions_that_only_grow() {
    let fixture = Fixture::new().await;
    let guard = Guard::new(&fixture).await;
    let untouched = guard.poll().await;
    assert!(untouched.rule_id.starts_with("ringwall-shop-"), "{}", untouched.rule_id);
    assert_eq!(untouched.ttl, 15);
    let shown = fixture.get(RULES).await;
    assert_eq!((&shown["version"], &shown["etag"]), (&json!(0), &json!("\"0\"")));

    let first = put(&fixture, &json!(0), json!({ "blocked_user_agents": ["sqlmap"] })).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let first = first.json();
    assert_eq!(first["updated_by"], "token:first administrator");
    assert_eq!(first["rules"]["ttl"], 15);
    let told = guard.poll().await;
    assert_eq!(texts(&told.blocked_user_agents), ["sqlmap"]);
    assert!(told.version > untouched.version && told.rule_id == untouched.rule_id);

    let stale = put(&fixture, &json!(0), json!({})).await;
    stale.is_problem(409, "conflict");
    let second = put(&fixture, &first["version"], json!({ "emergency_mode": true })).await.json();
    let restored =
        fixture.post(&format!("{RULES}/restore"), json!({ "version": first["version"] })).await;
    assert_eq!(restored.status, StatusCode::OK, "{}", restored.text);
    let restored = restored.json();
    assert_eq!(restored["rules"], first["rules"]);
    let versions = [&first, &second, &restored].map(|shown| shown["version"].as_i64().unwrap());
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    let after = guard.poll().await;
    assert!(after.version > told.version && !after.emergency_mode);

    let history = fixture.get(&format!("{RULES}/history?limit=2")).await;
    let rows = history["data"].as_array().unwrap();
    assert_eq!(rows[0]["note"], format!("version {} again", versions[0]));
    assert_eq!(rows[1]["summary"], "blocked_user_agents: 1 removed, emergency_mode: false to true");
    let cursor = history["next_cursor"].as_str().unwrap();
    let rest = fixture.get(&format!("{RULES}/history?limit=2&cursor={cursor}")).await;
    assert_eq!(rest["data"].as_array().unwrap().len(), 1);
    fixture
        .post(&format!("{RULES}/restore"), json!({ "version": 1_000_000_000 }))
        .await
        .is_problem(404, "not-found");
}

#[tokio::test]
async fn faults_of_rules_are_told_each_with_its_place() {
    let fixture = Fixture::new().await;
    Guard::new(&fixture).await;
    let rules = json!({
        "ip_blacklist": ["192.0.2.1", "192.0.2.300"], "ttl": 0, "blocked_user_agents": ["(a+)+$"],
        "endpoint_rate_limits": { "/a": [0, 1] }, "vesion": 3,
    });
    let problem = put(&fixture, &json!(0), rules.clone()).await.is_problem(422, "invalid-rules");
    let mut places: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    places.sort_unstable();
    assert_eq!(
        places,
        [
            "#/rules/blocked_user_agents/0",
            "#/rules/endpoint_rate_limits/~1a",
            "#/rules/ip_blacklist/1",
            "#/rules/ttl",
            "#/rules/vesion",
        ]
    );
    let preview = fixture.post(&format!("{RULES}/preview"), json!({ "rules": rules })).await;
    preview.is_problem(422, "invalid-rules");
    let own = put(&fixture, &json!(0), json!({ "ip_blacklist": ["127.0.0.0/8"] })).await;
    let own = own.is_problem(422, "invalid-rules");
    assert!(own["detail"].as_str().unwrap().contains("loopback"), "{own}");
    for (role, expected) in [(Role::Responder, 403), (Role::Admin, 200)] {
        let token = fixture.token(role).await;
        let body = json!({ "rules": {}, "base_version": 0 });
        let answer = fixture.ask(Method::PUT, RULES).token(&token).json(&body).send().await;
        assert_eq!(answer.status.as_u16(), expected, "{role}: {}", answer.text);
    }
    let nowhere = "/api/v1/guard/projects/nowhere/rules";
    let answer = fixture.ask(Method::GET, nowhere).token(&fixture.admin).send().await;
    answer.is_problem(404, "not-found");
}

/// Flaw 15: an error that is told with status 200, or as an object, wipes every protection.
#[tokio::test]
async fn flaw_15_only_the_right_key_is_answered_with_an_object() {
    let fixture = Fixture::new().await;
    let guard = Guard::new(&fixture).await;
    let other = Guard::of(&fixture, "blog").await;
    let bearer = format!("Bearer {}", guard.key);
    for path in [
        "/api/v1/rules",
        "/api/v1/api/v1/rules",
        "/api/v1/rules/stream",
        "/api/v1/api/v1/rules/stream",
    ] {
        for (headers, expected) in [
            (vec![("x-api-key", guard.key.as_str())], 200),
            (vec![("authorization", bearer.as_str()), ("x-project-id", "shop")], 200),
            (vec![("x-api-key", guard.key.as_str()), ("x-project-id", "blog")], 403),
            // The same as for what is reported: either header is enough, and one without a name says nothing.
            (vec![("x-api-key", "rwg_wrong"), ("authorization", bearer.as_str())], 200),
            (vec![("x-api-key", guard.key.as_str()), ("x-project-id", "")], 200),
            (vec![("x-api-key", "rwg_wrong")], 401),
            (vec![("x-api-key", "")], 401),
            (vec![("authorization", guard.key.as_str())], 401),
            (vec![], 401),
        ] {
            let response = guard.ask(path, &headers).await;
            assert_eq!(response.status().as_u16(), expected, "{path} {headers:?}");
            if expected != 200 {
                let body = response.into_body().collect().await.unwrap().to_bytes();
                assert!(!body.starts_with(b"{"), "{body:?}");
            }
        }
    }
    assert_ne!(guard.poll().await.rule_id, other.poll().await.rule_id);
    let removed = fixture.ask(Method::DELETE, "/api/v1/guard/projects/blog").token(&fixture.admin);
    assert_eq!(removed.send().await.status, StatusCode::NO_CONTENT);
    let gone = other.ask("/api/v1/rules", &[("x-api-key", &other.key)]).await;
    assert_eq!(gone.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn changes_reach_who_listens() {
    let fixture = Fixture::new().await;
    let guard = Guard::new(&fixture).await;
    let elsewhere = Guard::of(&fixture, "blog").await;
    let mut stream = guard.listen().await;
    let mut other = elsewhere.listen().await;
    let first = stream.next().await.unwrap();
    other.next().await.unwrap();
    put(&fixture, &json!(0), json!({ "global_rate_limit": 5, "global_rate_window": 60 })).await;
    let second = stream.next().await.unwrap();
    assert_eq!(second.global_rate_limit, Some(5));
    assert!(second.version > first.version);
    let ban = json!({ "address": "203.0.113.7", "seconds": 3600, "reason": "probes" });
    let ban = fixture.post("/api/v1/guard/bans", ban).await;
    assert_eq!(ban.status, StatusCode::CREATED, "{}", ban.text);
    for stream in [&mut stream, &mut other] {
        assert_eq!(texts(&stream.next().await.unwrap().ip_blacklist), ["203.0.113.7"]);
    }
    let lift = format!("/api/v1/guard/bans/{}/lift", ban.json()["id"].as_str().unwrap());
    let lifted = fixture.post(&lift, json!({ "reason": "a customer" })).await;
    assert_eq!(lifted.status, StatusCode::OK, "{}", lifted.text);
    for stream in [&mut stream, &mut other] {
        let rules = stream.next().await.unwrap();
        assert!(rules.ip_blacklist.is_empty());
        assert_eq!(texts(&rules.ip_whitelist), ["203.0.113.7"]);
    }
    let removed = fixture.ask(Method::DELETE, "/api/v1/guard/projects/blog").token(&fixture.admin);
    assert_eq!(removed.send().await.status, StatusCode::NO_CONTENT);
    assert_eq!(other.next().await, None, "the project is gone");
}

#[tokio::test]
async fn bans_are_listed_extended_and_end() {
    let fixture = Fixture::new().await;
    let guard = Guard::new(&fixture).await;
    let ban = async |body: Value| fixture.post("/api/v1/guard/bans", body).await;
    let first =
        ban(json!({ "address": "203.0.113.7", "seconds": 600, "reason": "a" })).await.json();
    let again =
        ban(json!({ "address": "203.0.113.7", "seconds": 6000, "reason": "b" })).await.json();
    assert_eq!(first["id"], again["id"], "one that lasts longer");
    assert!(again["expires"].as_str() > first["expires"].as_str());
    let shorter =
        ban(json!({ "address": "203.0.113.7", "seconds": 60, "reason": "c" })).await.json();
    assert_eq!(shorter["expires"], again["expires"]);
    let of_shop =
        json!({ "address": "2001:db8::/64", "seconds": 60, "reason": "x", "project": "shop" });
    assert_eq!(ban(of_shop).await.status, StatusCode::CREATED);
    for (body, status, code) in [
        (json!({ "address": "127.0.0.1", "seconds": 60, "reason": "x" }), 403, "action-refused"),
        (
            json!({ "address": "198.51.0.0/16", "seconds": 60, "reason": "x" }),
            403,
            "action-refused",
        ),
        (json!({ "address": "nobody", "seconds": 60, "reason": "x" }), 400, "invalid-request"),
        (json!({ "address": "192.0.2.1", "seconds": 59, "reason": "x" }), 400, "invalid-request"),
        (json!({ "address": "192.0.2.1", "seconds": 60, "reason": " " }), 400, "invalid-request"),
        (
            json!({ "address": "192.0.2.1", "seconds": 60, "reason": "x", "project": "no" }),
            404,
            "not-found",
        ),
    ] {
        ban(body).await.is_problem(status, code);
    }
    let list = async |query: &str| {
        let page = fixture.get(&format!("/api/v1/guard/bans{query}")).await;
        let rows = page["data"].as_array().unwrap().clone();
        rows.iter().map(|row| row["address"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, ["2001:db8::/64", "203.0.113.7"]);
    assert_eq!(list("?project=blog").await, ["203.0.113.7"]);
    assert_eq!(texts(&guard.poll().await.ip_blacklist).len(), 2);

    // As if their time had come.
    fixture
        .server
        .engine
        .write(|writing| {
            use ringwall_store::GuardBanStore;
            for mut ban in writing.session.bans(&Default::default(), None, 10)? {
                ban.expires = writing.now;
                writing.session.put_ban(&ban)?;
            }
            writing.end_overdue_bans()
        })
        .await
        .unwrap();
    assert_eq!(list("?state=ended").await.len(), 2);
    let told = guard.poll().await;
    assert!(told.ip_blacklist.is_empty());
    assert_eq!(told.ip_whitelist.len(), 2);
    let lift = format!("/api/v1/guard/bans/{}/lift", first["id"].as_str().unwrap());
    fixture.post(&lift, json!({ "reason": "late" })).await.is_problem(409, "conflict");
    let audit = fixture.get("/api/v1/audit").await.to_string();
    for action in ["ban_address", "unban_address"] {
        assert!(audit.contains(action), "{audit}");
    }
}

#[tokio::test]
async fn edited_rules_end_by_their_clock_for_who_polls_too() {
    let fixture = Fixture::new().await;
    let guard = Guard::new(&fixture).await;
    let end = now().plus_seconds(3600);
    let rules = json!({ "emergency_mode": true, "expires_at": end.to_string() });
    let edited = put(&fixture, &json!(0), rules).await;
    assert_eq!(edited.status, StatusCode::OK, "{}", edited.text);
    let told = guard.poll().await;
    assert!(told.emergency_mode && told.expires_at == Some(end));
    assert_eq!(fixture.get(RULES).await["expired"], json!(false));
    let sweep_at = async |moment: Timestamp| {
        let swept = fixture.server.engine.write(move |writing| {
            writing.now = moment;
            writing.sweep_guard_rules()
        });
        swept.await.unwrap();
        guard.poll().await
    };
    assert_eq!(sweep_at(end.plus_seconds(-1)).await.version, told.version);
    let after = sweep_at(end.plus_seconds(1)).await;
    assert!(!after.emergency_mode && after.expires_at.is_none() && after.version > told.version);

    // Whoever edits sees that what is in force is past its end.
    let past = DynamicRules { expires_at: Some(now().plus_seconds(-1)), ..DynamicRules::default() };
    let edited =
        Edited { rules: past, updated_by: "user:ada".into(), note: None, summary: String::new() };
    let edited = fixture.server.engine.write(|writing| writing.edit_guard_rules("shop", edited));
    edited.await.unwrap();
    assert_eq!(fixture.get(RULES).await["expired"], json!(true));
}

#[tokio::test]
async fn a_ban_is_told_to_hosts_and_taken_back_there() {
    let fixture = Fixture::new().await;
    Guard::new(&fixture).await;
    let ban = json!({ "address": "203.0.113.7", "seconds": 3600, "reason": "x", "hosts": true });
    let token = fixture.token(Role::Responder).await;
    let sender = fixture.ask(Method::POST, "/api/v1/guard/bans").token(&token);
    let ban = sender.json(&ban).send().await;
    assert_eq!(ban.status, StatusCode::CREATED, "{}", ban.text);
    let id = ban.json()["id"].as_str().unwrap().to_owned();
    let commands =
        async || fixture.get("/api/v1/commands").await["data"].as_array().unwrap().clone();
    let ordered = commands().await;
    assert_eq!(ordered.len(), 1, "{ordered:?}");
    assert_eq!(ordered[0]["action"], "block_address");
    assert_eq!(ordered[0]["target"], json!({ "address": "203.0.113.7", "seconds": 3600 }));
    assert_eq!(ordered[0]["source"], format!("host-agent:{AGENT}"));
    assert!(ordered[0]["reason"].as_str().unwrap().starts_with(&id));

    // Nobody fetched it yet: it is withdrawn. Once it was handed out, the host is told to let in again.
    let lift = |id: &str| format!("/api/v1/guard/bans/{id}/lift");
    assert_eq!(fixture.post(&lift(&id), json!({ "reason": "y" })).await.status, StatusCode::OK);
    let ordered = commands().await;
    assert_eq!((ordered.len(), &ordered[0]["state"]), (1, &json!("withdrawn")));
    let again = json!({ "address": "203.0.113.8", "seconds": 3600, "reason": "x", "hosts": true });
    let again = fixture.post("/api/v1/guard/bans", again).await.json();
    let source = Source::new(Source::HOST_AGENT, AGENT);
    fixture.server.engine.write(move |writing| writing.deliver(&source, 0)).await.unwrap();
    let again = again["id"].as_str().unwrap();
    assert_eq!(fixture.post(&lift(again), json!({ "reason": "y" })).await.status, StatusCode::OK);
    let ordered = commands().await;
    assert_eq!(ordered[0]["action"], "unblock_address");
    assert_eq!(ordered[0]["target"], json!({ "address": "203.0.113.8" }));
}

/// An event of the guard of a project, as intake stores it.
fn event(project: &str, original: Value) -> Event {
    let source = Source::new(Source::GUARD, project);
    Event {
        id: EventId::default(),
        time: now(),
        received: now(),
        host: source.name.clone(),
        source,
        severity: Severity::Medium,
        activity: Activity::HttpRequest(Box::default()),
        original: Some(original.to_string().into()),
    }
}

pub(super) async fn take(fixture: &Fixture, project: &str, originals: Vec<Value>) {
    let batch = IntakeBatch {
        source: Some(Source::new(Source::GUARD, project)),
        events: originals.into_iter().map(|original| event(project, original)).collect(),
        ..IntakeBatch::default()
    };
    fixture.server.engine.take(batch).await.unwrap();
}

async fn set_automatic(fixture: &Fixture, settings: &Value) {
    let sender = fixture.ask(Method::PUT, "/api/v1/guard/automatic").token(&fixture.admin);
    let answer = sender.json(settings).send().await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

fn attempt(address: &str) -> Value {
    json!({ "event_type": "penetration_attempt", "ip_address": address, "country": "NL" })
}

#[tokio::test]
async fn events_lead_to_a_ban_everywhere_once_and_within_bounds() {
    let fixture = Fixture::new().await;
    let guard = Guard::new(&fixture).await;
    let settings = json!({
        "rules": [{
            "name": "probes", "when": { "event_types": ["penetration_attempt"], "threshold": 3,
            "window_seconds": 60 }, "ban_seconds": 600, "hosts": true,
        }],
        "never_ban": ["198.51.100.0/24"],
    });
    set_automatic(&fixture, &settings).await;
    take(&fixture, "shop", vec![attempt("203.0.113.7"), attempt("203.0.113.7")]).await;
    assert!(guard.poll().await.ip_blacklist.is_empty());
    take(&fixture, "shop", vec![attempt("203.0.113.7"), attempt("203.0.113.8")]).await;
    assert_eq!(texts(&guard.poll().await.ip_blacklist), ["203.0.113.7"]);
    let bans = fixture.get("/api/v1/guard/bans").await;
    let ban = &bans["data"][0];
    assert_eq!(
        (&ban["origin"], &ban["created_by"], &ban["country"], &ban["project"]),
        (&json!("alert"), &json!("rule:ban/probes"), &json!("NL"), &json!(null))
    );
    let commands = fixture.get("/api/v1/commands").await;
    assert_eq!(commands["data"][0]["ordered_by"], "rule:ban/probes");

    // It goes on: no second ban, and who is never banned is refused and written down once.
    for _ in 0..4 {
        take(&fixture, "shop", vec![attempt("203.0.113.7"); 3]).await;
        take(&fixture, "shop", vec![attempt("198.51.100.9"); 3]).await;
    }
    assert_eq!(guard.poll().await.ip_blacklist.len(), 1);
    let audit = fixture.get("/api/v1/audit").await;
    let outcomes: Vec<&str> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["action"] == "ban_address")
        .map(|row| row["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["refused", "permitted"]);

    // One application cannot ban the world.
    for number in 0..150 {
        take(&fixture, "shop", vec![attempt(&format!("192.0.2.{number}")); 3]).await;
    }
    assert_eq!(guard.poll().await.ip_blacklist.len(), 100);
    let quota = fixture.get("/api/v1/audit").await["data"][0].clone();
    assert!(quota["reason"].as_str().unwrap().contains("within an hour"), "{quota}");
}

#[tokio::test]
async fn bans_of_one_application_are_shared_where_that_is_wanted() {
    let fixture = Fixture::new().await;
    let guard = Guard::of(&fixture, "blog").await;
    let banned = |reason: &str| {
        json!({ "event_type": "ip_banned", "ip_address": "203.0.113.7", "reason": reason,
                "metadata": { "duration": 1e9 } })
    };
    take(&fixture, "shop", vec![banned("rate_limit_exceeded")]).await;
    assert!(guard.poll().await.ip_blacklist.is_empty(), "off by default");
    set_automatic(&fixture, &json!({ "share_app_bans": true })).await;
    take(&fixture, "shop", vec![banned("dynamic_rule")]).await;
    assert!(guard.poll().await.ip_blacklist.is_empty(), "what we had it do is no news");
    take(&fixture, "shop", vec![banned("rate_limit_exceeded")]).await;
    let told = guard.poll().await;
    assert_eq!(texts(&told.ip_blacklist), ["203.0.113.7"]);
    assert_eq!(told.ip_ban_duration, 86_400, "a day at most");
    let ban = fixture.get("/api/v1/guard/bans").await["data"][0].clone();
    assert_eq!((&ban["origin"], &ban["created_by"]), (&json!("app"), &json!("rule:ban/shared")));
}

#[tokio::test]
async fn automatic_rules_that_do_not_fit_are_refused() {
    let fixture = Fixture::new().await;
    let rule = |change: &[(&str, Value)]| {
        let mut rule = json!({
            "name": "a", "when": { "event_types": ["x"], "threshold": 1, "window_seconds": 1 },
            "ban_seconds": 60,
        });
        for (pointer, value) in change {
            *rule.pointer_mut(pointer).unwrap() = value.clone();
        }
        json!({ "rules": [rule] })
    };
    let put = async |token: &str, body: &Value| {
        let sender = fixture.ask(Method::PUT, "/api/v1/guard/automatic").token(token);
        sender.json(body).send().await
    };
    for (pointer, value) in [
        ("/name", json!("a b")),
        ("/name", json!("shared")),
        ("/ban_seconds", json!(59)),
        ("/when/threshold", json!(0)),
        ("/when/window_seconds", json!(86_401)),
        ("/when/event_types", json!([])),
    ] {
        let answer = put(&fixture.admin, &rule(&[(pointer, value.clone())])).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{pointer} {value}: {}", answer.text);
    }
    let mut twice = rule(&[]);
    let one = twice["rules"][0].clone();
    twice["rules"].as_array_mut().unwrap().push(one);
    assert_eq!(put(&fixture.admin, &twice).await.status, StatusCode::BAD_REQUEST);
    let responder = fixture.token(Role::Responder).await;
    assert_eq!(put(&responder, &rule(&[])).await.status, StatusCode::FORBIDDEN);
    assert_eq!(put(&fixture.admin, &rule(&[])).await.status, StatusCode::OK);
    let shown = fixture.get("/api/v1/guard/automatic").await;
    assert_eq!(shown["rules"][0]["enabled"], json!(true));
}

#[tokio::test]
async fn a_preview_tells_what_rules_would_have_blocked() {
    let fixture = Fixture::new().await;
    Guard::new(&fixture).await;
    let request = |agent: &str| {
        json!({ "event_type": "rate_limited", "ip_address": "203.0.113.7", "endpoint": "/login",
                "method": "POST", "user_agent": agent })
    };
    take(&fixture, "shop", vec![request("sqlmap"), request("curl"), request("curl")]).await;
    take(&fixture, "blog", vec![request("sqlmap")]).await;
    let body = json!({
        "rules": { "blocked_user_agents": ["^sqlmap"], "endpoint_rate_limits": { "/login": [2, 60] } },
    });
    let preview = fixture.post(&format!("{RULES}/preview"), body).await;
    assert_eq!(preview.status, StatusCode::OK, "{}", preview.text);
    let preview = preview.json();
    assert_eq!(
        (&preview["requests_seen"], &preview["partial"], &preview["hours"]),
        (&json!(3), &json!(false), &json!(24))
    );
    let fields: Vec<_> =
        preview["by_rule"].as_array().unwrap().iter().map(|r| &r["field"]).collect();
    assert_eq!(fields, [&json!("blocked_user_agents"), &json!("endpoint_rate_limits")]);
    let long = json!({ "rules": {}, "hours": 169 });
    fixture.post(&format!("{RULES}/preview"), long).await.is_problem(400, "invalid-request");
}
