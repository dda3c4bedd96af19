use super::Fixture;
use crate::engine::{StreamItem, Writing, now};
use axum::body::Body;
use axum::http::Method;
use http_body_util::BodyExt;
use ringwall_access::Role;
use ringwall_event::{Activity, Event, EventId, Process, Severity, Source};
use ringwall_server_api::{StreamEvent, paths};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

fn event() -> Event {
    let activity = Activity::ProcessStarted(Process { pid: 42, ..Process::default() });
    let source = Source::new("host-agent", "web-1");
    Event {
        id: EventId::default(),
        time: now(),
        received: now(),
        host: source.name.clone(),
        source,
        severity: Severity::default(),
        activity,
        original: None,
    }
}

/// An open stream.
struct Open {
    body: Body,
    text: String,
}

impl Open {
    async fn new(fixture: &Fixture, query: &str) -> Self {
        let request =
            fixture.ask(Method::GET, &format!("{}{query}", paths::STREAM)).token(&fixture.admin);
        let response = fixture.router.clone().oneshot(request.request()).await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    /// The next event of the stream; none at its end.
    async fn next(&mut self) -> Option<StreamEvent> {
        loop {
            while let Some((message, rest)) = self.text.split_once("\n\n") {
                let message = message.to_owned();
                self.text = rest.to_owned();
                let Some((name, data)) = message.split_once('\n') else { continue };
                let name = name.strip_prefix("event: ").unwrap();
                let data = data.strip_prefix("data: ").unwrap();
                return Some(StreamEvent::read(name, data).unwrap().unwrap());
            }
            let frame = tokio::time::timeout(Duration::from_secs(60), self.body.frame());
            let frame = frame.await.expect("a message within ten seconds")?;
            self.text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
    }

    /// The next event that is no tick.
    async fn next_news(&mut self) -> StreamEvent {
        loop {
            match self.next().await.expect("an open stream") {
                StreamEvent::Tick(_) => {}
                event => return event,
            }
        }
    }
}

#[tokio::test]
async fn news_come_as_they_are_stored() {
    let fixture = Fixture::new().await;
    let mut stream = Open::new(&fixture, "?topics=alerts,commands").await;
    fixture.start_process(1, 4321, "evil.sh").await;
    let mut seen = Vec::new();
    while !["alert", "command"].iter().all(|name| seen.contains(name)) {
        let event = stream.next_news().await;
        match &event {
            StreamEvent::Alert(row) => {
                assert_eq!(row.process.as_ref().map(|process| process.pid), Some(4321));
            }
            StreamEvent::Command(row) => assert_eq!(row.order.process().unwrap().pid, 4321),
            other => panic!("not asked for: {other:?}"),
        }
        seen.push(event.name());
    }
}

#[tokio::test]
async fn hosts_and_counts_come_with_the_tick() {
    let fixture = Fixture::new().await;
    let mut stream = Open::new(&fixture, "?topics=hosts").await;
    fixture.start_process(1, 42, "nginx").await;
    let StreamEvent::Host(host) = stream.next_news().await else { panic!("a host was expected") };
    assert_eq!(host.id.to_string(), "host-agent:web-1");
    let tick = loop {
        match stream.next().await.unwrap() {
            StreamEvent::Tick(tick) => break tick,
            _ => continue,
        }
    };
    assert_eq!((tick.events_total, tick.hosts_online), (1, 1));
}

#[tokio::test]
async fn events_come_only_where_asked_for_and_only_of_the_host() {
    let fixture = Fixture::new().await;
    let mut here = Open::new(&fixture, "?topics=events&host=host-agent:web-1").await;
    let mut elsewhere = Open::new(&fixture, "?topics=events,hosts&host=host-agent:web-2").await;
    fixture.start_process(1, 42, "nginx").await;
    let StreamEvent::Events(rows) = here.next_news().await else { panic!("events were expected") };
    assert_eq!(rows.events[0].summary, "nginx (pid 42) started");
    // Of the other host there is nothing to say but the counts.
    for _ in 0..2 {
        assert!(matches!(elsewhere.next().await, Some(StreamEvent::Tick(_))));
    }
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed_and_holds_up_nobody() {
    let fixture = Fixture::new().await;
    let mut stream = Open::new(&fixture, "?topics=events").await;
    // Nobody reads while more is stored than the server keeps for anybody.
    let batch = Arc::new(vec![event()]);
    let publish = move |writing: &mut Writing<'_>| {
        for _ in 0..20_000 {
            writing.publish(StreamItem::Events(Arc::clone(&batch)));
        }
        Ok(())
    };
    fixture.server.engine.write(publish).await.unwrap();
    loop {
        match stream.next_news().await {
            StreamEvent::Lagged(lagged) => {
                assert!(lagged.missed > 0);
                break;
            }
            StreamEvent::Events(_) => {}
            other => panic!("not asked for: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_server() {
    let fixture = Fixture::new().await;
    let mut stream = Open::new(&fixture, "").await;
    fixture.stop.send(true).unwrap();
    while stream.next().await.is_some() {}
}

#[tokio::test]
async fn a_stream_needs_the_permissions_of_its_topics() {
    let fixture = Fixture::new().await;
    let token = fixture.token(Role::ReadOnly).await;
    let request = fixture.ask(Method::GET, paths::STREAM).token(&token);
    let response = fixture.router.clone().oneshot(request.request()).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let answer = fixture.ask(Method::GET, paths::STREAM).send().await;
    assert_eq!(answer.is_problem(401, "unauthenticated")["status"], json!(401));
}
