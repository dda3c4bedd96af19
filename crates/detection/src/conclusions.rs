//! From a batch of events to what should be said and done about it.

mod app_guard;
mod wording;

use crate::default_indicators::ORDERED_SEVERITY_MIN;
use crate::{
    Change, HostTable, IndicatorAction, IndicatorMatch, IndicatorOrigin, IndicatorSet, Learning,
    SeenNames, WATCHER_NAMES,
};
use app_guard::AppGuardJudge;
use ringwall_event::{
    Activity, AppGuardEvent, Connection, Event, Finding, Process, ProcessRef, Severity, Source,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What is known of one source, and follows from its events alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostState {
    /// What runs there.
    pub table: HostTable,
    /// What ever ran there.
    pub seen: SeenNames,
}

impl HostState {
    /// Takes in events of which the conclusions were drawn before, as after a restart.
    pub fn replay(&mut self, events: &[Event], rules: &DetectionRules) {
        conclude(self, events, &IndicatorSet::default(), rules);
    }
}

/// What can be set about conclusions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectionRules {
    /// Whether indicators order kills at all; otherwise each is offered to people.
    pub order_kills: bool,
    /// Whether programs that a host never ran before are raised.
    pub new_processes: bool,
    /// When a host is known well enough for that.
    pub learning: Learning,
    /// The same for Watcher clients, which report every 15 s and of which the original asks for
    /// more than 10 reports only.
    pub watcher_learning: Learning,
}

impl Default for DetectionRules {
    fn default() -> Self {
        Self {
            order_kills: true,
            new_processes: true,
            learning: Learning { reports: 10, seconds: 600 },
            watcher_learning: Learning { reports: 10, seconds: 0 },
        }
    }
}

/// What shall happen to the process that a proposal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kill {
    /// Nothing: there is no process, or it must not or cannot be ended.
    No,
    /// People may order its end.
    Offer,
    /// Its end is ordered.
    Order,
}

/// An alert to be raised, or counted up where its entity has one that is not resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// What the alert is counted under: the source, the process and what was found.
    pub entity: String,
    /// Which kind of conclusion.
    pub finding: Finding,
    /// How bad it is.
    pub severity: Severity,
    /// One line for people.
    pub title: String,
    /// Why, one sentence a reason.
    pub reasons: Vec<String>,
    /// The process it is about, where there is one.
    pub process: Option<ProcessRef>,
    /// What shall happen to it.
    pub kill: Kill,
    /// How often it was seen in this batch.
    pub sightings: u64,
    /// The position of its first event in the batch; none where no event led to it.
    pub event: Option<usize>,
    /// How far the risk rose, where that is what was found.
    pub rise: Option<RiskRise>,
}

/// That the risk of a process rose to its threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RiskRise {
    /// The score, 0 to 100.
    pub score: f64,
    /// The threshold that it reached.
    pub threshold: f64,
}

/// How many alerts one batch raises; what goes beyond is folded into one alert an indicator.
const PROPOSALS_MAX: usize = 1000;

/// Takes in a batch of one source and draws the conclusions, the earliest first.
///
/// A host agent reports changes, so its processes are judged as they appear or change; a Watcher
/// client knows pictures only, so each sighting counts.
pub fn conclude(
    state: &mut HostState,
    events: &[Event],
    indicators: &IndicatorSet,
    rules: &DetectionRules,
) -> Vec<Proposal> {
    let has_processes = |event: &&Event| {
        matches!(event.activity, Activity::ProcessStarted(_) | Activity::Inventory(_))
    };
    if let Some(event) = events.iter().find(has_processes) {
        state.seen.begin_report(event.received);
    }
    let mut proposals = Proposals::default();
    if let Some(event) = events.first() {
        proposals.source = event.source.to_string();
    }
    let mut app_guard = AppGuardJudge::default();
    for (position, event) in events.iter().enumerate() {
        let changes = state.table.apply(event);
        let judge = Judge { source: &event.source, table: &state.table, indicators, rules };
        let mut sighted = Vec::new();
        match &event.activity {
            Activity::Inventory(inventory) if judge.counts_sightings() => {
                sighted.extend(inventory.processes.iter());
            }
            Activity::SystemCall { process, .. } if !process.name.is_empty() => {
                let found = indicators.match_name(&process.name);
                proposals.add(judge.named_process(process, &found, event.received), position);
            }
            Activity::AppGuard(seen) => {
                proposals.add(judge.client(event, seen), position);
                proposals.add(app_guard.judge(event, seen), position);
            }
            _ => {}
        }
        for change in changes {
            match change {
                Change::Appeared(process)
                | Change::Changed { process, .. }
                | Change::Replaced { process, .. }
                    if !judge.counts_sightings() =>
                {
                    sighted.push(process);
                }
                Change::Connected(connection) => {
                    proposals.add(judge.connection(connection, event.received), position);
                }
                _ => {}
            }
        }
        for process in sighted {
            let is_new = state.seen.is_new(process, event.received, judge.learning());
            let found = judge.process(process, event.received);
            if is_new && found.is_none() && rules.new_processes {
                proposals.add(Some(judge.new_process(process)), position);
            }
            proposals.add(found, position);
        }
    }
    proposals.list
}

