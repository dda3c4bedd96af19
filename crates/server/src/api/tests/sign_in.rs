use super::{Answer, Fixture};
use axum::http::Method;
use ringwall_server_api::paths;
use serde_json::json;

const ADDRESS: &str = "http://127.0.0.1:7400";

async fn sign_in(fixture: &Fixture, user: &str, password: &str) -> Answer {
    let body = json!({"user": user, "password": password});
    fixture.ask(Method::POST, paths::SESSION).json(&body).send().await
}

/// The cookie to send back, and the CSRF value.
fn credentials(answer: &Answer) -> (String, String) {
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    (cookie, answer.json()["csrf"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_session_is_opened_used_and_closed() {
    let fixture = Fixture::new().await;
    let answer = sign_in(&fixture, "admin", &fixture.password).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let set_cookie = answer.header("set-cookie").to_owned();
    for part in ["ringwall_session=", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(set_cookie.contains(part), "{set_cookie}");
    }
    assert!(!set_cookie.contains("Secure"), "{set_cookie}");
    let body = answer.json();
    assert_eq!((&body["user"], &body["role"]), (&json!("admin"), &json!("admin")));

    let (cookie, csrf) = credentials(&answer);
    let shown = fixture.ask(Method::GET, paths::SESSION).header("cookie", &cookie).send().await;
    assert_eq!(shown.json(), body);

    let out = fixture
        .ask(Method::DELETE, paths::SESSION)
        .header("cookie", &cookie)
        .header("x-ringwall-csrf", &csrf)
        .send()
        .await;
    assert_eq!(out.status.as_u16(), 204);
    assert!(out.header("set-cookie").contains("ringwall_session=; "));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    let gone = fixture.ask(Method::GET, paths::SESSION).header("cookie", &cookie).send().await;
    gone.is_problem(401, "unauthenticated");

    let audit = fixture.get(paths::AUDIT).await;
    let entries: Vec<_> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["actor"].as_str().unwrap(), entry["action"].as_str().unwrap()))
        .collect();
    assert_eq!(entries, [("user:admin", "sign_out"), ("user:admin", "sign_in")]);
}

#[tokio::test]
async fn behind_tls_the_cookie_is_secure() {
    let fixture = Fixture::new().await;
    let body = json!({"user": "admin", "password": fixture.password});
    let answer = fixture
        .ask(Method::POST, paths::SESSION)
        .header("x-forwarded-proto", "https")
        .json(&body)
        .send()
        .await;
    let set_cookie = answer.header("set-cookie");
    assert!(set_cookie.starts_with("__Host-ringwall_session="), "{set_cookie}");
    assert!(set_cookie.ends_with("; Secure") && set_cookie.contains("; Path=/;"), "{set_cookie}");
    assert!(!set_cookie.contains("Domain"), "{set_cookie}");
    let (cookie, _) = credentials(&answer);
    let ask = |cookie: &str| fixture.ask(Method::GET, paths::SESSION).header("cookie", cookie);
    ask(&cookie).send().await.is_problem(401, "unauthenticated");
    let over_https = ask(&cookie).header("x-forwarded-proto", "https").send().await;
    assert_eq!(over_https.status.as_u16(), 200, "{}", over_https.text);
    // One that plain http could have planted is not looked at.
    let planted = cookie.trim_start_matches("__Host-");
    let planted = ask(planted).header("x-forwarded-proto", "https").send().await;
    planted.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn wrong_passwords_and_unknown_users_look_alike_and_are_slowed() {
    let fixture = Fixture::new().await;
    let wrong = sign_in(&fixture, "admin", "wrong").await.is_problem(401, "unauthenticated");
    let unknown = sign_in(&fixture, "nobody", "wrong").await.is_problem(401, "unauthenticated");
    assert_eq!(wrong["detail"], unknown["detail"]);
    for _ in 0..4 {
        sign_in(&fixture, "admin", "wrong").await.is_problem(401, "unauthenticated");
    }
    // Now even the right password has to wait.
    let slowed = sign_in(&fixture, "admin", &fixture.password).await;
    slowed.is_problem(429, "too-many-requests");
    let seconds: u64 = slowed.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds} s");
    let audit = fixture.get(paths::AUDIT).await;
    let refused = audit["data"].as_array().unwrap();
    assert!(refused.iter().all(|entry| entry["outcome"] == "refused"));
    assert_eq!(refused.len(), 6);
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing() {
    let fixture = Fixture::new().await;
    let first = sign_in(&fixture, "admin", &fixture.password).await;
    let second = sign_in(&fixture, "admin", &fixture.password).await;
    let (cookie, csrf) = credentials(&first);
    let (_, other_csrf) = credentials(&second);
    let body = json!({"kind": "process", "value": "evil-twin"});
    let ask = || fixture.ask(Method::POST, paths::INDICATORS).json(&body).header("cookie", &cookie);
    ask().send().await.is_problem(403, "csrf-missing");
    for wrong in ["", "x", &other_csrf, &csrf[1..]] {
        let answer = ask().header("x-ringwall-csrf", wrong).send().await;
        answer.is_problem(403, "csrf-missing");
    }
    let right = ask().header("x-ringwall-csrf", &csrf);
    // The browser says where the page is from: only ours may.
    for origin in ["http://evil.example", "http://127.0.0.1:9000", "null"] {
        right.clone().header("origin", origin).send().await.is_problem(403, "forbidden");
    }
    let cross = right.clone().header("sec-fetch-site", "cross-site").send().await;
    cross.is_problem(403, "forbidden");
    let answer = right.header("origin", ADDRESS).send().await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    // Reading needs no more than the cookie.
    let read = fixture.ask(Method::GET, paths::INDICATORS).header("cookie", &cookie).send().await;
    assert_eq!(read.status.as_u16(), 200);
}

#[tokio::test]
async fn a_planted_cookie_does_not_hide_the_right_one() {
    let fixture = Fixture::new().await;
    let (cookie, _) = credentials(&sign_in(&fixture, "admin", &fixture.password).await);
    let planted = format!("a=b; ringwall_session={}; {cookie}", "B".repeat(43));
    let answer = fixture.ask(Method::GET, paths::SESSION).header("cookie", &planted).send().await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
}

#[tokio::test]
async fn a_token_shows_itself_and_cannot_be_signed_out() {
    let fixture = Fixture::new().await;
    let session = fixture.get(paths::SESSION).await;
    assert_eq!(session["role"], "admin");
    assert_eq!(session["csrf"], "");
    let out = fixture.ask(Method::DELETE, paths::SESSION).token(&fixture.admin).send().await;
    out.is_problem(409, "conflict");
}

#[tokio::test]
async fn signing_in_from_another_origin_is_refused() {
    let fixture = Fixture::new().await;
    let body = json!({"user": "admin", "password": fixture.password});
    let answer = fixture
        .ask(Method::POST, paths::SESSION)
        .header("origin", "http://evil.example")
        .json(&body)
        .send()
        .await;
    answer.is_problem(403, "forbidden");
}
