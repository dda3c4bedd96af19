use super::EngineSettings;
use super::item_window::ItemWindow;
use super::losses::Losses;
use super::minutes::Minutes;
use super::pending_rollups::PendingRollups;
use crate::guard::KnownGuards;
use crate::guard_rules::windows::BanWindows;
use crate::rules::Rules;
use ringwall_detection::{Kill, Proposal, RiskRise};
use ringwall_event::{Activity, Event, EventId, Finding, ProcessRef, Severity, Source, Timestamp};
use ringwall_risk::{Crossing, ScoreState};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What follows from the stored events, in memory: a function of the batches in their order.
#[derive(Debug)]
pub struct Derived {
    pub(crate) hosts: HashMap<Source, HostState>,
    pub(crate) totals: Totals,
    pub(crate) items: ItemWindow,
    /// Sources that may have open commands; the database knows which.
    pub(crate) open_commands: HashSet<Source>,
    /// How often automatic rules saw an address.
    pub(crate) ban_windows: BanWindows,
    /// The guards of applications, as far as they were asked for.
    pub(crate) guards: KnownGuards,
    /// Hosts that changed since the last checkpoint.
    pub(super) dirty: HashSet<Source>,
    /// Hosts that were dropped since the last checkpoint.
    pub(super) dropped: HashSet<Source>,
    /// Hosts that stand in the checkpoint in the form of the first version.
    pub(super) hosts_of_form_1: Vec<Source>,
    pub(super) batches_since_checkpoint: usize,
    /// Counts of the batches that the table of counts does not know yet.
    pub(super) rollups: PendingRollups,
    /// New alerts of a source in the current minute.
    alert_rates: HashMap<Source, (i64, u32)>,
    is_stale: bool,
    last_moment: Timestamp,
    batch_number: u64,
    hosts_max: usize,
}

/// Counts over all hosts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// The last batch that is counted in.
    pub(crate) seq: i64,
    pub(crate) events: u64,
    pub(crate) minutes: Minutes,
}

/// One sender, as its reports show it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HostState {
    pub(crate) hostname: Box<str>,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    pub(crate) events: u64,
    /// What runs there, what is connected, and what ever ran there.
    pub(crate) detection: ringwall_detection::HostState,
    /// Scores of processes whose system calls are reported, by pid.
    pub(crate) scores: BTreeMap<i64, ProcessScore>,
    /// What its agent dropped, or was refused for good.
    pub(crate) losses: Losses,
}

/// The score of one process, and as much of the process as its system calls tell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ProcessScore {
    pub(crate) name: Box<str>,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    pub(crate) state: ScoreState,
}

/// More processes than Linux runs by default (`pid_max` 32,768) need not be told apart.
const SCORED_PROCESSES_MAX: usize = 32_768;

impl Derived {
    pub(super) fn new(settings: &EngineSettings, random: u64) -> Self {
        Self {
            hosts: HashMap::new(),
            totals: Totals::default(),
            items: ItemWindow::new(settings.item_window_max, settings.item_window_seconds),
            open_commands: HashSet::new(),
            ban_windows: BanWindows::default(),
            guards: KnownGuards::default(),
            dirty: HashSet::new(),
            dropped: HashSet::new(),
            hosts_of_form_1: Vec::new(),
            batches_since_checkpoint: 0,
            rollups: PendingRollups::default(),
            alert_rates: HashMap::new(),
            is_stale: false,
            last_moment: Timestamp::from_micros(i64::MIN),
            batch_number: random,
            hosts_max: settings.hosts_max.max(1),
        }
    }

    /// The moment of the next write: the clock's, but always after the write before, also where
    /// the clock was set back.
    pub(super) fn tick(&mut self, clock: Timestamp) -> Timestamp {
        self.last_moment = clock.max(self.last_moment.plus_micros(1));
        self.last_moment
    }

    /// Notes a moment that was used already.
    pub(super) fn tick_past(&mut self, moment: Timestamp) {
        self.last_moment = self.last_moment.max(moment);
    }

    /// The id of the first event of the next batch.
    pub(crate) fn next_base(&mut self, moment: Timestamp) -> EventId {
        self.batch_number = self.batch_number.wrapping_add(1);
        EventId::from_parts(moment.as_millis().unsigned_abs(), self.batch_number, 0)
    }

    /// Says that memory and disk do not agree, and a reload failed.
    pub(super) fn mark_stale(&mut self) {
        self.is_stale = true;
    }

    pub(super) fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Takes a stored batch in and says what follows from it.
    ///
    /// The same batches in the same order give the same state: this reads no clock.
    pub(super) fn absorb(
        &mut self,
        seq: i64,
        source: &Source,
        received: Timestamp,
        events: &[Event],
        rules: &Rules,
    ) -> Vec<Proposal> {
        self.tick_past(received);
        self.totals.seq = seq;
        let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
        self.totals.events = self.totals.events.saturating_add(count);
        self.totals.minutes.add(received, count, 0);
        self.rollups.add(seq, received, source, events);
        self.batches_since_checkpoint += 1;
        self.dirty.insert(source.clone());
        let host = match self.hosts.get_mut(source) {
            Some(host) => host,
            None => self.admit(source, received, events),
        };
        host.absorb(source, received, events, rules)
    }

    /// Counts alerts into their minute.
    pub(super) fn count_alerts(&mut self, moment: Timestamp, alerts: u64) {
        self.totals.minutes.add(moment, 0, alerts);
    }

