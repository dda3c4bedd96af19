//! `GET /stream`: what happens from now on, as server-sent events.

use super::caller::Caller;
use super::problem::ApiError;
use super::query::InQuery;
use super::{alerts, events, hosts, overview};
use crate::engine::StreamItem;
use crate::guard::is_application;
use crate::server::Server;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use ringwall_access::Permission;
use ringwall_event::{Event, Source};
use ringwall_server_api::{
    CommandRow, EventsRow, Lagged, Problem, ProblemKind, StreamEvent, StreamQuery, Topic,
};
use ringwall_store::StateStore;
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Messages that wait for one reader; more wait in the server's ring, then they are lost and counted.
const QUEUE: usize = 64;
const TICK: Duration = Duration::from_secs(2);
/// A comment keeps what lies between from closing a quiet connection, and tells us who is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A reader that takes nothing for this long is let go.
const STALL: Duration = Duration::from_secs(30);
/// Events in one message.
const EVENTS_AT_ONCE: usize = 500;
/// Hosts whose change is told at once; further ones with the next tick.
const HOSTS_AT_ONCE: usize = 200;

pub(super) async fn follow(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InQuery(query): InQuery<StreamQuery>,
) -> Result<Response, ApiError> {
    let topics = topics(query.topics.as_deref())?;
    for topic in &topics {
        caller.must(match topic {
            Topic::Alerts => Permission::ReadAlerts,
            Topic::Commands => Permission::ReadCommands,
            Topic::Hosts => Permission::ReadHosts,
            Topic::Events => Permission::ReadEvents,
        })?;
    }
    let place = Arc::clone(&server.sign_in.streams)
        .try_acquire_owned()
        .map_err(|_| ApiError::new(ProblemKind::Busy, "too many streams are open").after(5))?;
    let items = server.engine.subscribe();
    let batches = topics.contains(&Topic::Events).then(|| server.engine.subscribe_to_events());
    let (sender, receiver) = mpsc::channel(QUEUE);
    let reader = Reader { server, caller, topics, host: query.host, sender, _place: place };
    tokio::spawn(reader.run(items, batches));
    let messages = futures_util::stream::unfold(receiver, |mut receiver| async {
        let message = receiver.recv().await?;
        Some((Ok::<_, Infallible>(message), receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Asks proxies to pass each message on at once.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(messages)).into_response())
}

fn topics(text: Option<&str>) -> Result<HashSet<Topic>, ApiError> {
    let Some(text) = text else { return Ok(Topic::DEFAULT.into()) };
    text.split(',')
        .map(|name| {
            Topic::from_name(name.trim()).ok_or_else(|| {
                let known = Topic::ALL.map(Topic::name).join(", ");
                Problem::invalid_parameter("topics", format!("must be some of {known}")).into()
            })
        })
        .collect()
}

/// One open stream.
struct Reader {
    server: Arc<Server>,
    caller: Caller,
    topics: HashSet<Topic>,
    host: Option<Source>,
    sender: mpsc::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
}

/// The next batch of events; never where they were not asked for.
async fn next_of(
    batches: &mut Option<broadcast::Receiver<Arc<Vec<Event>>>>,
) -> Result<Arc<Vec<Event>>, broadcast::error::RecvError> {
    match batches {
        Some(batches) => batches.recv().await,
        None => std::future::pending().await,
    }
}

/// Why a stream ends. Nobody needs to know.
struct Ended;

impl Reader {
    async fn run(
        self,
        items: broadcast::Receiver<StreamItem>,
        batches: Option<broadcast::Receiver<Arc<Vec<Event>>>>,
    ) {
        // An end is no error: the reader went away, stalled, was signed out, or the server stops.
        let _ended: Result<(), Ended> = self.follow(items, batches).await;
    }

    async fn follow(
        &self,
        mut items: broadcast::Receiver<StreamItem>,
        mut batches: Option<broadcast::Receiver<Arc<Vec<Event>>>>,
    ) -> Result<(), Ended> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_heartbeat = Instant::now();
        let mut changed_hosts: HashSet<Source> = HashSet::new();
        let mut shutdown = self.server.shutdown.clone();
        let mut signed_out = self.server.sign_in.watch_signed_out();
        // How soon to come back after the connection broke, in milliseconds.
        self.write("retry: 2000\n\n".to_owned()).await?;
        loop {
            tokio::select! {
                item = items.recv() => match item {
                    Ok(item) => self.tell(item, &mut changed_hosts).await?,
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        self.send(StreamEvent::Lagged(Lagged { missed })).await?;
                    }
                    Err(broadcast::error::RecvError::Closed) => return Err(Ended),
                },
                batch = next_of(&mut batches) => match batch {
                    Ok(batch) => self.tell_events(&batch).await?,
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        self.send(StreamEvent::Lagged(Lagged { missed })).await?;
                    }
                    Err(broadcast::error::RecvError::Closed) => return Err(Ended),
                },
                _ = tick.tick() => {
                    self.tell_hosts(&mut changed_hosts).await?;
                    self.tell_counts().await?;
                    if last_heartbeat.elapsed() >= HEARTBEAT {
                        last_heartbeat = Instant::now();
                        if !self.caller.is_still_valid(&self.server).await {
                            return Err(Ended);
                        }
                        self.write(": still here\n\n".to_owned()).await?;
                    }
                }
                _ = signed_out.changed() => {
                    if !self.caller.is_still_valid(&self.server).await {
                        return Err(Ended);
                    }
                }
                () = self.sender.closed() => return Err(Ended),
                () = crate::listen::asked_to_stop(&mut shutdown) => return Err(Ended),
            }
        }
    }

    async fn tell(
        &self,
        item: StreamItem,
        changed_hosts: &mut HashSet<Source>,
    ) -> Result<(), Ended> {
        match item {
            StreamItem::Alert(alert) if self.wants(Topic::Alerts, &alert.source) => {
                let row =
                    self.server.engine.read(move |session| alerts::row(session, &alert)).await;
                match row {
                    Ok(row) => self.send(StreamEvent::Alert(Box::new(row))).await?,
                    // To read again is what a reader does who missed something.
                    Err(_) => self.send(StreamEvent::Lagged(Lagged { missed: 1 })).await?,
                }
            }
            StreamItem::Command(command) if self.wants(Topic::Commands, &command.source) => {
                self.send(StreamEvent::Command(Box::new(CommandRow::from(&*command)))).await?;
            }
            StreamItem::Host(source) if self.wants(Topic::Hosts, &source) => {
                changed_hosts.insert(source);
            }
            _ => {}
        }
        Ok(())
    }

    async fn tell_events(&self, batch: &[Event]) -> Result<(), Ended> {
        let source = batch.first().map(|event| &event.source);
        if !source.is_some_and(|source| self.wants(Topic::Events, source)) {
            return Ok(());
        }
        for part in batch.chunks(EVENTS_AT_ONCE) {
            let rows = part.iter().map(events::row).collect();
            self.send(StreamEvent::Events(EventsRow { events: rows })).await?;
        }
        Ok(())
    }

    async fn tell_hosts(&self, changed: &mut HashSet<Source>) -> Result<(), Ended> {
        if changed.is_empty() {
            return Ok(());
        }
        let Ok(open_alerts) = hosts::open_alerts(&self.server).await else { return Ok(()) };
        let now = self.server.now();
        let some: Vec<Source> = changed.iter().take(HOSTS_AT_ONCE).cloned().collect();
        for source in some {
            changed.remove(&source);
            if is_application(&source) {
                continue;
            }
            let row = {
                let derived = self.server.engine.derived();
                derived
                    .hosts
                    .get(&source)
                    .map(|host| hosts::row(&self.server, &source, host, &open_alerts, now))
            };
            if let Some(row) = row {
                self.send(StreamEvent::Host(Box::new(row))).await?;
            }
        }
        Ok(())
    }

    async fn tell_counts(&self) -> Result<(), Ended> {
        let open = self.server.engine.read(|session| session.open_alerts_by_severity()).await;
        let mut tick = overview::counts(&self.server);
        tick.alerts_open = match open {
            Ok(counts) => counts.iter().map(|(_, count)| count).sum(),
            Err(_) => return Ok(()),
        };
        self.send(StreamEvent::Tick(tick)).await
    }

    fn wants(&self, topic: Topic, source: &Source) -> bool {
        self.topics.contains(&topic) && self.host.as_ref().is_none_or(|host| host == source)
    }

    async fn send(&self, event: StreamEvent) -> Result<(), Ended> {
        // One line: JSON escapes the line breaks in its texts.
        let data = event.data().map_err(|_| Ended)?;
        self.write(format!("event: {}\ndata: {data}\n\n", event.name())).await
    }

    async fn write(&self, text: String) -> Result<(), Ended> {
        match tokio::time::timeout(STALL, self.sender.send(Bytes::from(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ended),
        }
    }
}
