//! Looking after a store from outside its server: is it sound, what is in it, and counts made anew.

mod finding;

pub use finding::{Finding, FindingKind, FindingSeverity};
