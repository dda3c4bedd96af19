//! Events of every kind, and folders that go away.

use proptest::option;
use proptest::prelude::*;
use ringwall_event::{
    Activity, AgentHealth, AppGuardEvent, Connection, Container, Event, EventId, EventsLost,
    HttpRequest, Inventory, Process, ProcessRef, Severity, SignIn, Source, SystemInfo, Timestamp,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder of its own, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

pub(crate) fn folder() -> Folder {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("ringwall-store-it-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&path).unwrap();
    Folder(path)
}

fn text() -> impl Strategy<Value = Box<str>> {
    prop_oneof!["[a-c]{0,3}", "[ -~é漢%_\"]{0,12}"].prop_map(Into::into)
}

fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        (0i64..10_000).prop_map(|n| Timestamp::from_micros(1_763_000_000_000_000 + n)),
        any::<i32>().prop_map(|n| Timestamp::from_micros(i64::from(n) * 1_000_003)),
    ]
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![0i64..5, any::<i64>()]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.1), 0.0..100.0f64]
}

prop_compose! {
    fn container()(
        (uid, runtime) in (text(), text()),
        (name, pod_uid) in (option::of(text()), option::of(text())),
    ) -> Box<Container> {
        Box::new(Container { uid, name, runtime, pod_uid })
    }
}

prop_compose! {
    fn agent_health()(
        (version, process_changes, connections) in (text(), text(), text()),
        started in option::of(moment()),
        (cpu_percent, cpu_percent_max) in (float(), option::of(float())),
        throttled: bool,
        (rss_bytes, spool_events, spool_bytes, spool_bytes_max, dropped) in
            (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()),
    ) -> AgentHealth {
        AgentHealth {
            version, started, rss_bytes, cpu_percent, cpu_percent_max, throttled, process_changes,
            connections, spool_events, spool_bytes, spool_bytes_max, dropped,
        }
    }
}

prop_compose! {
    fn process()(
        pid in number(),
        start_time in option::of(moment()),
        (name, user, executable, command_line, executable_sha256) in
            (text(), option::of(text()), option::of(text()), option::of(text()), option::of(text())),
        parent_pid in option::of(number()),
        cpu_percent in option::of(float()),
        memory_percent in option::of(float()),
        container in option::of(container()),
    ) -> Process {
        Process {
            pid, start_time, name, parent_pid, user, executable, command_line,
            executable_sha256, cpu_percent, memory_percent, container,
        }
    }
}

prop_compose! {
    fn process_ref()(pid in number(), start_time in option::of(moment()), name in text()) -> ProcessRef {
        ProcessRef { pid, start_time, name }
    }
}

prop_compose! {
    fn connection()(
        (protocol, local_address, status) in (text(), text(), text()),
        local_port: u16,
        remote_address in option::of(text()),
        remote_port in option::of(any::<u16>()),
        pid in option::of(number()),
        process_name in option::of(text()),
    ) -> Connection {
        Connection {
            protocol, local_address, local_port, remote_address, remote_port, status, pid,
            process_name,
        }
    }
}

prop_compose! {
    fn http_request()(
        (method, path) in (text(), text()),
        (hostname, client_address, user_agent, referrer, user) in
            (option::of(text()), option::of(text()), option::of(text()), option::of(text()), option::of(text())),
        (client_port, status) in (option::of(any::<u16>()), option::of(any::<u16>())),
        (response_bytes, duration_ms) in (option::of(any::<u64>()), option::of(any::<u64>())),
    ) -> HttpRequest {
        HttpRequest {
            method, path, hostname, client_address, client_port, user_agent, referrer, user,
            status, response_bytes, duration_ms,
        }
    }
}

prop_compose! {
    fn sign_in()(
        user in text(),
        success: bool,
        (service, protocol, client_address, detail) in
            (option::of(text()), option::of(text()), option::of(text()), option::of(text())),
        client_port in option::of(any::<u16>()),
        pid in option::of(number()),
    ) -> SignIn {
        SignIn { user, success, service, protocol, client_address, client_port, pid, detail }
    }
}

prop_compose! {
    fn app_guard()(
        (event_type, action, reason, is_finding) in (text(), text(), text(), any::<bool>()),
        (client_address, country, user_agent, method, path) in (
            option::of(text()), option::of(text()), option::of(text()), option::of(text()),
            option::of(text()),
        ),
        (category, pattern, decorator, rule, handler, install_id) in (
            option::of(text()), option::of(text()), option::of(text()), option::of(text()),
            option::of(text()), option::of(text()),
        ),
        status in option::of(any::<u16>()),
        duration_ms in option::of(float()),
    ) -> AppGuardEvent {
        AppGuardEvent {
            event_type, is_finding, action, reason, client_address, country, user_agent, method,
            path, status, duration_ms, category, pattern, decorator, rule, handler, install_id,
        }
    }
}

fn activity() -> impl Strategy<Value = Activity> {
    prop_oneof![
        process().prop_map(Activity::ProcessStarted),
        (process_ref(), option::of(any::<i32>()))
            .prop_map(|(process, exit_code)| Activity::ProcessEnded { process, exit_code }),
        connection().prop_map(Activity::ConnectionOpened),
        connection().prop_map(Activity::ConnectionClosed),
        (process_ref(), text(), option::of(float()), option::of(float())).prop_map(
            |(process, name, risk_score, anomaly_score)| Activity::SystemCall {
                process,
                name,
                risk_score,
                anomaly_score,
            }
        ),
        (prop::collection::vec(process(), 0..3), prop::collection::vec(connection(), 0..3))
            .prop_map(|(processes, connections)| {
                Activity::Inventory(Box::new(Inventory {
                    processes,
                    connections,
                    system: SystemInfo::default(),
                }))
            }),
        http_request().prop_map(|request| Activity::HttpRequest(Box::new(request))),
        sign_in().prop_map(|sign_in| Activity::SignIn(Box::new(sign_in))),
        ("[0-9a-f]{0,32}", any::<u64>(), any::<u64>()).prop_map(|(spool_id, count, total)| {
            let spool_id = spool_id.into();
            Activity::EventsLost(Box::new(EventsLost { spool_id, count, total }))
        }),
        app_guard().prop_map(|seen| Activity::AppGuard(Box::new(seen))),
        agent_health().prop_map(|health| Activity::AgentHealth(Box::new(health))),
    ]
}

prop_compose! {
    /// An event of any kind.
    pub(crate) fn event()(
        batch in 0u64..20,
        position in 0u16..300,
        time in moment(),
        received in 0i64..1_000_000,
        (dialect, name, host) in ("[a-c]", "[a-f]", text()),
        severity in prop::sample::select(Severity::ALL.to_vec()),
        activity in activity(),
        original in option::of(text()),
    ) -> Event {
        Event {
            id: EventId::from_parts(1_763_000_000_000, batch, position),
            time,
            received: Timestamp::from_micros(1_763_000_000_000_000 + received),
            source: Source::new(&dialect, &name),
            host,
            severity,
            activity,
            original,
        }
    }
}
