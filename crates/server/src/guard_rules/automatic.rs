//! Bans that nobody asks for: in the transaction of the events and alerts that lead to them.

use super::bans::{BanError, NewBan};
use super::observed::{Observed, observed};
use super::windows::{BanWindows, Threshold};
use crate::engine::Writing;
use crate::rules::Rules;
use ringwall_access::{AuditEntry, Outcome, Rules as AccessRules, Subject};
use ringwall_detection::Proposal;
use ringwall_event::{Event, EventId, Finding, Network, Source, Timestamp};
use ringwall_server_api::{GuardAutomatic, GuardAutomaticRule};
use ringwall_store::{BanOrigin, GuardBanStore, Session, StateStore, StoreError};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

const DOCUMENTS: &str = "guard_automatic";
const KEY: &str = "all";
/// The name under which bans are shared that applications made by themselves.
const SHARED: &str = "shared";
/// How many bans one sender's events lead to, or make longer, within an hour: whoever has an application's key must not
/// be able to ban the world.
pub(crate) const BANS_PER_HOUR_MAX: u64 = 100;
/// In seconds.
pub(crate) const HOUR: i64 = 3600;
/// How many entries of the audit log they lead to within an hour that say who is never banned.
const REFUSALS_PER_HOUR_MAX: u64 = 100;
/// How many stored events are looked at to count on after a start.
const RECOUNTED_MAX: usize = 100_000;
/// How long a ban of an application's own making lasts elsewhere, in seconds.
const SHARED_SECONDS: (u32, u32) = (60, 86_400);
/// The same where the application does not say.
pub(super) const SHARED_SECONDS_DEFAULT: u32 = 3600;

/// The automatic rules in force.
#[derive(Debug, Default)]
pub(crate) struct Automatic(GuardAutomatic);

/// The stored automatic rules.
pub(super) fn stored(session: &Session<'_>) -> Result<Automatic, StoreError> {
    Ok(Automatic(session.document(DOCUMENTS, KEY)?.unwrap_or_default()))
}

impl Automatic {
    /// As they are written.
    pub(crate) const fn settings(&self) -> &GuardAutomatic {
        &self.0
    }

    /// What [`authorise`](ringwall_access::authorise) must know of them.
    pub(crate) fn with_access(&self, access: &AccessRules) -> Arc<AccessRules> {
        let enabled = self.0.rules.iter().filter(|rule| rule.enabled);
        let mut may: Vec<(String, &str)> = Vec::new();
        for rule in enabled {
            may.push((subject_name(&rule.name), "ban_address"));
            if rule.hosts {
                may.push((subject_name(&rule.name), "block_address"));
            }
        }
        if self.0.share_app_bans {
            may.push((subject_name(SHARED), "ban_address"));
        }
        let pairs = may.iter().map(|(rule, action)| (rule.as_str(), *action));
        Arc::new(access.clone().with_bans(self.0.never_ban.iter().copied(), pairs))
    }

    /// How long counts may go back, in seconds; none where no rule counts events.
    pub(crate) fn window_seconds_max(&self) -> Option<u32> {
        let counts = |rule: &&GuardAutomaticRule| rule.enabled && !rule.when.event_types.is_empty();
        self.0.rules.iter().filter(counts).map(|rule| rule.when.window_seconds).max()
    }
}

/// One sighting of something that has an alert.
#[derive(Clone, Copy)]
pub(crate) struct Concluded<'a> {
    /// What was found. Not as its alert tells it: in a flood that is one alert for many findings, which
    /// names whoever came first.
    pub(crate) proposal: &'a Proposal,
    /// Whose events led to it.
    pub(crate) source: &'a Source,
    /// The alert under which it is counted.
    pub(crate) alert: EventId,
    /// The event itself, where there is one.
    pub(crate) event: Option<&'a Event>,
}

/// What leads to a ban.
struct Cause<'a> {
    rule: &'a str,
    projects: Option<&'a [String]>,
    address: Network,
    seconds: u32,
    reason: String,
    origin: BanOrigin,
    hosts: bool,
    alert: Option<EventId>,
    country: Option<String>,
    source: &'a Source,
}

