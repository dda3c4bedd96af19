//! The layer, and what it is built from.

#[cfg(feature = "redis")]
use crate::background::Current;
use crate::background::{self, Background, CloudLists, CountryFile};
use crate::callbacks::Callbacks;
use crate::carrier::{Carrier, headers_of, now};
use crate::country::CountrySource;
use crate::handle::GuardHandle;
use crate::service::GuardService;
use crate::sink::{EventSink, Sinks};
#[cfg(feature = "redis")]
use crate::state::{
    SharedState, WhenAwayPolicy,
    redis::{RedisSettings, RedisState, RedisStateError},
};
use crate::time_zone;
use http::request::Parts;
use parking_lot::{Mutex, RwLock};
use ringwall_app_guard::CloudRanges;
use ringwall_app_guard::{CheckRefusal, Credential};
use ringwall_app_guard::{Guard, GuardSettings, LocalState, Route, RouteRules, SettingsError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tower_layer::Layer;

/// Puts the guard in front of an application: of an axum router, a tonic server, a hyper service.
///
/// Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    carrier: Arc<Carrier>,
    route: Option<Arc<Route>>,
}

impl GuardLayer {
    /// Begins a guard with these settings.
    pub fn builder(settings: GuardSettings) -> GuardBuilder {
        GuardBuilder {
            settings,
            callbacks: Callbacks::default(),
            names: BTreeSet::new(),
            sinks: Vec::new(),
            countries: None,
            country_file: None,
            cloud_ranges: None,
            cloud_lists: None,
            hold_time: Duration::from_secs(2),
            #[cfg(feature = "redis")]
            redis: None,
        }
    }

    /// A guard with these settings and nothing else.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: GuardSettings) -> Result<Self, BuildError> {
        Self::builder(settings).build()
    }

    /// The same guard with rules for the route that it is put on, in the place of the guard without them: a
    /// request that passes both is counted twice. `pattern` is the route's, as in `/orders/{id}`; counters and
    /// figures of the route go by it.
    ///
    /// # Errors
    /// What is wrong with the rules; among them, that they name a verifier or check that nobody registered.
    pub fn route(&self, pattern: &str, mut rules: RouteRules) -> Result<Self, SettingsError> {
        rules.resolve_zone(time_zone::look_up);
        let route = rules.compile(pattern)?;
        self.carrier.check_names(route.names_needed())?;
        let route = Some(Arc::new(route));
        Ok(Self { carrier: self.carrier.clone(), route })
    }

    /// Bans, rules, settings, events: what the application does with the guard while it runs.
    #[must_use]
    pub fn handle(&self) -> GuardHandle {
        GuardHandle::new(self.carrier.clone())
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService::new(inner, self.carrier.clone(), self.route.clone())
    }
}

/// Why a guard could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Settings or routes name a verifier or a check that nobody registered.
    #[error("no verifier or check is registered under the name `{0}`")]
    UnknownName(String),
    /// Rules about countries need somebody who knows countries.
    #[error("there are rules about countries, and neither a database nor a source of countries")]
    NoCountries,
    /// Files, lists and Redis are followed by tasks.
    #[error("files, lists and Redis need a tokio runtime")]
    NoRuntime,
    /// Redis cannot be used.
    #[cfg(feature = "redis")]
    #[error("cannot use Redis")]
    Redis(#[source] RedisStateError),
}

/// What a guard is built from.
#[derive(Debug)]
#[must_use = "nothing is guarded before `build`"]
pub struct GuardBuilder {
    settings: GuardSettings,
    callbacks: Callbacks,
    names: BTreeSet<String>,
    sinks: Vec<DebugSink>,
    countries: Option<DebugCountries>,
    country_file: Option<CountryFile>,
    cloud_ranges: Option<CloudRanges>,
    cloud_lists: Option<CloudLists>,
    hold_time: Duration,
    #[cfg(feature = "redis")]
    redis: Option<(RedisSettings, WhenAwayPolicy)>,
}

/// Sinks and sources of the application need not be printable.
struct DebugSink(Arc<dyn EventSink>);
struct DebugCountries(Arc<dyn CountrySource>);

impl std::fmt::Debug for DebugSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventSink")
    }
}

impl std::fmt::Debug for DebugCountries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CountrySource")
    }
}

impl GuardBuilder {
    /// Tells this one of events and figures, beside others.
    pub fn sink(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.sinks.push(DebugSink(sink));
        self
    }

    /// Verifies the credentials that rules of routes name this verifier for.
    pub fn verifier(
        mut self,
        name: impl Into<String>,
        verify: impl Fn(&Credential) -> bool + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        self.names.insert(name.clone());
        self.callbacks.verifier(name, verify);
        self
    }

