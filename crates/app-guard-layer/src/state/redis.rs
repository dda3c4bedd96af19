//! State that several workers share: rate windows, bans, behaviour and patterns in Redis.
//!
//! Keys and values are laid out as guard-core 4.x has them, under the same prefix, so that Python and Rust
//! workers share bans and limits. Times are those of Redis. Each question is one script and one round trip;
//! whether an address is banned is remembered for at most a second, so that lifting a ban reaches every worker
//! within that time.
//!
//! The scripts touch several keys at once, so a cluster of Redis servers is not supported, nor is TLS: a
//! server on another machine is reached through a tunnel.

mod link;
mod patterns;
mod remembered;

use ::redis::{Client, Value};
use link::{Link, Script};
use remembered::RememberedBans;
use ringwall_app_guard::keys;
use ringwall_app_guard::payload::Category;
use ringwall_app_guard::{
    Answer, Ban, BanOrder, CounterKey, CounterKind, Hit, HitResult, Network, Question,
};
use ringwall_inspection::Moment;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Where Redis is, and how its keys begin.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// As in `redis://127.0.0.1:6379/0` or `unix:///run/redis.sock`. May hold a password, which is never
    /// shown.
    pub url: String,
    /// Begins every key. `guard_core:` is what Python workers have unless told otherwise.
    pub prefix: String,
    /// No answer is waited for any longer. A request waits for two or three answers.
    pub timeout: Duration,
    /// For so long a worker believes what it last heard of an address' ban. At most one second.
    pub ban_memory: Duration,
}

impl RedisSettings {
    /// The prefix of Python workers, a quarter of a second for an answer, bans remembered for a second.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "guard_core:".to_owned(),
            timeout: Duration::from_millis(250),
            ban_memory: Duration::from_secs(1),
        }
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, prefix, timeout, ban_memory } = self;
        f.debug_struct("RedisSettings")
            .field("prefix", prefix)
            .field("timeout", timeout)
            .field("ban_memory", ban_memory)
            .finish_non_exhaustive()
    }
}

/// Why Redis gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedisStateError {
    /// The address cannot be used. It is not repeated: it may hold a password.
    #[error("bad address of Redis: {0}")]
    BadAddress(String),
    /// It failed a moment ago and is left alone for a while.
    #[error("Redis is away")]
    Away,
    /// It did not answer in time.
    #[error("Redis did not answer in time")]
    TooSlow,
    /// The connection failed.
    #[error("the connection to Redis failed: {0}")]
    Broken(String),
    /// It answered with an error of this code.
    #[error("Redis refused: {0}")]
    Refused(String),
    /// Its answer is not one of ours.
    #[error("Redis gave an answer that is not understood")]
    Unexpected,
    /// A pattern that was to be shared is no good.
    #[error("{0}")]
    BadPattern(String),
    /// No randomness for the name of this worker.
    #[error("no randomness")]
    NoRandomness,
}

/// A counter keeps so many entries at most, whatever its limit.
const ENTRIES_MAX: u32 = 100_000;
/// Keys of when a ban was made begin with it, then comes the address or network.
const BAN_MADE: &str = "ban_made:";
/// A hundred years.
const BAN_MS_MAX: u128 = 100 * 366 * 86_400 * 1_000;
/// A year.
const WINDOW_SECONDS_MAX: f64 = 366.0 * 86_400.0;

/// A ban that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedBan {
    /// What is banned: the address itself or a network around it.
    pub network: Network,
    /// How long it still lasts.
    pub remaining: Duration,
}

/// State in Redis. One for a program; connects when it is first asked.
pub struct RedisState {
    settings: RedisSettings,
    link: Link,
    bans: RememberedBans,
    /// Names of this worker's entries begin with it.
    worker: String,
    entries: AtomicU64,
    ban_lookups: AtomicU64,
    bans_remembered: AtomicU64,
}

