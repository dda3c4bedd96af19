//! Programs that a host never ran before.

use ringwall_event::{Process, Timestamp};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How many names are remembered of one host; beyond that those unseen for longest are forgotten.
pub const NAMES_MAX: usize = 4096;

/// How many new names of one host are raised within [`RAISED_WINDOW_SECONDS`]; further ones are
/// learnt in silence, so that a host that makes up names cannot flood the alerts.
const RAISED_MAX: u32 = 30;
const RAISED_WINDOW_SECONDS: i64 = 3600;

/// The longest name that is remembered, in bytes; longer ones count by their beginning.
const NAME_BYTES_MAX: usize = 64;

/// When a host is known well enough for a new name to mean something: after this many reports and
/// this much time, whichever comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learning {
    /// Reports that raise nothing; at least the first one does not.
    pub reports: u32,
    /// Seconds from the first report in which nothing is raised.
    pub seconds: i64,
}

/// The names of programs seen on one host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeenNames {
    names: BTreeMap<Box<str>, Timestamp>,
    first_report: Option<Timestamp>,
    reports: u32,
    window_start: Timestamp,
    raised: u32,
}

impl SeenNames {
    /// Counts a report; before its processes are shown to [`SeenNames::is_new`].
    pub fn begin_report(&mut self, now: Timestamp) {
        self.first_report.get_or_insert(now);
        self.reports = self.reports.saturating_add(1);
    }

    /// Remembers the name of this process; whether it is new here, and learning is over.
    pub fn is_new(&mut self, process: &Process, now: Timestamp, learning: Learning) -> bool {
        let name = familiar_name(process);
        if name.is_empty() {
            return false;
        }
        if let Some(last_seen) = self.names.get_mut(name.as_ref()) {
            *last_seen = now;
            return false;
        }
        if self.names.len() >= NAMES_MAX {
            self.forget_oldest();
        }
        self.names.insert(name.into(), now);
        self.has_learnt(now, learning) && self.may_raise(now)
    }

    /// How many names are remembered.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether nothing was seen yet.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn has_learnt(&self, now: Timestamp, learning: Learning) -> bool {
        let first = self.first_report.unwrap_or(now);
        self.reports > learning.reports.max(1)
            && now.micros_since(first) >= learning.seconds.saturating_mul(1_000_000)
    }

    fn may_raise(&mut self, now: Timestamp) -> bool {
        if now.micros_since(self.window_start) >= RAISED_WINDOW_SECONDS * 1_000_000 {
            self.window_start = now;
            self.raised = 0;
        }
        self.raised = self.raised.saturating_add(1);
        self.raised <= RAISED_MAX
    }

    /// Forgets a quarter at once: one by one, each would cost a walk over all.
    fn forget_oldest(&mut self) {
        let mut by_age: Vec<_> =
            self.names.iter().map(|(name, seen)| (*seen, name.clone())).collect();
        by_age.sort_unstable();
        for (_, name) in by_age.into_iter().take(NAMES_MAX / 4) {
            self.names.remove(&name);
        }
    }
}

/// The name without what changes from one start to the next: digits count as one another, and of a
/// kernel thread (`kworker/3:1-events`) only the part before the slash counts.
fn familiar_name(process: &Process) -> Cow<'_, str> {
    let mut name: &str = &process.name;
    if process.executable.is_none() && process.command_line.is_none() {
        name = name.split_once('/').map_or(name, |(thread, _)| thread);
    }
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let name = name.get(..end).unwrap_or(name);
    if !name.bytes().any(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Learning = Learning { reports: 10, seconds: 0 };
    const PATIENT: Learning = Learning { reports: 10, seconds: 600 };

    #[test]
    fn flaw_10_the_rule_fires_after_the_learning_period() {
        let mut seen = SeenNames::default();
        for report in 0..12 {
            seen.begin_report(at(report));
            let new = seen.is_new(&named("known"), at(report), QUICK);
            assert!(!new, "report {report}");
        }
        assert!(seen.is_new(&named("dropper"), at(12), QUICK));
        assert!(!seen.is_new(&named("dropper"), at(13), QUICK));
    }

    #[test]
    fn the_first_pictures_raise_nothing() {
        check(1, 10_000, QUICK, false);
        check(10, 10_000, QUICK, false);
        check(11, 0, QUICK, true);
        check(11, 599, PATIENT, false);
        check(11, 600, PATIENT, true);
        check(1, 10_000, Learning { reports: 0, seconds: 0 }, false);
    }

    #[track_caller]
    fn check(reports: u32, seconds: i64, learning: Learning, expected: bool) {
        let mut seen = SeenNames::default();
        for _ in 0..reports {
            seen.begin_report(at(0));
        }
        let new = seen.is_new(&named("dropper"), at(seconds), learning);
        assert_eq!(new, expected, "{reports} reports, {seconds} s");
    }

    #[test]
    fn numbers_and_kernel_threads_are_familiar() {
        let mut seen = learnt();
        assert!(seen.is_new(&named("python3.11"), at(1), QUICK));
        assert!(!seen.is_new(&named("python3.12"), at(1), QUICK));
        assert!(seen.is_new(&named("kworker/0:1-events"), at(1), QUICK));
        assert!(!seen.is_new(&named("kworker/u8:3-flush"), at(1), QUICK));
        let disguised = Process {
            name: "kworker/evil".into(),
            command_line: Some("x".into()),
            ..Process::default()
        };
        assert!(seen.is_new(&disguised, at(1), QUICK));
        assert!(!seen.is_new(&named(""), at(1), QUICK));
    }

    #[test]
    fn made_up_names_neither_flood_nor_grow() {
        let mut seen = learnt();
        let raised = (0..3 * NAMES_MAX)
            .filter(|number| seen.is_new(&named(&letters(*number)), at(1), QUICK))
            .count();
        assert_eq!(raised, RAISED_MAX as usize);
        assert!(seen.len() <= NAMES_MAX);
        assert!(seen.is_new(&named("later"), at(2 + RAISED_WINDOW_SECONDS), QUICK));
    }

    fn learnt() -> SeenNames {
        let mut seen = SeenNames::default();
        (0..11).for_each(|_| seen.begin_report(at(0)));
        seen
    }

    fn letters(mut number: usize) -> String {
        let mut out = String::new();
        loop {
            out.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
            number /= 26;
            if number == 0 {
                return out;
            }
        }
    }

    fn named(name: &str) -> Process {
        Process { name: name.into(), ..Process::default() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).plus_seconds(seconds)
    }
}
