//! Looking after a store from outside its server: is it sound, what is in it, and counts made anew.

mod catalogue;
mod finding;
mod rebuild;
mod stats;
mod summary;
mod tally;
mod verify;

pub use finding::{Finding, FindingKind, FindingSeverity};
pub use rebuild::{Rebuilt, rebuild};
pub use stats::{ColumnStats, Stats, stats};
pub use summary::{DaySummary, Summary};
pub use verify::{Checked, Verification, verify};
