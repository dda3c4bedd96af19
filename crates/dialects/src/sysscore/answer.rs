//! The body of a 207: one result for each item. It is written by hand, as it is written for every
//! batch.

use super::ItemError;
use crate::validation::Json;
use ringwall_event::EventId;

/// What became of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemResult {
    /// Stored under this id.
    Accepted(EventId),
    /// The same as the stored event with this id.
    Duplicate(EventId),
    /// Not stored.
    Failed(ItemError),
}

/// The body that answers a batch, `application/json`, status 207.
pub fn write_answer(results: &[ItemResult]) -> String {
    let count = |is: fn(&ItemResult) -> bool| results.iter().filter(|result| is(result)).count();
    let mut out = String::with_capacity(64 + results.len() * 88);
    out.push_str("{\"accepted\":");
    push_count(&mut out, count(|result| matches!(result, ItemResult::Accepted(_))));
    out.push_str(",\"duplicates\":");
    push_count(&mut out, count(|result| matches!(result, ItemResult::Duplicate(_))));
    out.push_str(",\"errors\":");
    push_count(&mut out, count(|result| matches!(result, ItemResult::Failed(_))));
    out.push_str(",\"results\":[");
    for (position, result) in results.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        match result {
            ItemResult::Accepted(id) => push_stored(&mut out, *id, "accepted"),
            ItemResult::Duplicate(id) => push_stored(&mut out, *id, "duplicate"),
            ItemResult::Failed(error) => {
                out.push_str("{\"id\":\"\",\"status\":\"error\",\"error\":");
                out.push_str(&Json::quote(&error.to_string()));
                out.push('}');
            }
        }
    }
    out.push_str("]}");
    out
}

/// The body that answers a batch which came before under the same key with the same bytes: what was
/// accepted is now a duplicate, under its first id.
pub fn write_replay(results: &[ItemResult]) -> String {
    let results: Vec<_> = results
        .iter()
        .map(|result| match *result {
            ItemResult::Accepted(id) => ItemResult::Duplicate(id),
            other => other,
        })
        .collect();
    write_answer(&results)
}

fn push_count(out: &mut String, count: usize) {
    out.push_str(&count.to_string());
}

fn push_stored(out: &mut String, id: EventId, status: &str) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    out.push_str("{\"id\":\"");
    for byte in id.as_u128().to_be_bytes() {
        for nibble in [byte >> 4, byte & 15] {
            // A nibble is below 16.
            out.push(DIGITS.get(usize::from(nibble)).copied().unwrap_or_default());
        }
    }
    out.push_str("\",\"status\":\"");
    out.push_str(status);
    out.push_str("\",\"error\":null}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn every_item_has_its_result_and_the_counts_sum_up() {
        let id = EventId::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let results = [
            ItemResult::Accepted(id),
            ItemResult::Failed(ItemError::PidOutOfRange),
            ItemResult::Duplicate(id),
        ];
        let hex = "0123456789abcdef0123456789abcdef";
        let mut expected = json!({
            "accepted": 1, "duplicates": 1, "errors": 1,
            "results": [
                {"id": hex, "status": "accepted", "error": null},
                {"id": "", "status": "error", "error": "pid is outside the range of 64-bit integers"},
                {"id": hex, "status": "duplicate", "error": null},
            ],
        });
        assert_eq!(parsed(&write_answer(&results)), expected);
        expected["accepted"] = json!(0);
        expected["duplicates"] = json!(2);
        expected["results"][0]["status"] = json!("duplicate");
        assert_eq!(parsed(&write_replay(&results)), expected);
    }

    #[test]
    fn an_empty_batch_has_zero_counts() {
        assert_eq!(write_answer(&[]), r#"{"accepted":0,"duplicates":0,"errors":0,"results":[]}"#);
    }

    #[test]
    fn ids_print_as_the_core_type_prints() {
        let id = EventId::from_parts(1_700_000_000_000, 0xdead_beef, 7);
        assert!(write_answer(&[ItemResult::Accepted(id)]).contains(&id.to_string()));
    }

    fn parsed(body: &str) -> Value {
        serde_json::from_str(body).expect("JSON")
    }
}
