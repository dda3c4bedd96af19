//! Bodies: held back up to a bound, searched while they stream beyond it, bounded in memory.

use crate::application::{Application, chunked, read, settings};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use ringwall_app_guard::{DetectionSettings, GuardSettings, RouteEntry, RouteRules};
use ringwall_app_guard_layer::{GuardBody, GuardLayer, PeerAddress};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tower::{Layer, ServiceExt};

const CLIENT: &str = "203.0.113.9";

pub(crate) fn holding(bytes: usize) -> GuardSettings {
    let detection = DetectionSettings { body_hold_bytes: bytes, ..DetectionSettings::default() };
    GuardSettings { detection, ..settings() }
}

pub(crate) fn head(framing: &str) -> String {
    format!(
        "POST /echo HTTP/1.1\r\nx-forwarded-for: {CLIENT}\r\ncontent-type: text/plain\r\n{framing}\r\n"
    )
}

/// Flaw 29 of the original: a chunked body passes whatever its size.
#[tokio::test]
async fn the_size_is_that_of_the_bytes_not_of_a_header() {
    let rules = RouteRules::new().max_request_size(10_000);
    let routes = vec![RouteEntry { path: "/echo".to_owned(), method: None, rules }];
    let application = Application::start(GuardSettings { routes, ..holding(1024) }).await;
    let piece = [b'x'; 1000];
    let pieces = |count| chunked(&vec![&piece[..]; count]);
    let answer = application.ask(&head("transfer-encoding: chunked"), &pieces(10)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "10000 bytes"));
    let answer = application.ask(&head("transfer-encoding: chunked"), &pieces(11)).await;
    assert_eq!((answer.status, answer.body.as_str()), (413, "Request too large"));
    let answer = application.post(CLIENT, "text/plain", &[b'x'; 10_001]).await;
    assert_eq!((answer.status, answer.body.as_str()), (413, "Request too large"));
}

/// A client that sends its body slowly, or waits for the answer's beginning before it goes on, is not held
/// back for ever: after a while what came is handed on, and the search goes on.
#[tokio::test]
async fn a_slow_body_is_handed_on() {
    let application = Application::start(holding(1 << 20)).await;
    let mut stream = application.connect().await;
    let head = head("content-length: 8\r\nconnection: close\r\nhost: shop.example");
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    stream.write_all(b"half").await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while application.served() == 0 {
        assert!(std::time::Instant::now() < deadline, "it is still held back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stream.write_all(b"half").await.unwrap();
    let answer = read(&mut stream).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "8 bytes"));
}

/// How many bytes of the body are in memory, now and at most.
#[derive(Default)]
struct Alive {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Chunk(Vec<u8>, Arc<Alive>);

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.1.now.fetch_sub(self.0.len(), Ordering::Relaxed);
    }
}

/// A body of many chunks, each made when it is asked for.
struct Endless(usize, Arc<Alive>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
        self.0 = left;
        let text = b"words that go on and on, ".repeat(640);
        let now = self.1.now.fetch_add(text.len(), Ordering::Relaxed) + text.len();
        self.1.most.fetch_max(now, Ordering::Relaxed);
        let chunk = Bytes::from_owner(Chunk(text, self.1.clone()));
        Poll::Ready(Some(Ok(http_body::Frame::data(chunk))))
    }
}

#[tokio::test]
async fn no_more_is_kept_of_a_body_than_is_held_back() {
    const HELD: usize = 100_000;
    let guard = GuardLayer::new(holding(HELD)).unwrap();
    let alive = Arc::new(Alive::default());
    let service = guard.layer(tower::service_fn(async |request: Request<GuardBody<Endless>>| {
        let mut body = request.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame.unwrap().into_data().unwrap().len();
        }
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(bytes.to_string())))
    }));
    let peer = PeerAddress::from(SocketAddr::from(([203, 0, 113, 9], 4711)));
    let request = Request::post("/").header("content-type", "text/plain").extension(peer);
    let request = request.body(Endless(400, alive.clone())).unwrap();
    let response = service.oneshot(request).await.unwrap();
    let answer = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(answer, "6400000");
    let most = alive.most.load(Ordering::Relaxed);
    assert!(most <= HELD + 2 * 16_000, "{most} bytes at once");
    assert_eq!(alive.now.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_leaves_nothing_behind() {
    let application = Application::start(holding(1 << 20)).await;
    for _ in 0..20 {
        let mut stream = application.connect().await;
        stream.write_all(head("content-length: 800000\r\nhost: x").as_bytes()).await.unwrap();
        stream.write_all(b"\r\nbegun").await.unwrap();
        drop(stream);
    }
    let answer = application.get(CLIENT, "/").await;
    assert_eq!(answer.status, 200);
}
