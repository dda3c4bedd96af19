use super::fixture::{AGENT, Fixture, OPERATOR_SECRET, SECRET};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use ringwall_access::Role;
use ringwall_signing::{Secret, mac, mac_base64};
use serde_json::{Value, json};

const BODY: &str =
    r#"{"events": [{"pid": 7, "syscall": "open", "timestamp": "2026-01-15T10:00:00.5"}]}"#;

/// The test vectors of the contract, section 2.
#[tokio::test]
async fn the_contracts_vectors_are_accepted() {
    let fixture = Fixture::new();
    for (key, body, signature) in [
        (
            "a",
            r#"{"events": [{"pid": 1234, "syscall": "execve", "timestamp": "2026-01-15T10:00:00.000001", "metadata": {"risk_score": 12.5, "anomaly_score": 0}}]}"#,
            "Fcy92OMcGSOd2HBLdwOl631JIlwGKZtOvi+omPqijPU=",
        ),
        (
            "b",
            r#"{"events": [{"pid": 7, "syscall": "open", "timestamp": "2026-01-15T10:00:00", "metadata": {"path": "/tmp/\u00e9"}}]}"#,
            "yXOxAJr+dXrTBgaSMTQmiQCVrfZt6BoGfPFRrAtEANA=",
        ),
    ] {
        let headers = [
            ("x-agent-id", AGENT),
            ("x-agent-signature", signature),
            ("idempotency-key", key),
            ("content-type", "application/json"),
        ];
        assert_eq!(fixture.post_with(&headers, body).await.counts(), (1, 0, 0));
    }
    let rows = fixture.get("/api/v1/events").await.rows();
    assert_eq!(rows[1]["metadata"], json!({"path": "/tmp/é"}));
}

#[tokio::test]
async fn flaw_13_an_unknown_agent_and_a_bad_signature_are_answered_alike() {
    let fixture = Fixture::new();
    let right = mac_base64(&Secret::from(SECRET), BODY.as_bytes());
    let mut answers = Vec::new();
    for (agent, signature, body) in [
        ("nobody", right.as_str(), BODY),
        ("", &right, BODY),
        ("agent-2", &right, BODY),
        (AGENT, "", BODY),
        (AGENT, "nonsense", BODY),
        (AGENT, right.trim_end_matches('='), BODY),
        (AGENT, &right.to_lowercase(), BODY),
        (AGENT, &right, &BODY.replace('7', "8")),
        // Nothing that is not signed is parsed: this would be a 422.
        (AGENT, &right, "{"),
    ] {
        let headers = [
            ("x-agent-id", agent),
            ("x-agent-signature", signature),
            ("idempotency-key", "k"),
            ("content-type", "application/json"),
            ("host", "localhost:8000"),
        ];
        let answer = fixture.post_with(&headers, body).await;
        answer.is_problem(401, "Unauthorized");
        assert!(answer.json()["remediation"].is_string());
        answers.push(answer.without_correlation_id());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0]["instance"], "http://localhost:8000/api/v1/events");
    assert!(fixture.get("/api/v1/events").await.rows().is_empty());
}

#[tokio::test]
async fn missing_headers_are_named_before_anything_else() {
    let fixture = Fixture::new();
    let both = [json!(["header", "X-Agent-ID"]), json!(["header", "X-Agent-Signature"])];
    assert_eq!(fixture.post_with(&[], "{").await.refused_places(), both);
    let answer = fixture.post_with(&[("x-agent-id", AGENT)], BODY).await;
    assert_eq!(answer.refused_places(), both[1..]);
    let answer = fixture.post_with(&[("x-agent-signature", "x")], BODY).await;
    assert_eq!(answer.refused_places(), both[..1]);
}

