use crate::evidence::Evidence;
use crate::platform_weight;
use crate::window::Window;
use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many changed scores of a process are kept.
pub const HISTORY_MAX: usize = 50;

/// After a crossing the score must fall this far below the threshold before it can cross again.
pub const REARM_BELOW: f64 = 10.0;

/// All that is known of one process's risk: what its calls did in the last five minutes.
///
/// Bounded in memory, whatever is observed. A process that ended (`exit_group`) and a later one
/// under the same pid are two incarnations: nothing of the first counts for the second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreState {
    incarnation: u32,
    start_time: Option<Timestamp>,
    ended: Option<Timestamp>,
    window: Window,
    evidence: Evidence,
    anomaly: Option<Anomaly>,
    is_above: bool,
    /// Oldest first; the last one is the current score.
    history: VecDeque<PastScore>,
}

/// What the agent itself found, and when.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Anomaly {
    score: f64,
    time: Timestamp,
}

/// A score with its reasons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The platform's score, 0 to 100: ten times the mean weight of the calls.
    pub risk_score: f64,
    /// The agent's own anomaly score, 0 to 100, the latest it sent in the window.
    pub anomaly_score: Option<f64>,
    /// What dangerous calls show, 0 to 100; harmless calls do not lower it.
    pub evidence_score: f64,
    /// Why, one sentence each, the weightiest first.
    pub reasons: Vec<String>,
}

/// A score as it was at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastScore {
    /// When it came to be.
    pub calculated_at: Timestamp,
    /// See [`Score::risk_score`].
    pub risk_score: f64,
    /// See [`Score::anomaly_score`].
    pub anomaly_score: Option<f64>,
    /// See [`Score::evidence_score`].
    pub evidence_score: f64,
}

/// A score that rose to a threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossing {
    /// The higher of risk score and evidence score.
    pub score: f64,
    /// Why, one sentence each.
    pub reasons: Vec<String>,
}

impl ScoreState {
    /// Counts a call that the process made at `time`, reported now; `anomaly` is the agent's own
    /// score where it sent one.
    pub fn observe(&mut self, call: &str, time: Timestamp, anomaly: Option<f64>, now: Timestamp) {
        if self.ended.is_some_and(|ended| time > ended) {
            self.begin_incarnation();
        }
        if let Some(second) = Window::second_of(time, now) {
            self.window.add(second, platform_weight(call), now);
            self.evidence.add(call, second);
            if let Some(score) = anomaly.filter(|score| score.is_finite())
                && self.anomaly.is_none_or(|known| time >= known.time)
            {
                self.anomaly = Some(Anomaly { score: score.clamp(0.0, 100.0), time });
            }
            self.remember(now);
        }
        if call == "exit_group" {
            self.ended = Some(self.ended.map_or(time, |ended| ended.max(time)));
        }
    }

    /// Says when the process under this pid started, where its agent tells; another start than before
    /// is another process.
    pub fn started(&mut self, start_time: Timestamp) {
        if self.start_time.is_some_and(|known| known != start_time) {
            self.begin_incarnation();
        }
        self.start_time = Some(start_time);
    }

    /// The score now; none where no call is within the window.
    pub fn score(&self, now: Timestamp) -> Option<Score> {
        let past = self.calculate(now)?;
        let begin = Window::begin(now);
        let mut reasons = self.evidence.reasons(begin);
        let calls = self.window.sum(now).calls;
        let noun = if calls == 1 { "call" } else { "calls" };
        reasons.push(format!("mean risk {:.1} of {calls} {noun}", past.risk_score));
        if let Some(anomaly) = past.anomaly_score {
            reasons.push(format!("the agent reports an anomaly of {anomaly:.1}"));
        }
        Some(Score {
            risk_score: past.risk_score,
            anomaly_score: past.anomaly_score,
            evidence_score: past.evidence_score,
            reasons,
        })
    }

    /// The score as of the latest call that counted.
    pub fn current(&self) -> Option<PastScore> {
        self.history.back().copied()
    }

    /// Calculates the score as of now and keeps it as the current one; none where no call is within
    /// the window.
    pub fn recalculate(&mut self, now: Timestamp) -> Option<PastScore> {
        let score = self.calculate(now)?;
        self.remember(now);
        Some(score)
    }

    /// The last changed scores, newest first; at most [`HISTORY_MAX`].
    pub fn history(&self) -> impl Iterator<Item = &PastScore> {
        self.history.iter().rev()
    }

    /// How many processes had this pid before, as far as is known.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Whether the score rose to the threshold since the last time this was asked. It must fall by
    /// [`REARM_BELOW`] under the threshold before it counts again.
    pub fn crossed(&mut self, threshold: f64) -> Option<Crossing> {
        let current = self.current()?;
        let score = current.risk_score.max(current.evidence_score);
        if self.is_above {
            self.is_above = score >= threshold - REARM_BELOW;
            return None;
        }
        self.is_above = score >= threshold;
        if !self.is_above {
            return None;
        }
        let reasons =
            self.score(current.calculated_at).map(|score| score.reasons).unwrap_or_default();
        Some(Crossing { score, reasons })
    }

    /// The history stays: its scores were true when they were calculated.
    fn begin_incarnation(&mut self) {
        *self = Self {
            incarnation: self.incarnation.saturating_add(1),
            history: std::mem::take(&mut self.history),
            ..Self::default()
        };
    }

    fn calculate(&self, now: Timestamp) -> Option<PastScore> {
        let sum = self.window.sum(now);
        if sum.calls == 0 {
            return None;
        }
        let begin = now.plus_seconds(-crate::WINDOW_SECONDS);
        Some(PastScore {
            calculated_at: now,
            // Exact below 2^53 calls; the cap is the platform's, which no weight reaches.
            risk_score: (sum.weight as f64 * 10.0 / sum.calls as f64).min(100.0),
            anomaly_score: self.anomaly.filter(|known| known.time >= begin).map(|a| a.score),
            evidence_score: self.evidence.score(Window::begin(now)),
        })
    }

    /// Keeps the score, if it is another than before; of one batch only the last.
    fn remember(&mut self, now: Timestamp) {
        let Some(score) = self.calculate(now) else { return };
        if let Some(last) = self.history.back_mut() {
            let is_same = PastScore { calculated_at: now, ..*last } == score;
            if is_same || last.calculated_at == now {
                *last = score;
                return;
            }
        }
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(score);
    }
}

#[cfg(test)]
mod tests;
