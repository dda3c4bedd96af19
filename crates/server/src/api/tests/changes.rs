use super::Fixture;
use super::fixture::started;
use crate::engine::now;
use axum::http::Method;
use ringwall_access::Role;
use ringwall_server_api::paths;
use serde_json::{Value, json};

async fn first_alert(fixture: &Fixture) -> Value {
    fixture.get(paths::ALERTS).await["data"][0].clone()
}

fn id(row: &Value) -> &str {
    row["id"].as_str().unwrap()
}

#[tokio::test]
async fn an_alert_is_acknowledged_and_resolved_with_notes() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 4321, "netcat").await;
    let alert = first_alert(&fixture).await;
    assert_eq!(alert["state"], "open");
    let acknowledge = paths::fill(paths::ALERT_ACKNOWLEDGE, id(&alert));
    let resolve = paths::fill(paths::ALERT_RESOLVE, id(&alert));

    let answer = fixture.post(&acknowledge, json!({"note": "looking at it"})).await.json();
    assert_eq!(
        (&answer["state"], &answer["note"]),
        (&json!("acknowledged"), &json!("looking at it"))
    );
    // Without a body the note stays.
    let bare = fixture.ask(Method::POST, &acknowledge).token(&fixture.admin).send().await;
    assert_eq!(bare.json()["note"], "looking at it");
    let long = fixture.post(&acknowledge, json!({"note": "x".repeat(2001)})).await;
    assert_eq!(long.is_problem(400, "invalid-request")["errors"][0]["pointer"], "#/note");

    let answer = fixture.post(&resolve, json!({})).await.json();
    assert_eq!(answer["state"], "resolved");
    fixture.post(&acknowledge, json!({})).await.is_problem(409, "conflict");
    let shown = fixture.get(&paths::fill(paths::ALERT, id(&alert))).await;
    assert_eq!(shown["state"], "resolved");
    for (query, count) in [("state=resolved", 1), ("state=open", 0), ("severity=critical", 0)] {
        let page = fixture.get(&format!("{}?{query}", paths::ALERTS)).await;
        let found = page["data"].as_array().unwrap();
        let found = found.iter().filter(|row| row["id"] == alert["id"]).count();
        assert_eq!(found, count, "{query}");
    }
}

#[tokio::test]
async fn an_offered_kill_is_ordered_once() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 4321, "netcat").await;
    let alert = first_alert(&fixture).await;
    assert_eq!(alert["kill_offered"], true);
    assert_eq!(alert["commands"], json!([]));
    let kill = paths::fill(paths::ALERT_KILL, id(&alert));
    let answer = fixture.post(&kill, json!({"reason": "not\nhere"})).await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
    let command = answer.json();
    assert_eq!(command["alert"], alert["id"]);
    assert_eq!(command["reason"], "not here");
    assert_eq!(command["ordered_by"], "token:first administrator");
    fixture.post(&kill, json!({})).await.is_problem(409, "conflict");
    let shown = fixture.get(&paths::fill(paths::ALERT, id(&alert))).await;
    assert_eq!(shown["commands"][0]["id"], command["id"]);
}

#[tokio::test]
async fn vital_processes_are_not_killed_for_anybody() {
    let fixture = Fixture::new().await;
    fixture.report(1, vec![started(1, "systemd", now()), started(77, "sshd", now())]).await;
    let order = |pid: i64, name: &str| {
        json!({
            "host": "host-agent:web-1", "action": "kill_process", "pid": pid, "name": name,
            "reason": "because",
        })
    };
    for (pid, name, why) in [
        (1, "systemd", "no command may hit pid 1"),
        (0, "x", "no command may hit pid 0"),
        (-5, "x", "no command may hit pid -5"),
        (77, "sshd", "process `sshd` is protected"),
    ] {
        let answer = fixture.post(paths::COMMANDS, order(pid, name)).await;
        assert_eq!(answer.is_problem(403, "action-refused")["detail"], why);
        let audit = fixture.get(&format!("{}?limit=1", paths::AUDIT)).await;
        assert_eq!(audit["data"][0]["outcome"], "refused");
        assert_eq!(audit["data"][0]["reason"], why);
    }
    assert_eq!(fixture.get(paths::COMMANDS).await["data"], json!([]));
}