    /// Counts one more new alert of this source; returns how many there are in this minute.
    pub(super) fn alerts_this_minute(&mut self, source: &Source, moment: Timestamp) -> u32 {
        let minute = moment.as_seconds().div_euclid(60);
        if self.alert_rates.len() > self.hosts_max {
            self.alert_rates.retain(|_, (at, _)| *at == minute);
        }
        let (at, count) = self.alert_rates.entry(source.clone()).or_insert((minute, 0));
        if *at != minute {
            (*at, *count) = (minute, 0);
        }
        *count = count.saturating_add(1);
        *count
    }

    fn admit(&mut self, source: &Source, received: Timestamp, events: &[Event]) -> &mut HostState {
        if self.hosts.len() >= self.hosts_max {
            let longest_silent = self
                .hosts
                .iter()
                .min_by(|a, b| (a.1.last_seen, a.0).cmp(&(b.1.last_seen, b.0)))
                .map(|(source, _)| source.clone());
            if let Some(silent) = longest_silent {
                self.hosts.remove(&silent);
                self.dirty.remove(&silent);
                self.dropped.insert(silent);
            }
        }
        self.dropped.remove(source);
        let hostname = events.first().map_or_else(|| source.name.clone(), |e| e.host.clone());
        self.hosts.entry(source.clone()).or_insert_with(|| HostState::new(hostname, received))
    }
}

impl HostState {
    fn new(hostname: Box<str>, received: Timestamp) -> Self {
        Self {
            hostname,
            first_seen: received,
            last_seen: received,
            events: 0,
            detection: ringwall_detection::HostState::default(),
            scores: BTreeMap::new(),
            losses: Losses::default(),
        }
    }

    fn absorb(
        &mut self,
        source: &Source,
        received: Timestamp,
        events: &[Event],
        rules: &Rules,
    ) -> Vec<Proposal> {
        self.last_seen = received;
        self.events = self.events.saturating_add(u64::try_from(events.len()).unwrap_or(u64::MAX));
        if let Some(event) = events.last()
            && *event.host != *self.hostname
        {
            self.hostname = event.host.clone();
        }
        let mut proposals = ringwall_detection::conclude(
            &mut self.detection,
            events,
            &rules.indicators,
            &rules.detection,
        );
        let threshold = rules.risk_threshold_of(source);
        for (position, event) in events.iter().enumerate() {
            self.losses.absorb(&event.activity);
            proposals.extend(self.score(source, position, event, threshold));
        }
        proposals
    }

    fn score(
        &mut self,
        source: &Source,
        position: usize,
        event: &Event,
        threshold: f64,
    ) -> Option<Proposal> {
        let Activity::SystemCall { process, name, anomaly_score, .. } = &event.activity else {
            return None;
        };
        if !self.scores.contains_key(&process.pid) && self.scores.len() >= SCORED_PROCESSES_MAX {
            self.forget_oldest_scores();
        }
        let entry = self.scores.entry(process.pid).or_insert_with(|| ProcessScore {
            name: process.name.clone(),
            first_seen: event.time,
            last_seen: event.time,
            state: ScoreState::default(),
        });
        let before = entry.state.incarnation();
        if let Some(start_time) = process.start_time {
            entry.state.started(start_time);
        }
        entry.state.observe(name, event.time, *anomaly_score, event.received);
        if entry.state.incarnation() != before {
            entry.first_seen = event.time;
            entry.last_seen = event.time;
            entry.name = process.name.clone();
        }
        entry.last_seen = entry.last_seen.max(event.time);
        if !process.name.is_empty() {
            entry.name = process.name.clone();
        }
        let crossing = entry.state.crossed(threshold)?;
        let process = ProcessRef { name: entry.name.clone(), ..process.clone() };
        Some(risk_proposal(source, position, process, entry, crossing, threshold))
    }
}

impl HostState {
    /// Forgets the quarter of the scored processes that were silent for longest: at once, so that a
    /// sender of ever new pids does not have all of them searched for each.
    fn forget_oldest_scores(&mut self) {
        let mut moments: Vec<(Timestamp, i64)> =
            self.scores.iter().map(|(pid, score)| (score.last_seen, *pid)).collect();
        let quarter = moments.len() / 4;
        if quarter < moments.len() {
            moments.select_nth_unstable(quarter);
        }
        for (_, pid) in moments.iter().take(quarter.max(1)) {
            self.scores.remove(pid);
        }
    }
}

fn risk_proposal(
    source: &Source,
    position: usize,
    process: ProcessRef,
    score: &ProcessScore,
    crossing: Crossing,
    threshold: f64,
) -> Proposal {
    let name = if process.name.is_empty() { "process" } else { &*process.name };
    let since = score.first_seen.as_micros();
    Proposal {
        entity: format!("risk/{}/{since}/{source}", process.pid),
        finding: Finding::RiskThreshold,
        severity: if crossing.score >= 90.0 { Severity::High } else { Severity::Medium },
        title: format!(
            "risk of {name} (pid {}) rose to {:.0}, threshold {threshold:.0}",
            process.pid, crossing.score
        ),
        reasons: crossing.reasons,
        process: Some(process),
        kill: Kill::No,
        sightings: 1,
        event: Some(position),
        rise: Some(RiskRise { score: crossing.score, threshold }),
    }
}
