//! Accepts connections and serves them: bounded in number, in header time and in idle time.

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

const STALL_MILLIS: u32 = 60_000;

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
    limits: ListenLimits,
    mut shutdown: watch::Receiver<bool>,
) {
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
        let service = TowerToHyperService::new(WithPeer { router: router.clone(), peer });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(64 << 10)
            .serve_connection(TokioIo::new(stream), service);
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%peer, %error, "connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::info!("requests still open at the end of the drain time are cut off");
    }
}

/// Returns once the flag is set, or nobody is left to set it.
pub(crate) async fn asked_to_stop(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: that is an end, too.
    drop(shutdown.wait_for(|stop| *stop).await);
}

/// Tells each request who sent it.
#[derive(Clone)]
struct WithPeer {
    router: Router,
    peer: SocketAddr,
}

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
        self.router.call(request.map(axum::body::Body::new))
    }
}
