//! What one project's guards may take of what all share, whatever becomes of their requests and of the
//! project.

use super::fixture::Fixture;
use crate::config::Config;
use crate::dialects;
use crate::guard::Project;
use crate::webhooks::SysScoreSettings;
use axum::body::{Body, HttpBody};
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use serde_json::json;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tower::ServiceExt;

async fn add_shop(fixture: &Fixture) -> String {
    let added = fixture.post("/api/v1/guard/projects", json!({ "name": "shop" })).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    added.json()["key"].as_str().unwrap().to_owned()
}

fn shop(fixture: &Fixture) -> Arc<Project> {
    fixture.server.guard_projects().project("shop").unwrap()
}

async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), wait).await.expect("within two minutes");
}

/// Whoever hung up and asked again had a new share each time, while all that was sent before still waited.
#[tokio::test]
async fn whoever_hangs_up_gets_nothing_back_before_the_batch_is_written() {
    let fixture = Fixture::new().await;
    let key = add_shop(&fixture).await;
    let shop = shop(&fixture);
    let guard = dialects::guard::router(Arc::clone(&fixture.server));
    let (go_on, wait) = mpsc::channel::<()>();
    let (begin, begun) = oneshot::channel();
    let server = Arc::clone(&fixture.server);
    let busy = tokio::spawn(async move {
        let write = server.engine.write(move |_| {
            begin.send(()).unwrap();
            // Whichever comes: the word, or the end of a test that failed.
            wait.recv().unwrap_or_default();
            Ok(())
        });
        write.await
    });
    begun.await.unwrap();
    let batch = json!({ "batch_id": "b", "events": [], "metrics": [] }).to_string();
    for (path, body) in [("/api/v1/events", batch), ("/api/v1/status", "{}".to_owned())] {
        let (before, _) = fixture.server.engine.load();
        let request = Request::post(path).header("x-api-key", &key).body(Body::from(body));
        let asking = tokio::spawn(guard.clone().oneshot(request.unwrap()));
        until(|| fixture.server.engine.load().0 > before).await;
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
    }
    assert_eq!(shop.share().taken(), (2, 2));
    go_on.send(()).unwrap();
    busy.await.unwrap().unwrap();
    until(|| shop.share().taken() == (0, 0)).await;
}

#[tokio::test]
async fn a_project_that_is_changed_keeps_its_share() {
    let fixture = Fixture::new().await;
    add_shop(&fixture).await;
    let held =
        (shop(&fixture).share().place().unwrap(), shop(&fixture).share().room(5000).unwrap());
    let path = "/api/v1/guard/projects/shop";
    let change = json!({ "require_signature": true });
    let changed = fixture.ask(Method::PATCH, path).token(&fixture.admin).json(&change).send().await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(shop(&fixture).share().taken(), (1, 5));
    let rotated = fixture.post(&format!("{path}/rotate"), json!({})).await;
    assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.text);
    assert_eq!(shop(&fixture).share().taken(), (1, 5));
    drop(held);
    assert_eq!(shop(&fixture).share().taken(), (0, 0));
    // Another project of the same name is another one.
    let _held = shop(&fixture).share().place().unwrap();
    fixture.ask(Method::DELETE, path).token(&fixture.admin).send().await;
    add_shop(&fixture).await;
    assert_eq!(shop(&fixture).share().taken(), (0, 0));
}

/// A body that says how long it is and has nothing.
struct Announced(u64);

impl HttpBody for Announced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

/// It was told to come later, for ever.
#[tokio::test]
async fn what_is_larger_than_the_share_of_a_project_is_too_large() {
    let mut config = Config::default();
    config.limits.body_bytes_max = 1 << 30;
    let fixture = Fixture::with(config, SysScoreSettings::default()).await;
    let key = add_shop(&fixture).await;
    let guard = dialects::guard::router(Arc::clone(&fixture.server));
    for (bytes, expected) in [
        // It finds room, and holds no batch.
        (128 << 20, StatusCode::BAD_REQUEST),
        ((128 << 20) + 1, StatusCode::PAYLOAD_TOO_LARGE),
        (1 << 30, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let body = Body::new(Announced(bytes));
        let request = Request::post("/api/v1/events").header("x-api-key", &key).body(body);
        let answer = guard.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), expected, "{bytes}");
    }
}