impl RedisState {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// Where the address cannot be used.
    pub fn new(settings: RedisSettings) -> Result<Self, RedisStateError> {
        let bad =
            |error: ::redis::RedisError| RedisStateError::BadAddress(error.category().to_owned());
        let client = Client::open(settings.url.as_str()).map_err(bad)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| RedisStateError::NoRandomness)?;
        Ok(Self {
            link: Link::new(client, settings.timeout, &SCRIPTS),
            bans: RememberedBans::new(settings.ban_memory.min(Duration::from_secs(1))),
            worker: format!("{:016x}", u64::from_be_bytes(random)),
            entries: AtomicU64::new(0),
            ban_lookups: AtomicU64::new(0),
            bans_remembered: AtomicU64::new(0),
            settings,
        })
    }

    /// Whether it is believed to work: false while it is left alone after failures.
    pub fn is_believed_well(&self) -> bool {
        self.link.is_closed()
    }

    /// Answers a question about state; other questions it cannot answer ([`RedisStateError::Unexpected`]).
    ///
    /// # Errors
    /// Where Redis gives no answer.
    pub async fn answer(
        &self,
        question: &Question,
        now: Moment,
    ) -> Result<Answer, RedisStateError> {
        match question {
            Question::Banned { address } => {
                let ban = self.banned(*address).await?;
                Ok(Answer::Banned(ban.map(|SharedBan { network, remaining }| {
                    let ms = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
                    let expires_unix_ms = now.unix_ms.saturating_add(ms.max(1));
                    Ban { network, expires_unix_ms, reason: None }
                })))
            }
            Question::Hit(hit) => self.hit(hit).await.map(Answer::Hit),
            Question::Count { key, window } => {
                // A window with room for none tells how many are in it.
                let (key, window) = (key.clone(), *window);
                self.hit(&Hit { key, limit: 0, window }).await.map(Answer::Hit)
            }
            Question::Ban(order) => self.ban(order).await.map(|_| Answer::Done),
            Question::Throttled(key) => self.throttled(key).await.map(Answer::Throttled),
            Question::Throttle { key, time } => {
                self.throttle(key, *time).await.map(|()| Answer::Done)
            }
            _ => Err(RedisStateError::Unexpected),
        }
    }

    /// The ban of an address or of a network around it, the one that lasts longest.
    ///
    /// # Errors
    /// Where Redis gives no answer and none is remembered.
    pub async fn banned(&self, address: IpAddr) -> Result<Option<SharedBan>, RedisStateError> {
        let address = address.to_canonical();
        self.ban_lookups.fetch_add(1, Ordering::Relaxed);
        if let Some(ban) = self.bans.recall(address, Instant::now()) {
            self.bans_remembered.fetch_add(1, Ordering::Relaxed);
            return Ok(ban);
        }
        let asked = Instant::now();
        let whole = if address.is_ipv4() { 32 } else { 128 };
        // Whoever bans a network names it by its first address, so the networks around an address can be
        // asked for without a list of them all.
        let networks: Vec<Network> =
            (0..=whole).rev().filter_map(|bits| Network::new(address, bits)).collect();
        let mut keys = Vec::with_capacity(networks.len() + 1);
        keys.push(self.prefixed(&keys::banned_address(address)));
        keys.extend(networks.iter().map(|network| self.prefixed(&keys::banned_network(*network))));
        let answer = whole_numbers(self.link.run(BANNED, &keys, &[]).await?)?;
        let [found, remaining_ms] = *answer else { return Err(RedisStateError::Unexpected) };
        let ban = match usize::try_from(found).map_err(|_| RedisStateError::Unexpected)? {
            0 => None,
            number => {
                // The first key is that of the address, as is the first network.
                let network = networks.get(number.saturating_sub(2));
                let network = *network.ok_or(RedisStateError::Unexpected)?;
                Some(SharedBan { network, remaining: Duration::from_millis(remaining_ms) })
            }
        };
        self.bans.remember(address, ban, asked);
        Ok(ban)
    }

    /// Bans, and forgets what was counted against the network. Where a longer ban stands, that one counts.
    /// Says whether it was written.
    ///
    /// # Errors
    /// Where Redis gives no answer.
    pub async fn ban(&self, order: &BanOrder) -> Result<bool, RedisStateError> {
        if order.network.address().is_loopback() {
            // Nobody shuts themselves out.
            return Ok(false);
        }
        let time_ms = order.time.as_millis().clamp(1, BAN_MS_MAX).to_string();
        let network = order.network;
        let mut keys = vec![self.prefixed(&keys::ban(network)), self.made_key(network)];
        let mut cause = String::new();
        if !network.is_host() && network.contains(order.address) {
            cause = order.address.to_string();
            keys.push(self.prefixed(&keys::banned_address(order.address)));
            keys.push(self.prefixed(&format!("{BAN_MADE}{}", order.address)));
            keys.push(self.causes_key(network));
        }
        let offence = |kind, detail: Option<&str>| {
            let detail = detail.map(Arc::from);
            let key =
                CounterKey { kind, client: network, endpoint: None, detail, window_seconds: None };
            self.prefixed(&keys::counter(&key))
        };
        keys.push(offence(CounterKind::RateRefusal, None));
        keys.push(offence(CounterKind::Detection, None));
        for category in Category::ALL {
            keys.push(offence(CounterKind::Detection, Some(category.name())));
        }
        let answer = self.link.run(BAN, &keys, &[time_ms, cause]).await;
        self.bans.forget(network);
        match answer? {
            Value::Int(written) => Ok(written == 1),
            _ => Err(RedisStateError::Unexpected),
        }
    }

    /// Lifts the ban of just this address or network. Says whether there was one.
    ///
    /// # Errors
    /// Where Redis gives no answer.
    pub async fn unban(&self, network: Network) -> Result<bool, RedisStateError> {
        self.lift(network, Duration::ZERO).await
    }

    /// The same for a wish of that age: what was banned since stays. Of a ban that a Python worker made it is
    /// not known when, and it is lifted.
    pub(crate) async fn lift(
        &self,
        network: Network,
        age: Duration,
    ) -> Result<bool, RedisStateError> {
        let keys = [
            self.prefixed(&keys::ban(network)),
            self.prefixed(&keys::banned_network(network)),
            self.causes_key(network),
            self.made_key(network),
        ];
        let age_us = age.as_micros().min(BAN_MS_MAX * 1000).to_string();
        let arguments = [self.prefixed(keys::BANNED_ADDRESSES), self.prefixed(BAN_MADE), age_us];
        let answer = self.link.run(UNBAN, &keys, &arguments).await;
        self.bans.forget(network);
        match answer? {
            Value::Int(lifted) => Ok(lifted > 0),
            _ => Err(RedisStateError::Unexpected),
        }
    }

    /// Counts one, unless there are as many as the limit within the window already.
    ///
    /// # Errors
    /// Where Redis gives no answer.
    pub async fn hit(&self, hit: &Hit) -> Result<HitResult, RedisStateError> {
        let key = self.prefixed(&keys::counter(&hit.key));
        let window = hit.window.as_secs_f64().clamp(0.001, WINDOW_SECONDS_MAX);
        let keep = match hit.key.kind {
            CounterKind::BehaviourUsage | CounterKind::BehaviourReturn => window.ceil(),
            _ => (window * 2.0).ceil(),
        };
        let arguments = [
            self.entry(),
            hit.limit.min(ENTRIES_MAX).to_string(),
            format!("{window:.6}"),
            format!("{keep:.0}"),
        ];
        let answer = whole_numbers(self.link.run(HIT, &[key], &arguments).await?)?;
        let [within, count, leaves_ms] = *answer else { return Err(RedisStateError::Unexpected) };
        Ok(HitResult {
            within: within == 1,
            count: u32::try_from(count).unwrap_or(u32::MAX),
            retry_after: Duration::from_millis(leaves_ms),
        })
    }

    async fn throttled(&self, key: &CounterKey) -> Result<Option<Duration>, RedisStateError> {
        let mut command = ::redis::cmd("PTTL");
        command.arg(self.throttle_key(key));
        match self.link.send(&command).await? {
            // Minus one: never ends; minus two: is not there.
            Value::Int(ms) => Ok(u64::try_from(ms).ok().map(Duration::from_millis)),
            _ => Err(RedisStateError::Unexpected),
        }
    }

    async fn throttle(&self, key: &CounterKey, time: Duration) -> Result<(), RedisStateError> {
        let mut command = ::redis::cmd("SET");
        let ms = u64::try_from(time.as_millis().clamp(1, BAN_MS_MAX)).unwrap_or(u64::MAX);
        command.arg(self.throttle_key(key)).arg(1).arg("PX").arg(ms);
        self.link.send(&command).await.map(drop)
    }

    fn throttle_key(&self, key: &CounterKey) -> String {
        self.prefixed(&keys::counter(key))
    }

    fn causes_key(&self, network: Network) -> String {
        self.prefixed(&format!("banned_along:{}/{}", network.address(), network.prefix()))
    }

    fn made_key(&self, network: Network) -> String {
        self.prefixed(&match network.is_host() {
            true => format!("{BAN_MADE}{}", network.address()),
            false => format!("{BAN_MADE}{}/{}", network.address(), network.prefix()),
        })
    }

    fn prefixed(&self, key: &str) -> String {
        format!("{}{key}", self.settings.prefix)
    }

    /// A name that no other entry has: two requests of one moment are two.
    fn entry(&self) -> String {
        format!("{}-{}", self.worker, self.entries.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Debug for RedisState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisState").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn whole_numbers(answer: Value) -> Result<Vec<u64>, RedisStateError> {
    let Value::Array(parts) = answer else { return Err(RedisStateError::Unexpected) };
    let number = |part: &Value| match part {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    parts.iter().map(number).collect::<Option<_>>().ok_or(RedisStateError::Unexpected)
}

const HIT: Script = Script { number: 0, text: include_str!("redis/hit.lua") };
const BANNED: Script = Script { number: 1, text: include_str!("redis/banned.lua") };
const BAN: Script = Script { number: 2, text: include_str!("redis/ban.lua") };
const UNBAN: Script = Script { number: 3, text: include_str!("redis/unban.lua") };
const SCRIPTS: [Script; 4] = [HIT, BANNED, BAN, UNBAN];
