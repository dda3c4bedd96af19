//! From what was concluded to alerts and commands, in the transaction of the events.

use super::{NewCommand, OrderError, StreamItem, Writing};
use crate::guard_rules::automatic::Concluded;
use crate::webhooks::News;
use ringwall_access::Subject;
use ringwall_detection::{IndicatorSet, Kill, Proposal};
use ringwall_event::{
    Alert, AlertState, Command, CommandState, Event, Finding, Order, ProcessRef, ProcessTarget,
    Severity, Source,
};
use ringwall_store::{CommandFilter, StateStore, StoreError};
use std::sync::Arc;

/// How many new alerts one source may raise in a minute; further ones are counted under one.
const NEW_ALERTS_PER_MINUTE_MAX: u32 = 120;
const EVENTS_KEPT: usize = 5;
const REASONS_KEPT: usize = 20;
/// How a reason begins that says why a kill was wanted and not ordered.
const NOT_ORDERED: &str = "no kill was ordered";
/// How many times a kill is ordered for one alert, while the process is still seen.
const ORDERS_MAX: usize = 3;

pub(super) fn act(
    writing: &mut Writing<'_>,
    source: &Source,
    events: &[Event],
    proposals: Vec<Proposal>,
) -> Result<(), StoreError> {
    act_on(writing, source, events, proposals)?;
    confirm(writing, source, events)
}

impl Writing<'_> {
    /// That two machines use the identity of this host agent; counted, where it is known.
    pub(crate) fn conclude_cloned(
        &mut self,
        source: &Source,
        reason: &str,
    ) -> Result<(), StoreError> {
        let proposal = Proposal {
            entity: format!("cloned_identity|{source}"),
            finding: Finding::ClonedIdentity,
            severity: Severity::High,
            title: format!("two machines use the identity of host agent '{}'", source.name),
            reasons: vec![reason.to_owned()],
            process: None,
            kill: Kill::No,
            sightings: 1,
            event: None,
            rise: None,
        };
        act_on(self, source, &[], vec![proposal])
    }

    /// Something about an application's guards that no event led to.
    pub(crate) fn conclude_guard(
        &mut self,
        source: &Source,
        proposal: Proposal,
    ) -> Result<(), StoreError> {
        act_on(self, source, &[], vec![proposal])
    }

    /// Holds what runs on all hosts against these indicators.
    pub(crate) fn judge_known(&mut self, indicators: &IndicatorSet) -> Result<(), StoreError> {
        let found: Vec<(Source, Vec<Proposal>)> = self
            .derived
            .hosts
            .iter()
            .map(|(source, host)| {
                let proposals = ringwall_detection::conclude_known(
                    &host.detection,
                    source,
                    indicators,
                    &self.rules.detection,
                );
                (source.clone(), proposals)
            })
            .filter(|(_, proposals)| !proposals.is_empty())
            .collect();
        for (source, mut proposals) in found {
            // What has its alert already was counted when it was seen.
            let mut new = Vec::with_capacity(proposals.len());
            for proposal in proposals.drain(..) {
                if self.session.live_alert(&proposal.entity)?.is_none() {
                    new.push(proposal);
                }
            }
            act_on(self, &source, &[], new)?;
        }
        Ok(())
    }
}

fn act_on(
    writing: &mut Writing<'_>,
    source: &Source,
    events: &[Event],
    proposals: Vec<Proposal>,
) -> Result<(), StoreError> {
    for proposal in proposals {
        let known = writing.session.live_alert(&proposal.entity)?;
        let (mut alert, entity, news) = match known {
            Some(mut alert) => {
                let news = count_sighting(&mut alert, events, &proposal, writing.now);
                (alert, proposal.entity.clone(), news)
            }
            None => raise(writing, source, events, &proposal)?,
        };
        if proposal.kill == Kill::Order && alert.state != AlertState::Resolved {
            order(writing, source, &mut alert, &proposal)?;
        }
        writing.session.put_alert(&alert, &entity)?;
        let event = proposal.event.and_then(|position| events.get(position));
        writing.ban_after_alert(&Concluded {
            proposal: &proposal,
            source,
            alert: alert.id,
            event,
        })?;
        let rise = proposal.rise.filter(|_| is_told(writing, source, &proposal, &entity, news));
        writing.tell_of_alert(&alert, news, rise)?;
        if news == News::Raised {
            let now = writing.now;
            writing.derived.count_alerts(now, 1);
        }
        writing.publish(StreamItem::Alert(Arc::new(alert)));
    }
    Ok(())
}

/// Whether a risk that rose is told of: also where its alert is known already, as it fell in between.
/// A sender that has it rise and fall by design is told of as often as it may raise alerts.
fn is_told(
    writing: &mut Writing<'_>,
    source: &Source,
    proposal: &Proposal,
    entity: &str,
    news: News,
) -> bool {
    match news {
        News::Raised => true,
        // Counted under a flood.
        _ if entity != proposal.entity => false,
        _ => {
            let now = writing.now;
            proposal.rise.is_some()
                && writing.derived.alerts_this_minute(source, now) <= NEW_ALERTS_PER_MINUTE_MAX
        }
    }
}

