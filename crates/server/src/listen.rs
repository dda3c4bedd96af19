//! Accepts connections and serves them: bounded in number, in header time and in idle time; over TLS
//! where the listener says so.

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const STALL_MILLIS: u32 = 60_000;
/// A handshake takes two round trips; whoever needs longer is let go.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes at once of one listener: each costs a signature, further ones wait for their turn.
const HANDSHAKES_MAX: usize = 128;
/// What a client that speaks plain HTTP to a TLS listener is told.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\
content-length: 49\r\nconnection: close\r\n\r\nThis port speaks TLS: the address is https://...\n";

/// Bounds of one listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenLimits {
    /// How many connections are open at once; further ones wait in the system's queue.
    pub(crate) connections_max: usize,
    /// How long a client may take to send the head of a request.
    pub(crate) header_timeout: Duration,
    /// How long open requests may take to end once the server is asked to stop.
    pub(crate) drain_timeout: Duration,
}

/// Serves until `shutdown` says so, then lets the open requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    limits: ListenLimits,
    mut shutdown: watch::Receiver<bool>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => match place {
                Ok(place) => place,
                Err(_) => break,
            },
            () = asked_to_stop(&mut shutdown) => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: others must end before one can begin.
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = asked_to_stop(&mut shutdown) => break,
        };
        // Answers are small and awaited: they shall not wait to be joined by others.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "no TCP_NODELAY");
        }
        // A client that takes nothing of its answer for this long does not keep its place.
        if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(&stream, STALL_MILLIS) {
            tracing::debug!(%peer, %error, "no TCP_USER_TIMEOUT");
        }
        let service = WithPeer { router: router.clone(), peer, is_encrypted: tls.is_some() };
        let watcher = graceful.watcher();
        let (tls, handshakes) = (tls.clone(), Arc::clone(&handshakes));
        tokio::spawn(async move {
            match tls {
                None => converse(stream, service, limits, watcher).await,
                Some(tls) => match encrypt(stream, &tls, &handshakes).await {
                    Ok(stream) => converse(stream, service, limits, watcher).await,
                    Err(error) => tracing::debug!(%peer, %error, "no TLS connection"),
                },
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::info!("requests still open at the end of the drain time are cut off");
    }
}

/// Answers the requests of one connection, until it ends.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    service: WithPeer,
    limits: ListenLimits,
    watcher: Watcher,
) {
    let peer = service.peer;
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// The handshake, in bounded time. Who speaks plain HTTP is told so.
async fn encrypt(
    mut stream: TcpStream,
    tls: &TlsAcceptor,
    handshakes: &Semaphore,
) -> io::Result<TlsStream<TcpStream>> {
    let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
    let mut first = [0];
    let peeked = timeout_at(deadline, stream.peek(&mut first)).await;
    if peeked.map_err(|_| too_slow())?? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // Every TLS handshake begins with 22, every HTTP request with a letter.
    if first[0].is_ascii_alphabetic() {
        refuse_plain(&mut stream).await?;
        return Err(io::Error::other("plain HTTP on a TLS port"));
    }
    let handshake = async {
        let _turn = handshakes.acquire().await.map_err(io::Error::other)?;
        tls.accept(stream).await
    };
    timeout_at(deadline, handshake).await.map_err(|_| too_slow())?
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the handshake takes too long")
}

/// Reads a little of the request first: a connection that is closed with unread bytes is reset, and
/// the client never sees the answer.
async fn refuse_plain(stream: &mut TcpStream) -> io::Result<()> {
    const WAIT: Duration = Duration::from_millis(500);
    let mut request = [0; 4096];
    if stream.read(&mut request).await? == 0 {
        return Ok(());
    }
    stream.write_all(SPEAK_TLS).await?;
    stream.shutdown().await?;
    let rest = async {
        for _ in 0..16 {
            if stream.read(&mut request).await? == 0 {
                break;
            }
        }
        Ok(())
    };
    tokio::time::timeout(WAIT, rest).await.unwrap_or(Ok(()))
}

/// Returns once the flag is set, or nobody is left to set it.
pub(crate) async fn asked_to_stop(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: that is an end, too.
    drop(shutdown.wait_for(|stop| *stop).await);
}

/// Tells browsers to use https only from now on (RFC 6797).
pub(crate) async fn with_strict_transport(
    mut response: axum::response::Response,
    seconds: u64,
) -> axum::response::Response {
    if let Ok(value) = axum::http::HeaderValue::from_str(&format!("max-age={seconds}")) {
        response.headers_mut().insert(axum::http::header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}

/// Tells each request who sent it, and whether others on the way could read it.
#[derive(Clone)]
struct WithPeer {
    router: Router,
    peer: SocketAddr,
    is_encrypted: bool,
}

/// Stands among the extensions of a request that came over TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encrypted;

impl tower::Service<hyper::Request<hyper::body::Incoming>> for WithPeer {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = axum::routing::future::RouteFuture<std::convert::Infallible>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        // A router is always ready.
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: hyper::Request<hyper::body::Incoming>) -> Self::Future {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        if self.is_encrypted {
            request.extensions_mut().insert(Encrypted);
        }
        self.router.call(request.map(axum::body::Body::new))
    }
}