/// Draws the conclusions from what is known to run on a host now: for indicators that came after
/// the events.
pub fn conclude_known(
    state: &HostState,
    source: &Source,
    indicators: &IndicatorSet,
    rules: &DetectionRules,
) -> Vec<Proposal> {
    let judge = Judge { source, table: &state.table, indicators, rules };
    let mut proposals = Proposals { source: source.to_string(), ..Proposals::default() };
    for entry in state.table.processes() {
        proposals.add_known(judge.process(&entry.process, entry.first_seen));
    }
    for entry in state.table.connections() {
        proposals.add_known(judge.connection(&entry.connection, entry.first_seen));
    }
    proposals.list
}

struct Judge<'a> {
    source: &'a Source,
    table: &'a HostTable,
    indicators: &'a IndicatorSet,
    rules: &'a DetectionRules,
}

impl Judge<'_> {
    fn is_watcher(&self) -> bool {
        &*self.source.dialect == Source::WATCHER
    }

    fn counts_sightings(&self) -> bool {
        self.is_watcher()
    }

    fn learning(&self) -> Learning {
        if self.is_watcher() { self.rules.watcher_learning } else { self.rules.learning }
    }

    fn process(&self, process: &Process, received: Timestamp) -> Option<Proposal> {
        let found = self.indicators.match_process(process);
        self.named_process(&ProcessRef::from(process), &found, received)
    }

    /// One proposal for all that a process matches: the gravest match names it, each is a reason.
    fn named_process(
        &self,
        process: &ProcessRef,
        found: &[IndicatorMatch<'_>],
        received: Timestamp,
    ) -> Option<Proposal> {
        let weight = |one: &IndicatorMatch<'_>| {
            (self.kill(process, one), one.on.is_certain(), one.indicator.severity)
        };
        let gravest =
            found.iter().reduce(|best, one| if weight(one) > weight(best) { one } else { best })?;
        let kill = self.kill(process, gravest);
        let severity = found.iter().map(|one| one.indicator.severity).max()?;
        let mut reasons: Vec<String> = found.iter().map(wording::reason).collect();
        reasons.extend(self.why_not_ordered(kill, gravest));
        Some(Proposal {
            entity: self.entity(gravest.indicator.id(), process, received),
            finding: wording::finding(gravest),
            severity: if kill == Kill::Order {
                severity.max(ORDERED_SEVERITY_MIN)
            } else {
                severity
            },
            title: wording::process_title(process, gravest),
            reasons,
            process: Some(process.clone()),
            kill,
            sightings: 1,
            event: None,
            rise: None,
        })
    }

    fn connection(&self, connection: &Connection, received: Timestamp) -> Option<Proposal> {
        let found = self.indicators.match_connection(connection);
        let gravest = found.first()?;
        let process = self.process_of(connection);
        let kill = match &process {
            Some(process) => self.kill(process, gravest),
            None => Kill::No,
        };
        let mut reasons: Vec<String> = found.iter().map(wording::reason).collect();
        reasons.extend(self.why_not_ordered(kill, gravest));
        let nobody = ProcessRef::default();
        Some(Proposal {
            entity: self.entity(
                gravest.indicator.id(),
                process.as_ref().unwrap_or(&nobody),
                if process.is_some() { received } else { Timestamp::default() },
            ),
            finding: wording::finding(gravest),
            severity: found.iter().map(|one| one.indicator.severity).max()?,
            title: wording::connection_title(connection, process.as_ref(), gravest),
            reasons,
            process,
            kill,
            sightings: 1,
            event: None,
            rise: None,
        })
    }

    /// A listed address that was a client of a guarded application.
    fn client(&self, event: &Event, seen: &AppGuardEvent) -> Option<Proposal> {
        let address = seen.client_address.as_deref()?;
        let found = self.indicators.match_address(address);
        let gravest = found.first()?;
        Some(Proposal {
            entity: format!("{}/{}/{}", gravest.indicator.id(), address, event.source),
            finding: wording::finding(gravest),
            severity: found.iter().map(|one| one.indicator.severity).max()?,
            title: wording::client_title(&event.source, address),
            reasons: found.iter().map(wording::reason).collect(),
            process: None,
            kill: Kill::No,
            sightings: 1,
            event: None,
            rise: None,
        })
    }

    fn new_process(&self, process: &Process) -> Proposal {
        let process = ProcessRef::from(process);
        Proposal {
            // The length keeps a source apart from a name that looks like the rest of one.
            entity: {
                let source = self.source.to_string();
                format!("new/{}/{source}/{}", source.len(), process.name)
            },
            finding: Finding::NewProcess,
            severity: Severity::Low,
            title: wording::new_process_title(&process),
            reasons: vec![wording::new_process_reason(self.table)],
            kill: if self.can_be_ended(&process) { Kill::Offer } else { Kill::No },
            process: Some(process),
            sightings: 1,
            event: None,
            rise: None,
        }
    }

    /// The process that holds the socket, as the table knows it.
    fn process_of(&self, connection: &Connection) -> Option<ProcessRef> {
        let pid = connection.pid?;
        match self.table.process(pid) {
            Some(known) => Some(ProcessRef::from(&known.process)),
            None => Some(ProcessRef {
                pid,
                start_time: None,
                name: connection.process_name.clone().unwrap_or_default(),
            }),
        }
    }

    /// Source, process identity and indicator. The source stands last as it is free text.
    fn entity(&self, indicator: &str, process: &ProcessRef, received: Timestamp) -> String {
        let since = process.start_time.unwrap_or_else(|| {
            self.table.process(process.pid).map_or(received, |known| known.first_seen)
        });
        format!("{indicator}/{}/{}/{}", process.pid, since.as_micros(), self.source)
    }

    fn can_be_ended(&self, process: &ProcessRef) -> bool {
        // SysScore agents take no commands; pids 0 and below are groups of processes.
        process.pid >= 2 && &*self.source.dialect != Source::SYSSCORE
    }

    fn kill(&self, process: &ProcessRef, found: &IndicatorMatch<'_>) -> Kill {
        if !self.can_be_ended(process) {
            Kill::No
        } else if self.rules.order_kills && self.is_ordered(found) && found.on.is_certain() {
            Kill::Order
        } else {
            Kill::Offer
        }
    }

    /// The original Watcher server orders the kill for each name on its list, dual use or not.
    fn is_ordered(&self, found: &IndicatorMatch<'_>) -> bool {
        let indicator = found.indicator;
        indicator.action == IndicatorAction::Kill
            || (self.is_watcher()
                && indicator.origin == IndicatorOrigin::Default
                && WATCHER_NAMES.contains(&indicator.value().to_string().as_str()))
    }

    fn why_not_ordered(&self, kill: Kill, found: &IndicatorMatch<'_>) -> Option<String> {
        let reason = match kill {
            Kill::Order => return None,
            Kill::No if &*self.source.dialect == Source::SYSSCORE => {
                "The client takes no commands, so the kill is not offered."
            }
            Kill::No => "There is no process that could be ended.",
            Kill::Offer if !self.is_ordered(found) => {
                "The indicator asks for an alert only: the kill is offered, not ordered."
            }
            Kill::Offer if !found.on.is_certain() => {
                "The match is not certain: the kill is offered, not ordered."
            }
            Kill::Offer => "Kills are not ordered by rules here: it is offered.",
        };
        Some(reason.to_owned())
    }
}

