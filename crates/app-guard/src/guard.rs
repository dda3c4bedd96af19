//! The guard of one application: settings, rules and figures that all its exchanges share.

mod applied;

pub(crate) use applied::ban_event;

use crate::active::{Active, Additions};
use crate::address::{CloudProvider, CloudRanges};
use crate::event::EventType;
use crate::exchange::Exchange;
use crate::metrics::{ExchangeFigures, Metric, MetricSums};
use crate::route_rules::Route;
use crate::rules::{RuleSet, RulesApplied, RulesRefused};
use crate::settings::{GuardSettings, SettingsError};
use applied::{Applied, differences};

use foldhash::fast::RandomState;
use parking_lot::{Mutex, RwLock};
use ringwall_inspection::{Moment, RequestHead};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Guards one application. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Guard {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    active: RwLock<Arc<Active>>,
    clouds: RwLock<Arc<CloudRanges>>,
    /// Settings without rules, and the rules that hold: what `active` is made of.
    made_of: Mutex<MadeOf>,
    sums: MetricSums,
    told: Told,
    known: KnownEndpoints,
}

#[derive(Debug)]
struct MadeOf {
    settings: GuardSettings,
    applied: Option<Applied>,
    /// Whether somebody answers questions about countries.
    knows_countries: bool,
}

impl Guard {
    /// A guard with these settings.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(settings: GuardSettings) -> Result<Self, SettingsError> {
        let active = Active::new(&settings, Additions::default())?;
        let sums = MetricSums::new(settings.limits.endpoints);
        let known = KnownEndpoints::new(settings.limits.endpoints);
        Ok(Self {
            shared: Arc::new(Shared {
                active: RwLock::new(Arc::new(active)),
                clouds: RwLock::default(),
                made_of: Mutex::new(MadeOf { settings, applied: None, knows_countries: true }),
                sums,
                told: Told::default(),
                known,
            }),
        })
    }

    /// Begins an exchange. The route is the one the application's router found; without one it is looked
    /// up among the routes of the settings.
    #[must_use]
    pub fn exchange(
        &self,
        head: &RequestHead<'_>,
        route: Option<Arc<Route>>,
        now: Moment,
    ) -> Exchange {
        let active = Arc::clone(&self.shared.active.read());
        let route = route.or_else(|| active.routes.find(head.method, head.path).cloned());
        Exchange::new(self.clone(), active, head, route, now)
    }

    /// Puts other settings in force for exchanges that begin from now on; rules stay on top of them.
    ///
    /// # Errors
    /// What is wrong with them; then what held before still holds.
    pub fn replace_settings(&self, settings: GuardSettings) -> Result<(), SettingsError> {
        let mut made_of = self.shared.made_of.lock();
        let active = match &made_of.applied {
            Some(applied) => {
                let (merged, added, _) =
                    applied::merged(&settings, &applied.rules, made_of.knows_countries);
                Active::new(&merged, added)?
            }
            None => Active::new(&settings, Additions::default())?,
        };
        made_of.settings = settings;
        *self.shared.active.write() = Arc::new(active);
        Ok(())
    }

    /// Puts rules in force, and says what else is to be done about them in the state. First what earlier
    /// rules changed is taken back.
    ///
    /// # Errors
    /// Why they were not taken; then what held before still holds.
    pub fn apply_rules(&self, rules: &RuleSet, now: Moment) -> Result<RulesApplied, RulesRefused> {
        let mut made_of = self.shared.made_of.lock();
        applied::acceptable(rules, made_of.applied.as_ref(), now)?;
        let (settings, added, left_out) =
            applied::merged(&made_of.settings, rules, made_of.knows_countries);
        let active = Active::new(&settings, added).map_err(|error| RulesRefused::Invalid {
            rule_id: rules.rule_id.clone(),
            version: rules.version,
            reason: error.to_string(),
        })?;
        let active = Arc::new(active);
        let next = Applied::new(rules, &active);
        let outcome = differences(made_of.applied.as_ref(), Some(&next), &active, left_out, now);
        made_of.applied = Some(next);
        *self.shared.active.write() = active;
        Ok(outcome)
    }

    /// Nobody will answer questions about countries: what rules say about them is left out from now on,
    /// rather than that nobody is let in. Settings that ask for countries ask all the same.
    pub fn without_countries(&self) {
        self.shared.made_of.lock().knows_countries = false;
    }

    /// Takes rules back whose time is over; to be called now and then.
    pub fn expire_rules(&self, now: Moment) -> Option<RulesApplied> {
        let mut made_of = self.shared.made_of.lock();
        let applied = made_of.applied.as_ref()?;
        applied.rules.expires_unix_ms.filter(|expires| *expires <= now.unix_ms)?;
        // These settings were good when the guard was made, or when they were replaced.
        let active = Arc::new(Active::new(&made_of.settings, Additions::default()).ok()?);
        let outcome = differences(Some(applied), None, &active, Vec::new(), now);
        made_of.applied = None;
        *self.shared.active.write() = active;
        Some(outcome)
    }

    /// Id and version of the rules that hold.
    #[must_use]
    pub fn rules(&self) -> Option<(String, i64)> {
        let made_of = self.shared.made_of.lock();
        let rules = &made_of.applied.as_ref()?.rules;
        Some((rules.rule_id.clone(), rules.version))
    }

    /// Whether a ban may be made on this network: not on loopback and not on trusted proxies.
    #[must_use]
    pub fn may_ban(&self, network: crate::Network) -> bool {
        self.shared.active.read().may_ban(network)
    }

    /// Puts other cloud ranges in force.
    pub fn set_cloud_ranges(&self, ranges: CloudRanges) {
        *self.shared.clouds.write() = Arc::new(ranges);
    }

    /// The clouds whose ranges are needed: by settings, rules, routes of the settings, and these routes.
    #[must_use]
    pub fn clouds_needed<'r>(
        &self,
        routes: impl IntoIterator<Item = &'r Arc<Route>>,
    ) -> BTreeSet<CloudProvider> {
        let active = self.active();
        let mut needed: BTreeSet<_> = active.clouds.providers().collect();
        needed.extend(active.routes.iter().flat_map(|route| route.clouds.providers()));
        needed.extend(routes.into_iter().flat_map(|route| route.clouds.providers()));
        needed
    }

    /// Whether settings, rules or routes of the settings ask for countries.
    #[must_use]
    pub fn needs_countries(&self) -> bool {
        let active = self.active();
        active.lists.asks_country() || active.routes.iter().any(|route| route.asks_country())
    }

    /// The names of the application's checks and verifiers that settings ask for.
    #[must_use]
    pub fn names_needed(&self) -> BTreeSet<String> {
        let active = self.active();
        let routes = active.routes.iter().flat_map(|route| route.names_needed());
        active.check.as_deref().into_iter().chain(routes).map(str::to_owned).collect()
    }

    /// The headers that every answer carries, whoever gives it.
    #[must_use]
    pub fn answer_headers(&self) -> Vec<(String, String)> {
        let active = self.active();
        active.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The figures of all exchanges since the last call.
    #[must_use]
    pub fn take_metrics(&self) -> Vec<Metric> {
        self.shared.sums.take()
    }

    pub(crate) fn active(&self) -> Arc<Active> {
        Arc::clone(&self.shared.active.read())
    }

    pub(crate) fn clouds(&self) -> Arc<CloudRanges> {
        Arc::clone(&self.shared.clouds.read())
    }

    pub(crate) fn add_figures(&self, figures: &ExchangeFigures) {
        self.shared.sums.add(figures);
    }

    /// Whether a path without a route is one that the application serves, by what it answered.
    pub(crate) fn knows_endpoint(&self, path: &str, answered: Option<u16>) -> bool {
        self.shared.known.knows(path, answered)
    }

    /// Whether this was not told within the last five minutes; then it counts as told.
    pub(crate) fn tells(&self, event: EventType, of: &str, now: Moment) -> bool {
        self.shared.told.tells(event, of, now.instant)
    }
}

