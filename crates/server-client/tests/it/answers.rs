use crate::server::{answer, answering};
use bytes::Bytes;
use ringwall_event::Source;
use ringwall_server_api::{KeyKind, KeyRequest, Problem, StreamEvent, StreamQuery};
use ringwall_server_client::{AgentClient, Client, ClientError};
use ringwall_signing::SigningKey;
use ringwall_signing::request_signature::{Claim, Message};
use std::time::Duration;

const JSON: &str = "application/json; charset=utf-8";

#[tokio::test]
async fn a_problem_is_told_as_it_is() {
    let problem = serde_json::to_string(&Problem::not_found("host", "watcher:x")).unwrap();
    let answers = vec![answer("404 Not Found", Problem::MEDIA_TYPE, &problem)];
    let (url, server) = answering(answers).await;
    let client = Client::new(&url, "rwt_t").unwrap();
    let error = client.host(&Source::new("watcher", "a/b c")).await.unwrap_err();
    assert!(error.is_status(404) && !error.is_passing());
    assert_eq!(error.to_string(), "there is no host `watcher:x`");
    let asked = server.await.unwrap().remove(0);
    assert!(asked.starts_with("GET /api/v1/hosts/watcher%3Aa%2Fb%20c HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: Bearer rwt_t\r\n"), "{asked}");
}

#[tokio::test]
async fn whoever_else_listens_is_noticed() {
    check("200 OK", "text/html", "<p>hello", |error| matches!(error, ClientError::NotOurs { .. }))
        .await;
    check("502 Bad Gateway", "text/html", "<p>sorry", |error| error.is_passing()).await;
    check("200 OK", JSON, "{", |error| matches!(error, ClientError::Unreadable(_))).await;
    check("400 Bad", Problem::MEDIA_TYPE, "[]", |error| {
        matches!(error, ClientError::Unreadable(_))
    })
    .await;
}

