//! The state that exchanges ask for, kept in this process: bans, counters, throttles.
//!
//! Bounded whatever clients do, and divided so that requests seldom wait for each other. It answers at
//! once; what it does not know (countries, credentials, the application's checks) it leaves to others.

mod bans;
mod counters;
mod window;

use crate::address::Network;
use crate::question::{Answer, AnswerFailure, Ban, BanOrder, Question};
use crate::settings::GuardLimits;
use bans::Bans;
use counters::Counters;
use ringwall_inspection::Moment;

/// Bans and counters of this process.
///
/// ```
/// use ringwall_app_guard::{GuardLimits, LocalState, Moment, Question};
///
/// let now = Moment::new(std::time::Instant::now(), 1_700_000_000_000);
/// let state = LocalState::new(GuardLimits::default(), now);
/// let answer = state.answer(&Question::Banned { address: "192.0.2.1".parse().unwrap() }, now);
/// assert!(answer.is_some());
/// ```
#[derive(Debug)]
pub struct LocalState {
    bans: Bans,
    counters: Counters,
}

impl LocalState {
    /// An empty state of at most this size, from now on.
    #[must_use]
    pub fn new(limits: GuardLimits, now: Moment) -> Self {
        Self { bans: Bans::new(limits), counters: Counters::new(limits.counters, now.instant) }
    }

    /// Answers what is about state; `None` for everything else.
    #[must_use]
    pub fn answer(&self, question: &Question, now: Moment) -> Option<Answer> {
        Some(match question {
            Question::Banned { address } => Answer::Banned(self.bans.find(*address, now)),
            Question::Hit(hit) => {
                Answer::Hit(self.counters.hit(&hit.key, hit.limit, hit.window, now.instant))
            }
            Question::Count { key, window } => {
                Answer::Hit(self.counters.count(key, *window, now.instant))
            }
            Question::Ban(order) => {
                if self.ban(order, now) {
                    Answer::Done
                } else {
                    Answer::Failed(AnswerFailure::Failed)
                }
            }
            Question::Throttled(key) => {
                Answer::Throttled(self.counters.throttled(key, now.instant))
            }
            Question::Throttle { key, time } => {
                if self.counters.throttle(key, *time, now.instant) {
                    Answer::Done
                } else {
                    Answer::Failed(AnswerFailure::Failed)
                }
            }
            Question::Country { .. } | Question::Credential(_) | Question::Check { .. } => {
                return None;
            }
        })
    }

    /// Bans a network and forgets what was counted against it, so that after the ban it starts anew.
    /// `false` where it holds a loopback address, or there is no room for bans at all.
    pub fn ban(&self, order: &BanOrder, now: Moment) -> bool {
        let banned = self.bans.ban(order, now);
        if banned {
            self.counters.forget_offences(order.network);
        }
        banned
    }

    /// Lifts the ban of exactly this network, and forgets what was counted against it. Says whether there
    /// was one.
    pub fn unban(&self, network: Network, now: Moment) -> bool {
        self.counters.forget_offences(network);
        self.bans.unban(network, now)
    }

    /// Every ban in force.
    #[must_use]
    pub fn bans(&self, now: Moment) -> Vec<Ban> {
        self.bans.all(now)
    }

    /// Takes in a ban that another worker made, as it stands.
    pub fn learn(&self, ban: &Ban, now: Moment) {
        self.bans.learn(ban, now);
    }

    /// How many counters there are; for figures and tests.
    #[must_use]
    pub fn counters_len(&self) -> usize {
        self.counters.len()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.bans.clear();
        self.counters.clear();
    }
}
