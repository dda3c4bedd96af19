//! One object of the edited rules and of the bans: pure.
//!
//! The original middleware bans each entry of `ip_blacklist` for `ip_ban_duration` seconds whenever it
//! applies a version, and unbans only what it finds in `ip_whitelist` (guard contract, section 4.2 and
//! flaw 30). So whatever is taken off the first list stands on the second for as long as any
//! application may still ban it.

use ringwall_dialects::guard::DynamicRules;
use ringwall_event::{Network, Timestamp};
use ringwall_store::GuardBan;
use std::collections::BTreeSet;

/// The original middleware holds no more bans than this.
pub(super) const BLACKLIST_MAX: usize = 10_000;
/// How many addresses are unbanned at most, besides those that people list.
pub(super) const UNBANS_MAX: usize = 2_000;
/// The longest that an application is told to hold a ban without hearing of it again. One that loses
/// its server lets in again whom nobody bans any more after this time at the latest.
pub(super) const BAN_SECONDS_MAX: i64 = 86_400;
/// For so long an address stays on the list of those to unban: until no application can ban it still.
pub(super) const UNBAN_SECONDS: i64 = BAN_SECONDS_MAX;
/// The original middleware without Redis holds no ban for longer (flaw 22).
const LOCAL_BAN_SECONDS_MAX: i64 = 3600;
/// How many seconds an original agent keeps an answer: small, so that a change is there with its next
/// question.
pub(crate) const TTL_SECONDS: u32 = 15;

/// What is composed.
pub(super) struct Parts<'a> {
    /// The rules in force as people edited them; none where they are past their end.
    pub(super) edited: Option<&'a DynamicRules>,
    /// What recent edits banned and this one does not.
    pub(super) withdrawn: &'a [Box<str>],
    /// The bans that hold, the weightiest first.
    pub(super) bans: &'a [GuardBan],
    /// The bans that ended of late, the latest first.
    pub(super) ended: &'a [GuardBan],
    /// Now.
    pub(super) now: Timestamp,
}

/// What the applications shall be told, still without name and version.
#[derive(Debug, PartialEq)]
pub(super) struct Composed {
    pub(super) rules: DynamicRules,
    /// How many of the bans found no room.
    pub(super) left_out: usize,
    /// When nobody is banned any more, if nothing changes; none where nobody is banned now.
    pub(super) bans_end: Option<Timestamp>,
}

impl Parts<'_> {
    pub(super) fn compose(&self) -> Composed {
        let mut rules = self
            .edited
            .cloned()
            .unwrap_or_else(|| DynamicRules { ttl: TTL_SECONDS, ..DynamicRules::default() });
        let edits_ban = !rules.ip_blacklist.is_empty();
        let mut banned: BTreeSet<Box<str>> = rules.ip_blacklist.iter().cloned().collect();
        let mut left_out = 0;
        for ban in self.bans {
            let address = ban.address.to_string().into_boxed_str();
            if banned.contains(&address) {
                continue;
            }
            if rules.ip_blacklist.len() >= BLACKLIST_MAX {
                left_out += 1;
                continue;
            }
            banned.insert(address.clone());
            rules.ip_blacklist.push(address);
        }
        rules.ip_whitelist.retain(|address| !banned.contains(address));
        let mut unbanned: BTreeSet<Box<str>> = rules.ip_whitelist.iter().cloned().collect();
        let ended = self.ended.iter().map(|ban| ban.address.to_string().into_boxed_str());
        for address in ended.chain(self.withdrawn.iter().cloned()).take(UNBANS_MAX) {
            if !banned.contains(&address) && unbanned.insert(address.clone()) {
                rules.ip_whitelist.push(address);
            }
        }
        let last = self.bans.iter().map(|ban| ban.expires).max();
        let longest = last.map(|end| seconds_until(end, self.now).clamp(1, BAN_SECONDS_MAX));
        // An edit that bans for a year does so by being told again: nobody is unbanned for longer than
        // a day after it was withdrawn.
        let own = i64::from(rules.ip_ban_duration).min(BAN_SECONDS_MAX);
        let seconds = match longest {
            Some(longest) if edits_ban => longest.max(own),
            Some(longest) => longest,
            None => own,
        };
        rules.ip_ban_duration = u32::try_from(seconds).unwrap_or(u32::MAX);
        let bans_end = if edits_ban { Some(Timestamp::from_micros(i64::MAX)) } else { last };
        Composed { rules, left_out, bans_end }
    }
}

