use ringwall_event::Timestamp;

/// When a payload was made: what the agent's clock says where that can be, else the receipt.
///
/// An agent sends at once and once, so its clock is right if it is within two minutes of the receipt.
/// The original agent sends its local time without an offset; then a whole number of quarter hours
/// in between is its zone. Any other text is a clock that is wrong, or prose: believing it would put
/// the payload where nobody looks.
pub(super) fn moment(text: &str, received: Timestamp) -> Timestamp {
    const MINUTE: i64 = 60_000_000;
    const QUARTER: i64 = 15 * MINUTE;
    // Zones lie between UTC-12 and UTC+14.
    const ZONES: std::ops::RangeInclusive<i64> = -12 * 60 * MINUTE..=14 * 60 * MINUTE;
    let Ok(claimed) = Timestamp::parse(text.trim()) else { return received };
    let ahead = claimed.micros_since(received);
    let zone = if has_offset(text) {
        0
    } else {
        ahead.saturating_add(QUARTER / 2).div_euclid(QUARTER).saturating_mul(QUARTER)
    };
    let is_right = ahead.saturating_sub(zone).unsigned_abs() <= 2 * MINUTE.unsigned_abs();
    if is_right && ZONES.contains(&zone) { claimed.plus_micros(-zone) } else { received }
}

fn has_offset(text: &str) -> bool {
    let time = text.trim().split_once(['T', 't', ' ']).map_or("", |(_, time)| time);
    time.contains(['Z', 'z', '+', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flaw_14_the_zone_of_a_naive_time_is_told_by_the_receipt() {
        check("2026-01-15T09:59:59.500000", Some("2026-01-15T09:59:59.500000Z"));
        check("2026-01-15T10:59:59", Some("2026-01-15T09:59:59Z"));
        check("2026-01-15T15:30:01", Some("2026-01-15T10:00:01Z"));
        check("2026-01-15T15:45:01", Some("2026-01-15T10:00:01Z"));
        check("2026-01-15T01:59:59", Some("2026-01-15T09:59:59Z"));
        check("2026-01-15T23:59:59", Some("2026-01-15T09:59:59Z"));
    }

    #[test]
    fn an_offset_is_converted() {
        check("2026-01-15T11:00:30+01:00", Some("2026-01-15T10:00:30Z"));
        check("2026-01-15 02:00:00-08:00", Some("2026-01-15T10:00:00Z"));
        check("2026-01-15T09:59:00Z", Some("2026-01-15T09:59:00Z"));
        // It says which zone, so another one is no explanation.
        check("2026-01-15T13:00:00Z", None);
    }

    #[test]
    fn a_wrong_clock_and_prose_are_not_believed() {
        check("2026-01-15T10:07:00", None);
        check("2024-01-15T10:30:00", None);
        check("2026-01-16T01:00:00", None);
        check("just now", None);
        check("", None);
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let received = Timestamp::parse("2026-01-15T10:00:00Z").unwrap();
        let expected = expected.map_or(received, |text| Timestamp::parse(text).unwrap());
        assert_eq!(moment(text, received), expected, "text {text:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".*", received: i64) {
            let _ = moment(&text, Timestamp::from_micros(received));
        }
    }
}