impl Writing<'_> {
    /// Puts automatic rules into force with the commit.
    pub(crate) fn put_automatic(&mut self, settings: &GuardAutomatic) -> Result<(), StoreError> {
        self.session.put_document(DOCUMENTS, KEY, settings)?;
        let names: Vec<&str> = settings.rules.iter().map(|rule| rule.name.as_str()).collect();
        self.derived.ban_windows.keep_rules(&names);
        let automatic = Automatic(settings.clone());
        self.put_access_rules_into_force(automatic.with_access(&self.rules.access));
        let board = self.rules.guard_rules.clone();
        self.after_commit(move || board.put_automatic(automatic));
        Ok(())
    }

    /// Bans whom these new events of an application give reason to ban.
    pub(crate) fn ban_after_events(
        &mut self,
        source: &Source,
        events: &[Event],
    ) -> Result<(), StoreError> {
        if &*source.dialect != Source::GUARD {
            return Ok(());
        }
        let automatic = self.rules.guard_rules.automatic();
        let settings = automatic.settings();
        if settings.rules.is_empty() && !settings.share_app_bans {
            return Ok(());
        }
        for event in events {
            let Some(observed) = observed(event) else { continue };
            let Some(address) = observed.address else { continue };
            // What our own rules had an application do is no news.
            if observed.follows_our_rules() {
                continue;
            }
            for rule in counting(settings, source, &observed) {
                let network = Network::single(address);
                if !self.derived.ban_windows.count(
                    source,
                    &rule.name,
                    network,
                    threshold(rule),
                    1,
                    self.now,
                ) {
                    continue;
                }
                self.ban_by_rule(Cause {
                    rule: &rule.name,
                    projects: rule.projects.as_deref(),
                    address: network,
                    seconds: rule.ban_seconds,
                    reason: format!(
                        "{} within {} s, lastly {} in {}",
                        times(rule.when.threshold),
                        rule.when.window_seconds,
                        observed.event_type,
                        source.name
                    ),
                    origin: BanOrigin::Alert,
                    hosts: rule.hosts,
                    alert: None,
                    country: observed.country.clone(),
                    source,
                })?;
            }
            if settings.share_app_bans && observed.event_type == "ip_banned" {
                let (least, most) = SHARED_SECONDS;
                let seconds = observed.ban_seconds.unwrap_or(SHARED_SECONDS_DEFAULT);
                self.ban_by_rule(Cause {
                    rule: SHARED,
                    projects: None,
                    address: Network::single(address),
                    seconds: seconds.clamp(least, most),
                    reason: format!("banned by {}: {}", source.name, observed.reason),
                    origin: BanOrigin::App,
                    hosts: false,
                    alert: None,
                    country: observed.country.clone(),
                    source,
                })?;
            }
        }
        Ok(())
    }

    /// Bans whom this sighting of an alert gives reason to ban.
    pub(crate) fn ban_after_alert(&mut self, seen: &Concluded<'_>) -> Result<(), StoreError> {
        let Concluded { proposal, source, alert, event } = *seen;
        let automatic = self.rules.guard_rules.automatic();
        let fits = |rule: &&GuardAutomaticRule| {
            rule.enabled
                && rule.when.findings.iter().any(|finding| finding == proposal.finding.kind())
                && rule.when.min_severity.is_none_or(|least| proposal.severity >= least)
                && concerns(rule, source)
        };
        let rules: Vec<&GuardAutomaticRule> =
            automatic.settings().rules.iter().filter(fits).collect();
        if rules.is_empty() {
            return Ok(());
        }
        let seen = event.and_then(observed);
        let Some(address) = address_of(&proposal.finding, seen.as_ref()) else { return Ok(()) };
        for rule in rules {
            let windows = &mut self.derived.ban_windows;
            let sightings = proposal.sightings.max(1);
            if !windows.count(source, &rule.name, address, threshold(rule), sightings, self.now) {
                continue;
            }
            self.ban_by_rule(Cause {
                rule: &rule.name,
                projects: rule.projects.as_deref(),
                address,
                seconds: rule.ban_seconds,
                reason: proposal.title.clone(),
                origin: BanOrigin::Alert,
                hosts: rule.hosts,
                alert: Some(alert),
                country: seen.as_ref().and_then(|seen| seen.country.clone()),
                source,
            })?;
        }
        Ok(())
    }

    fn ban_by_rule(&mut self, cause: Cause<'_>) -> Result<(), StoreError> {
        let scopes: Vec<Option<&str>> = match cause.projects {
            None => vec![None],
            // One that was removed since the rule was written has nobody to be told.
            Some(projects) => projects
                .iter()
                .filter(|project| self.rules.guard_projects.project(project).is_some())
                .map(|project| Some(project.as_str()))
                .collect(),
        };
        let subject = Subject::Rule { name: subject_name(cause.rule) };
        for project in scopes {
            if !self.is_ban_worthwhile(cause.address, project, cause.seconds)? {
                continue;
            }
            if !self.is_within_quota(&subject, &cause)? {
                return Ok(());
            }
            // The audit log is not filled by an address that is never banned and goes on and on.
            if self.rules.access.never_banned(cause.address).is_some()
                && !self.may_tell_of_refusal(&cause)
            {
                return Ok(());
            }
            let new = NewBan {
                address: cause.address,
                project: project.map(str::to_owned),
                seconds: cause.seconds,
                reason: cause.reason.clone(),
                origin: cause.origin,
                hosts: cause.hosts,
                alert: cause.alert,
                country: cause.country.clone(),
                caused_by: Some(cause.source.clone()),
            };
            match self.ban_address(&subject, new)? {
                Ok(ban) => {
                    let source = cause.source.to_string();
                    self.session.put_ban_cause(&source, &ban.id, self.now)?;
                    tracing::info!(address = %ban.address, by = ban.created_by, "an address was banned");
                }
                Err(error @ BanError::Refused(_)) => {
                    tracing::warn!(address = %cause.address, rule = cause.rule, %error, "an address was not banned");
                }
                // There was no room, and this was told where it is news.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Whether it is written down that this address is never banned: once an hour for each, and not for
    /// ever new ones.
    fn may_tell_of_refusal(&mut self, cause: &Cause<'_>) -> bool {
        let windows = &mut self.derived.ban_windows;
        if windows.refusals(cause.source, self.now) >= REFUSALS_PER_HOUR_MAX
            || !windows.may_tell_of_refusal(&cause.address.to_string(), self.now)
        {
            return false;
        }
        windows.note_refusal(cause.source, self.now);
        true
    }

    /// Whether this sender's events may lead to one more ban in this hour. That they may not is written
    /// down once an hour.
    fn is_within_quota(
        &mut self,
        subject: &Subject,
        cause: &Cause<'_>,
    ) -> Result<bool, StoreError> {
        let source = cause.source.to_string();
        let caused = self.session.bans_caused_since(&source, self.now.plus_seconds(-HOUR))?;
        if caused < BANS_PER_HOUR_MAX {
            return Ok(true);
        }
        if self.derived.ban_windows.may_tell_of_refusal(&format!("quota {source}"), self.now) {
            tracing::warn!(%source, "its events led to as many bans within an hour as they may; no more follow for now");
            let entry = AuditEntry::new(
                self.now,
                &subject.to_string(),
                "ban_address",
                &cause.address.to_string(),
                Outcome::Refused,
                &format!("events of {source} led to {caused} bans within an hour already"),
            );
            self.audit(&entry)?;
        }
        Ok(false)
    }
}

/// Counts what was stored before the start as it was counted then, so that a restart does not begin
/// every count anew. What led to a ban, or came before one ended, counts no more.
pub(crate) fn recount_recent(
    session: &Session<'_>,
    windows: &mut BanWindows,
    rules: &Rules,
    now: Timestamp,
) -> Result<(), StoreError> {
    let automatic = rules.guard_rules.automatic();
    let settings = automatic.settings();
    let Some(seconds) = automatic.window_seconds_max() else { return Ok(()) };
    let since = now.plus_seconds(-i64::from(seconds));
    let mut seen: Vec<(Timestamp, EventId, Source, Observed)> = Vec::new();
    let read = session.recent_events(Source::GUARD, since, RECOUNTED_MAX, &mut |event| {
        let Some(observed) = observed(event).filter(|observed| observed.address.is_some()) else {
            return;
        };
        if !observed.follows_our_rules()
            && counting(settings, &event.source, &observed).next().is_some()
        {
            seen.push((event.received, event.id, event.source.clone(), observed));
        }
    });
    match read {
        Err(error @ StoreError::Archive { .. }) => {
            tracing::error!(%error, "what automatic rules counted before the start is not known");
        }
        other => other?,
    }
    seen.sort_unstable_by_key(|(received, id, ..)| (*received, *id));
    let mut changes: HashMap<Network, Option<Timestamp>> = HashMap::new();
    for (received, _, source, observed) in seen {
        let Some(address) = observed.address.map(Network::single) else { continue };
        let change = match changes.get(&address) {
            Some(change) => *change,
            None => {
                let change = session.last_ban_change(address)?;
                changes.insert(address, change);
                change
            }
        };
        if change.is_some_and(|change| received <= change) {
            continue;
        }
        for rule in counting(settings, &source, &observed) {
            windows.count(&source, &rule.name, address, threshold(rule), 1, received);
        }
    }
    Ok(())
}

/// The rules for which this event counts.
fn counting<'a>(
    settings: &'a GuardAutomatic,
    source: &'a Source,
    observed: &'a Observed,
) -> impl Iterator<Item = &'a GuardAutomaticRule> {
    settings.rules.iter().filter(|rule| {
        rule.enabled
            && rule.when.event_types.contains(&observed.event_type)
            && concerns(rule, source)
    })
}

/// Whether what this sender reports counts for the rule.
fn concerns(rule: &GuardAutomaticRule, source: &Source) -> bool {
    let Some(projects) = &rule.projects else { return true };
    &*source.dialect != Source::GUARD || projects.iter().any(|project| **project == *source.name)
}

const fn threshold(rule: &GuardAutomaticRule) -> Threshold {
    Threshold { count: rule.when.threshold, seconds: rule.when.window_seconds }
}

/// Who a finding is about, where it is about an address.
fn address_of(finding: &Finding, observed: Option<&Observed>) -> Option<Network> {
    if let Finding::IndicatorMatch { indicator, value } = finding
        && indicator == "address"
    {
        return value.parse::<IpAddr>().ok().map(Network::single);
    }
    let client = finding.client_address().and_then(|text| text.parse().ok());
    client.or_else(|| observed.and_then(|observed| observed.address)).map(Network::single)
}

/// How an automatic rule is called in the audit log.
fn subject_name(rule: &str) -> String {
    format!("ban/{rule}")
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
