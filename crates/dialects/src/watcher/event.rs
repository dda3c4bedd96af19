//! A payload as an event: everything that runs on a host at one moment.

use super::{Payload, ReportedConnection, ReportedProcess, local_time};
use crate::validation::Json;
use ringwall_event::{
    Activity, Connection, Event, EventId, Inventory, Process, Severity, Source, SystemInfo,
    Timestamp,
};
use serde_json::value::RawValue;

impl Payload {
    /// The event of this payload. Its source is what the client claims: nothing proves it.
    ///
    /// The whole payload stands beside it as the original stores it, so that it can be given back.
    pub fn into_event(self, received: Timestamp) -> Event {
        // A payload has nothing that JSON cannot hold: numbers are finite, keys are texts.
        let original = serde_json::to_string(&self).ok().map(String::into_boxed_str);
        let connections = self.connections.unwrap_or_default();
        let inventory = Inventory {
            processes: self.processes.into_iter().map(process).collect(),
            connections: connections.into_iter().filter_map(connection).collect(),
            system: self.system_info.as_deref().map(system).unwrap_or_default(),
        };
        Event {
            id: EventId::default(),
            time: local_time::moment(&self.timestamp, received),
            received,
            source: Source::new(Source::WATCHER, &self.hostname),
            host: self.hostname,
            severity: Severity::Informational,
            activity: Activity::Inventory(Box::new(inventory)),
            original,
        }
    }
}

fn process(reported: ReportedProcess) -> Process {
    Process {
        pid: reported.pid,
        name: reported.name,
        user: reported.user,
        command_line: reported.command_line,
        cpu_percent: reported.cpu_percent,
        memory_percent: reported.memory_percent,
        ..Process::default()
    }
}

/// None for ports that no connection has; the original keeps these, and so does its text.
fn connection(reported: ReportedConnection) -> Option<Connection> {
    Some(Connection {
        protocol: "".into(),
        local_address: reported.local_address,
        local_port: u16::try_from(reported.local_port).ok()?,
        remote_address: reported.remote_address,
        remote_port: match reported.remote_port {
            Some(port) => Some(u16::try_from(port).ok()?),
            None => None,
        },
        status: reported.status,
        pid: reported.pid,
        process_name: None,
    })
}

/// What the original agent puts into the object of free form; anything else there is left alone.
fn system(object: &RawValue) -> SystemInfo {
    let Ok(json) = Json::read(object.get().as_bytes()) else { return SystemInfo::default() };
    let Ok(members) = json.dictionary() else { return SystemInfo::default() };
    let bytes = |name| {
        let value = members.given(name)?.integer().ok()?.value()?;
        u64::try_from(value).ok()
    };
    SystemInfo {
        platform: members.given("platform").and_then(|json| {
            let text = json.text().ok()?;
            (text.len() <= super::TEXT_BYTES_MAX).then(|| text.into())
        }),
        cpu_count: bytes("cpu_count").and_then(|count| u32::try_from(count).ok()),
        memory_total: bytes("memory_total"),
        memory_available: bytes("memory_available"),
        boot_time: members.given("boot_time").and_then(|json| {
            let seconds = json.number().ok()?;
            // A saturating cast: what is out of range is held within it.
            (seconds > 0.0).then(|| Timestamp::from_micros((seconds * 1e6) as i64))
        }),
        ..SystemInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_guides_payload_becomes_a_picture_of_its_host() {
        let body = json!({
            "hostname": "your-hostname.local", "timestamp": "2024-01-15T10:30:00",
            "processes": [{"pid": 1234, "name": "python3", "command_line": "python3 agent.py",
                           "user": "username", "cpu_percent": 2.5, "memory_percent": 1.2}],
            "connections": [{"local_address": "127.0.0.1", "local_port": 8080,
                             "remote_address": "192.168.1.100", "remote_port": 443,
                             "status": "ESTABLISHED", "pid": 1234}],
            "system_info": {"cpu_count": 8, "memory_total": 17179869184u64,
                            "memory_available": 8589934592u64, "boot_time": 1705123456.0,
                            "platform": "Darwin"},
        });
        let received = Timestamp::from_millis(1_800_000_000_000);
        let event = Payload::read(body.to_string().as_bytes()).unwrap().into_event(received);
        assert_eq!(event.time, received);
        assert_eq!((&*event.host, event.received), ("your-hostname.local", received));
        let Activity::Inventory(picture) = &event.activity else { panic!("{event:?}") };
        assert_eq!(picture.processes[0].command_line.as_deref(), Some("python3 agent.py"));
        assert_eq!(picture.connections[0].remote_port, Some(443));
        assert_eq!(picture.system.memory_total, Some(17_179_869_184));
        assert_eq!(picture.system.boot_time, Some(Timestamp::from_millis(1_705_123_456_000)));
        let original: Value = serde_json::from_str(event.original.as_deref().unwrap()).unwrap();
        assert_eq!(original, body);
    }

    #[test]
    fn what_cannot_be_is_kept_as_text_only() {
        let body = json!({
            "hostname": "h", "timestamp": "prose",
            "processes": [],
            "connections": [{"local_address": "a", "local_port": -1, "status": "x"},
                            {"local_address": "b", "local_port": 1, "status": "x"}],
            "system_info": {"cpu_count": -8, "boot_time": "never", "platform": 7, "more": [1]},
        });
        let received = Timestamp::from_millis(1_800_000_000_000);
        let event = Payload::read(body.to_string().as_bytes()).unwrap().into_event(received);
        assert_eq!(event.time, received);
        let Activity::Inventory(picture) = &event.activity else { panic!("{event:?}") };
        assert_eq!(picture.connections.len(), 1);
        assert_eq!(picture.system, SystemInfo::default());
        let original: Value = serde_json::from_str(event.original.as_deref().unwrap()).unwrap();
        assert_eq!(original["connections"][0]["local_port"], -1);
        assert_eq!(original["system_info"]["more"], json!([1]));
    }
}
