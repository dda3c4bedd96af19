//! A spool in Redis (5 or later) or what speaks as it does: for programs whose own disk does not last.
//!
//! Every call is one script, which Redis runs as a whole: a kill of either side leaves no call half done.
//! A call whose answer was lost is made again once, and recognised.
//!
//! One process has a spool at a time, for as long as its lease: each call renews it, and
//! [`crate::Spool::sync`] does nothing else. After a kill the spool is free when the lease is over, after
//! [`RedisSpool::close`] at once. A process that was away for longer, and in whose place another one
//! opened the spool, is refused from then on.
//!
//! What outlives a crash of Redis is for its configuration to say: `appendonly yes`, and `appendfsync`
//! for power cuts. It must not evict keys (`maxmemory-policy noeviction`): a spool that lacks some is
//! refused. `maxmemory` has to leave room beside the spool's own bounds, as Redis settles nothing
//! either when it is full.

mod connection;

use crate::item::{Batch, BatchBounds, BatchId, Counters, Item, SpoolId};
use crate::spool::{Appended, LABEL_BYTES_MAX, Settlement, Spool, SpoolError, SpoolStatus, now_ms};
use ::redis::{Cmd, ConnectionInfo, IntoConnectionInfo, RedisError, Value};
use bytes::Bytes;
use connection::Connection;
use parking_lot::Mutex;
use std::fmt;
use std::time::Duration;

/// Where a spool in Redis lies and what it may take.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// As in `redis://127.0.0.1:6379` or `unix:///run/redis.sock`. May hold a password, which is never
    /// shown. There is no TLS.
    pub url: String,
    /// Its keys begin with this name in braces: 1 to 100 of letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// So many bytes of items, each counted with 64 more.
    pub bytes_max: u64,
    /// Dead letters are kept up to so many bytes, then the oldest go. None are kept with 0.
    pub dead_bytes_max: u64,
    /// The spool belongs to this process for so long after each call. Longer than `timeout` three times.
    pub lease: Duration,
    /// No answer is waited for any longer; one that was lost is asked for twice.
    pub timeout: Duration,
}

impl RedisSettings {
    /// A spool of at most so many bytes, with 8 MiB of dead letters, a lease of half a minute and 5 s
    /// for an answer.
    pub fn new(url: impl Into<String>, name: impl Into<String>, bytes_max: u64) -> Self {
        Self {
            url: url.into(),
            name: name.into(),
            bytes_max,
            dead_bytes_max: 8 << 20,
            lease: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
        }
    }
}

impl RedisSettings {
    /// Whether these can be right. Redis itself is not asked.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), SpoolError> {
        self.connection_info().map(drop)
    }

    fn connection_info(&self) -> Result<ConnectionInfo, SpoolError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let name = &self.name;
        if !(1..=100).contains(&name.len()) || !name.bytes().all(is_plain) {
            return Err(SpoolError::Remote(format!("bad name `{}`", name.escape_debug())));
        }
        if self.lease <= self.timeout * 3 {
            return Err(SpoolError::Remote("the lease is too short for the timeout".to_owned()));
        }
        // The address may hold a password, and so may an error that repeats it.
        let bad_address =
            |error: RedisError| SpoolError::Remote(format!("bad address: {}", error.category()));
        self.url.as_str().into_connection_info().map_err(bad_address)
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Items in Redis, under keys of one name. One process has it at a time.
pub struct RedisSpool {
    settings: RedisSettings,
    id: SpoolId,
    /// Names this opening of the spool.
    owner: String,
    link: tokio::sync::Mutex<Link>,
    /// As the last answer told.
    known: Mutex<Known>,
}

struct Link {
    connection: Connection,
    /// The number of the last call. They go out in their order, one at a time.
    call: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    counters: Counters,
    bytes: u64,
    oldest_ms: Option<u64>,
}

/// An answer takes so many bytes beside its items: the counts, a label, or what an error says.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Redis does nothing else while it takes items in, so they go in pieces.
const APPEND_COUNT_MAX: usize = 10_000;
const APPEND_BYTES_MAX: usize = 8 << 20;
/// No batch has more items, whatever its bounds say.
const BATCH_COUNT_MAX: usize = 100_000;
/// What a peer said is cut off after this many characters, as is what Redis says.
const TEXT_MAX: usize = 500;

impl RedisSpool {
    /// Opens the spool of this name, or makes it.
    ///
    /// # Errors
    /// Where Redis does not answer, another process has the spool, or keys of it are missing.
    pub async fn open(settings: RedisSettings) -> Result<Self, SpoolError> {
        let info = settings.connection_info()?;
        let random =
            || SpoolId::random().map_err(|error| SpoolError::NoRandomness(error.to_string()));
        let connection = Connection::new(info, settings.timeout);
        let mut spool = Self {
            id: random()?,
            owner: random()?.to_string(),
            link: tokio::sync::Mutex::new(Link { connection, call: 0 }),
            known: Mutex::default(),
            settings,
        };
        let answer = spool.call(OPEN, Vec::new()).await?;
        let id = match &*answer {
            [Value::BulkString(id)] => SpoolId::parse(id),
            _ => None,
        };
        spool.id = id.ok_or_else(|| unexpected("no id"))?;
        Ok(spool)
    }

