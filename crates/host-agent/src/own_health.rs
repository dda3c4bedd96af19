//! How the agent itself is doing: told once a minute, and when it changes.

use crate::watching::ProbeState;
use ringwall_event::{Activity, AgentHealth, Timestamp};
use ringwall_host_probes::Observation;
use std::time::{Duration, Instant};

/// Tells the server how this agent is doing.
#[derive(Debug)]
pub(crate) struct OwnHealth {
    started: Timestamp,
    cpu_percent_max: Option<f64>,
    told: Told,
    /// Whether anything was put off since it was told.
    throttled: bool,
}

/// What was told last.
#[derive(Debug)]
struct Told {
    at: Instant,
    cpu: Duration,
    /// None before the first time.
    health: Option<AgentHealth>,
}

/// What waits to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    pub(crate) bytes_max: u64,
    /// Events that were dropped so far.
    pub(crate) dropped: u64,
}

/// What this process takes of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Of the processor, by all threads so far.
    pub(crate) cpu: Duration,
    /// Resident memory.
    pub(crate) rss_bytes: u64,
}

/// How often to ask whether there is anything to tell.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const TELL_INTERVAL: Duration = Duration::from_secs(60);
/// A change is told at once, but one that goes to and fro is no reason for more than this.
const CHANGE_INTERVAL: Duration = Duration::from_secs(15);

impl OwnHealth {
    pub(crate) fn new(cpu_percent_max: Option<f64>) -> Self {
        let told = Told { at: Instant::now(), cpu: Usage::now().cpu, health: None };
        Self { started: crate::now(), cpu_percent_max, told, throttled: false }
    }

    /// What to tell now, if anything.
    pub(crate) fn look(
        &mut self,
        probe: &ProbeState,
        throttled: bool,
        waiting: Waiting,
        usage: Usage,
        now: Instant,
    ) -> Option<Observation> {
        self.throttled |= throttled;
        let since = now.saturating_duration_since(self.told.at);
        let used = usage.cpu.saturating_sub(self.told.cpu).as_secs_f64();
        let health = AgentHealth {
            version: env!("CARGO_PKG_VERSION").into(),
            started: Some(self.started),
            rss_bytes: usage.rss_bytes,
            cpu_percent: rounded(used / since.as_secs_f64().max(0.001) * 100.0),
            cpu_percent_max: self.cpu_percent_max,
            throttled: self.throttled,
            process_changes: probe.capabilities.process_changes.name().into(),
            connections: connections(probe),
            spool_events: waiting.events,
            spool_bytes: waiting.bytes,
            spool_bytes_max: waiting.bytes_max,
            dropped: waiting.dropped,
        };
        let due = match &self.told.health {
            None => true,
            Some(told) if has_changed(told, &health) => since >= CHANGE_INTERVAL,
            Some(_) => since >= TELL_INTERVAL,
        };
        if !due {
            return None;
        }
        self.told = Told { at: now, cpu: usage.cpu, health: Some(health.clone()) };
        self.throttled = false;
        let activity = Activity::AgentHealth(Box::new(health));
        Some(Observation { time: crate::now(), activity, system_call: None })
    }
}

/// How connections are learned, and whether there are more than are followed.
fn connections(probe: &ProbeState) -> Box<str> {
    let name = probe.capabilities.connections.name();
    if probe.connections_left_out == 0 { name.into() } else { format!("{name}, cut").into() }
}

/// Whether something is different that people would want to know before the minute is over.
fn has_changed(told: &AgentHealth, now: &AgentHealth) -> bool {
    told.process_changes != now.process_changes
        || told.connections != now.connections
        || told.dropped != now.dropped
        || (now.throttled && !told.throttled)
}

impl Usage {
    /// Of this process, now.
    pub(crate) fn now() -> Self {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| {
            let resident = text.split_ascii_whitespace().nth(1)?;
            resident.parse::<u64>().ok()
        });
        let page_size = u64::try_from(rustix::param::page_size()).unwrap_or_default();
        Self {
            cpu: Duration::try_from(cpu).unwrap_or_default(),
            rss_bytes: pages.unwrap_or_default().saturating_mul(page_size),
        }
    }
}

fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_host_probes::{LinuxProbe, Probe, ProbeSettings, ProcessChanges};

    fn state() -> ProbeState {
        let probe = LinuxProbe::new(ProbeSettings::default()).unwrap();
        ProbeState { capabilities: probe.capabilities().clone(), connections_left_out: 0 }
    }

    #[test]
    fn health_is_told_at_first_once_a_minute_and_when_it_changes() {
        let mut own = OwnHealth::new(Some(5.0));
        let start = Instant::now();
        let (mut probe, mut waiting) = (state(), Waiting::default());
        let mut tell = |second, throttled, probe: &ProbeState, waiting| {
            let usage = Usage { cpu: Duration::from_millis(10 * second), rss_bytes: 6 << 20 };
            let now = start + Duration::from_secs(second);
            let told = own.look(probe, throttled, waiting, usage, now)?;
            let Activity::AgentHealth(health) = told.activity else { panic!("{told:?}") };
            Some((health.throttled, health.dropped, health.cpu_percent))
        };
        assert!(tell(5, false, &probe, waiting).is_some());
        for second in (10..65).step_by(5) {
            assert_eq!(tell(second, false, &probe, waiting), None, "second {second}");
        }
        assert_eq!(tell(65, false, &probe, waiting), Some((false, 0, 1.0)));
        // Drops are news, but not every few seconds.
        waiting.dropped = 3;
        assert_eq!(tell(70, false, &probe, waiting), None);
        assert_eq!(tell(80, false, &probe, waiting), Some((false, 3, 1.0)));
        // That it was slowed is not forgotten until it was told, and then it is.
        assert_eq!(tell(85, true, &probe, waiting), None);
        assert_eq!(tell(95, false, &probe, waiting), Some((true, 3, 1.0)));
        assert_eq!(tell(150, false, &probe, waiting), None);
        assert_eq!(tell(155, false, &probe, waiting), Some((false, 3, 1.0)));
        probe.capabilities.process_changes = ProcessChanges::ProcessConnector;
        assert_eq!(tell(170, false, &probe, waiting), Some((false, 3, 1.0)));
        // That connections are left out is news, how many is not.
        assert_eq!(connections(&probe).as_ref(), probe.capabilities.connections.name());
        probe.connections_left_out = 7;
        assert_eq!(tell(185, false, &probe, waiting), Some((false, 3, 1.0)));
        probe.connections_left_out = 8;
        assert_eq!(tell(200, false, &probe, waiting), None);
        assert!(connections(&probe).ends_with(", cut"));
    }

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::now();
        assert!(usage.rss_bytes > 1 << 20, "{usage:?}");
        assert!(usage.cpu > Duration::ZERO);
    }
}