#[tokio::test]
async fn the_schema_is_checked_before_the_key() {
    let fixture = Fixture::new();
    let post = async |body: &str, more: &[(&str, &str)]| {
        let signature = mac_base64(&Secret::from(SECRET), body.as_bytes());
        let mut headers = vec![("x-agent-id", AGENT), ("x-agent-signature", &signature)];
        headers.extend(more);
        fixture.post_with(&headers, body).await
    };
    let answer = post("{\"events\":[{}]}", &[]).await;
    assert_eq!(answer.refused_places().len(), 2);
    post(BODY, &[]).await.is_problem(400, "Idempotency Key Required");
    post(BODY, &[("idempotency-key", "")]).await.is_problem(400, "Idempotency Key Required");
    let answer = post(BODY, &[("idempotency-key", &"k".repeat(1025))]).await;
    assert_eq!(answer.refused_places(), [json!(["header", "Idempotency-Key"])]);
    // A text is no batch.
    let answer = post(BODY, &[("idempotency-key", "k"), ("content-type", "text/plain")]).await;
    assert_eq!(answer.refused_places(), [json!(["body"])]);
    let with_charset = ("content-type", "application/json; charset=utf-8");
    assert_eq!(post(BODY, &[("idempotency-key", "k"), with_charset]).await.counts(), (1, 0, 0));
}

#[tokio::test]
async fn flaw_13_bodies_are_bounded() {
    let fixture = Fixture::new();
    let limit = fixture.server().config.limits.body_bytes_max;
    let body = format!("{{\"events\":[]{}}}", " ".repeat(limit));
    fixture.post("k", &body).await.is_problem(413, "Content Too Large");
}

#[tokio::test]
async fn reads_take_operator_tokens_and_ours() {
    let fixture = Fixture::new();
    let now = fixture.server().now().as_seconds();
    let check = async |token: &str, status: u16| {
        for path in ["events", "scores", "processes", "agents"] {
            let answer = fixture.get_as(token, &format!("/api/v1/{path}")).await;
            assert_eq!(answer.status, status, "{path} with {token}: {}", answer.text);
            if status == 401 {
                answer.is_problem(401, "Unauthorized");
                assert_eq!(answer.json()["detail"], "Invalid or expired token");
                assert_eq!(answer.header("www-authenticate"), "Bearer");
            }
        }
    };
    check(&operator_token(OPERATOR_SECRET, &json!({})), 200).await;
    check(&operator_token(OPERATOR_SECRET, &json!({"exp": now + 60})), 200).await;
    check(&operator_token(OPERATOR_SECRET, &json!({"exp": now - 60})), 401).await;
    check(&operator_token(OPERATOR_SECRET, &json!({"nbf": now + 60})), 401).await;
    check(&operator_token("change-me-in-production", &json!({})), 401).await;
    check("eyJhbGciOiJub25lIn0.e30.", 401).await;
    check("rwt_nothing", 401).await;
    check("nonsense", 401).await;
    for role in Role::ALL {
        check(&fixture.token(role), 200).await;
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_read() {
    let fixture = Fixture::new();
    for authorization in [None, Some("Basic eDp5"), Some("Bearer"), Some("Bearer "), Some("x")] {
        let mut request = Request::get("/api/v1/events");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 401, "{authorization:?}");
        assert_eq!(answer.text, r#"{"detail":"Not authenticated"}"#);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn a_token_that_may_only_read_registers_nobody() {
    let fixture = Fixture::new();
    let post = async |token: &str| {
        let request = Request::post("/api/v1/agents")
            .header("authorization", format!("bearer {token}"))
            .body(Body::from(r#"{"id":"a","name":"A"}"#));
        fixture.send(request.unwrap()).await
    };
    post(&fixture.token).await.is_problem(403, "Forbidden");
    post(&fixture.token(Role::Analyst)).await.is_problem(403, "Forbidden");
    assert_eq!(post(&fixture.token(Role::Admin)).await.status, 201);
}

fn operator_token(secret: &str, claims: &Value) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed =
        format!("{}.{}", encode(r#"{"alg":"HS256","typ":"JWT"}"#), encode(&claims.to_string()));
    let signature = mac(&Secret::from(secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
