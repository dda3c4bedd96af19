//! How exchanges end: with a length that is known, with nobody reading on, with a body that outlives its answer.

use crate::application::{Application, settings};
use crate::bodies::holding;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use ringwall_app_guard::{BehaviourAction, BehaviourRule, Counted, GuardSettings};
use ringwall_app_guard_layer::{GuardBody, GuardLayer, PeerAddress};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt};

const CLIENT: &str = "203.0.113.9";

fn counting(pattern: &str) -> GuardSettings {
    GuardSettings {
        inspect_response_bodies: true,
        behaviour_rules: vec![BehaviourRule {
            counted: Counted::ReturnPattern(pattern.to_owned()),
            threshold: 2,
            window: 60,
            action: BehaviourAction::Ban,
            ban_duration: 600,
        }],
        ..settings()
    }
}

/// A server that knows the length drops the body once it has that many bytes.
#[tokio::test]
async fn rules_on_answers_see_bodies_of_a_known_length() {
    for (pattern, path) in [("home", "/"), ("regex:^hom.$", "/"), ("status:404", "/none")] {
        let application = Application::start(counting(pattern)).await;
        let mut statuses = Vec::new();
        for _ in 0..4 {
            let answer = application.get(CLIENT, path).await;
            statuses.push(answer.status);
            if answer.status == 200 {
                assert_eq!(
                    (answer.body.as_str(), answer.header("content-length")),
                    ("home", Some("4"))
                );
            }
        }
        let passes = if path == "/" { 200 } else { 404 };
        assert_eq!(statuses, [passes, passes, passes, 403], "{pattern}");
        assert_eq!(application.get("203.0.113.10", path).await.status, passes);
    }
}

/// The application has answered, and reads on.
#[tokio::test]
async fn an_attack_in_a_body_that_outlives_its_answer_is_counted_and_told_once() {
    let told = std::sync::Arc::new(crate::application::Told::default());
    let settings = GuardSettings { auto_ban_threshold: 1, ..holding(16) };
    let guard = GuardLayer::builder(settings).sink(told.clone()).build().unwrap();
    let handle = guard.handle();
    let (results, mut result) = mpsc::unbounded_channel();
    let (chunks, received) = mpsc::unbounded_channel::<Bytes>();
    let service = guard.layer(tower::service_fn(move |request: Request<GuardBody<Sent>>| {
        let results = results.clone();
        tokio::spawn(async move {
            let outcome = request.into_body().collect().await.map(|body| body.to_bytes());
            results.send(outcome.map_err(|error| error.to_string())).unwrap();
        });
        async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"accepted")))) }
    }));
    chunks.send(Bytes::from_static(b"an innocent beginning of a note. ")).unwrap();
    let peer = PeerAddress::from(SocketAddr::from(([203, 0, 113, 9], 4711)));
    let request = Request::post("/").header("content-type", "text/plain").extension(peer);
    let response = service.oneshot(request.body(Sent(received)).unwrap()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "accepted");
    assert_eq!(told.figures.lock().len(), 1);
    assert_eq!(handle.bans().len(), 0);

    chunks.send(Bytes::from_static(b"<script>alert(document.cookie)</script>")).unwrap();
    drop(chunks);
    let outcome = result.recv().await.unwrap();
    assert_eq!(outcome.unwrap_err(), "the guard refused the body");
    let deadline = Instant::now() + Duration::from_secs(60);
    while handle.bans().is_empty() {
        assert!(Instant::now() < deadline, "it is not counted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let types: Vec<String> =
        told.events.lock().iter().map(|event| event.event_type.to_string()).collect();
    let count = |name: &str| types.iter().filter(|own| *own == name).count();
    assert_eq!((count("penetration_attempt"), count("ip_banned")), (1, 1), "{types:?}");
    assert_eq!(told.figures.lock().len(), 1, "figures are told once");
}

/// A body of the chunks that are sent to it.
struct Sent(mpsc::UnboundedReceiver<Bytes>);

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