impl Composed {
    /// When applications that were told `told` then must be told again, as they would end bans too
    /// early; none where all bans end before. What counts is what they were told, not what they would
    /// be told now: a ban may have been made longer since.
    pub(super) fn refresh(&self, told: &DynamicRules, then: Timestamp) -> Option<Timestamp> {
        let held_until = then.plus_seconds(held_seconds(told));
        self.bans_end.filter(|end| *end > held_until)?;
        Some(then.plus_seconds((held_seconds(told) * 3 / 4).max(1)))
    }

    /// Whether applications that were told `before` need to hear nothing new. How long bans last is
    /// told anew with the next change only: it shrinks from second to second.
    pub(super) fn says_the_same(&self, before: &DynamicRules) -> bool {
        let stripped = |rules: &DynamicRules| DynamicRules {
            rule_id: "".into(),
            version: 0,
            timestamp: None,
            ip_ban_duration: 0,
            ip_blacklist: sorted(&rules.ip_blacklist),
            ip_whitelist: sorted(&rules.ip_whitelist),
            ..rules.clone()
        };
        stripped(&self.rules) == stripped(before)
    }
}

/// For how long the most forgetful application holds the bans of these rules.
fn held_seconds(rules: &DynamicRules) -> i64 {
    i64::from(rules.ip_ban_duration).min(LOCAL_BAN_SECONDS_MAX)
}

/// The version after `last`. It is at least the number of seconds since the first one, so that a
/// server whose data come from a backup goes on above what its applications saw after the backup was
/// made, unless they saw a change in every second since.
pub(super) fn next_version(last: Option<i64>, began: Timestamp, now: Timestamp) -> i64 {
    let seconds = now.micros_since(began).max(0) / 1_000_000;
    last.unwrap_or(0).saturating_add(1).max(seconds.saturating_add(1))
}

/// An address that an edit banned and a later one does not.
#[derive(Debug, PartialEq)]
pub(super) struct Withdrawn {
    pub(super) address: Box<str>,
    /// When somebody took it off the list; the beginning of time where the edit ended by its clock, and so
    /// nobody decided anything about the address.
    pub(super) since: Timestamp,
}

/// What `edits` banned, the newest first, and `current` ones do not, each once.
pub(super) fn withdrawn(
    edits: &[(Timestamp, DynamicRules)],
    current: Option<&DynamicRules>,
) -> Vec<Withdrawn> {
    let still: BTreeSet<&str> =
        current.into_iter().flat_map(|rules| &rules.ip_blacklist).map(|entry| &**entry).collect();
    let mut seen = BTreeSet::new();
    let mut since = Timestamp::from_micros(i64::MIN);
    let mut all = Vec::new();
    for (updated, rules) in edits {
        for entry in &rules.ip_blacklist {
            if !still.contains(&**entry) && seen.insert(&**entry) {
                all.push(Withdrawn { address: entry.clone(), since });
            }
        }
        since = *updated;
    }
    all
}

/// The entries of a list of addresses in the one spelling that bans have, so that one address is never
/// on both lists.
pub(crate) fn one_spelling(list: &mut Vec<Box<str>>) {
    let mut seen = BTreeSet::new();
    for entry in list.iter_mut() {
        if let Ok(network) = entry.parse::<Network>() {
            *entry = network.to_string().into();
        }
    }
    list.retain(|entry| seen.insert(entry.clone()));
}

fn sorted(list: &[Box<str>]) -> Vec<Box<str>> {
    let mut list = list.to_vec();
    list.sort_unstable();
    list
}

fn seconds_until(end: Timestamp, now: Timestamp) -> i64 {
    // Rounded up: an application must not let in before the end.
    end.micros_since(now).max(0).saturating_add(999_999) / 1_000_000
}

#[cfg(test)]
mod tests;