#[tokio::test]
async fn a_command_is_bound_to_what_runs_there() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 500, "miner").await;
    let order = json!({
        "host": "host-agent:web-1", "action": "kill_process", "pid": 500, "name": "miner",
        "reason": "not ours",
    });
    let with = |field: &str, value: Value| {
        let mut order = order.clone();
        order[field] = value;
        fixture.post(paths::COMMANDS, order)
    };
    with("host", json!("host-agent:web-9")).await.is_problem(404, "not-found");
    with("pid", json!(501)).await.is_problem(409, "conflict");
    with("name", json!("nginx")).await.is_problem(409, "conflict");
    with("name", json!("")).await.is_problem(400, "invalid-request");
    with("action", json!("format_disk")).await.is_problem(400, "invalid-request");
    with("pid", json!("500")).await.is_problem(400, "invalid-request");
    with("reason", json!("x".repeat(501))).await.is_problem(400, "invalid-request");
    with("host", json!("web-1")).await.is_problem(400, "invalid-request");

    let command = fixture.post(paths::COMMANDS, order.clone()).await.json();
    // The start time came from the host's own report.
    assert_eq!(command["target"]["start_time"], "2023-11-14T22:13:20Z");
    assert_eq!(command["state"], "queued");
    let withdraw = paths::fill(paths::COMMAND_WITHDRAW, id(&command));
    let withdrawn = fixture.post(&withdraw, Value::Null).await.json();
    assert_eq!(withdrawn["state"], "withdrawn");
    fixture.post(&withdraw, Value::Null).await.is_problem(409, "conflict");
    for (query, count) in
        [("state=withdrawn", 1), ("state=queued", 0), ("host=host-agent:web-1", 1)]
    {
        let page = fixture.get(&format!("{}?{query}", paths::COMMANDS)).await;
        assert_eq!(page["data"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn indicators_are_added_and_removed_and_act_at_once() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 4321, "sleep").await;
    let sleepers = async || {
        let page = fixture.get(paths::ALERTS).await;
        let rows = page["data"].as_array().unwrap().clone();
        rows.into_iter().filter(|row| row["finding"]["type"] == "indicator_match").count()
    };
    assert_eq!(sleepers().await, 0);
    let body = json!({"kind": "process", "value": "Sleep", "note": "the guide's test"});
    let answer = fixture.post(paths::INDICATORS, body.clone()).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    let indicator = answer.json();
    assert_eq!((&indicator["value"], &indicator["origin"]), (&json!("sleep"), &json!("user")));
    assert_eq!(indicator["note"], "the guide's test");
    // What runs already counts, too.
    assert_eq!(sleepers().await, 1);
    let listed = fixture.get(&format!("{}?limit=1", paths::INDICATORS)).await;
    assert_eq!(
        (&listed["data"][0]["value"], &listed["data"][0]["hits"]),
        (&json!("sleep"), &json!(1))
    );
    assert!(listed["data"][0]["last_hit"].is_string());
    assert_eq!(fixture.post(paths::INDICATORS, body).await.json()["id"], indicator["id"]);

    let path = paths::fill(paths::INDICATOR, id(&indicator));
    let delete = || fixture.ask(Method::DELETE, &path).token(&fixture.admin);
    assert_eq!(delete().send().await.status.as_u16(), 204);
    delete().send().await.is_problem(404, "not-found");
    let listed = fixture.get(&format!("{}?limit=1000", paths::INDICATORS)).await;
    assert!(listed["data"].as_array().unwrap().iter().all(|row| row["id"] != indicator["id"]));
}

#[tokio::test]
async fn lists_are_imported_with_what_is_wrong_named() {
    let fixture = Fixture::new().await;
    let text = "# a comment\nbad-one\n\nbad/two\nbad-one\n";
    let answer = fixture
        .post(paths::INDICATORS_IMPORT, json!({"kind": "process", "text": text, "action": "alert"}))
        .await;
    let answer = answer.json();
    assert_eq!(answer["added"], 1);
    assert_eq!(answer["refused"][0]["line"], 4);
    let lists = json!({
        "hashes": ["ab".repeat(32), "not a hash"],
        "ips": ["203.0.113.9"],
        "domains": ["evil.example", 7],
        "metadata": {"from": "a feed"},
    });
    let answer = fixture.post(paths::INDICATORS_IMPORT, json!({"json": lists})).await.json();
    assert_eq!(answer["added"], 3, "{answer}");
    let lines: Vec<_> =
        answer["refused"].as_array().unwrap().iter().map(|row| row["line"].clone()).collect();
    assert_eq!(lines, [json!(2), json!(2)], "{answer}");
    let again = json!({"json": {"ips": ["203.0.113.9"]}});
    let again = fixture.post(paths::INDICATORS_IMPORT, again).await.json();
    assert_eq!((&again["added"], &again["unchanged"]), (&json!(0), &json!(1)));
    for body in [
        json!({}),
        json!({"text": "x"}),
        json!({"text": "x", "kind": "process", "json": {}}),
        json!({"json": []}),
        json!({"json": "text"}),
    ] {
        fixture.post(paths::INDICATORS_IMPORT, body).await.is_problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn keys_are_told_once_and_never_listed() {
    let fixture = Fixture::new().await;
    let create = |body: Value| fixture.post(paths::KEYS, body);
    let answer = create(json!({"kind": "sysscore", "name": "agent-1"})).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    let made = answer.json();
    assert_eq!(made["id"], "agent-1");
    assert!(made["secret"].as_str().unwrap().len() >= 43);
    let own = create(json!({"kind": "sysscore", "name": "db-1", "secret": "my own secret"})).await;
    assert_eq!(own.json()["secret"], "my own secret");

    let again = json!({"kind": "sysscore", "name": "agent-1"});
    create(again).await.is_problem(409, "conflict");
    for body in [
        json!({"kind": "sysscore", "name": ""}),
        json!({"kind": "sysscore", "name": "two words"}),
        json!({"kind": "sysscore", "name": "x", "secret": "short"}),
        json!({"kind": "watcher", "name": "x"}),
        // Host agents enrol.
        json!({"kind": "host-agent", "name": "x"}),
    ] {
        create(body).await.is_problem(400, "invalid-request");
    }
    let listed = fixture.ask(Method::GET, paths::KEYS).token(&fixture.admin).send().await;
    assert!(!listed.text.contains("my own secret") && !listed.text.contains("\"secret\""));
    assert_eq!(listed.json()["data"].as_array().unwrap().len(), 2);

    let path = paths::fill(&paths::fill(paths::KEY, "sysscore"), "db-1");
    let delete = || fixture.ask(Method::DELETE, &path).token(&fixture.admin);
    assert_eq!(delete().send().await.status.as_u16(), 204);
    delete().send().await.is_problem(404, "not-found");
}

#[tokio::test]
async fn scopes_narrow_a_token() {
    let fixture = Fixture::new().await;
    let create = async |token: &str, body: Value| {
        fixture.ask(Method::POST, paths::TOKENS).token(token).json(&body).send().await
    };
    let scopes = json!(["read_alerts", "change_tokens"]);
    let body = json!({"name": "pager", "role": "admin", "scopes": scopes});
    let made = create(&fixture.admin, body).await.json();
    let token = made["token"].as_str().unwrap();
    let session = fixture.ask(Method::GET, paths::SESSION).token(token).send().await.json();
    assert_eq!(session["permissions"], scopes);
    let listed = fixture.get(paths::TOKENS).await;
    let row = listed["data"].as_array().unwrap().iter().find(|row| row["id"] == made["id"]);
    assert_eq!(row.unwrap()["scopes"], scopes);
    for (path, status) in [(paths::ALERTS, 200), (paths::HOSTS, 403), (paths::TOKENS, 403)] {
        let answer = fixture.ask(Method::GET, path).token(token).send().await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
    }
    // It may make tokens, but none that may more than itself.
    let answer = create(token, json!({"name": "x", "role": "read_only"})).await;
    let problem = answer.is_problem(403, "action-refused");
    let refused = "`token:pager` cannot give read_hosts, which it does not have itself";
    assert_eq!(problem["detail"], refused);
    let body = json!({"name": "x", "role": "read_only", "scopes": ["read_alerts"]});
    assert_eq!(create(token, body).await.status.as_u16(), 201);

    let refused = async |scopes: Value, role: &str| {
        let body = json!({"name": "x", "role": role, "scopes": scopes});
        let problem = create(&fixture.admin, body).await.is_problem(400, "invalid-request");
        let text = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
        (text("detail"), text("hint"))
    };
    let (detail, hint) = refused(json!(["read_alert"]), "admin").await;
    assert_eq!(detail, "field `scopes`: unknown permission `read_alert`");
    assert_eq!(hint, "did you mean `read_alerts`?");
    let (detail, hint) = refused(json!(["fly"]), "admin").await;
    assert_eq!(detail, "field `scopes`: unknown permission `fly`");
    assert!(hint.starts_with("one of read_hosts, "), "{hint}");
    let (detail, _) = refused(json!(["order_commands"]), "analyst").await;
    assert_eq!(detail, "field `scopes`: the role analyst does not include `order_commands`");
    let (detail, _) = refused(json!([]), "analyst").await;
    assert_eq!(detail, "field `scopes`: must name at least one permission");
}

#[tokio::test]
async fn an_analyst_lists_things_that_order_no_kill() {
    let fixture = Fixture::new().await;
    let add = async |role, body: Value| {
        let token = fixture.token(role).await;
        fixture.ask(Method::POST, paths::INDICATORS).token(&token).json(&body).send().await
    };
    let silent = json!({"kind": "process", "value": "new.sh"});
    let kill = json!({"kind": "process", "value": "newer.sh", "action": "kill"});
    assert_eq!(add(Role::Analyst, silent.clone()).await.json()["action"], "alert");
    assert_eq!(add(Role::Responder, silent).await.json()["action"], "kill");
    let problem = add(Role::Analyst, kill.clone()).await.is_problem(403, "action-refused");
    assert!(problem["detail"].as_str().unwrap().contains("order_commands"), "{problem}");
    assert_eq!(add(Role::Responder, kill).await.json()["action"], "kill");
    let token = fixture.token(Role::Analyst).await;
    let list = json!({"kind": "process", "text": "a.sh\nb.sh", "action": "kill"});
    let import = fixture.ask(Method::POST, paths::INDICATORS_IMPORT).token(&token).json(&list);
    import.send().await.is_problem(403, "action-refused");
}

#[tokio::test]
async fn a_token_works_until_it_is_deleted() {
    let fixture = Fixture::new().await;
    let create = |body: Value| fixture.post(paths::TOKENS, body);
    let made = create(json!({"name": "ci", "role": "analyst", "expires_in_days": 30})).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let made = made.json();
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("rwt_"));
    let ask = || fixture.ask(Method::GET, paths::SESSION).token(token);
    let session = ask().send().await.json();
    assert_eq!((&session["user"], &session["role"]), (&json!("ci"), &json!("analyst")));
    let listed = fixture.ask(Method::GET, paths::TOKENS).token(&fixture.admin).send().await;
    let secret = token.rsplit_once('_').map(|(_, secret)| secret).unwrap();
    assert!(!listed.text.contains(secret));
    let rows = listed.json();
    let row = rows["data"].as_array().unwrap().iter().find(|row| row["id"] == made["id"]).unwrap();
    assert!(row["last_used"].is_string() && row["expires"].is_string(), "{row}");

    for body in [
        json!({"name": "", "role": "admin"}),
        json!({"name": " \n", "role": "admin"}),
        json!({"name": "x", "role": "root"}),
        json!({"name": "x", "role": "admin", "expires_in_days": 0}),
        json!({"name": "x", "role": "admin", "expires_in_days": 3651}),
    ] {
        create(body).await.is_problem(400, "invalid-request");
    }
    let path = paths::fill(paths::TOKEN, id(&made));
    let delete = || fixture.ask(Method::DELETE, &path).token(&fixture.admin);
    assert_eq!(delete().send().await.status.as_u16(), 204);
    ask().send().await.is_problem(401, "unauthenticated");
    delete().send().await.is_problem(404, "not-found");
}
