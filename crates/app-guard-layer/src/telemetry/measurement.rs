//! What exchanges cost and how they ended, summed up over an interval.
//!
//! The original sends three metrics for each request. Sums say the same in a fraction of the bytes, and
//! refused requests are among them, so that rates of blocks can be told.

use super::redaction::Redaction;
use crate::sink::ExchangeMetrics;
use ringwall_dialects::guard::Metric;
use ringwall_event::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// So many different paths in one interval; the rest counts together.
const ENDPOINTS_MAX: usize = 500;

/// So many different methods of a path; the rest counts together.
const METHODS_MAX: usize = 8;

/// The name for all beyond these bounds.
const OTHER: &str = "other";

/// No path is kept longer, in bytes.
const ENDPOINT_BYTES_MAX: usize = 256;

/// The sums of the interval that goes on.
#[derive(Debug, Default)]
pub(super) struct Measurement {
    endpoints: HashMap<Box<str>, Vec<(Box<str>, Sums)>>,
    cache_lookups: u64,
    cache_hits: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    requests: u64,
    errors: u64,
    blocked: u64,
    duration: Duration,
    longest: Duration,
    bytes: u64,
    threat: f32,
}

impl Measurement {
    /// Adds one exchange.
    pub(super) fn add(&mut self, exchange: &ExchangeMetrics<'_>) {
        self.cache_lookups += u64::from(exchange.cache_lookups);
        self.cache_hits += u64::from(exchange.cache_hits);
        let path = exchange.endpoint.split(['?', '#']).next().unwrap_or_default();
        let path = path.get(..path.floor_char_boundary(ENDPOINT_BYTES_MAX)).unwrap_or_default();
        let is_known = self.endpoints.contains_key(path);
        let path = if is_known || self.endpoints.len() < ENDPOINTS_MAX { path } else { OTHER };
        // The path is only copied where it is new.
        let methods = match self.endpoints.get_mut(path) {
            Some(methods) => methods,
            None => self.endpoints.entry(path.into()).or_default(),
        };
        let sums = match methods.iter().position(|(method, _)| **method == *exchange.method) {
            Some(place) => methods.get_mut(place),
            None => {
                let is_full = methods.len() >= METHODS_MAX;
                let method = if is_full { OTHER } else { exchange.method };
                if !methods.last().is_some_and(|(last, _)| is_full && **last == *OTHER) {
                    methods.push((method.into(), Sums::default()));
                }
                methods.last_mut()
            }
        };
        let Some((_, sums)) = sums else { return };
        sums.requests += 1;
        sums.errors += u64::from(exchange.status >= 400);
        sums.blocked += u64::from(exchange.was_blocked);
        sums.duration = sums.duration.saturating_add(exchange.duration);
        sums.longest = sums.longest.max(exchange.duration);
        sums.bytes = sums
            .bytes
            .saturating_add(exchange.request_bytes)
            .saturating_add(exchange.response_bytes);
        sums.threat = sums.threat.max(exchange.threat);
    }

    /// The metrics of the interval, which ends `now`.
    pub(super) fn finish(self, now: Timestamp, redaction: &Redaction) -> Vec<Metric> {
        let mut metrics = Vec::new();
        for (endpoint, methods) in self.endpoints {
            let mut endpoint = endpoint;
            redaction.text(&mut endpoint);
            for (method, sums) in methods {
                sums.push(&mut metrics, now, &endpoint, &method);
            }
        }
        if self.cache_lookups > 0 {
            let mut metric =
                metric(now, "cache_hit_rate", ratio(self.cache_hits, self.cache_lookups));
            metric.tags.insert("count".into(), self.cache_lookups.to_string().into());
            metrics.push(metric);
        }
        metrics
    }
}

impl Sums {
    fn push(&self, metrics: &mut Vec<Metric>, now: Timestamp, endpoint: &str, method: &str) {
        let count = self.requests.max(1);
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts of requests and bytes in an interval"
        )]
        let values = [
            ("request_count", self.requests as f64),
            ("response_time", self.duration.as_secs_f64() / count as f64),
            ("error_rate", ratio(self.errors, count)),
            ("bandwidth_usage", self.bytes as f64),
            ("threat_level", f64::from(self.threat)),
            ("block_rate", ratio(self.blocked, count)),
        ];
        for (kind, value) in values {
            let mut metric = metric(now, kind, value);
            let mut tag = |name: &str, text: String| metric.tags.insert(name.into(), text.into());
            tag("endpoint", endpoint.to_owned());
            tag("method", method.to_owned());
            if kind != "request_count" {
                tag("count", self.requests.to_string());
            }
            if kind == "response_time" {
                tag("longest", format!("{:.6}", self.longest.as_secs_f64()));
            }
            metrics.push(metric);
        }
    }
}

fn metric(timestamp: Timestamp, kind: &str, value: f64) -> Metric {
    Metric { timestamp, metric_type: kind.into(), value, ..Metric::default() }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one interval")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_dialects::guard::KNOWN_METRIC_TYPES;
    use std::collections::BTreeSet;

    fn exchange<'a>(endpoint: &'a str, method: &'a str, status: u16) -> ExchangeMetrics<'a> {
        ExchangeMetrics {
            endpoint,
            method,
            status,
            duration: Duration::from_millis(20),
            request_bytes: 100,
            response_bytes: 400,
            was_blocked: status == 403,
            threat: if status == 403 { 0.9 } else { 0.0 },
            cache_lookups: 2,
            cache_hits: 1,
        }
    }

    fn finish(measurement: Measurement) -> Vec<Metric> {
        measurement.finish(Timestamp::from_micros(7), &Redaction::new(&[], 1024))
    }

    #[test]
    fn all_seven_metrics_are_told_and_refused_requests_are_among_them() {
        let mut measurement = Measurement::default();
        for status in [200, 200, 404, 403] {
            measurement.add(&exchange("/items?token=abc", "GET", status));
        }
        let metrics = finish(measurement);
        let kinds: BTreeSet<_> = metrics.iter().map(|metric| &*metric.metric_type).collect();
        assert_eq!(kinds, KNOWN_METRIC_TYPES.into_iter().collect());
        let value = |kind| {
            let found = metrics.iter().find(|metric| &*metric.metric_type == kind).unwrap();
            (found.value * 1e4).round() / 1e4
        };
        assert_eq!(value("request_count"), 4.0);
        assert_eq!(value("response_time"), 0.02);
        assert_eq!(value("error_rate"), 0.5);
        assert_eq!(value("block_rate"), 0.25);
        assert_eq!(value("bandwidth_usage"), 2000.0);
        assert_eq!(value("threat_level"), 0.9);
        assert_eq!(value("cache_hit_rate"), 0.5);
        assert_eq!(metrics[0].path(), Some("/items"));
    }

    #[test]
    fn whoever_makes_up_paths_and_methods_fills_no_memory() {
        let mut measurement = Measurement::default();
        for number in 0..2000 {
            measurement.add(&exchange(&format!("/{number}"), "GET", 200));
            measurement.add(&exchange("/0", &format!("M{number}"), 200));
        }
        assert!(measurement.endpoints.len() <= ENDPOINTS_MAX + 1);
        assert!(measurement.endpoints["/0"].len() <= METHODS_MAX + 1);
        let metrics = finish(measurement);
        let counts = metrics.iter().filter(|metric| &*metric.metric_type == "request_count");
        assert_eq!(counts.map(|metric| metric.value).sum::<f64>(), 4000.0);
    }
}