    /// Gives the spool up, so that another process can have it at once.
    ///
    /// # Errors
    /// Where Redis does not answer; then the spool is free when the lease is over.
    pub async fn close(self) -> Result<(), SpoolError> {
        self.release().await
    }

    /// The same for a spool that others still look at. Whatever is asked of it afterwards is refused.
    ///
    /// # Errors
    /// As [`RedisSpool::close`].
    pub async fn release(&self) -> Result<(), SpoolError> {
        self.call(CLOSE, Vec::new()).await.map(drop)
    }

    /// Runs a script with these arguments; its answer without what [`Known`] takes of it.
    async fn call(&self, script: &str, arguments: Vec<Bytes>) -> Result<Vec<Value>, SpoolError> {
        let mut link = self.link.lock().await;
        link.call += 1;
        let command = self.command(script, link.call, &arguments);
        // Only a batch is longer, and it is a part of what the spool holds.
        let held = self.known.lock().bytes.max(self.settings.bytes_max);
        let bytes_max = if script == NEXT_BATCH { held } else { 0 };
        let bytes_max = bytes_max.saturating_add(ANSWER_BYTES_MAX);
        let answer = link.connection.ask(&command, bytes_max).await;
        let answer = answer.map_err(|error| self.refusal(&error))?;
        let Value::Array(mut parts) = answer else { return Err(unexpected("no list")) };
        if parts.len() < 6 {
            return Err(unexpected("no counts"));
        }
        let rest = parts.split_off(6);
        // Before the next call goes out, so that what is known is never older than what was.
        *self.known.lock() = Known::read(&parts).ok_or_else(|| unexpected("impossible counts"))?;
        Ok(rest)
    }

    fn command(&self, script: &str, call: u64, arguments: &[Bytes]) -> Cmd {
        let mut command = ::redis::cmd("EVAL");
        command.arg(script).arg(KEYS.len());
        for key in KEYS {
            // In braces, the name keeps all of a spool's keys on one node of a cluster.
            command.arg(format!("{{{}}}:{key}", self.settings.name));
        }
        let lease_ms = u64::try_from(self.settings.lease.as_millis()).unwrap_or(u64::MAX);
        command.arg(&self.owner).arg(self.id.to_string()).arg(call).arg(lease_ms.max(1));
        for argument in arguments {
            command.arg(&argument[..]);
        }
        command
    }

    fn refusal(&self, error: &RedisError) -> SpoolError {
        match error.code() {
            Some("RWOWNED") => SpoolError::InUse(self.settings.name.clone().into()),
            Some("RWGONE") => SpoolError::Gone(self.settings.name.clone()),
            Some("RWSETTLED") => SpoolError::NotUnderWay(0),
            Some("RWSINGLE") => SpoolError::NotDivisible(0),
            _ => SpoolError::Remote(one_line(&error.to_string())),
        }
    }
}

