use crate::own_health::Usage;
use ringwall_event::{Activity, Connection, Process, SystemInfo, Timestamp};
use ringwall_host_probes::{Capabilities, Observation};
use serde::Serialize;
use std::time::Instant;

/// What was seen last.
#[derive(Debug, Default, Serialize)]
pub(super) struct Sight {
    pub(super) host: String,
    pub(super) time: Timestamp,
    /// What can be seen here at all.
    pub(super) capabilities: Option<Capabilities>,
    pub(super) system: SystemInfo,
    /// Host agents that run here, this view left out.
    pub(super) agents: Vec<AgentSeen>,
    /// What this view takes itself.
    pub(super) own: Own,
    /// Starts of processes since the picture before, for each second.
    pub(super) starts_per_second: f64,
    pub(super) processes: Vec<Process>,
    pub(super) connections: Vec<Connection>,
    #[serde(skip)]
    pub(super) pictures: u64,
    #[serde(skip)]
    starts: u32,
    #[serde(skip)]
    pictured: Option<(Instant, Usage)>,
}

/// A host agent among the processes.
#[derive(Debug, Serialize)]
pub(super) struct AgentSeen {
    pub(super) pid: i64,
    pub(super) cpu_percent: Option<f64>,
    /// What it was told to stay within; 0 where it was told that there is no limit.
    pub(super) cpu_percent_max: f64,
    pub(super) rss_bytes: Option<u64>,
}

/// What this view takes.
#[derive(Debug, Default, Serialize)]
pub(super) struct Own {
    pub(super) cpu_percent: f64,
    pub(super) rss_bytes: u64,
}

impl Sight {
    /// Takes in what was seen.
    pub(super) fn take(&mut self, observations: Vec<Observation>) {
        for observation in observations {
            match observation.activity {
                // A late digest is told as a start that shows no call.
                Activity::ProcessStarted(_) if observation.system_call.is_some() => {
                    self.starts = self.starts.saturating_add(1);
                }
                Activity::Inventory(inventory) => {
                    self.time = observation.time;
                    self.processes = inventory.processes;
                    self.connections = inventory.connections;
                    self.system = inventory.system;
                    self.measure(Instant::now(), Usage::now());
                }
                _ => {}
            }
        }
    }

    /// Notes what can be seen.
    pub(super) fn state(&mut self, capabilities: Capabilities) {
        self.capabilities = Some(capabilities);
    }

    fn measure(&mut self, now: Instant, usage: Usage) {
        self.pictures += 1;
        self.host = crate::host_name();
        let starts = std::mem::take(&mut self.starts);
        if let Some((before, used)) = self.pictured {
            let seconds = now.saturating_duration_since(before).as_secs_f64().max(0.001);
            self.starts_per_second = (f64::from(starts) / seconds * 10.0).round() / 10.0;
            let cpu = usage.cpu.saturating_sub(used.cpu).as_secs_f64();
            self.own.cpu_percent = (cpu / seconds * 1000.0).round() / 10.0;
        }
        self.own.rss_bytes = usage.rss_bytes;
        self.pictured = Some((now, usage));
        let own = i64::from(std::process::id());
        let agents =
            self.processes.iter().filter(|process| process.pid != own && is_agent(process));
        self.agents = agents
            .map(|process| AgentSeen {
                pid: process.pid,
                cpu_percent: process.cpu_percent,
                cpu_percent_max: cpu_percent_max(process),
                rss_bytes: rss_bytes(process, self.system.memory_total),
            })
            .collect();
    }
}

/// Whether a process is a host agent: the program of its own, or the one binary as one.
fn is_agent(process: &Process) -> bool {
    let line = process.command_line.as_deref().unwrap_or_default();
    let mut words = line.split(' ');
    let program = words.next().and_then(|program| program.rsplit('/').next());
    match program {
        Some("ringwall-host-agent") => !matches!(words.next(), Some("top" | "check")),
        Some("ringwall") => {
            words.next() == Some("host-agent") && !matches!(words.next(), Some("top" | "check"))
        }
        _ => false,
    }
}

/// What a host agent allows itself of a core: its command line tells.
fn cpu_percent_max(process: &Process) -> f64 {
    let line = process.command_line.as_deref().unwrap_or_default();
    let given = line.split_once("--cpu-max").and_then(|(_, rest)| {
        let number = rest.strip_prefix(['=', ' '])?.split(' ').next()?;
        number.parse::<f64>().ok().filter(|number| number.is_finite())
    });
    given.unwrap_or(crate::settings::CPU_PERCENT_MAX)
}

/// The resident memory of a process, from its share.
pub(super) fn rss_bytes(process: &Process, memory_total: Option<u64>) -> Option<u64> {
    let bytes = process.memory_percent? / 100.0 * memory_total? as f64;
    // A share of what fits is not negative and fits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    let bytes = bytes as u64;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_event::Inventory;

    #[test]
    fn agents_are_found_by_what_runs() {
        check("/usr/bin/ringwall-host-agent --server x", true);
        check("ringwall-host-agent", true);
        check("ringwall-host-agent top", false);
        check("/usr/bin/ringwall host-agent --key-file k", true);
        check("ringwall host-agent top", false);
        check("ringwall server", false);
        check("vi ringwall-host-agent", false);
        check("", false);
    }

    #[test]
    fn the_budget_of_an_agent_is_on_its_command_line() {
        for (line, expected) in [
            ("ringwall-host-agent", 5.0),
            ("ringwall-host-agent --cpu-max 12.5 --nice 3", 12.5),
            ("ringwall host-agent --cpu-max=0", 0.0),
            ("ringwall-host-agent --cpu-max", 5.0),
            ("ringwall-host-agent --cpu-max inf", 5.0),
        ] {
            let process = Process { command_line: Some(line.into()), ..Process::default() };
            assert_eq!(cpu_percent_max(&process), expected, "line {line:?}");
        }
    }

    #[track_caller]
    fn check(line: &str, expected: bool) {
        let process = Process { command_line: Some(line.into()), ..Process::default() };
        assert_eq!(is_agent(&process), expected, "line {line:?}");
    }

    #[test]
    fn a_picture_takes_the_place_of_the_one_before() {
        let seen = |activity, system_call| Observation {
            time: Timestamp::from_micros(7),
            activity,
            system_call,
        };
        let started = |call| seen(Activity::ProcessStarted(Process::default()), call);
        let picture = |processes: usize| {
            let processes = vec![Process::default(); processes];
            let inventory = Inventory { processes, ..Inventory::default() };
            seen(Activity::Inventory(Box::new(inventory)), None)
        };
        let mut sight = Sight::default();
        sight.take(vec![picture(3)]);
        assert_eq!((sight.pictures, sight.processes.len(), sight.starts_per_second), (1, 3, 0.0));
        sight.take(vec![started(Some("execve")), started(None), started(Some("fork"))]);
        assert_eq!(sight.starts, 2);
        sight.take(vec![picture(4)]);
        assert_eq!((sight.pictures, sight.processes.len(), sight.starts), (2, 4, 0));
        assert!(sight.starts_per_second > 0.0 && sight.own.rss_bytes > 0);
    }
}
