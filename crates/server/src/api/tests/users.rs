use super::fixture::{Answer, Fixture};
use crate::accounts::{ADMIN, FirstPassword, USERS, UserRecord};
use axum::http::Method;
use http_body_util::BodyExt;
use ringwall_access::Role;
use ringwall_server_api::paths;
use ringwall_store::StateStore;
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt;

const PASSWORD: &str = "a long enough phrase";

/// A browser that is signed in.
struct Browser<'f> {
    fixture: &'f Fixture,
    cookie: String,
    csrf: String,
}

impl<'f> Browser<'f> {
    async fn sign_in(fixture: &'f Fixture, user: &str, password: &str) -> Self {
        let answer = sign_in(fixture, user, password).await;
        assert_eq!(answer.status.as_u16(), 200, "{user}: {}", answer.text);
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let csrf = answer.json()["csrf"].as_str().unwrap().to_owned();
        Self { fixture, cookie, csrf }
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self
            .fixture
            .ask(method, path)
            .header("cookie", &self.cookie)
            .header("x-ringwall-csrf", &self.csrf);
        if body.is_null() { request.send().await } else { request.json(&body).send().await }
    }

    async fn is_signed_in(&self) -> bool {
        self.ask(Method::GET, paths::SESSION, Value::Null).await.status.as_u16() == 200
    }
}

async fn sign_in(fixture: &Fixture, user: &str, password: &str) -> Answer {
    let body = json!({"user": user, "password": password});
    fixture.ask(Method::POST, paths::SESSION).json(&body).send().await
}

async fn add(fixture: &Fixture, name: &str, role: &str) {
    let body = json!({"name": name, "role": role, "password": PASSWORD});
    let answer = fixture.post(paths::USERS, body).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    assert_eq!(answer.json()["password"], Value::Null);
}

async fn change(fixture: &Fixture, name: &str, body: Value) -> Answer {
    let path = paths::fill(paths::USER, name);
    fixture.ask(Method::PATCH, &path).token(&fixture.admin).json(&body).send().await
}

async fn row(fixture: &Fixture, name: &str) -> Value {
    let listed = fixture.get(paths::USERS).await;
    let rows = listed["data"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).cloned().unwrap_or_default()
}

