//! What all requests of one guard share: the engine, its state, and whoever answers its questions.

use crate::background::Background;
#[cfg(feature = "redis")]
use crate::background::Current;
use crate::callbacks::{Callbacks, Told};
use crate::country::CountrySource;
use crate::sink::{EventSink, ExchangeMetrics, Sinks};
#[cfg(feature = "redis")]
use crate::state::SharedState;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use parking_lot::{Mutex, RwLock};
use ringwall_app_guard::Network;
#[cfg(feature = "redis")]
use ringwall_app_guard::payload::{CUSTOM_PATTERNS_MAX, check_pattern};
use ringwall_app_guard::{Answer, AnswerFailure, BanOrder, Question};
use ringwall_app_guard::{EventType, GuardEvent};
use ringwall_app_guard::{Exchange, Guard, GuardSettings, LocalState, SettingsError, Step};
use ringwall_app_guard::{ExchangeFigures, RulesApplied};
use ringwall_inspection::Moment;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(crate) type AnswerHeaders = Arc<[(HeaderName, HeaderValue)]>;

pub(crate) struct Carrier {
    pub(crate) guard: Guard,
    /// Settings without what other workers added.
    pub(crate) settings: Mutex<GuardSettings>,
    pub(crate) local: LocalState,
    #[cfg(feature = "redis")]
    pub(crate) shared: Option<Arc<SharedState>>,
    /// Patterns of other workers.
    #[cfg(feature = "redis")]
    pub(crate) patterns: Current<Vec<String>>,
    pub(crate) countries: Option<Arc<dyn CountrySource>>,
    pub(crate) callbacks: Callbacks,
    pub(crate) sinks: Arc<Sinks>,
    pub(crate) background: Background,
    /// A body is held back for so long at most.
    pub(crate) hold_time: Duration,
    /// The headers of every answer, ready made.
    pub(crate) headers: RwLock<AnswerHeaders>,
    /// When the guard was built.
    pub(crate) started: Instant,
    /// When it is looked next whether rules are over, in milliseconds since then: the wall clock may jump
    /// back, and then nobody would look until it has caught up.
    pub(crate) expiry_due_ms: AtomicU64,
}

