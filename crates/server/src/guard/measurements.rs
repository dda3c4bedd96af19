//! Measurements by the minute.

use ringwall_dialects::guard::{KNOWN_METRIC_TYPES, Metric};
use ringwall_event::{Activity, Event, Timestamp};
use ringwall_store::GuardMetricBucket;
use std::collections::BTreeMap;

/// Our own count of a project's events. No sender's metric has such a name.
pub(super) const EVENTS: &str = "@events";
/// Our own count of those that tell of a blocked request.
pub(super) const BLOCKED: &str = "@blocked";
/// Our own counts, by the names under which they are asked for.
const COUNTED: [(&str, &str); 2] = [("events", EVENTS), ("blocked", BLOCKED)];
/// So many minutes of one batch are told apart; of more than that, hours.
const COUNTED_MINUTES_MAX: usize = 240;
/// So many sums of one batch are told apart; of more than that, those of whole hours, whatever the path.
/// Guards send a hundred metrics at once.
const SUMS_MAX: usize = 2000;
/// What metrics of unknown types are counted under: their names are the sender's, and without end.
const OTHER_METRIC: &str = "other";
/// What further paths of a minute are counted under.
pub(super) const OTHER_ENDPOINTS: &str = "(other)";
/// Longer paths are cut; they are measured, not looked up.
const ENDPOINT_BYTES_MAX: usize = 256;
/// How far from the time of receipt a sender's time is believed: a spool may be days old, a clock a little
/// ahead.
const PAST_SECONDS_MAX: i64 = 7 * 86_400;
const FUTURE_SECONDS_MAX: i64 = 120;

/// The sums of these metrics, by metric, minute and path.
pub(crate) fn buckets(metrics: &[Metric], now: Timestamp) -> Vec<GuardMetricBucket> {
    let mut sums: BTreeMap<(&str, i64, &str), Sum> = BTreeMap::new();
    for metric in metrics.iter().filter(|metric| metric.value.is_finite()) {
        let known = KNOWN_METRIC_TYPES.iter().find(|known| **known == &*metric.metric_type);
        let name = known.copied().unwrap_or(OTHER_METRIC);
        let path = metric.path().unwrap_or_default();
        let path = path.get(..path.floor_char_boundary(ENDPOINT_BYTES_MAX)).unwrap_or_default();
        let minute = minute_of(metric.timestamp, now);
        add(&mut sums, (name, minute, path), &one(metric.value));
    }
    // Each is written for itself, by the one writer that all wait for.
    if sums.len() > SUMS_MAX {
        let all = std::mem::take(&mut sums);
        for ((name, minute, _), sum) in &all {
            add(&mut sums, (name, hour_of(*minute), OTHER_ENDPOINTS), sum);
        }
    }
    let bucket = |((metric, minute, endpoint), sum): ((&str, i64, &str), Sum)| GuardMetricBucket {
        metric: metric.into(),
        minute,
        endpoint: endpoint.into(),
        count: sum.count,
        sum: sum.sum,
        min: sum.min,
        max: sum.max,
    };
    sums.into_iter().map(bucket).collect()
}

#[derive(Clone, Copy)]
struct Sum {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

const fn one(value: f64) -> Sum {
    Sum { count: 1, sum: value, min: value, max: value }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, Sum>, key: K, more: &Sum) {
    let add = |sum: &mut Sum| {
        sum.count += more.count;
        sum.sum = (sum.sum + more.sum).clamp(f64::MIN, f64::MAX);
        sum.min = sum.min.min(more.min);
        sum.max = sum.max.max(more.max);
    };
    sums.entry(key).and_modify(add).or_insert(*more);
}

const fn hour_of(minute: i64) -> i64 {
    minute.div_euclid(60) * 60
}

/// All that can be asked for.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let counted = COUNTED.iter().map(|(name, _)| *name);
    KNOWN_METRIC_TYPES.into_iter().chain([OTHER_METRIC]).chain(counted)
}

/// What is kept under this name; none where nothing is.
pub(crate) fn kept_as(name: &str) -> Option<&'static str> {
    let counted = COUNTED.into_iter().find(|(counted, _)| *counted == name).map(|(_, kept)| kept);
    counted.or_else(|| names().find(|known| *known == name))
}

/// How many of these events there are, and how many tell of a blocked request, by the minute in which they
/// happened: beside what the same guard measured then.
pub(super) fn counted(events: &[Event], now: Timestamp) -> Vec<GuardMetricBucket> {
    let mut counts: BTreeMap<i64, Count> = BTreeMap::new();
    for event in events {
        let is_blocked =
            matches!(&event.activity, Activity::AppGuard(seen) if seen.is_blocked_request());
        let count = counts.entry(minute_of(event.time, now)).or_default();
        count.events += 1;
        count.blocked += u32::from(is_blocked);
    }
    // Whoever makes up a time for each event shall not have a row written for each.
    if counts.len() > COUNTED_MINUTES_MAX {
        let minutes = std::mem::take(&mut counts);
        for (minute, more) in minutes {
            let count = counts.entry(hour_of(minute)).or_default();
            count.events += more.events;
            count.blocked += more.blocked;
        }
    }
    let bucket = |metric: &str, minute: i64, count: u32| GuardMetricBucket {
        metric: metric.into(),
        minute,
        endpoint: "".into(),
        count: count.into(),
        sum: count.into(),
        min: 1.0,
        max: 1.0,
    };
    let blocked = counts.iter().filter(|(_, count)| count.blocked > 0);
    let blocked = blocked.map(|(minute, count)| bucket(BLOCKED, *minute, count.blocked));
    let events = counts.iter().map(|(minute, count)| bucket(EVENTS, *minute, count.events));
    blocked.chain(events).collect()
}

