//! Detection of attacks in the values of a request: in time linear in the value, without I/O.
//!
//! ```
//! use ringwall_app_guard::payload::{Category, Detector, DetectorSettings, Place};
//!
//! let detector = Detector::new(&DetectorSettings::default())?;
//! let mut found = Vec::new();
//! detector.scan(Place::QueryParameter("name"), b"O'Brien", &mut found);
//! assert!(found.is_empty());
//! detector.scan(Place::QueryParameter("id"), b"1' OR '1'='1", &mut found);
//! assert_eq!(found[0].category, Category::SqlInjection);
//! # Ok::<(), ringwall_app_guard::payload::DetectorError>(())
//! ```
//!
//! A value is looked at in a few *views*: as it came, and with its encodings taken off round by round. One pass
//! of a multi-pattern automaton over each view says which checks can find anything there; most values end
//! at that. The checks read structure: the tokens of SQL as they would stand behind an open quote, the
//! tags and attributes of markup, the words after a shell's separators, the hosts of URLs.
//!
//! A body is walked as it streams ([`BodyScan`]), with a bound on what is held.

mod body;
mod category;
mod code;
mod custom;
mod detector;
mod finding;
mod json_keys;
mod ldap;
mod markup;
mod paths;
mod place;
mod probes;
mod scan;
mod scanners;
mod serialized;
mod settings;
mod shell;
mod split;
mod sql;
mod templates;
mod text;
mod triggers;
mod upload;
mod urls;
mod views;
mod xml;

pub use body::{BodyScan, HELD_BYTES_MAX, WINDOW_BYTES, WINDOW_OVERLAP_BYTES};
pub use category::{Category, CategorySet};
pub(crate) use custom::CustomPatterns;
pub use custom::{CUSTOM_PATTERN_BYTES_MAX, CUSTOM_PATTERNS_MAX, check_pattern};
pub use detector::Detector;
pub use finding::{EXCERPT_CHARACTERS_MAX, Finding};
pub use place::Place;
pub use settings::{DetectorError, DetectorSettings};
