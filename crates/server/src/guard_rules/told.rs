//! For how long applications may still hold a ban that has ended: pure.
//!
//! One duration is told for all bans of a version, so a ban of a minute that stood beside one of a day
//! is held for a day. Whoever is unbanned needlessly is let in where an application bans them by itself, so
//! it is known what was told with each ban.

use ringwall_dialects::guard::DynamicRules;
use ringwall_event::{Source, Timestamp};
use ringwall_store::{BanOrigin, GuardBan};
use serde::{Deserialize, Serialize};

/// Versions that follow each other within this are kept as one, in seconds.
const KEPT_AS_ONE_SECONDS: i64 = 900;
/// Who ends a ban whose time is over.
pub(super) const BY_ITSELF: &str = "server";

/// What a project's applications were told of late, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Told(Vec<Span>);

/// Versions that were in force one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Span {
    since: Timestamp,
    until: Timestamp,
    /// The longest that they told applications to ban.
    seconds: i64,
}

impl Told {
    /// What is assumed where nothing is known: everybody was told to ban for as long as anybody is.
    pub(super) fn unknown(now: Timestamp, seconds: i64) -> Self {
        Self(vec![Span { since: Timestamp::from_micros(i64::MIN), until: now, seconds }])
    }

    /// Adds a version that was in force since then, and is no more.
    pub(super) fn add(&mut self, rules: &DynamicRules, since: Timestamp, now: Timestamp) {
        self.0.retain(|span| span.until.plus_seconds(span.seconds) > now);
        if rules.ip_blacklist.is_empty() {
            return;
        }
        let seconds = i64::from(rules.ip_ban_duration);
        match self.0.last_mut() {
            Some(last) if now < last.since.plus_seconds(KEPT_AS_ONE_SECONDS) => {
                last.until = now;
                last.seconds = last.seconds.max(seconds);
            }
            _ => self.0.push(Span { since, until: now, seconds }),
        }
    }

    /// Whether this project's applications must be told to unban whose ban ended: somebody lifted it, or
    /// they may still hold it.
    pub(super) fn must_unban(&self, project: &str, ban: &GuardBan, now: Timestamp) -> bool {
        let Some(ended) = ban.ended else { return false };
        if ban.ended_by.as_deref() != Some(BY_ITSELF) {
            return true;
        }
        // Its own ban, which others shared, may be for longer.
        let own = Source::new(Source::GUARD, project).to_string();
        if ban.origin == BanOrigin::App && ban.caused_by.as_deref() == Some(own.as_str()) {
            return false;
        }
        self.0.iter().any(|span| {
            span.since <= ended
                && span.until >= ban.created
                // Whoever asked last heard of the ban just before it ended.
                && span.until.min(ended).plus_seconds(span.seconds) > now
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000_000).plus_seconds(seconds)
    }

    fn rules(seconds: u32) -> DynamicRules {
        DynamicRules {
            ip_blacklist: vec!["192.0.2.1".into()],
            ip_ban_duration: seconds,
            ..DynamicRules::default()
        }
    }

    fn ended(created: i64, ended: i64) -> GuardBan {
        GuardBan {
            id: "ban_1".into(),
            address: "192.0.2.1".parse().unwrap(),
            project: None,
            reason: "probes".into(),
            origin: BanOrigin::Alert,
            hosts: false,
            created: at(created),
            created_by: "rule:ban/probes".into(),
            expires: at(ended),
            ended: Some(at(ended)),
            ended_by: Some(BY_ITSELF.into()),
            alert: None,
            country: None,
            caused_by: Some("guard:shop".into()),
        }
    }

    #[test]
    fn a_ban_that_ended_is_unbanned_as_long_as_somebody_may_hold_it() {
        let mut told = Told::default();
        // Alone for a minute; then beside one of a day; then nobody is banned.
        told.add(&rules(60), at(0), at(60));
        told.add(&rules(86_400), at(5000), at(5060));
        told.add(&DynamicRules::default(), at(5060), at(9000));
        check(&told, ended(0, 60), 61, false);
        let mut just = Told::default();
        just.add(&rules(60), at(0), at(60));
        check(&just, ended(0, 60), 61, true);
        check(&just, ended(0, 60), 121, false);
        check(&told, ended(5000, 5060), 9000, true);
        check(&told, ended(5000, 5060), 5060 + 86_400, false);
        check(&told, ended(4000, 4500), 9000, false);
        check(&Told::unknown(at(0), 86_400), ended(-90, -50), 80_000, true);
        let lifted = GuardBan { ended_by: Some("user:ada".into()), ..ended(0, 60) };
        check(&told, lifted, 80_000, true);
    }

    #[track_caller]
    fn check(told: &Told, ban: GuardBan, now: i64, expected: bool) {
        assert_eq!(told.must_unban("shop", &ban, at(now)), expected, "{ban:?} at {now}");
    }

    #[test]
    fn an_application_keeps_its_own_ban_when_the_shared_one_ends() {
        let told = Told::unknown(at(0), 86_400);
        let shared = GuardBan { origin: BanOrigin::App, ..ended(-90, -50) };
        assert!(!told.must_unban("shop", &shared, at(1)));
        assert!(told.must_unban("blog", &shared, at(1)));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut told = Told::default();
        for second in 0..100_000 {
            told.add(&rules(86_400), at(second), at(second + 1));
        }
        assert!(told.0.len() <= 110, "{}", told.0.len());
    }
}
