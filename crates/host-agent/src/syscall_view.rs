//! The view of a host that SysScore expects: system calls with scores.
//!
//! Only what can be observed without tracing is there: programs that start (`execve`, `fork`), end
//! (`exit_group`), connections (`connect`, `accept`, `listen`), tracers (`ptrace`) and changes of user
//! (`setuid`). The risk score is the formula of the SysScore agent (contract, section 14.2) over these
//! calls. Its anomaly score comes from trained models, which there are none of here: what is sent is
//! the one part of it that can be computed honestly from what is seen, the rarity of the process's
//! call sequences (section 14.3), 0 to 20.

use std::collections::{HashMap, VecDeque};

/// Scores the calls of the processes of one host.
#[derive(Debug, Default)]
pub(crate) struct SyscallView {
    processes: HashMap<i64, ProcessCalls>,
    /// Processes in the order of their first call, for forgetting.
    order: VecDeque<i64>,
    pairs: PairCounts,
}

/// The scores of a process at one call, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scores {
    pub(crate) risk: f64,
    pub(crate) anomaly: f64,
}

#[derive(Debug, Default)]
struct ProcessCalls {
    /// The latest calls.
    window: VecDeque<&'static str>,
    /// How often each call was made before the present one.
    history: HashMap<&'static str, u64>,
    load: Option<Load>,
    /// The last score and when, in microseconds.
    last: Option<(f64, i64)>,
}

/// Processor and memory, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    pub(crate) cpu_percent: f64,
    pub(crate) memory_percent: f64,
}

/// How often calls followed each other on this host.
#[derive(Debug, Default)]
struct PairCounts {
    counts: HashMap<(&'static str, &'static str), u64>,
    total: u64,
}

/// The window of the small agent.
const WINDOW_CALLS: usize = 100;
/// More processes than this are not held; the one that came first is forgotten.
const PROCESSES_MAX: usize = 8192;
/// Sequences are judged from so many calls on.
const SEQUENCE_CALLS_MIN: usize = 5;
const DECAY_SECONDS: f64 = 60.0;
const DECAY_FACTOR: f64 = 0.95;

impl SyscallView {
    /// Scores a process at its next call.
    pub(crate) fn score(
        &mut self,
        pid: i64,
        call: &'static str,
        load: Option<Load>,
        now_micros: i64,
    ) -> Scores {
        if !self.processes.contains_key(&pid) {
            self.remember(pid);
        }
        let pairs = &mut self.pairs;
        let process = self.processes.entry(pid).or_default();
        if let Some(before) = process.window.back() {
            pairs.add(before, call);
        }
        process.window.push_back(call);
        if process.window.len() > WINDOW_CALLS {
            process.window.pop_front();
        }
        let anomaly = 20.0 * pairs.rarity(&process.window);
        let now = 0.4 * process.base() + 0.3 * process.behaviour(load) + 0.3 * anomaly;
        let risk = process.decayed(now, now_micros).clamp(0.0, 100.0);
        process.last = Some((risk, now_micros));
        process.load = load.or(process.load);
        *process.history.entry(call).or_default() += 1;
        Scores { risk: rounded(risk), anomaly: rounded(anomaly.clamp(0.0, 100.0)) }
    }

    /// Forgets a process that has ended: its number may be given to another.
    pub(crate) fn forget(&mut self, pid: i64) {
        self.processes.remove(&pid);
    }

    fn remember(&mut self, pid: i64) {
        self.order.push_back(pid);
        while self.processes.len() >= PROCESSES_MAX || self.order.len() > 2 * PROCESSES_MAX {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.processes.remove(&oldest);
        }
    }
}

impl ProcessCalls {
    /// The mean weight of the window, times 10.
    fn base(&self) -> f64 {
        let sum: f64 = self.window.iter().map(|call| weight(call)).sum();
        10.0 * sum / self.window.len().max(1) as f64
    }

    /// How much the process does otherwise than before, at most 100.
    fn behaviour(&self, load: Option<Load>) -> f64 {
        let calls = self.window.len().max(1) as f64;
        let before = self.history.values().sum::<u64>().max(1) as f64;
        let mut now: HashMap<&str, f64> = HashMap::new();
        for call in &self.window {
            *now.entry(call).or_default() += 1.0 / calls;
        }
        let shares: f64 = now
            .iter()
            .map(|(call, share)| {
                let history = self.history.get(call).copied().unwrap_or_default() as f64 / before;
                (share - history).abs() * 10.0
            })
            .sum();
        let load = match (load, self.load) {
            (Some(now), Some(before)) => {
                (now.cpu_percent - before.cpu_percent).abs()
                    + (now.memory_percent - before.memory_percent).abs()
            }
            _ => 0.0,
        };
        (shares + 0.1 * load).min(100.0)
    }

    /// After a pause a score does not fall faster than five percent a minute.
    fn decayed(&self, score: f64, now_micros: i64) -> f64 {
        let Some((last, at)) = self.last else {
            return score;
        };
        let seconds = now_micros.saturating_sub(at) as f64 / 1e6;
        if seconds <= DECAY_SECONDS {
            return score;
        }
        score.max(last * DECAY_FACTOR.powf(seconds / DECAY_SECONDS))
    }
}

