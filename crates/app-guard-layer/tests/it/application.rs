//! A guarded application on a real socket, and a client that says exactly what a test wants said.

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::routing::{any, get, post};
use parking_lot::Mutex;
use ringwall_app_guard::GuardSettings;
use ringwall_app_guard_layer::sink::{ExchangeMetrics, GuardEvent};
use ringwall_app_guard_layer::{EventSink, GuardBuilder, GuardHandle, GuardLayer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that ends with it.
pub(crate) struct Application {
    pub(crate) address: SocketAddr,
    pub(crate) handle: GuardHandle,
    pub(crate) told: Arc<Told>,
    /// How many requests reached a handler.
    pub(crate) served: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

/// What the guard told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) events: Mutex<Vec<GuardEvent>>,
    /// Endpoint, status, and whether it was refused.
    pub(crate) figures: Mutex<Vec<(String, u16, bool)>>,
}

impl EventSink for Told {
    fn event(&self, event: GuardEvent) {
        self.events.lock().push(event);
    }

    fn metrics(&self, exchange: &ExchangeMetrics<'_>) {
        let ExchangeMetrics { endpoint, status, was_blocked, .. } = *exchange;
        self.figures.lock().push((endpoint.to_owned(), status, was_blocked));
    }
}

/// Loopback is never banned and exempt from much, so tests come through a proxy that is trusted: what they
/// say in `X-Forwarded-For` counts. Security headers and everything else are as they are by default.
pub(crate) fn settings() -> GuardSettings {
    GuardSettings {
        trusted_proxies: vec!["127.0.0.1".to_owned()],
        rate_limit: 100_000,
        ..GuardSettings::default()
    }
}

impl Application {
    pub(crate) async fn start(settings: GuardSettings) -> Self {
        Self::with(GuardLayer::builder(settings)).await
    }

    pub(crate) async fn with(builder: GuardBuilder) -> Self {
        let told = Arc::new(Told::default());
        let guard = builder.sink(told.clone()).build().unwrap();
        let handle = guard.handle();
        let served = Arc::new(AtomicUsize::new(0));
        let counted = served.clone();
        let count = axum::middleware::from_fn(
            move |request: axum::extract::Request, next: axum::middleware::Next| {
                counted.fetch_add(1, Ordering::Relaxed);
                next.run(request)
            },
        );
        let echo = |body: Result<Bytes, axum::extract::rejection::BytesRejection>| async move {
            match body {
                Ok(body) => (axum::http::StatusCode::OK, format!("{} bytes", body.len())),
                Err(error) => (axum::http::StatusCode::BAD_REQUEST, error.to_string()),
            }
        };
        let router = Router::new()
            .route("/", get(|| async { "home" }))
            .route("/items/{id}", get(|Path(id): Path<String>| async move { id }))
            .route("/echo", post(echo))
            .route("/fails", any(|| async { axum::http::StatusCode::INTERNAL_SERVER_ERROR }))
            .fallback(|| async { (axum::http::StatusCode::NOT_FOUND, "nothing here") })
            .layer(count)
            .layer(guard);
        #[cfg(not(feature = "axum"))]
        let router = router.layer(axum::middleware::map_request(tell_peer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move {
            axum::serve(listener, service).await.unwrap();
        });
        Self { address, handle, told, served, server }
    }

    /// GET, from this client.
    pub(crate) async fn get(&self, client: &str, target: &str) -> Answer {
        self.ask(&format!("GET {target} HTTP/1.1\r\nx-forwarded-for: {client}\r\n"), b"").await
    }

    /// POST with a length, from this client.
    pub(crate) async fn post(&self, client: &str, media_type: &str, body: &[u8]) -> Answer {
        let head = format!(
            "POST /echo HTTP/1.1\r\nx-forwarded-for: {client}\r\ncontent-type: {media_type}\r\n\
             content-length: {}\r\n",
            body.len()
        );
        self.ask(&head, body).await
    }

    /// Says this head (without the empty line at its end) and body, and reads to the end.
    pub(crate) async fn ask(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        stream
            .write_all(format!("{head}host: shop.example\r\nconnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        // A server that refuses closes before it has read everything.
        stream.write_all(body).await.ok();
        read(&mut stream).await
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// The names of the events so far.
    pub(crate) fn event_types(&self) -> Vec<String> {
        self.told.events.lock().iter().map(|event| event.event_type.to_string()).collect()
    }
}

/// As any server does that the guard does not know.
#[cfg(not(feature = "axum"))]
async fn tell_peer(
    axum::extract::ConnectInfo(peer): axum::extract::ConnectInfo<SocketAddr>,
    mut request: axum::extract::Request,
) -> axum::extract::Request {
    request.extensions_mut().insert(ringwall_app_guard_layer::PeerAddress::from(peer));
    request
}

impl Drop for Application {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A body in chunks of HTTP/1.1.
pub(crate) fn chunked(chunks: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(crate) async fn read(stream: &mut TcpStream) -> Answer {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // A connection that is reset after its answer still gave one.
    tokio::time::timeout(Duration::from_secs(60), read).await.unwrap().ok();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer: {answer:?}"));
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
