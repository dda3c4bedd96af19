//! What applications ban by themselves: it is not ours to end, so it is known for how long it may run.

use super::automatic::SHARED_SECONDS_DEFAULT;
use super::board::Published;
use super::composition::BLACKLIST_MAX;
use super::observed::{Observed, observed};
use crate::engine::Writing;
use ringwall_event::{Event, Network, Source, Timestamp};
use ringwall_store::{GuardRulesStore, OwnBan, OwnBanStore, StoreError};
use std::sync::Arc;

/// No ban of an application's own is believed to run for longer, in seconds: a year.
const OWN_SECONDS_MAX: u32 = 31_536_000;
/// How far from the time of receipt a sender's time is believed.
const PAST_SECONDS_MAX: i64 = 7 * 86_400;

/// What an event tells of an application's own bans.
#[derive(Debug, PartialEq)]
enum Told {
    Banned(OwnBan),
    Unbanned(Network, Timestamp),
}

impl Writing<'_> {
    /// Notes whom the applications of this project banned by themselves, and let in again.
    pub(crate) fn note_own_bans(
        &mut self,
        source: &Source,
        events: &[Event],
    ) -> Result<(), StoreError> {
        let project = &*source.name;
        // One that was removed while this waited leaves nothing behind.
        if &*source.dialect != Source::GUARD || self.rules.guard_projects.project(project).is_none()
        {
            return Ok(());
        }
        let mut bans: Vec<OwnBan> = Vec::new();
        let mut is_any_let_in = false;
        for event in events {
            match told(event, self.now) {
                Some(Told::Banned(ban)) => bans.push(ban),
                Some(Told::Unbanned(address, moment)) => {
                    bans.retain(|ban| ban.address != address || ban.began > moment);
                    is_any_let_in |= self.session.end_own_ban(project, address, moment)?;
                }
                None => {}
            }
        }
        self.session.put_own_bans(project, &bans, BLACKLIST_MAX)?;
        // Whoever is let in again may be unbanned everywhere now. And an application that starts anew would
        // take whom another one has just banned for unbanned.
        if is_any_let_in || self.is_any_unbanned(project, &bans)? {
            self.guard_rules_changed(Some(project));
        }
        Ok(())
    }

    /// Whether applications are told to unban one of these. What counts is what is published within the
    /// open transaction: the board hears of it after the commit.
    fn is_any_unbanned(&self, project: &str, bans: &[OwnBan]) -> Result<bool, StoreError> {
        if bans.is_empty() {
            return Ok(false);
        }
        let Some(stored) = self.session.published_rules(project)? else { return Ok(false) };
        let shown = self.rules.guard_rules.published(project);
        // Mostly they are the same, and need not be read for each batch.
        let published = match shown.filter(|shown| shown.version == stored.version) {
            Some(shown) => shown,
            None => Arc::new(Published::new(stored, None)),
        };
        Ok(bans.iter().any(|ban| published.unbans(ban.address)))
    }
}

fn told(event: &Event, now: Timestamp) -> Option<Told> {
    // Most events are of other types, and need not be read.
    let text = event.original.as_deref()?;
    if !text.contains("ip_banned") && !text.contains("ip_unbanned") {
        return None;
    }
    let observed = observed(event)?;
    let address = Network::single(observed.address?);
    let age = now.as_seconds().saturating_sub(event.time.as_seconds());
    let moment = if age <= PAST_SECONDS_MAX { event.time.min(now) } else { now };
    match &*observed.event_type {
        "ip_banned" => own_ban(&observed, address, moment).map(Told::Banned),
        // What merely follows our rules may come from one instance after another one banned the address
        // again, and that ban still stands.
        "ip_unbanned" if !observed.follows_our_rules() => Some(Told::Unbanned(address, moment)),
        _ => None,
    }
}

fn own_ban(observed: &Observed, address: Network, began: Timestamp) -> Option<OwnBan> {
    if observed.follows_our_rules() {
        return None;
    }
    let seconds = observed.ban_seconds.unwrap_or(SHARED_SECONDS_DEFAULT).min(OWN_SECONDS_MAX);
    Some(OwnBan { address, began, until: began.plus_seconds(i64::from(seconds)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_event::{Activity, EventId, Severity};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000_000).plus_seconds(seconds)
    }

    #[track_caller]
    fn check(original: &str, seconds: i64, expected: Option<(i64, Option<i64>)>) {
        let event = Event {
            id: EventId::default(),
            time: at(seconds),
            received: at(0),
            source: Source::new(Source::GUARD, "shop"),
            host: "shop".into(),
            severity: Severity::Low,
            activity: Activity::HttpRequest(Box::default()),
            original: Some(original.into()),
        };
        let address = "203.0.113.9".parse().unwrap();
        let expected = expected.map(|(began, until)| match until {
            Some(until) => Told::Banned(OwnBan { address, began: at(began), until: at(until) }),
            None => Told::Unbanned(address, at(began)),
        });
        assert_eq!(told(&event, at(0)), expected, "{original}");
    }

    #[test]
    fn own_bans_begin_when_they_were_told_to_and_last_as_long() {
        let banned = |more: &str| {
            format!(r#"{{"event_type":"ip_banned","ip_address":"203.0.113.9"{more}}}"#)
        };
        check(&banned(r#","metadata":{"duration":60}"#), -10, Some((-10, Some(50))));
        check(&banned(""), 0, Some((0, Some(3600))));
        // A clock ahead, and one of another age.
        check(&banned(r#","metadata":{"duration":60}"#), 500, Some((0, Some(60))));
        check(&banned(r#","metadata":{"duration":60}"#), -700_000, Some((0, Some(60))));
        check(&banned(r#","metadata":{"duration":1e300}"#), 0, Some((0, Some(31_536_000))));
        check(&banned(r#","reason":"dynamic_rule""#), 0, None);
        let unbanned = |reason: &str| {
            format!(
                r#"{{"event_type":"ip_unbanned","ip_address":"203.0.113.9","reason":"{reason}"}}"#
            )
        };
        check(&unbanned("manual_unban"), -5, Some((-5, None)));
        check(&unbanned("dynamic_rule_whitelist"), -5, None);
        check(r#"{"event_type":"ip_banned","ip_address":"127.0.0.1"}"#, 0, None);
        check(r#"{"event_type":"rate_limited","ip_address":"203.0.113.9"}"#, 0, None);
    }
}