impl Spool for RedisSpool {
    /// Many items go in several pieces. After an error, those before it are in, and it is not known of
    /// the piece it happened to.
    async fn append(&self, items: Vec<Item>) -> Result<Appended, SpoolError> {
        let mut appended = Appended::default();
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let (mut pieces, mut bytes, mut count, mut too_large) = (Vec::new(), 0, 0, 0);
            while count < APPEND_COUNT_MAX && bytes < APPEND_BYTES_MAX {
                let Some(Item { payload, gives_way }) = items.next() else { break };
                count += 1;
                if u64::try_from(payload.len()).is_ok_and(|bytes| bytes > self.settings.bytes_max) {
                    too_large += 1;
                    continue;
                }
                bytes += payload.len();
                pieces.push(Bytes::from_static(if gives_way { b"1" } else { b"0" }));
                pieces.push(payload);
            }
            let numbers = [self.settings.bytes_max, now_ms(), too_large];
            let mut arguments: Vec<Bytes> = numbers.map(decimal).into();
            arguments.append(&mut pieces);
            let (kept, dropped) = match &*self.call(APPEND, arguments).await? {
                [kept, dropped] => whole(kept).zip(whole(dropped)),
                _ => None,
            }
            .filter(|(kept, dropped)| usize::try_from(kept.saturating_add(*dropped)) == Ok(count))
            .ok_or_else(|| unexpected("no outcome"))?;
            appended.kept += kept;
            appended.dropped += dropped;
        }
        Ok(appended)
    }

    async fn count_lost(&self, count: u64) -> Result<(), SpoolError> {
        self.call(COUNT_LOST, vec![decimal(count)]).await.map(drop)
    }

    async fn next_batch(
        &self,
        bounds: &BatchBounds,
        label: &[u8],
    ) -> Result<Option<Batch>, SpoolError> {
        let label = label.get(..label.len().min(LABEL_BYTES_MAX)).unwrap_or_default();
        let arguments = vec![
            decimal(u64::try_from(bounds.count_max.clamp(1, BATCH_COUNT_MAX)).unwrap_or(1)),
            // Redis counts in floating point; nothing comes near to this bound.
            decimal(u64::try_from(bounds.bytes_max).unwrap_or(u64::MAX).min(1 << 50)),
            Bytes::copy_from_slice(label),
        ];
        let mut answer = self.call(NEXT_BATCH, arguments).await?.into_iter();
        let Some(ordinal) = answer.next() else { return Ok(None) };
        let ordinal = whole(&ordinal).filter(|ordinal| *ordinal > 0);
        let lost_total = answer.next().as_ref().and_then(whole);
        let label = answer.next().and_then(bytes).filter(|label| label.len() <= LABEL_BYTES_MAX);
        let items = answer.map(bytes).collect::<Option<Vec<Bytes>>>();
        let items = items.filter(|items| (1..=BATCH_COUNT_MAX).contains(&items.len()));
        match (ordinal, lost_total, label, items) {
            (Some(ordinal), Some(lost_total), Some(label), Some(items)) => {
                let id = BatchId { spool: self.id, ordinal };
                Ok(Some(Batch { id, items, lost_total, label }))
            }
            _ => Err(unexpected("no batch")),
        }
    }

    async fn settle(&self, id: BatchId, settlement: Settlement) -> Result<(), SpoolError> {
        if id.spool != self.id {
            return Err(SpoolError::NotUnderWay(id.ordinal));
        }
        let (what, reason) = match settlement {
            Settlement::Delivered => ("delivered", String::new()),
            Settlement::Dead { reason } => ("dead", one_line(&reason)),
            Settlement::Split => ("split", String::new()),
        };
        let arguments = vec![
            decimal(id.ordinal),
            Bytes::from_static(what.as_bytes()),
            Bytes::from(reason),
            decimal(self.settings.dead_bytes_max),
        ];
        match self.call(SETTLE, arguments).await {
            Err(SpoolError::NotUnderWay(_)) => Err(SpoolError::NotUnderWay(id.ordinal)),
            Err(SpoolError::NotDivisible(_)) => Err(SpoolError::NotDivisible(id.ordinal)),
            answer => answer.map(drop),
        }
    }

    fn status(&self) -> SpoolStatus {
        let Known { counters, bytes, oldest_ms } = *self.known.lock();
        SpoolStatus {
            id: self.id,
            counters,
            bytes,
            bytes_max: self.settings.bytes_max,
            oldest_ms,
            is_full: false,
            is_durable: true,
        }
    }

    /// Renews the lease: an idle owner stays the owner.
    async fn sync(&self) -> Result<(), SpoolError> {
        self.call(RENEW, Vec::new()).await.map(drop)
    }
}

impl fmt::Debug for RedisSpool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { settings, id, .. } = self;
        f.debug_struct("RedisSpool")
            .field("id", id)
            .field("settings", settings)
            .finish_non_exhaustive()
    }
}

impl Known {
    /// None where the counts cannot be.
    fn read(parts: &[Value]) -> Option<Self> {
        let [accepted, delivered, dead, waiting, bytes, oldest_ms] = parts else { return None };
        let [accepted, delivered, dead] = [whole(accepted)?, whole(delivered)?, whole(dead)?];
        let [waiting, bytes, oldest_ms] = [whole(waiting)?, whole(bytes)?, whole(oldest_ms)?];
        let dropped = accepted.checked_sub(delivered)?.checked_sub(dead)?.checked_sub(waiting)?;
        let oldest_ms = (waiting > 0).then_some(oldest_ms);
        let counters = Counters { accepted, delivered, dead, dropped, waiting };
        Some(Self { counters, bytes, oldest_ms })
    }
}

fn decimal(number: u64) -> Bytes {
    Bytes::from(number.to_string())
}

fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

fn bytes(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(Bytes::from(bytes)),
        _ => None,
    }
}

/// On one line and not long.
fn one_line(text: &str) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().take(TEXT_MAX).map(plain).collect()
}

fn unexpected(what: &str) -> SpoolError {
    SpoolError::Remote(format!("its answer is not understood: {what}"))
}

const KEYS: [&str; 7] = ["state", "items", "order", "giving-way", "pinned", "owner", "dead"];

/// A script with what comes before it.
macro_rules! script {
    ($($part:literal),+) => {
        concat!(include_str!("redis/prelude.lua"), $(include_str!($part)),+)
    };
}

const OPEN: &str = script!("redis/open.lua");
const RENEW: &str = script!("redis/owned.lua", "redis/renew.lua");
const CLOSE: &str = script!("redis/owned.lua", "redis/close.lua");
const APPEND: &str = script!("redis/owned.lua", "redis/append.lua");
const COUNT_LOST: &str = script!("redis/owned.lua", "redis/count_lost.lua");
const NEXT_BATCH: &str = script!("redis/owned.lua", "redis/next_batch.lua");
const SETTLE: &str = script!("redis/owned.lua", "redis/settle.lua");
