//! Scores of processes, each with its reasons.
//!
//! Two numbers stand beside each other, both 0 to 100 and both over the last five minutes:
//!
//! * the **risk score** is what the SysScore platform computes (contract §11): the mean weight of the
//!   calls times ten. Its readers expect exactly that.
//! * the **evidence score** counts what is dangerous and nothing else: a mean can be watered down
//!   with harmless calls (contract §15, flaw 12), this cannot.
//!
//! Everything here is pure: the moment is an argument, and the same calls in the same order give the
//! same state, so that state can be rebuilt from stored events.
//!
//! ```
//! use ringwall_event::Timestamp;
//! use ringwall_risk::ScoreState;
//!
//! let now = Timestamp::from_micros(1_768_471_200_000_000);
//! let mut process = ScoreState::default();
//! for call in "ptrace setuid execve mount chmod fork open read write futex".split(' ') {
//!     process.observe(call, now, None, now);
//! }
//! let score = process.score(now).unwrap();
//! assert_eq!(score.risk_score, 37.0);
//! assert_eq!(score.reasons[0], "ptrace called once");
//! ```
#![forbid(unsafe_code)]

mod evidence;
mod score_state;
mod weights;
mod window;

pub use score_state::{Crossing, HISTORY_MAX, PastScore, REARM_BELOW, Score, ScoreState};
pub use weights::{evidence_weight, platform_weight};
pub use window::WINDOW_SECONDS;