/// A new alert, or the one under which a flood of a source's alerts is counted; its entity; and
/// what is new about it.
fn raise(
    writing: &mut Writing<'_>,
    source: &Source,
    events: &[Event],
    proposal: &Proposal,
) -> Result<(Alert, String, News), StoreError> {
    let mut entity = proposal.entity.clone();
    let mut title = proposal.title.clone();
    let raised = writing.derived.alerts_this_minute(source, writing.now);
    if raised > NEW_ALERTS_PER_MINUTE_MAX {
        entity = format!("flood|{source}|{}", proposal.finding.kind());
        if let Some(mut flood) = writing.session.live_alert(&entity)? {
            let news = count_sighting(&mut flood, events, proposal, writing.now);
            return Ok((flood, entity, news));
        }
        title = format!("{} alerts come faster than can be told apart", proposal.finding.kind());
    }
    let event = proposal.event.and_then(|position| events.get(position));
    let alert = Alert {
        id: writing.derived.next_base(writing.now),
        finding: proposal.finding.clone(),
        severity: proposal.severity,
        state: AlertState::Open,
        source: source.clone(),
        host: match (event, writing.derived.hosts.get(source)) {
            (Some(event), _) => event.host.clone(),
            (None, Some(host)) => host.hostname.clone(),
            (None, None) => source.name.clone(),
        },
        process: proposal.process.clone(),
        title,
        // One place is left for why no kill was ordered.
        reasons: proposal.reasons.iter().take(REASONS_KEPT - 1).cloned().collect(),
        count: proposal.sightings.max(1),
        first_seen: writing.now,
        last_seen: writing.now,
        events: event.map(|event| event.id).into_iter().collect(),
        kill_offered: proposal.kill == Kill::Offer,
        note: None,
    };
    Ok((alert, entity, News::Raised))
}

fn count_sighting(
    alert: &mut Alert,
    events: &[Event],
    proposal: &Proposal,
    now: ringwall_event::Timestamp,
) -> News {
    alert.count = alert.count.saturating_add(proposal.sightings.max(1));
    alert.last_seen = now;
    if alert.events.len() < EVENTS_KEPT {
        let event = proposal.event.and_then(|position| events.get(position));
        alert.events.extend(event.map(|event| event.id));
    }
    let before = alert.severity;
    alert.severity = before.max(proposal.severity);
    if alert.severity > before { News::Escalated(before) } else { News::Seen }
}

/// Orders the kill that a rule asks for, through whoever can be trusted with it.
fn order(
    writing: &mut Writing<'_>,
    source: &Source,
    alert: &mut Alert,
    proposal: &Proposal,
) -> Result<(), StoreError> {
    let Some(process) = &proposal.process else { return Ok(()) };
    // A refusal stands: asked again at each sighting, it would fill the audit log.
    if alert.reasons.iter().any(|reason| reason.starts_with(NOT_ORDERED)) {
        return Ok(());
    }
    let filter = CommandFilter { alert: Some(alert.id), ..CommandFilter::default() };
    let earlier = writing.session.commands(&filter, None, ORDERS_MAX)?;
    let settled = |command: &Command| {
        command.state.is_open()
            || matches!(command.state, CommandState::Succeeded | CommandState::Withdrawn)
    };
    if earlier.len() >= ORDERS_MAX || earlier.iter().any(settled) {
        return Ok(());
    }
    let (executor, target) = match route(writing, source, &alert.host, process) {
        Some(route) => route,
        None => {
            say(
                alert,
                &format!(
                    "{NOT_ORDERED}: the enrolled agent of this host does not see this process"
                ),
            );
            return Ok(());
        }
    };
    let new = NewCommand {
        source: executor,
        order: Order::KillProcess(target),
        reason: alert.title.clone(),
        alert: Some(alert.id),
        seconds: None,
    };
    match writing.order_command(&Subject::indicator_rule(), new)? {
        Ok(_) | Err(OrderError::AlreadyOrdered(_)) => {}
        Err(OrderError::Refused(reason)) => {
            say(alert, &format!("{NOT_ORDERED}: {reason}"));
        }
    }
    Ok(())
}

/// Who shall end the process. What an unauthenticated client claims of a host that has an enrolled
/// agent counts only if that agent sees the same process, and then goes through that agent.
pub(crate) fn route(
    writing: &Writing<'_>,
    source: &Source,
    hostname: &str,
    process: &ProcessRef,
) -> Option<(Source, ProcessTarget)> {
    if &*source.dialect == Source::WATCHER
        && let Some(agent) = writing.derived.host_agent_on(hostname, &writing.rules.enrolled)
    {
        let target = writing.derived.bind(agent, process.pid, &process.name)?;
        return Some((agent.clone(), target));
    }
    let target = ProcessTarget {
        pid: process.pid,
        start_time: process.start_time,
        name: process.name.clone(),
    };
    Some((source.clone(), target))
}

fn say(alert: &mut Alert, reason: &str) {
    if alert.reasons.len() < REASONS_KEPT && !alert.reasons.iter().any(|known| known == reason) {
        alert.reasons.push(reason.to_owned());
    }
}

/// For clients that cannot report results: a full picture without the process is the result.
fn confirm(writing: &mut Writing<'_>, source: &Source, events: &[Event]) -> Result<(), StoreError> {
    if &*source.dialect != Source::WATCHER || events.is_empty() {
        return Ok(());
    }
    for command in writing.open_commands(source)? {
        let Order::KillProcess(target) = &command.order else { continue };
        if writing.derived.bind(source, target.pid, &target.name).is_some() {
            continue;
        }
        let (state, result) = match command.state {
            CommandState::Delivered => {
                (CommandState::Succeeded, "the process is no longer reported")
            }
            _ => (CommandState::Withdrawn, "the process was gone before the client asked"),
        };
        writing.finish_command(Some(source), &command.id, state, result, "server")?;
    }
    Ok(())
}