/// The proposals of one batch, each entity once.
#[derive(Default)]
struct Proposals {
    source: String,
    list: Vec<Proposal>,
    by_entity: HashMap<String, usize>,
}

impl Proposals {
    fn add(&mut self, proposal: Option<Proposal>, event: usize) {
        self.add_known(proposal.map(|proposal| Proposal { event: Some(event), ..proposal }));
    }

    fn add_known(&mut self, proposal: Option<Proposal>) {
        let Some(mut proposal) = proposal else { return };
        if let Some(known) = self.find(&proposal.entity) {
            known.sightings += 1;
            return;
        }
        if self.list.len() >= PROPOSALS_MAX {
            fold(&mut proposal, &self.source);
            if let Some(known) = self.find(&proposal.entity) {
                known.sightings += 1;
                return;
            }
        }
        self.by_entity.insert(proposal.entity.clone(), self.list.len());
        self.list.push(proposal);
    }

    fn find(&mut self, entity: &str) -> Option<&mut Proposal> {
        self.by_entity.get(entity).and_then(|position| self.list.get_mut(*position))
    }
}

/// Makes a proposal one about all further processes of its finding.
fn fold(proposal: &mut Proposal, source: &str) {
    proposal.entity = match &proposal.finding {
        Finding::IndicatorMatch { value, .. } => format!("more/{}/{value}/{source}", value.len()),
        finding => format!("more/{}/{source}", finding.kind()),
    };
    proposal.title = format!("{}, and more of its kind", proposal.title);
    proposal.reasons.push(format!(
        "One report raised more than {PROPOSALS_MAX} alerts: the rest is counted here."
    ));
    proposal.process = None;
    proposal.kill = Kill::No;
}

#[cfg(test)]
mod tests;