impl PairCounts {
    fn add(&mut self, first: &'static str, second: &'static str) {
        *self.counts.entry((first, second)).or_default() += 1;
        self.total += 1;
    }

    fn probability(&self, count: u64) -> f64 {
        (count + 1) as f64 / (self.total + self.counts.len() as u64).max(1) as f64
    }

    /// How far the calls fall short of what is usual on this host, 0 to 1.
    fn rarity(&self, window: &VecDeque<&'static str>) -> f64 {
        if window.len() < SEQUENCE_CALLS_MIN || self.total == 0 {
            return 0.0;
        }
        let weighted: f64 =
            self.counts.values().map(|count| *count as f64 * self.probability(*count)).sum();
        let usual = weighted / self.total as f64;
        let pairs = window.iter().zip(window.iter().skip(1));
        let sum: f64 = pairs
            .map(|(first, second)| {
                self.probability(self.counts.get(&(*first, *second)).copied().unwrap_or_default())
            })
            .sum();
        let mean = sum / (window.len() - 1) as f64;
        (1.0 - mean / usual).clamp(0.0, 1.0)
    }
}

/// The weights of section 14.2, as far as these calls can be observed.
fn weight(call: &str) -> f64 {
    match call {
        "ptrace" => 10.0,
        "setuid" => 8.0,
        "execve" => 5.0,
        "fork" => 3.0,
        "connect" | "accept" | "listen" => 1.0,
        _ => 2.0,
    }
}

fn rounded(score: f64) -> f64 {
    (score * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_contract() {
        // "Fifty ptrace calls 43.0 first time, 40.0 after; an unlisted call 11.0."
        check("ptrace", 43.0, 40.0);
        check("exit_group", 11.0, 8.0);
        // "Reads 7.0 then 4.0": of the same weight.
        check("connect", 7.0, 4.0);
    }

    #[track_caller]
    fn check(call: &'static str, first: f64, then: f64) {
        let mut view = SyscallView::default();
        let scores: Vec<_> = (0..50).map(|time| view.score(7, call, None, time).risk).collect();
        assert_eq!((scores[0], scores[1], scores[49]), (first, then, then), "call {call}");
    }

    #[test]
    fn a_change_of_load_counts() {
        let mut view = SyscallView::default();
        let load = |cpu_percent| Some(Load { cpu_percent, memory_percent: 1.0 });
        view.score(7, "connect", load(0.0), 0);
        let still = view.score(7, "connect", load(0.0), 1).risk;
        let busy = view.score(7, "connect", load(100.0), 2).risk;
        assert_eq!((still, busy), (4.0, 7.0));
    }

    #[test]
    fn after_a_pause_a_score_falls_slowly() {
        let mut view = SyscallView::default();
        view.score(7, "ptrace", None, 0);
        for time in 1..20 {
            view.score(7, "ptrace", None, time);
        }
        // Calls of no weight would pull it down to 38.4 at once.
        let later = view.score(7, "connect", None, 120_000_000).risk;
        assert!((later - 40.0).abs() < 2.0, "{later}");
    }

    #[test]
    fn rare_sequences_are_anomalous_and_usual_ones_are_not() {
        let mut view = SyscallView::default();
        for pid in 0..200 {
            for call in ["execve", "connect", "connect", "connect", "connect", "exit_group"] {
                view.score(pid, call, None, 0);
            }
            view.forget(pid);
        }
        let mut usual = 0.0;
        for call in ["execve", "connect", "connect", "connect", "connect"] {
            usual = view.score(1000, call, None, 0).anomaly;
        }
        let mut rare = 0.0;
        for call in ["ptrace", "setuid", "ptrace", "fork", "ptrace"] {
            rare = view.score(1001, call, None, 0).anomaly;
        }
        assert!(usual < 5.0, "{usual}");
        assert!((15.0..=20.0).contains(&rare), "{rare}");
    }

    #[test]
    fn memory_is_bounded() {
        let mut view = SyscallView::default();
        for pid in 0..20_000 {
            view.score(pid, "execve", None, 0);
            if pid % 2 == 0 {
                view.forget(pid);
            }
        }
        assert!(view.processes.len() <= PROCESSES_MAX);
        assert!(view.order.len() <= 2 * PROCESSES_MAX + 1);
    }

    proptest::proptest! {
        #[test]
        fn scores_stay_within_bounds(calls in proptest::collection::vec((0i64..3, 0usize..8, 0.0f64..900.0, 0i64..1 << 50), 1..200)) {
            const CALLS: [&str; 8] =
                ["ptrace", "setuid", "execve", "fork", "connect", "accept", "exit_group", "listen"];
            let mut view = SyscallView::default();
            for (pid, call, cpu_percent, time) in calls {
                let load = Some(Load { cpu_percent, memory_percent: 0.5 });
                let scores = view.score(pid, CALLS[call], load, time);
                proptest::prop_assert!((0.0..=100.0).contains(&scores.risk));
                proptest::prop_assert!((0.0..=20.0).contains(&scores.anomaly));
            }
        }
    }
}
