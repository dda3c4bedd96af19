//! For how long applications may still hold a ban that has ended: pure.
//!
//! One duration is told for all bans of a version, so a ban of a minute that stood beside one of a day
//! is held for a day. Whoever is unbanned needlessly is let in where an application bans them by itself, so
//! it is known what was told with each ban.

use ringwall_dialects::guard::DynamicRules;
use ringwall_event::{Source, Timestamp};
use ringwall_store::{BanOrigin, GuardBan, OwnBan};
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
    /// they may still hold it. Not as long as one of them may still ban the address by itself: whoever is
    /// unbanned is let in, whatever the ban was for.
    pub(super) fn must_unban(
        &self,
        project: &str,
        ban: &GuardBan,
        own: Option<&OwnBan>,
        now: Timestamp,
    ) -> bool {
        let Some(ended) = ban.ended else { return false };
        let is_lifted = ban.ended_by.as_deref() != Some(BY_ITSELF);
        // Whoever lifted the ban wanted the address let in, but knew nothing of what came later.
        let since = if is_lifted { ended } else { Timestamp::from_micros(i64::MIN) };
        if own.is_some_and(|own| own.stands_against(since, now)) {
            return false;
        }
        if is_lifted {
            return true;
        }
        // Its own ban, which others shared, may be for longer than is known.
        let source = Source::new(Source::GUARD, project).to_string();
        let is_its_own =
            ban.origin == BanOrigin::App && ban.caused_by.as_deref() == Some(source.as_str());
        if own.is_none() && is_its_own {
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
        assert_eq!(told.must_unban("shop", &ban, None, at(now)), expected, "{ban:?} at {now}");
    }

    #[test]
    fn an_application_keeps_its_own_ban_when_another_one_ends() {
        let told = Told::unknown(at(0), 86_400);
        let own = |began: i64, until: i64| OwnBan {
            address: "192.0.2.1".parse().unwrap(),
            began: at(began),
            until: at(until),
        };
        let must = |ban: &GuardBan, own: Option<OwnBan>, now: i64| {
            told.must_unban("shop", ban, own.as_ref(), at(now))
        };
        // Whoever reported it: what counts is that it may still run.
        let shared = GuardBan { origin: BanOrigin::App, ..ended(-90, -50) };
        let of_blog = GuardBan { caused_by: Some("guard:blog".into()), ..shared.clone() };
        for ban in [&shared, &of_blog, &ended(-90, -50)] {
            assert!(!must(ban, Some(own(-90, 100)), 99), "{ban:?}");
            assert!(must(ban, Some(own(-90, 100)), 100), "{ban:?}");
        }
        // What is not known of its own ban may be anything.
        assert!(!must(&shared, None, 1));
        assert!(must(&of_blog, None, 1));
        // Somebody wanted it let in; the application banned it again since, or did not.
        let lifted = GuardBan { ended_by: Some("user:ada".into()), ..ended(-90, -50) };
        assert!(must(&lifted, Some(own(-90, 100)), 1));
        assert!(!must(&lifted, Some(own(-49, 100)), 1));
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