async fn check(status: &str, media_type: &str, body: &str, expected: fn(&ClientError) -> bool) {
    let (url, server) = answering(vec![answer(status, media_type, body)]).await;
    let error = Client::new(&url, "t").unwrap().overview().await.unwrap_err();
    assert!(expected(&error), "{status} {body}: {error:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn nobody_is_unreachable_and_half_an_answer_is_broken() {
    let client = Client::new("http://127.0.0.1:1", "t").unwrap();
    let error = client.health().await.unwrap_err();
    assert_eq!(error.to_string(), "cannot reach http://127.0.0.1:1: connection refused");

    let mut half = answer("200 OK", JSON, "{\"status\":\"ok\"}");
    half.truncate(half.len() - 4);
    let (url, server) = answering(vec![half]).await;
    let error = Client::new(&url, "t").unwrap().health().await.unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }), "{error:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn lists_are_followed_to_their_end_and_no_further() {
    let key = |name: &str| {
        format!(
            r#"{{"id":"sysscore/{name}","kind":"sysscore","name":"{name}","created":null,"last_used":null,"origin":"stored"}}"#
        )
    };
    let first = format!(r#"{{"data":[{},{}],"next_cursor":"a b"}}"#, key("x"), key("y"));
    let last = format!(r#"{{"data":[{}],"next_cursor":null}}"#, key("z"));
    let pages = || vec![answer("200 OK", JSON, &first), answer("200 OK", JSON, &last)];

    let (url, server) = answering(pages()).await;
    let rows = Client::new(&url, "t").unwrap().keys().take(10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["x", "y", "z"]);
    let asked = server.await.unwrap();
    assert!(asked[0].starts_with("GET /api/v1/keys?limit=10 "), "{}", asked[0]);
    assert!(asked[1].starts_with("GET /api/v1/keys?cursor=a%20b&limit=8 "), "{}", asked[1]);

    let (url, server) = answering(vec![answer("200 OK", JSON, &first)]).await;
    let rows = Client::new(&url, "t").unwrap().keys().take(2).await.unwrap();
    assert_eq!(rows.len(), 2);
    server.await.unwrap();
}

#[tokio::test]
async fn the_stream_tells_what_it_knows_until_its_end() {
    let body = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
                : hello\n\nevent: of-tomorrow\ndata: ?\n\nevent: lagged\ndata: {\"missed\":3}\n\n";
    let (url, server) = answering(vec![body.to_owned()]).await;
    let client = Client::new(&url, "t").unwrap();
    let query = StreamQuery { topics: Some("alerts".to_owned()), host: None };
    let mut stream = client.stream(&query).await.unwrap();
    let event = stream.next().await.unwrap().unwrap();
    assert!(matches!(event, StreamEvent::Lagged(lagged) if lagged.missed == 3), "{event:?}");
    assert_eq!(stream.next().await.unwrap(), None);
    let asked = server.await.unwrap().remove(0);
    assert!(asked.starts_with("GET /api/v1/stream?topics=alerts "), "{asked}");

    let problem = serde_json::to_string(&Problem::unauthenticated()).unwrap();
    let answers = vec![answer("401 Unauthorized", Problem::MEDIA_TYPE, &problem)];
    let (url, server) = answering(answers).await;
    let client = Client::new(&url, "t").unwrap();
    assert!(client.stream(&query).await.unwrap_err().is_status(401));
    server.await.unwrap();
}

#[tokio::test]
async fn what_an_agent_sends_is_signed() {
    let problem =
        serde_json::to_string(&Problem::new(ringwall_server_api::ProblemKind::Busy, "busy"))
            .unwrap();
    let answers = vec![
        answer("503 Busy", Problem::MEDIA_TYPE, &problem),
        answer("200 OK", JSON, r#"{"accepted":1,"duplicates":0}"#),
    ];
    let (url, server) = answering(answers).await;
    let key = SigningKey::from_seed(&[7; 32]);
    let agent = AgentClient::new(&url, "web-1", key.clone()).unwrap();
    let body = Bytes::from_static(b"{\"events\":[]}");
    let error = agent.report(body.clone()).await.unwrap_err();
    assert!(error.is_passing());
    assert!(
        matches!(error, ClientError::Refused { retry_after: Some(after), .. } if after == Duration::from_secs(3))
    );
    assert_eq!(agent.report(body.clone()).await.unwrap().accepted, 1);
    let asked = server.await.unwrap();
    let mut nonces = Vec::new();
    for request in &asked {
        let header = |name: &str| {
            let value = request.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            value.unwrap().to_owned()
        };
        let (input, signature) = (header("signature-input"), header("signature"));
        let claim = Claim::read(&input, &signature).unwrap();
        let content_type = header("content-type");
        assert_eq!(content_type, "application/json");
        let message = Message::new("POST", "/api/v1/agent/reports", &body)
            .with_content(Some(&content_type), None);
        let digest = header("content-digest");
        let genuine = claim.verify(&key.public_key(), &message, &digest).unwrap();
        assert_eq!(genuine.agent(), "web-1");
        nonces.push(genuine.nonce().to_owned());
    }
    assert_ne!(nonces[0], nonces[1]);
    assert!(AgentClient::new(&url, "two\nlines", key).is_err());
}

/// A server that has just started does not take what may have been signed before: one more attempt, signed
/// anew, and then it is an answer.
#[tokio::test]
async fn what_is_not_accepted_is_signed_anew_once() {
    let problem = serde_json::to_string(&Problem::unauthenticated()).unwrap();
    let refusal = || answer("401 Unauthorized", Problem::MEDIA_TYPE, &problem);
    let taken = answer("200 OK", JSON, r#"{"accepted":1,"duplicates":0}"#);
    let (url, server) = answering(vec![refusal(), taken, refusal(), refusal()]).await;
    let agent = AgentClient::new(&url, "web-1", SigningKey::from_seed(&[7; 32])).unwrap();
    let body = Bytes::from_static(b"{}");
    assert_eq!(agent.report(body.clone()).await.unwrap().accepted, 1);
    assert!(agent.report(body).await.unwrap_err().is_status(401));
    let inputs: Vec<String> = server
        .await
        .unwrap()
        .iter()
        .filter_map(|asked| asked.lines().find(|line| line.starts_with("signature-input:")))
        .map(str::to_owned)
        .collect();
    assert_eq!(inputs.len(), 4);
    assert!((1..4).all(|later| !inputs[..later].contains(&inputs[later])), "{inputs:?}");
}

#[tokio::test]
async fn a_made_key_is_told() {
    let answers = vec![answer(
        "201 Created",
        JSON,
        r#"{"kind":"sysscore","id":"agent-1","secret":"s3cr3t-s3cr3t"}"#,
    )];
    let (url, server) = answering(answers).await;
    let client = Client::new(&url, "t").unwrap();
    let request = KeyRequest { kind: KeyKind::SysScore, name: "agent-1".to_owned(), secret: None };
    let key = client.create_key(&request).await.unwrap();
    assert_eq!(key.secret.expose(), "s3cr3t-s3cr3t");
    let asked = server.await.unwrap().remove(0);
    assert!(asked.ends_with("{\"kind\":\"sysscore\",\"name\":\"agent-1\"}"), "{asked}");
}