    /// The same for a verifier that has to wait, for a database for instance.
    pub fn async_verifier<F>(
        mut self,
        name: impl Into<String>,
        verify: impl Fn(Credential) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let name = name.into();
        self.names.insert(name.clone());
        self.callbacks.async_verifier(name, verify);
        self
    }

    /// Answers the check of this name; `None` lets the request pass.
    pub fn check(
        mut self,
        name: impl Into<String>,
        check: impl Fn(&Parts) -> Option<CheckRefusal> + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        self.names.insert(name.clone());
        self.callbacks.check(name, check);
        self
    }

    /// The same for a check that has to wait.
    pub fn async_check<F>(
        mut self,
        name: impl Into<String>,
        check: impl Fn(Parts) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<CheckRefusal>> + Send + 'static,
    {
        let name = name.into();
        self.names.insert(name.clone());
        self.callbacks.async_check(name, check);
        self
    }

    /// Looks countries up in this MaxMind database, which is read again when it changes.
    pub fn country_file(mut self, file: CountryFile) -> Self {
        self.country_file = Some(file);
        self
    }

    /// Looks countries up here.
    pub fn country_source(mut self, source: Arc<dyn CountrySource>) -> Self {
        self.countries = Some(DebugCountries(source));
        self
    }

    /// Knows these ranges of clouds.
    pub fn cloud_ranges(mut self, ranges: CloudRanges) -> Self {
        self.cloud_ranges = Some(ranges);
        self
    }

    /// Reads the ranges of clouds from these lists, and keeps them fresh.
    pub fn cloud_lists(mut self, lists: CloudLists) -> Self {
        self.cloud_lists = Some(lists);
        self
    }

    /// Holds a body back for so long at most until enough of it has come to be searched; what follows is
    /// searched as it streams. Two seconds unless told otherwise.
    pub fn body_hold_time(mut self, time: Duration) -> Self {
        self.hold_time = time;
        self
    }

    /// Shares bans, limits, behaviour and patterns with other workers through Redis.
    #[cfg(feature = "redis")]
    pub fn redis(mut self, settings: RedisSettings, when_away: WhenAwayPolicy) -> Self {
        self.redis = Some((settings, when_away));
        self
    }

    /// The guard.
    ///
    /// # Errors
    /// What is wrong with what it is built from.
    pub fn build(self) -> Result<GuardLayer, BuildError> {
        let mut settings = self.settings;
        for route in &mut settings.routes {
            route.rules.resolve_zone(time_zone::look_up);
        }
        let guard = Guard::new(settings.clone())?;
        if let Some(name) = guard.names_needed().difference(&self.names).next() {
            return Err(BuildError::UnknownName(name.clone()));
        }
        let background = Background::new();
        let has_runtime = tokio::runtime::Handle::try_current().is_ok();
        let needs_runtime = self.country_file.is_some() || self.cloud_lists.is_some();
        if needs_runtime && !has_runtime {
            return Err(BuildError::NoRuntime);
        }
        let mut countries = self.countries.map(|source| source.0);
        if let Some(file) = self.country_file {
            let followed = Arc::new(background::Countries::default());
            countries = Some(followed.clone());
            background.spawn(background::follow_countries(file, followed, background.stopping()));
        }
        if countries.is_none() && guard.needs_countries() {
            return Err(BuildError::NoCountries);
        }
        if countries.is_none() {
            guard.without_countries();
        }
        if let Some(ranges) = self.cloud_ranges {
            guard.set_cloud_ranges(ranges);
        }
        if let Some(lists) = self.cloud_lists {
            let stopping = background.stopping();
            background.spawn(background::follow_clouds(lists, guard.clone(), stopping));
        }
        #[cfg(feature = "redis")]
        let shared = match self.redis {
            Some(_) if !has_runtime => return Err(BuildError::NoRuntime),
            Some((redis, when_away)) => {
                let state = RedisState::new(redis).map_err(BuildError::Redis)?;
                Some(Arc::new(SharedState::new(state, when_away)))
            }
            None => None,
        };
        let start = now();
        let carrier = Arc::new(Carrier {
            local: LocalState::new(settings.limits, start),
            settings: Mutex::new(settings),
            #[cfg(feature = "redis")]
            shared: shared.clone(),
            #[cfg(feature = "redis")]
            patterns: Current::default(),
            countries,
            callbacks: self.callbacks,
            sinks: Arc::new(Sinks::new(self.sinks.into_iter().map(|sink| sink.0).collect())),
            background,
            hold_time: self.hold_time,
            headers: RwLock::new(headers_of(&guard)),
            started: start.instant,
            expiry_due_ms: AtomicU64::new(0),
            guard,
        });
        #[cfg(feature = "redis")]
        if let Some(shared) = shared {
            let stopping = carrier.background.stopping();
            let follow = background::follow_redis(Arc::downgrade(&carrier), shared, stopping);
            carrier.background.spawn(follow);
        }
        Ok(GuardLayer { carrier, route: None })
    }
}