/// Which paths the application serves, as far as they are no routes with rules.
///
/// Scanners ask for thousands of paths that are not there. Each of them as an endpoint of its own would
/// push the real ones out of the figures.
#[derive(Debug)]
struct KnownEndpoints {
    paths: RwLock<HashSet<u64, RandomState>>,
    hasher: RandomState,
    max: usize,
}

impl KnownEndpoints {
    fn new(max: usize) -> Self {
        Self { paths: RwLock::default(), hasher: RandomState::default(), max }
    }

    fn knows(&self, path: &str, answered: Option<u16>) -> bool {
        let key = self.hasher.hash_one(path);
        {
            let paths = self.paths.read();
            let learns = answered.is_some_and(|status| status != 404) && paths.len() < self.max;
            if paths.contains(&key) || !learns {
                return paths.contains(&key);
            }
        }
        self.paths.write().insert(key);
        true
    }
}

/// What was told lately, so that it is not told with each request.
#[derive(Debug, Default)]
struct Told {
    when: Mutex<HashMap<u64, Instant, RandomState>>,
    hasher: RandomState,
}

/// As often is the same thing told again.
const TELL_AGAIN: Duration = Duration::from_secs(300);

/// So many things are remembered; beyond them nothing is told, which only concerns telling.
const TOLD_MAX: usize = 2_048;

impl Told {
    fn tells(&self, event: EventType, of: &str, now: Instant) -> bool {
        let key = self.hasher.hash_one((event, of));
        let mut when = self.when.lock();
        let lately = |told: &Instant| now.saturating_duration_since(*told) < TELL_AGAIN;
        if when.get(&key).is_some_and(lately) {
            return false;
        }
        if when.len() >= TOLD_MAX && !when.contains_key(&key) {
            when.retain(|_, told| lately(told));
            if when.len() >= TOLD_MAX {
                return false;
            }
        }
        when.insert(key, now);
        true
    }
}
