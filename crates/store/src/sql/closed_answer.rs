//! The answers to queries of a closed shape.

use super::closed::{Closed, Item, Keys};
use super::event_source::StoredEvents;
use super::moment;
use crate::StoreError;
use crate::scan::control::ScanControl;
use crate::scan::kernels::Value as Key;
use ringwall_event::Timestamp;
use rusqlite::types::Value;
use std::cmp::Ordering;

/// The rows of the answer; none where there are too many groups for it, and SQLite has to do it.
pub(super) fn rows(
    closed: &Closed,
    stored: &StoredEvents,
    control: &ScanControl,
) -> Result<Option<Vec<Vec<Value>>>, StoreError> {
    let threads = stored.threads();
    let counted: Option<Vec<(Vec<Value>, u64)>> = stored.with_session(|session| {
        Ok(match &closed.keys {
            Keys::None => {
                Some(vec![(Vec::new(), session.count(&closed.predicate, threads, control)?)])
            }
            Keys::Steps(micros) => {
                let steps = session.timeline(&closed.predicate, *micros, threads, control)?;
                let steps = steps.into_iter().map(|(start, count)| {
                    let start = moment::text_of(Timestamp::from_micros(start));
                    (vec![Value::Text(start.as_str().to_owned())], count)
                });
                Some(steps.collect())
            }
            Keys::Columns(columns) => {
                let groups = session.group_counts(&closed.predicate, columns, threads, control)?;
                if groups.overflowed {
                    return Ok(None);
                }
                let mut groups: Vec<(Box<[Key]>, u64)> = groups.counts.into_iter().collect();
                groups.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                let groups = groups
                    .into_iter()
                    .map(|(keys, count)| (keys.into_iter().map(shown).collect(), count));
                Some(groups.collect())
            }
        })
    })?;
    let Some(counted) = counted else { return Ok(None) };
    let mut rows: Vec<Vec<Value>> = counted
        .into_iter()
        .map(|(keys, count)| {
            let item = |item: &Item| match item {
                Item::Key(place) => keys.get(*place).cloned().unwrap_or(Value::Null),
                Item::Count => Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)),
            };
            closed.items.iter().map(item).collect()
        })
        .collect();
    // Stable: rows that are alike stay in the order of the keys.
    rows.sort_by(|a, b| {
        closed
            .order
            .iter()
            .map(|(place, is_down)| {
                let order = compare(a.get(*place), b.get(*place));
                if *is_down { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    if let Some(limit) = closed.limit {
        rows.truncate(limit);
    }
    Ok(Some(rows))
}

fn shown(key: Key) -> Value {
    match key {
        Key::Number(number) => Value::Integer(number),
        Key::Text(text) => Value::Text(text.into()),
        // Only columns of numbers and texts are keys.
        Key::Missing | Key::FloatBits(_) | Key::Uid(_) => Value::Null,
    }
}

/// As SQLite orders values: nothing, numbers, texts by their bytes.
fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::Integer(a)), Some(Value::Integer(b))) => a.cmp(b),
        (Some(Value::Text(a)), Some(Value::Text(b))) => a.cmp(b),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: Option<&Value>) -> u8 {
    match value {
        None | Some(Value::Null) => 0,
        Some(Value::Integer(_) | Value::Real(_)) => 1,
        Some(Value::Text(_)) => 2,
        Some(Value::Blob(_)) => 3,
    }
}
