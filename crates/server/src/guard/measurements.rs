//! Measurements by the minute.

use ringwall_dialects::guard::{KNOWN_METRIC_TYPES, Metric};
use ringwall_event::Timestamp;
use ringwall_store::GuardMetricBucket;
use std::collections::BTreeMap;

/// Our own count of a project's events. No sender's metric has such a name.
pub(super) const EVENTS: &str = "@events";
/// Our own count of those that tell of something blocked.
pub(super) const BLOCKED: &str = "@blocked";
/// What metrics of unknown types are counted under: their names are the sender's, and without end.
const OTHER_METRIC: &str = "other";
/// Longer paths are cut; they are measured, not looked up.
const ENDPOINT_BYTES_MAX: usize = 256;
/// How far from the time of receipt a sender's time is believed: a spool may be days old, a clock a little
/// ahead.
const PAST_SECONDS_MAX: i64 = 7 * 86_400;
const FUTURE_SECONDS_MAX: i64 = 120;

/// The sums of these metrics, by metric, minute and path.
pub(crate) fn buckets(metrics: &[Metric], now: Timestamp) -> Vec<GuardMetricBucket> {
    let mut sums: BTreeMap<(&str, i64, &str), GuardMetricBucket> = BTreeMap::new();
    for metric in metrics.iter().filter(|metric| metric.value.is_finite()) {
        let known = KNOWN_METRIC_TYPES.iter().find(|known| **known == &*metric.metric_type);
        let name = known.copied().unwrap_or(OTHER_METRIC);
        let path = metric.path().unwrap_or_default();
        let path = path.get(..path.floor_char_boundary(ENDPOINT_BYTES_MAX)).unwrap_or_default();
        let minute = minute_of(metric.timestamp, now);
        let value = metric.value;
        sums.entry((name, minute, path))
            .and_modify(|sum| {
                sum.count += 1;
                sum.sum = (sum.sum + value).clamp(f64::MIN, f64::MAX);
                sum.min = sum.min.min(value);
                sum.max = sum.max.max(value);
            })
            .or_insert_with(|| GuardMetricBucket {
                metric: name.into(),
                minute,
                endpoint: path.into(),
                count: 1,
                sum: value,
                min: value,
                max: value,
            });
    }
    sums.into_values().collect()
}

/// So many events or blocks, at the time of receipt.
pub(super) fn counted(metric: &str, count: u64, now: Timestamp) -> GuardMetricBucket {
    // A count of a batch is far below what a floating-point number holds exactly.
    let sum = u32::try_from(count).unwrap_or(u32::MAX).into();
    GuardMetricBucket {
        metric: metric.into(),
        minute: now.as_seconds().div_euclid(60),
        endpoint: "".into(),
        count,
        sum,
        min: 1.0,
        max: 1.0,
    }
}

fn minute_of(claimed: Timestamp, now: Timestamp) -> i64 {
    let ahead = claimed.as_seconds().saturating_sub(now.as_seconds());
    let moment =
        if (-PAST_SECONDS_MAX..=FUTURE_SECONDS_MAX).contains(&ahead) { claimed } else { now };
    moment.as_seconds().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, seconds: i64, value: f64, endpoint: Option<&str>) -> Metric {
        Metric {
            timestamp: now().plus_seconds(seconds),
            metric_type: name.into(),
            value,
            endpoint: endpoint.map(Into::into),
            ..Metric::default()
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_millis(1_700_000_040_000)
    }

    #[test]
    fn values_of_one_minute_and_path_are_one_sum() {
        let sums = buckets(
            &[
                metric("response_time", 0, 0.5, Some("/a")),
                metric("response_time", 1, 1.5, Some("/a")),
                metric("response_time", -60, 1.0, Some("/a")),
                metric("response_time", 0, 2.0, None),
                metric("made_up", 0, 1.0, None),
                metric("also_made_up", 0, 3.0, None),
            ],
            now(),
        );
        let found: Vec<_> = sums
            .iter()
            .map(|it| (&*it.metric, it.minute, &*it.endpoint, it.count, it.sum, it.min, it.max))
            .collect();
        let minute = now().as_seconds() / 60;
        assert_eq!(
            found,
            [
                ("other", minute, "", 2, 4.0, 1.0, 3.0),
                ("response_time", minute - 1, "/a", 1, 1.0, 1.0, 1.0),
                ("response_time", minute, "", 1, 2.0, 2.0, 2.0),
                ("response_time", minute, "/a", 2, 2.0, 0.5, 1.5),
            ]
        );
    }

    #[test]
    fn times_that_cannot_be_are_those_of_receipt() {
        let minute = now().as_seconds() / 60;
        for (seconds, expected) in [
            (60, minute + 1),
            (86_400, minute),
            (-86_400, minute - 1440),
            (-8 * 86_400, minute),
            (i64::MAX / 2_000_000, minute),
        ] {
            let claimed = now().plus_seconds(seconds);
            assert_eq!(minute_of(claimed, now()), expected, "{seconds} s");
        }
    }
}
