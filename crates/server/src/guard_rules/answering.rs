//! What guards are answered when they ask for their rules, once or for as long as they listen.
//!
//! Whoever comes here was authenticated. An error is never told with status 200: the original
//! middleware takes any object for rules, and drops its protection (guard contract, section 4.1).

use super::board::{GuardRules, Published, StreamPlace};
use crate::guard::Project;
use crate::server::Server;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use ringwall_signing::Secret;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

const SIGNATURE: HeaderName = HeaderName::from_static("x-payload-signature");
/// A comment keeps what lies between from closing a quiet connection, and tells us who is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A listener that takes nothing for this long is let go.
const STALL: Duration = Duration::from_secs(30);
/// Messages that wait for one listener: older rules are of no use once there are newer ones.
const QUEUE: usize = 2;
/// When to ask again where there is no answer, in seconds.
const RETRY_SECONDS: u64 = 5;

/// A guard whose key was found good.
pub(crate) struct Asking {
    /// Its project.
    pub(crate) project: Arc<Project>,
    /// The key that it presented.
    pub(crate) key: Secret,
}

impl Asking {
    /// Whether the key still opens its project: it may be rotated away, or the project be removed.
    fn is_still_good(&self, server: &Server) -> bool {
        let found = server.guard_projects().of_key(self.key.expose(), server.now());
        found.is_some_and(|project| project.name == self.project.name)
    }

    /// The secret that this guard verifies with: the one that was given out with its key.
    fn signing_secret(&self) -> Option<&Secret> {
        self.project.signing_secret_of(self.key.expose())
    }
}

/// The rules as they are now.
pub(crate) async fn poll(server: &Arc<Server>, asking: &Asking) -> Response {
    if !asking.project.is_ready() {
        return not_now();
    }
    let Some(published) = published(server, &asking.project.name).await else { return not_now() };
    let signed = published.signed(asking.signing_secret());
    let json = HeaderValue::from_static("application/json");
    let mut response = ([(CONTENT_TYPE, json)], Body::from(signed.text.clone())).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(signature) =
        signed.signature.as_deref().and_then(|text| HeaderValue::from_str(text).ok())
    {
        headers.insert(SIGNATURE, signature);
    }
    response
}

/// The rules as they are now and whenever they change, as server-sent events.
pub(crate) async fn stream(server: &Arc<Server>, asking: Asking) -> Response {
    if !asking.project.is_ready() || published(server, &asking.project.name).await.is_none() {
        return not_now();
    }
    let board = server.guard_rules();
    let (Some(changes), Some(place)) =
        (board.subscribe(&asking.project.name), board.stream_place(&asking.project.name))
    else {
        return not_now();
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let listener = Listener { server: Arc::clone(server), asking, sender, _place: place };
    tokio::spawn(listener.run(changes));
    let messages = futures_util::stream::unfold(receiver, |mut receiver| async {
        let message = receiver.recv().await?;
        Some((Ok::<_, Infallible>(message), receiver))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Asks proxies to pass each message on at once.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(messages)).into_response()
}

/// What is published for a project; composed now where that was not done yet.
async fn published(server: &Arc<Server>, project: &str) -> Option<Arc<Published>> {
    let board: GuardRules = server.guard_rules();
    if let Some(published) = board.published(project) {
        return Some(published);
    }
    let name = project.to_owned();
    let written = server.engine.write(move |writing| {
        // It may be removed by now.
        if writing.stored_guard_project(&name)?.is_some() {
            writing.publish_guard_rules(&name)?;
        }
        Ok(())
    });
    if let Err(error) = written.await {
        tracing::warn!(project, %error, "a guard's rules could not be composed");
    }
    board.published(project)
}

fn not_now() -> Response {
    let headers = [(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS))];
    (StatusCode::SERVICE_UNAVAILABLE, headers, "not ready\n").into_response()
}

/// One open stream.
struct Listener {
    server: Arc<Server>,
    asking: Asking,
    sender: mpsc::Sender<Bytes>,
    _place: StreamPlace,
}

/// Why a stream ends. Nobody needs to know.
struct Ended;

impl Listener {
    async fn run(self, changes: watch::Receiver<Arc<Published>>) {
        // An end is no error: the listener went away, stalled, or the server stops.
        let _ended: Result<(), Ended> = self.follow(changes).await;
    }

    async fn follow(&self, mut changes: watch::Receiver<Arc<Published>>) -> Result<(), Ended> {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        let mut shutdown = self.server.shutdown.clone();
        self.write(Bytes::from_static(b"retry: 1000\n\n")).await?;
        changes.mark_changed();
        let mut told = 0;
        loop {
            tokio::select! {
                changed = changes.changed() => {
                    // The project is gone.
                    changed.map_err(|_| Ended)?;
                    let published = Arc::clone(&changes.borrow_and_update());
                    if published.version == told {
                        continue;
                    }
                    if !self.asking.is_still_good(&self.server) {
                        return Err(Ended);
                    }
                    told = published.version;
                    let signed = published.signed(self.asking.signing_secret());
                    self.write(signed.message.clone()).await?;
                }
                _ = heartbeat.tick() => {
                    if !self.asking.is_still_good(&self.server) {
                        return Err(Ended);
                    }
                    self.write(Bytes::from_static(b": still here\n\n")).await?;
                }
                () = self.sender.closed() => return Err(Ended),
                () = crate::listen::asked_to_stop(&mut shutdown) => return Err(Ended),
            }
        }
    }

    async fn write(&self, message: Bytes) -> Result<(), Ended> {
        match tokio::time::timeout(STALL, self.sender.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ended),
        }
    }
}