/// The present, read from both clocks.
pub(crate) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::new(Instant::now(), u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// So many patterns rules from outside may add, for which room is left.
#[cfg(feature = "redis")]
const RULE_PATTERNS_MAX: usize = 200;

/// Rules that are over are taken back within this time.
const EXPIRY_CHECK_MS: u64 = 1_000;

impl Carrier {
    /// Steps until there is something to wait for or to do: never [`Step::Ask`] with an answer at hand.
    pub(crate) fn run(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        head: Option<&Parts>,
        now: Moment,
    ) -> Result<Step, Told<Answer>> {
        loop {
            let step = match self.state_is_local() {
                true => exchange.run(&self.local, now),
                false => exchange.step(now),
            };
            let Step::Ask(question) = step else { return Ok(step) };
            match self.ask(question, head, now) {
                Told::Now(answer) => exchange.answer(answer),
                later => return Err(later),
            }
        }
    }

    /// Counts what can be counted without waiting.
    pub(crate) fn count_here(&self, exchange: &mut Exchange) {
        if self.state_is_local() {
            drop(exchange.run(&self.local, now()));
        }
    }

    #[cfg(feature = "redis")]
    fn state_is_local(&self) -> bool {
        self.shared.is_none()
    }

    #[cfg(not(feature = "redis"))]
    fn state_is_local(&self) -> bool {
        true
    }

    fn ask(
        self: &Arc<Self>,
        question: Question,
        head: Option<&Parts>,
        now: Moment,
    ) -> Told<Answer> {
        const FAILED: Answer = Answer::Failed(AnswerFailure::Failed);
        match question {
            Question::Country { address } => Told::Now(match &self.countries {
                Some(source) if source.is_ready() => Answer::Country(source.country(address)),
                _ => FAILED,
            }),
            Question::Credential(credential) => match self.callbacks.verify(&credential) {
                Some(told) => told.map(Answer::Accepted),
                // Whom nobody can verify is not let in.
                None => Told::Now(Answer::Accepted(false)),
            },
            Question::Check { name } => {
                let asked = head.and_then(|head| self.callbacks.ask(&name, head));
                asked.map_or(Told::Now(FAILED), |told| told.map(Answer::Checked))
            }
            question => self.ask_state(question, now),
        }
    }

    #[cfg(feature = "redis")]
    fn ask_state(self: &Arc<Self>, question: Question, now: Moment) -> Told<Answer> {
        let Some(shared) = self.shared.clone() else { return self.ask_local(&question, now) };
        let carrier = self.clone();
        Told::Later(Box::pin(async move {
            shared.answer(&question, &carrier.local, &*carrier.sinks, now).await
        }))
    }

    #[cfg(not(feature = "redis"))]
    fn ask_state(self: &Arc<Self>, question: Question, now: Moment) -> Told<Answer> {
        self.ask_local(&question, now)
    }

    fn ask_local(&self, question: &Question, now: Moment) -> Told<Answer> {
        let answer = self.local.answer(question, now);
        Told::Now(answer.unwrap_or(Answer::Failed(AnswerFailure::Failed)))
    }

    /// Says what there is to say of an exchange that is over.
    pub(crate) fn finish(&self, exchange: &mut Exchange, now: Moment) -> bool {
        let figures = self.tell(exchange, now);
        self.sinks.metrics(&ExchangeMetrics::from(&figures));
        figures.refused
    }

    /// Tells the events of an exchange that were not told yet; its figures are told once, by [`Self::finish`].
    pub(crate) fn tell(&self, exchange: &mut Exchange, now: Moment) -> ExchangeFigures {
        let finished = exchange.finish(now);
        for event in finished.events {
            self.sinks.event(event.into());
        }
        finished.figures
    }

    /// Takes rules back whose time is over.
    pub(crate) fn expire_rules(self: &Arc<Self>, now: Moment) {
        let due = self.expiry_due_ms.load(Ordering::Relaxed);
        let since = now.instant.saturating_duration_since(self.started).as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        let next = since.saturating_add(EXPIRY_CHECK_MS);
        let (order, else_order) = (Ordering::Relaxed, Ordering::Relaxed);
        let is_due = since >= due;
        if !is_due || self.expiry_due_ms.compare_exchange(due, next, order, else_order).is_err() {
            return;
        }
        let Some(applied) = self.guard.expire_rules(now) else { return };
        let carrier = self.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move { carrier.carry_out(&applied, now).await }));
        } else {
            self.carry_out_here(&applied, now);
        }
    }

    /// Does in the state what rules led to, here and at all workers, and tells of it.
    pub(crate) async fn carry_out(&self, applied: &RulesApplied, now: Moment) {
        self.carry_out_here(applied, now);
        #[cfg(feature = "redis")]
        if let Some(shared) = &self.shared {
            for order in &applied.bans {
                if let Err(error) = shared.ban(order, now).await {
                    let network = order.network;
                    tracing::warn!(%network, %error, "ban is not shared yet; it is tried again");
                }
            }
            for network in &applied.unbans {
                if let Err(error) = shared.unban(*network).await {
                    tracing::warn!(%network, %error, "ban is lifted here only yet; it is tried again");
                }
            }
        }
    }

    fn carry_out_here(&self, applied: &RulesApplied, now: Moment) {
        for order in &applied.bans {
            self.local.ban(order, now);
        }
        for network in &applied.unbans {
            self.local.unban(*network, now);
        }
        for left_out in &applied.left_out {
            tracing::warn!(
                entry = left_out,
                "an entry of the rules makes no sense and is left out"
            );
        }
        for event in &applied.events {
            self.sinks.event(event.clone().into());
        }
    }

    /// Bans, here at once.
    pub(crate) fn ban_here(&self, order: &BanOrder, now: Moment) -> bool {
        if !self.guard.may_ban(order.network) || !self.local.ban(order, now) {
            return false;
        }
        let mut event =
            GuardEvent::new(EventType::IpBanned, "banned", order.reason.to_string(), now);
        event.ip_address = order.network.to_string().into();
        event.handler_name = Some("ip_ban");
        event.metadata.insert("duration".to_owned(), order.time.as_secs().into());
        self.sinks.event(event.into());
        true
    }

    /// Lifts a ban, here at once.
    pub(crate) fn unban_here(&self, network: Network, now: Moment) -> bool {
        self.local.unban(network, now)
    }

    pub(crate) fn tell_unbanned(&self, network: Network, now: Moment) {
        let mut event = GuardEvent::new(EventType::IpUnbanned, "unbanned", "lifted by hand", now);
        event.ip_address = network.to_string().into();
        event.handler_name = Some("ip_ban");
        self.sinks.event(event.into());
    }

    /// Whether somebody registered all these verifiers and checks.
    pub(crate) fn check_names<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), SettingsError> {
        match names.into_iter().find(|name| !self.callbacks.knows(name)) {
            None => Ok(()),
            Some(name) => Err(SettingsError::Value {
                field: "routes",
                reason: format!("no verifier or check is registered under the name `{name}`"),
            }),
        }
    }

    /// Settings with what other workers added.
    #[cfg(feature = "redis")]
    pub(crate) fn with_patterns(&self, settings: &GuardSettings) -> GuardSettings {
        with_patterns(settings, &self.patterns.load())
    }

    #[cfg(not(feature = "redis"))]
    pub(crate) fn with_patterns(&self, settings: &GuardSettings) -> GuardSettings {
        settings.clone()
    }

    /// Looks for these patterns of all workers from now on. One that is no good is left out, and so are those
    /// for which there is no room beside the settings' own.
    #[cfg(feature = "redis")]
    pub(crate) fn take_patterns(&self, patterns: &std::collections::BTreeSet<String>) {
        let settings = self.settings.lock();
        let same = self.patterns.load().iter().eq(patterns.iter());
        if same {
            return;
        }
        let is_good = |pattern: &&String| match check_pattern(pattern) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "a pattern of another worker is left out");
                false
            }
        };
        let good: Vec<String> = patterns.iter().filter(is_good).cloned().collect();
        if *self.patterns.load() == good {
            return;
        }
        match self.guard.replace_settings(with_patterns(&settings, &good)) {
            Ok(()) => self.patterns.replace(good),
            Err(error) => tracing::warn!(%error, "patterns of other workers are not taken"),
        }
    }

    /// The headers that every answer carries.
    pub(crate) fn answer_headers(&self) -> AnswerHeaders {
        self.headers.read().clone()
    }

    /// Makes the headers of answers ready anew.
    pub(crate) fn prepare_headers(&self) {
        *self.headers.write() = headers_of(&self.guard);
    }
}

#[cfg(feature = "redis")]
fn with_patterns(settings: &GuardSettings, patterns: &[String]) -> GuardSettings {
    let mut settings = settings.clone();
    let own = &mut settings.detection.custom_patterns;
    let room = CUSTOM_PATTERNS_MAX.saturating_sub(own.len() + RULE_PATTERNS_MAX);
    let more: Vec<String> =
        patterns.iter().filter(|pattern| !own.contains(pattern)).take(room).cloned().collect();
    own.extend(more);
    settings
}

/// Settings check names and values, so that all of them can be sent.
pub(crate) fn headers_of(guard: &Guard) -> AnswerHeaders {
    let headers = guard.answer_headers();
    let sendable = headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    sendable.collect()
}

impl std::fmt::Debug for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carrier").field("callbacks", &self.callbacks).finish_non_exhaustive()
    }
}
