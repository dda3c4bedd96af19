//! Figures of exchanges, summed up over an interval.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The figures of one exchange, refused or not.
#[derive(Clone, Debug, PartialEq)]
pub struct ExchangeFigures {
    /// The route's pattern where it is known, else the path; [`OTHER_ENDPOINTS`] for a path that the
    /// application was never seen to serve.
    pub endpoint: Arc<str>,
    /// The method.
    pub method: Box<str>,
    /// The status of the answer, the guard's or the application's; 0 where there was none.
    pub status: u16,
    /// From the first check to the end.
    pub time: Duration,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the answer's body.
    pub response_bytes: u64,
    /// Whether the guard refused it.
    pub refused: bool,
    /// From 0 to 1: how surely it was an attack.
    pub threat: f32,
    /// How often something was looked up that is kept (bans, countries).
    pub lookups: u32,
    /// How often it was there.
    pub lookups_found: u32,
}

/// The seven kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// Requests in the interval.
    RequestCount,
    /// Mean seconds of a request.
    ResponseTime,
    /// Share of answers of 400 and above.
    ErrorRate,
    /// Bytes of bodies in both directions.
    BandwidthUsage,
    /// Mean threat of a request, 0 to 1.
    ThreatLevel,
    /// Share of requests that were refused.
    BlockRate,
    /// Share of lookups that found what they looked for.
    CacheHitRate,
}

impl MetricKind {
    /// The name in telemetry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestCount => "request_count",
            Self::ResponseTime => "response_time",
            Self::ErrorRate => "error_rate",
            Self::BandwidthUsage => "bandwidth_usage",
            Self::ThreatLevel => "threat_level",
            Self::BlockRate => "block_rate",
            Self::CacheHitRate => "cache_hit_rate",
        }
    }
}

/// One figure of an interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// What it says.
    pub kind: MetricKind,
    /// How much.
    pub value: f64,
    /// Of which endpoint; of the whole application where none is named.
    pub endpoint: Option<Arc<str>>,
    /// Of how many requests.
    pub requests: u64,
}

/// The endpoint that stands for all beyond the bound.
pub const OTHER_ENDPOINTS: &str = "(other)";

/// Sums up exchanges by endpoint, a bounded number of endpoints.
#[derive(Debug)]
pub struct MetricSums {
    sums: Mutex<BTreeMap<Arc<str>, Sums>>,
    endpoints_max: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    requests: u64,
    errors: u64,
    refused: u64,
    seconds: f64,
    bytes: u64,
    threat: f64,
    lookups: u64,
    lookups_found: u64,
}

impl MetricSums {
    /// Nothing yet; at most so many endpoints are told apart.
    #[must_use]
    pub const fn new(endpoints_max: usize) -> Self {
        Self { sums: Mutex::new(BTreeMap::new()), endpoints_max }
    }

    /// Takes in one exchange.
    pub fn add(&self, figures: &ExchangeFigures) {
        let mut sums = self.sums.lock();
        let known = sums.contains_key(&figures.endpoint);
        let endpoint = if known || sums.len() < self.endpoints_max {
            Arc::clone(&figures.endpoint)
        } else {
            Arc::from(OTHER_ENDPOINTS)
        };
        sums.entry(endpoint).or_default().add(figures);
    }

    /// The figures since the last call, and starts anew: each endpoint's count, time, errors, bytes and
    /// refusals, and all seven of the application.
    #[must_use]
    pub fn take(&self) -> Vec<Metric> {
        let taken = std::mem::take(&mut *self.sums.lock());
        let mut metrics = Vec::with_capacity(taken.len() * 5 + 7);
        let mut all = Sums::default();
        for (endpoint, sums) in &taken {
            all.merge(sums);
            sums.metrics(Some(endpoint), &mut metrics);
        }
        if all.requests > 0 {
            all.metrics(None, &mut metrics);
        }
        metrics
    }
}

impl Sums {
    fn add(&mut self, figures: &ExchangeFigures) {
        self.requests += 1;
        self.errors += u64::from(figures.status >= 400);
        self.refused += u64::from(figures.refused);
        self.seconds += figures.time.as_secs_f64();
        self.bytes =
            self.bytes.saturating_add(figures.request_bytes).saturating_add(figures.response_bytes);
        self.threat += f64::from(figures.threat);
        self.lookups += u64::from(figures.lookups);
        self.lookups_found += u64::from(figures.lookups_found);
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.refused += other.refused;
        self.seconds += other.seconds;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.threat += other.threat;
        self.lookups += other.lookups;
        self.lookups_found += other.lookups_found;
    }

    fn metrics(&self, endpoint: Option<&Arc<str>>, metrics: &mut Vec<Metric>) {
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let number = |count: u64| count as f64;
        let share = |part: f64| part / number(self.requests.max(1));
        let mut add = |kind, value| {
            let (endpoint, requests) = (endpoint.cloned(), self.requests);
            metrics.push(Metric { kind, value, endpoint, requests });
        };
        add(MetricKind::RequestCount, number(self.requests));
        add(MetricKind::ResponseTime, share(self.seconds));
        add(MetricKind::ErrorRate, share(number(self.errors)));
        add(MetricKind::BandwidthUsage, number(self.bytes));
        add(MetricKind::BlockRate, share(number(self.refused)));
        if endpoint.is_none() {
            add(MetricKind::ThreatLevel, share(self.threat));
            let found = number(self.lookups_found) / number(self.lookups.max(1));
            add(MetricKind::CacheHitRate, found);
        }
    }
}