/// What is counted of one minute.
#[derive(Default)]
struct Count {
    events: u32,
    blocked: u32,
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
    use ringwall_event::{AppGuardEvent, EventId, Severity, Source};

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

    /// Whoever makes up a path and a time for each value keeps the one writer busy with its own rows.
    #[test]
    fn a_batch_writes_few_rows() {
        let paths: Vec<String> = (0..20_000).map(|number| format!("/{number}")).collect();
        let metrics: Vec<Metric> = (0_i64..)
            .zip(&paths)
            .map(|(number, path)| metric("threat_level", -number * 20, 2.0, Some(path)))
            .collect();
        let sums = buckets(&metrics, now());
        assert!(sums.len() <= 20_000 * 20 / 3600 + 2, "{}", sums.len());
        assert!(sums.iter().all(|sum| &*sum.endpoint == "(other)" && sum.minute % 60 == 0));
        let count: u64 = sums.iter().map(|sum| sum.count).sum();
        let total: f64 = sums.iter().map(|sum| sum.sum).sum();
        assert_eq!((count, total), (20_000, 40_000.0));
        assert_eq!(buckets(&metrics[..2000], now()).len(), 2000);
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

    fn event(seconds: i64, action: &str) -> Event {
        let seen = AppGuardEvent { action: action.into(), ..AppGuardEvent::default() };
        Event {
            id: EventId::default(),
            time: now().plus_seconds(seconds),
            received: now(),
            source: Source::new(Source::GUARD, "shop"),
            host: "shop".into(),
            severity: Severity::Low,
            activity: Activity::AppGuard(Box::new(seen)),
            original: None,
        }
    }

    #[test]
    fn events_count_in_the_minute_in_which_they_happened() {
        let events = [
            event(0, "request_blocked"),
            event(-3600, "request_blocked"),
            event(-3600, "logged_only"),
            event(-30 * 86_400, "blocked"),
        ];
        let minute = now().as_seconds() / 60;
        let found: Vec<_> = counted(&events, now())
            .iter()
            .map(|it| (it.metric.to_string(), it.minute - minute, it.count, it.sum))
            .collect();
        assert_eq!(
            found,
            [
                (BLOCKED.to_owned(), -60, 1, 1.0),
                (BLOCKED.to_owned(), 0, 2, 2.0),
                (EVENTS.to_owned(), -60, 2, 2.0),
                (EVENTS.to_owned(), 0, 2, 2.0),
            ]
        );
    }

    /// A spool of four hours came as hours where most of its events told of blocked requests.
    #[test]
    fn minutes_are_told_apart_however_much_is_counted_of_each() {
        for (minutes, rows) in [(COUNTED_MINUTES_MAX, COUNTED_MINUTES_MAX), (241, 5)] {
            let minutes = i64::try_from(minutes).unwrap();
            // The last of them ends an hour, so that they are as few hours as can be.
            let last = -now().as_seconds().rem_euclid(3600) - 60;
            let at = |number: i64| event(last - 60 * number, "request_blocked");
            let events: Vec<Event> = (0..minutes).map(at).collect();
            let found = counted(&events, now());
            let of = |metric: &str| found.iter().filter(|it| &*it.metric == metric).count();
            assert_eq!((of(EVENTS), of(BLOCKED)), (rows, rows), "{minutes}");
        }
    }

    #[test]
    fn made_up_times_write_few_rows() {
        let events: Vec<Event> =
            (0..10_000).map(|number| event(-60 * number, "request_blocked")).collect();
        let found = counted(&events, now());
        assert!(found.len() <= 2 * (10_000 / 60 + 2), "{}", found.len());
        let of = |metric: &str| -> u64 {
            found.iter().filter(|it| &*it.metric == metric).map(|it| it.count).sum()
        };
        assert_eq!((of(EVENTS), of(BLOCKED)), (10_000, 10_000));
    }

    #[test]
    fn counts_have_names_of_their_own() {
        let names: Vec<&str> = names().collect();
        assert_eq!(names.len(), KNOWN_METRIC_TYPES.len() + 3, "{names:?}");
        assert_eq!(kept_as("blocked"), Some("@blocked"));
        assert_eq!(kept_as("block_rate"), Some("block_rate"));
        assert_eq!(kept_as("@blocked"), None);
        assert_eq!(kept_as(""), None);
    }
}