#[tokio::test]
async fn somebody_is_added_with_a_password_that_is_told_once() {
    let fixture = Fixture::new().await;
    let answer = fixture.post(paths::USERS, json!({"name": "ada", "role": "responder"})).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    let made = answer.json();
    let password = made["password"].as_str().unwrap();
    assert!(password.len() >= 20, "{password}");
    let browser = Browser::sign_in(&fixture, "ada", password).await;
    let shown = browser.ask(Method::GET, paths::SESSION, Value::Null).await.json();
    assert_eq!((&shown["user"], &shown["role"]), (&json!("ada"), &json!("responder")));
    let row = row(&fixture, "ada").await;
    assert_eq!((&row["disabled"], &row["sessions"]), (&json!(false), &json!(1)), "{row}");
    assert!(row["last_sign_in"].is_string(), "{row}");
    let listed = fixture.ask(Method::GET, paths::USERS).token(&fixture.admin).send().await;
    assert!(!listed.text.contains(password) && !listed.text.contains("argon2"), "{}", listed.text);

    let again = fixture.post(paths::USERS, json!({"name": "ada", "role": "admin"})).await;
    again.is_problem(409, "conflict");
    for body in [
        json!({"name": "Ada", "role": "admin"}),
        json!({"name": "", "role": "admin"}),
        json!({"name": "a/b", "role": "admin"}),
        json!({"name": "eve", "role": "root"}),
        json!({"name": "eve", "role": "admin", "password": "short"}),
        json!({"name": "eve", "role": "admin", "password": "aaaaaaaaaaaaaaaa"}),
        json!({"name": "eve", "role": "admin", "admin": true}),
    ] {
        fixture.post(paths::USERS, body).await.is_problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn a_change_of_role_or_password_or_disabling_signs_out_at_once() {
    let fixture = Fixture::new().await;
    add(&fixture, "ada", "analyst").await;
    let changes = [json!({"role": "responder"}), json!({"role": "analyst"})];
    for body in changes {
        let browser = Browser::sign_in(&fixture, "ada", PASSWORD).await;
        let answer = change(&fixture, "ada", body.clone()).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        assert_eq!(answer.json()["role"], body["role"]);
        assert!(!browser.is_signed_in().await, "{body}");
    }
    let browser = Browser::sign_in(&fixture, "ada", PASSWORD).await;
    let answer = change(&fixture, "ada", json!({"disabled": true})).await;
    assert_eq!((&answer.json()["disabled"], &answer.json()["sessions"]), (&json!(true), &json!(0)));
    assert!(!browser.is_signed_in().await);
    // Like anybody whose password is wrong.
    let refused = sign_in(&fixture, "ada", PASSWORD).await.is_problem(401, "unauthenticated");
    assert_eq!(refused["detail"], "wrong user or password");
    let audit = fixture.get(paths::AUDIT).await;
    assert_eq!(audit["data"][0]["reason"], "user is disabled");
    change(&fixture, "ada", json!({"disabled": false})).await;

    let browser = Browser::sign_in(&fixture, "ada", PASSWORD).await;
    let path = paths::fill(paths::USER_PASSWORD, "ada");
    let given = fixture.post(&path, json!({"password": "another long phrase"})).await;
    assert_eq!(given.json(), json!({"name": "ada", "password": null}));
    assert!(!browser.is_signed_in().await);
    sign_in(&fixture, "ada", PASSWORD).await.is_problem(401, "unauthenticated");
    let browser = Browser::sign_in(&fixture, "ada", "another long phrase").await;
    let path_gone = paths::fill(paths::USER, "ada");
    let gone = fixture.ask(Method::DELETE, &path_gone).token(&fixture.admin);
    assert_eq!(gone.send().await.status.as_u16(), 204);
    assert!(!browser.is_signed_in().await);
    sign_in(&fixture, "ada", "another long phrase").await.is_problem(401, "unauthenticated");
    fixture.post(&path, json!({})).await.is_problem(404, "not-found");
    change(&fixture, "ada", json!({"role": "admin"})).await.is_problem(404, "not-found");
    change(&fixture, "admin", json!({})).await.is_problem(400, "invalid-request");
}

#[tokio::test]
async fn an_open_stream_ends_with_its_session() {
    let fixture = Fixture::new().await;
    add(&fixture, "ada", "analyst").await;
    let browser = Browser::sign_in(&fixture, "ada", PASSWORD).await;
    let request = fixture.ask(Method::GET, paths::STREAM).header("cookie", &browser.cookie);
    let response = fixture.router.clone().oneshot(request.request()).await.unwrap();
    let mut body = response.into_body();
    // The first frame says that it runs.
    assert!(body.frame().await.is_some());
    change(&fixture, "ada", json!({"disabled": true})).await;
    let end = async { while body.frame().await.is_some() {} };
    // Sooner than the next heartbeat, which would notice, too.
    tokio::time::timeout(Duration::from_secs(14), end).await.unwrap();
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let fixture = Fixture::new().await;
    let refuse = async |answer: Answer| {
        let problem = answer.is_problem(409, "conflict");
        assert_eq!(problem["detail"], "`admin` is the last administrator who can sign in");
    };
    refuse(change(&fixture, "admin", json!({"disabled": true})).await).await;
    refuse(change(&fixture, "admin", json!({"role": "responder"})).await).await;
    let path = paths::fill(paths::USER, "admin");
    let delete = || fixture.ask(Method::DELETE, &path).token(&fixture.admin);
    refuse(delete().send().await).await;
    // One who may not sign in could not put it right.
    add(&fixture, "ada", "admin").await;
    change(&fixture, "ada", json!({"disabled": true})).await;
    refuse(delete().send().await).await;
    change(&fixture, "ada", json!({"disabled": false})).await;
    assert_eq!(delete().send().await.status.as_u16(), 204);
    let answer = change(&fixture, "ada", json!({"role": "analyst"})).await;
    answer.is_problem(409, "conflict");
}

#[tokio::test]
async fn nobody_raises_themselves_through_others() {
    let fixture = Fixture::new().await;
    let body = json!({"name": "x", "role": "admin", "scopes": ["change_users", "read_users"]});
    let made = fixture.post(paths::TOKENS, body).await.json();
    let token = made["token"].as_str().unwrap();
    let ask = async |method: Method, path: &str, body: Value| {
        fixture.ask(method, path).token(token).json(&body).send().await
    };
    let admin = paths::fill(paths::USER_PASSWORD, "admin");
    let new = json!({"name": "eve", "role": "read_only"});
    let promote = json!({"role": "admin"});
    add(&fixture, "ada", "read_only").await;
    let ada = paths::fill(paths::USER, "ada");
    for (method, path, body) in [
        (Method::POST, &*admin, json!({})),
        (Method::POST, paths::USERS, new),
        (Method::PATCH, &*ada, promote),
    ] {
        let problem = ask(method, path, body).await.is_problem(403, "action-refused");
        let detail = problem["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("which it does not have itself"), "{path}: {detail}");
    }
    assert_eq!(row(&fixture, "ada").await["role"], "read_only");
}

#[tokio::test]
async fn ones_own_password_needs_the_current_one() {
    let fixture = Fixture::new().await;
    let first = Browser::sign_in(&fixture, "admin", &fixture.password).await;
    let second = Browser::sign_in(&fixture, "admin", &fixture.password).await;
    let change = async |current: &str, new: &str| {
        let body = json!({"current": current, "new": new});
        first.ask(Method::POST, paths::SESSION_PASSWORD, body).await
    };
    let wrong = change("wrong", PASSWORD).await.is_problem(400, "invalid-request");
    assert_eq!(wrong["detail"], "field `current`: is not your password");
    let same = change(&fixture.password, &fixture.password).await;
    same.is_problem(400, "invalid-request");
    change(&fixture.password, "too short").await.is_problem(400, "invalid-request");
    let done = change(&fixture.password, PASSWORD).await;
    assert_eq!(done.status.as_u16(), 204, "{}", done.text);
    assert!(first.is_signed_in().await);
    assert!(!second.is_signed_in().await);
    sign_in(&fixture, "admin", &fixture.password).await.is_problem(401, "unauthenticated");
    Browser::sign_in(&fixture, "admin", PASSWORD).await;
    // A token is no person.
    let body = json!({"current": PASSWORD, "new": "yet another phrase"});
    fixture.post(paths::SESSION_PASSWORD, body).await.is_problem(409, "conflict");
    // Guessing the current one is slowed like guessing at the door.
    for _ in 0..5 {
        change("wrong", "yet another phrase").await;
    }
    let slowed = change(PASSWORD, "yet another phrase").await;
    slowed.is_problem(429, "too-many-requests");
    let audit = fixture.get(paths::AUDIT).await;
    let entries = audit["data"].as_array().unwrap();
    let done = entries.iter().filter(|e| e["action"] == "change_password");
    let outcomes: Vec<_> = done.map(|entry| entry["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "permitted").count(), 1);
    assert!(outcomes.len() >= 5, "{outcomes:?}");
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let fixture = Fixture::new().await;
    add(&fixture, "ada", "analyst").await;
    let ada = Browser::sign_in(&fixture, "ada", PASSWORD).await;
    let other = Browser::sign_in(&fixture, "ada", PASSWORD).await;
    let admin = Browser::sign_in(&fixture, "admin", &fixture.password).await;
    let list = async |browser: &Browser<'_>, query: &str| {
        let path = format!("{}{query}", paths::SESSIONS);
        browser.ask(Method::GET, &path, Value::Null).await
    };
    let own = list(&ada, "").await.json();
    let own = own["data"].as_array().unwrap();
    assert_eq!(own.len(), 2);
    assert!(own.iter().all(|row| row["user"] == "ada" && row["address"] == "127.0.0.1"));
    assert_eq!(own.iter().filter(|row| row["current"] == true).count(), 1);
    let id = |current: bool| {
        let row = own.iter().find(|row| row["current"] == current).unwrap();
        paths::fill(paths::SESSION_OPEN, row["id"].as_str().unwrap())
    };
    list(&ada, "?user=admin").await.is_problem(403, "forbidden");
    list(&ada, "?user=*").await.is_problem(403, "forbidden");
    assert_eq!(list(&admin, "?user=*").await.json()["data"].as_array().unwrap().len(), 3);
    assert_eq!(list(&admin, "?user=ada").await.json()["data"].as_array().unwrap().len(), 2);

    // One's own, by id; nobody else's.
    let admins = list(&admin, "").await.json();
    let admins = paths::fill(paths::SESSION_OPEN, admins["data"][0]["id"].as_str().unwrap());
    ada.ask(Method::DELETE, &admins, Value::Null).await.is_problem(403, "action-refused");
    let ended = ada.ask(Method::DELETE, &id(false), Value::Null).await;
    assert_eq!(ended.status.as_u16(), 204, "{}", ended.text);
    assert!(ada.is_signed_in().await && !other.is_signed_in().await);
    let other = Browser::sign_in(&fixture, "ada", PASSWORD).await;
    let ended = ada.ask(Method::DELETE, paths::SESSIONS, Value::Null).await;
    assert_eq!(ended.status.as_u16(), 204, "{}", ended.text);
    assert!(ada.is_signed_in().await && !other.is_signed_in().await);
    let path = format!("{}?user=ada", paths::SESSIONS);
    let ended = admin.ask(Method::DELETE, &path, Value::Null).await;
    assert_eq!(ended.status.as_u16(), 204, "{}", ended.text);
    assert!(!ada.is_signed_in().await && admin.is_signed_in().await);
}

#[tokio::test]
async fn signing_in_again_ends_the_browsers_session_before() {
    let fixture = Fixture::new().await;
    let before = Browser::sign_in(&fixture, "admin", &fixture.password).await;
    let body = json!({"user": "admin", "password": fixture.password});
    let again = fixture.ask(Method::POST, paths::SESSION).header("cookie", &before.cookie);
    let again = again.json(&body).send().await;
    assert_eq!(again.status.as_u16(), 200, "{}", again.text);
    assert!(!again.header("set-cookie").starts_with(&before.cookie));
    assert!(!before.is_signed_in().await);
}

#[tokio::test]
async fn a_weaker_hash_is_made_anew_at_the_next_sign_in() {
    let fixture = Fixture::new().await;
    // As an earlier version with fewer passes would have left it.
    let weak = {
        use argon2::password_hash::PasswordHasher;
        let params = argon2::Params::new(8192, 1, 1, None).unwrap();
        let weaker =
            argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let hash =
            weaker.hash_password_with_salt(PASSWORD.as_bytes(), b"some salt here!!").unwrap();
        hash.to_string()
    };
    let record = UserRecord::new(Role::Analyst, weak.clone(), crate::engine::now());
    let put = move |writing: &mut crate::engine::Writing<'_>| {
        writing.session.put_document(USERS, "ada", &record)
    };
    fixture.server.engine.write(put).await.unwrap();
    let hash = async || {
        let read = fixture.server.engine.read(|session| session.document(USERS, "ada"));
        let record: Option<UserRecord> = read.await.unwrap();
        record.unwrap().password_hash
    };
    sign_in(&fixture, "ada", "wrong").await.is_problem(401, "unauthenticated");
    assert_eq!(hash().await, weak);
    Browser::sign_in(&fixture, "ada", PASSWORD).await;
    let anew = hash().await;
    assert!(!ringwall_access::needs_rehash(&anew), "{anew}");
    Browser::sign_in(&fixture, "ada", PASSWORD).await;
    assert_eq!(hash().await, anew);
}

#[test]
fn the_first_password_is_forgotten_where_it_stood() {
    use crate::accounts::FirstCredentials;
    let folder = std::env::temp_dir().join(format!("ringwall-first-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let database = ringwall_store::Database::open(&folder.join("ringwall.db")).unwrap();
    let path = folder.join("first-credentials.json");
    let first = FirstCredentials::load(&database, &path).unwrap();
    assert!(first.admin_password.is_some());
    let token = first.admin_token.expose().to_vec();
    let forgetting = FirstPassword { credentials: Some(path.clone()), ready_files: vec![] };
    forgetting.forget().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"admin_password\":null"), "{text}");
    let again = FirstCredentials::load(&database, &path).unwrap();
    assert!(again.admin_password.is_none());
    assert_eq!(again.admin_token.expose(), token);
    // One that somebody changed while nobody could forget it is found out at the next start.
    let stale = serde_json::json!({
        "admin_token": String::from_utf8(token).unwrap(), "admin_password": "no longer right",
    });
    ringwall_lifecycle::private_file::write(&path, stale.to_string().as_bytes()).unwrap();
    assert!(FirstCredentials::load(&database, &path).unwrap().admin_password.is_none());
    assert!(!std::fs::read_to_string(&path).unwrap().contains("no longer right"));
    // Where `admin` was removed and others are there, nobody makes them again.
    let record = UserRecord::new(Role::Admin, "x".to_owned(), crate::engine::now());
    database
        .write_now(|session| {
            session.put_document(USERS, "ada", &record)?;
            session.delete_document(USERS, ADMIN)
        })
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(FirstCredentials::load(&database, &path).unwrap().admin_password.is_none());
    let admin: Option<UserRecord> =
        database.read(|session| session.document(USERS, ADMIN)).unwrap();
    assert!(admin.is_none());
    std::fs::remove_dir_all(&folder).unwrap();
}
