use super::metric::METRIC_VALUE_MAX;
use super::text::cut;
use crate::validation::Json;
use std::fmt;

/// How many of the items left out are shown with their text; all are counted.
const ITEMS_SHOWN_MAX: usize = 100;

/// How much of such an item is shown, in bytes.
const EXCERPT_BYTES_MAX: usize = 4 << 10;

/// What of a batch was not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The first 100 items that could not be read.
    pub items: Vec<LeftOutItem>,
    /// How many items could not be read.
    pub items_total: u64,
    /// How many values within items that were read had to be cut or dropped, being too long or many.
    pub values_cut: u64,
}

/// An event or metric that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOutItem {
    /// Which list it stood in.
    pub kind: ItemKind,
    /// Its place in that list.
    pub position: usize,
    /// What was wrong.
    pub reason: LeftOutReason,
    /// Its JSON text, cut after 4 KiB.
    pub excerpt: Box<str>,
}

/// The two lists of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// `events`.
    Event,
    /// `metrics`.
    Metric,
}

/// Why an item could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeftOutReason {
    /// The list itself is none.
    #[error("`{0}` is not a list")]
    NotAList(&'static str),
    /// The item is not an object.
    #[error("not an object")]
    NotAnObject,
    /// A field without which the item means nothing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A time that nobody can read.
    #[error("`timestamp` is not a date and time")]
    BadTimestamp,
    /// `NaN`, `Infinity`, `1e999`, or no number at all.
    #[error("`value` is not a finite number")]
    NotANumber,
    /// No guard measures so much; a sum of such values would mean nothing.
    #[error("`value` is beyond {METRIC_VALUE_MAX:e}")]
    ValueTooLarge,
}

impl LeftOut {
    /// Whether all was read whole.
    pub fn is_empty(&self) -> bool {
        self.items_total == 0 && self.values_cut == 0
    }

    pub(super) fn item(
        &mut self,
        kind: ItemKind,
        position: usize,
        reason: LeftOutReason,
        json: Json<'_>,
    ) {
        self.items_total += 1;
        if self.items.len() < ITEMS_SHOWN_MAX {
            let excerpt = cut(json.as_text(), EXCERPT_BYTES_MAX);
            self.items.push(LeftOutItem { kind, position, reason, excerpt });
        }
    }
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Event => "event",
            Self::Metric => "metric",
        })
    }
}
