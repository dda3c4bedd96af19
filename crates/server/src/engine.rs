//! The life of a batch: recognise, conclude, commit once, answer, tell the stream.
//!
//! Requests hand their batches to [`Engine::take`]; one writer thread runs them in the order of the
//! commits, so what is concluded from the events and what is stored of them always agree, and a
//! replay of the stored batches gives the same conclusions again.

mod accepted;
mod answer;
mod checkpoint;
mod collecting;
mod conclude;
mod derived;
mod intake;
mod item_window;
mod losses;
mod minutes;
mod ordering;
mod pending_rollups;
mod refused_commands;
mod sweep;
#[cfg(test)]
mod tests;

pub(crate) use accepted::accepted_up_to;
pub(crate) use collecting::judged_result;
pub(crate) use conclude::route;
pub use derived::Derived;
pub(crate) use derived::{HostState, ProcessScore};
pub(crate) use intake::Held;
pub use intake::{IntakeBatch, Outcome, Taken};
pub use losses::LossCount;
pub(crate) use ordering::{NewCommand, OrderError};

use crate::guard_rules::publishing::ChangedRules;
use crate::rules::Rules;
use crate::secrets::random_bytes;
use accepted::AcceptedUpTo;
use checkpoint::Checkpointer;
use intake::intake;
use parking_lot::{RwLock, RwLockReadGuard};
use ringwall_detection::IndicatorSet;
use ringwall_dialects::sysscore::IdentityHasher;
use ringwall_event::{Alert, Command, Event, EventId, Source, Timestamp};
use ringwall_store::{
    CommitError, Database, EncodedBatch, GroupCommit, GroupCommitOptions, Session, StoreError,
};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, oneshot};

/// The one place where events become facts.
pub struct Engine {
    shared: Arc<Shared>,
    group_commit: GroupCommit,
    bytes_in_flight: Arc<Semaphore>,
    retry_after_seconds: u64,
}

/// What the writer thread and the requests both see.
struct Shared {
    identity: IdentityHasher,
    database: Arc<Database>,
    derived: RwLock<Derived>,
    rules: RwLock<Arc<Rules>>,
    stream: broadcast::Sender<StreamItem>,
    events: broadcast::Sender<Arc<Vec<Event>>>,
    signals: parking_lot::Mutex<HashMap<Source, Arc<Notify>>>,
    accepted: AcceptedUpTo,
}

/// Bounds and times of the engine.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// How many batches may wait for the writer.
    pub queue_capacity: usize,
    /// How many bytes of request bodies may wait for the writer.
    pub queue_bytes_max: usize,
    /// What a sender is told to wait when there is no room, in seconds.
    pub retry_after_seconds: u64,
    /// How often derived state is written down, in seconds.
    pub checkpoint_seconds: i64,
    /// How long a batch's mark is kept, in seconds.
    pub mark_seconds: i64,
    /// How many items the item window remembers.
    pub item_window_max: usize,
    /// How long the item window remembers, in seconds.
    pub item_window_seconds: i64,
    /// How many hosts are held in memory.
    pub hosts_max: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            queue_capacity: 4096,
            queue_bytes_max: 256 << 20,
            retry_after_seconds: 1,
            checkpoint_seconds: 60,
            mark_seconds: 7 * 86_400,
            item_window_max: 400_000,
            item_window_seconds: 3600,
            hosts_max: 20_000,
        }
    }
}

/// Why something was not stored. Nothing of it is.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError {
    /// The queue is full.
    #[error("busy, try again in {retry_after_seconds} s")]
    Busy {
        /// When to try again.
        retry_after_seconds: u64,
    },
    /// The database refused; the log has the reason.
    #[error("storage is not available: {0}")]
    Storage(Arc<str>),
    /// The batch is beyond what one batch may hold.
    #[error("a batch holds at most {} events", EventId::BATCH_MAX)]
    TooManyEvents,
}

/// What the stream tells, after the commit.
#[derive(Clone, Debug)]
pub enum StreamItem {
    /// An alert is new or changed.
    Alert(Arc<Alert>),
    /// A command is new or changed.
    Command(Arc<Command>),
    /// A host reported for the first time, or its picture changed.
    Host(Source),
    /// Events were stored.
    Events(Arc<Vec<Event>>),
}

/// What a write sees: the transaction, the derived state, and a list of what to tell the stream.
pub struct Writing<'a> {
    /// The open transaction.
    pub session: &'a Session<'a>,
    /// The state in memory; rebuilt from the database if the transaction fails.
    pub derived: &'a mut Derived,
    /// The rules in force.
    pub rules: &'a Rules,
    /// The moment of the write; always later than the write before.
    pub now: Timestamp,
    shared: &'a Arc<Shared>,
    effects: &'a mut Effects,
}

/// What happens at the end of a write: once it is committed, and only then.
#[derive(Default)]
struct Effects {
    /// Not after the commit, but at the end of the write itself.
    changed_rules: ChangedRules,
    told: Vec<StreamItem>,
    done: Vec<Box<dyn FnOnce() + Send>>,
}

impl Writing<'_> {
    /// Tells the stream, if the commit succeeds.
    pub fn publish(&mut self, item: StreamItem) {
        self.effects.told.push(item);
    }

    /// Does something once the commit succeeded, before the caller hears of it. It runs on the
    /// writer's thread in the order of the commits, also where the caller has gone away: what
    /// mirrors the database in memory is changed here.
    pub(crate) fn after_commit(&mut self, effect: impl FnOnce() + Send + 'static) {
        self.effects.done.push(Box::new(effect));
    }

    /// Has the applications of this project told at the end of this write what holds then; without a
    /// project, those of all.
    pub(crate) fn guard_rules_changed(&mut self, project: Option<&str>) {
        self.effects.changed_rules.add(project);
    }

    /// Wakes the requests for commands that this source holds open, once the commit succeeded.
    pub(crate) fn ring(&mut self, source: Source) {
        let shared = Arc::clone(self.shared);
        self.after_commit(move || {
            if let Some(signal) = shared.signals.lock().get(&source) {
                signal.notify_waiters();
            }
        });
    }

    /// Writes the derived state down with this commit, for a change of this host that follows from
    /// no event.
    pub(crate) fn keep_derived(&mut self, source: Source) -> Result<(), StoreError> {
        self.derived.dirty.insert(source);
        checkpoint::write(self.session, self.derived)
    }

    /// Puts these rules of who may do what into force: for what is decided in this write from now on,
    /// no; for every write after it, yes.
    pub(crate) fn put_access_rules_into_force(&mut self, access: Arc<ringwall_access::Rules>) {
        let shared = Arc::clone(self.shared);
        self.after_commit(move || {
            let mut rules = shared.rules.write();
            *rules = Arc::new(Rules { access, ..Rules::clone(&rules) });
        });
    }

    /// Puts these indicators into force with the commit.
    pub(crate) fn put_indicators_into_force(&mut self, indicators: Arc<IndicatorSet>) {
        let shared = Arc::clone(self.shared);
        self.after_commit(move || {
            let mut rules = shared.rules.write();
            *rules = Arc::new(Rules { indicators, ..Rules::clone(&rules) });
        });
    }
}

const STREAM_CAPACITY: usize = 8192;
/// Whole batches wait here for the slowest reader who follows events: so they are few.
const EVENT_BATCHES_KEPT: usize = 128;

impl Engine {
    /// Loads the derived state and starts the writer.
    ///
    /// # Errors
    /// Where the stored state cannot be read or the thread cannot be started.
    pub fn start(
        database: Arc<Database>,
        rules: Rules,
        settings: &EngineSettings,
    ) -> anyhow::Result<Self> {
        let rules = Arc::new(rules);
        let identity = IdentityHasher::new(&random_bytes::<32>()?);
        let derived = checkpoint::load(&database, &rules, &identity, settings)?;
        let (stream, _) = broadcast::channel(STREAM_CAPACITY);
        let (events, _) = broadcast::channel(EVENT_BATCHES_KEPT);
        let shared = Arc::new(Shared {
            identity,
            database: Arc::clone(&database),
            derived: RwLock::new(derived),
            rules: RwLock::new(rules),
            stream,
            events,
            signals: parking_lot::Mutex::new(HashMap::new()),
            accepted: AcceptedUpTo::default(),
        });
        let mut checkpointer = Checkpointer::new(settings);
        let at_commit = Arc::clone(&shared);
        let at_rollback = Arc::clone(&shared);
        let reload = settings.clone();
        let group_commit = GroupCommit::start(
            database,
            GroupCommitOptions {
                queue_capacity: settings.queue_capacity,
                ..GroupCommitOptions::default()
            },
            move |session| {
                at_commit.accepted.keep(session)?;
                checkpointer.run(session, &mut at_commit.derived.write(), now())
            },
            move |_| {
                at_rollback.accepted.undo();
                at_rollback.rebuild(&reload);
            },
        )?;
        Ok(Self {
            shared,
            group_commit,
            bytes_in_flight: Arc::new(Semaphore::new(settings.queue_bytes_max >> 10)),
            retry_after_seconds: settings.retry_after_seconds,
        })
    }

    /// Stores a batch with all that follows from it. Returns after the commit.
    ///
    /// # Errors
    /// Where there is no room or the disk refuses; then nothing is stored.
    pub async fn take(&self, mut batch: IntakeBatch) -> Result<Taken, TakeError> {
        if batch.events.len() + usize::from(batch.losses.is_some()) > EventId::BATCH_MAX {
            return Err(TakeError::TooManyEvents);
        }
        let place = (self.reserve(batch.bytes)?, std::mem::take(&mut batch.held));
        let encoded = EncodedBatch::encode(&batch.events, |_| true)
            .map_err(|error| TakeError::Storage(error.to_string().into()))?;
        self.submit(place, move |writing| intake(writing, batch, encoded)).await
    }

    /// Changes state in one transaction with what else is committed now. Returns after the commit.
    ///
    /// An error of `job` is a storage error and undoes the whole group; refusals are values.
    ///
    /// # Errors
    /// Where there is no room or the disk refuses; then nothing is changed.
    pub async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, TakeError> {
        let place = self.reserve(1024)?;
        self.submit(place, job).await
    }

    /// Reads from the database off the async threads.
    ///
    /// # Errors
    /// What `job` gives.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Session<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.shared.database);
        tokio::task::spawn_blocking(move || database.read(job)).await.unwrap_or_else(|error| {
            Err(StoreError::Unreadable { what: "answer", why: error.to_string() })
        })
    }

    /// The state in memory. Hold it briefly: the writer waits.
    pub fn derived(&self) -> RwLockReadGuard<'_, Derived> {
        self.shared.derived.read()
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.shared.rules.read())
    }

    /// Recognises SysScore items that come again, see [`IntakeBatch::items`].
    pub fn identity(&self) -> &IdentityHasher {
        &self.shared.identity
    }

    /// Writes the derived state down, so that the next start has nothing to replay.
    ///
    /// # Errors
    /// Where the disk refuses; the next start then replays.
    pub async fn checkpoint(&self) -> Result<(), TakeError> {
        self.write(|writing| checkpoint::write(writing.session, writing.derived)).await
    }

    /// The events that are stored from now on.
    pub fn subscribe_to_events(&self) -> broadcast::Receiver<Arc<Vec<Event>>> {
        self.shared.events.subscribe()
    }

    /// What is concluded and done from now on, without the events themselves.
    pub fn subscribe(&self) -> broadcast::Receiver<StreamItem> {
        self.shared.stream.subscribe()
    }

    /// Notes that a request which was signed in this second was accepted: before anything that follows from
    /// it is written, so that the two are committed together.
    pub(crate) fn note_accepted(&self, second: i64) {
        self.shared.accepted.note(second);
    }

    /// Rings when a command for this source may be waiting.
    pub fn command_signal(&self, source: &Source) -> Arc<Notify> {
        Arc::clone(self.shared.signals.lock().entry(source.clone()).or_default())
    }

    /// How many writes wait, and how many may.
    pub fn load(&self) -> (usize, usize) {
        self.group_commit.load()
    }

    /// The size of the database in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.shared.database.size_bytes()
    }

    fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, TakeError> {
        let kibibytes = u32::try_from(bytes >> 10).unwrap_or(u32::MAX).saturating_add(1);
        Arc::clone(&self.bytes_in_flight).try_acquire_many_owned(kibibytes).map_err(|_| self.busy())
    }

    fn busy(&self) -> TakeError {
        TakeError::Busy { retry_after_seconds: self.retry_after_seconds }
    }

    /// Has the writer do `job`; `place` is given back when it is committed or undone.
    async fn submit<T: Send + 'static>(
        &self,
        place: impl Send + 'static,
        job: impl FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, TakeError> {
        let (sender, receiver) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.group_commit
            .submit(move |session| {
                let mut effects = Effects::default();
                let outcome = {
                    let rules = Arc::clone(&shared.rules.read());
                    let mut derived = shared.derived.write();
                    if derived.is_stale() {
                        Err(StoreError::Unreadable {
                            what: "state",
                            why: "it could not be rebuilt yet".into(),
                        })
                    } else {
                        let now = derived.tick(now());
                        let mut writing = Writing {
                            session,
                            derived: &mut derived,
                            rules: &rules,
                            now,
                            shared: &shared,
                            effects: &mut effects,
                        };
                        job(&mut writing).and_then(|answer| {
                            let changed = std::mem::take(&mut writing.effects.changed_rules);
                            writing.publish_changed_guard_rules(changed).map(|()| answer)
                        })
                    }
                };
                let (stored, answer) = match outcome {
                    Ok(answer) => (Ok(()), Some(answer)),
                    Err(error) => (Err(error), None),
                };
                let finish = move |committed: Result<(), CommitError>| {
                    drop(place);
                    let answer = match (committed, answer) {
                        (Ok(()), Some(answer)) => {
                            shared.tell(effects);
                            Ok(answer)
                        }
                        (Err(error), _) => Err(TakeError::Storage(error.reason)),
                        (Ok(()), None) => Err(TakeError::Storage("no answer".into())),
                    };
                    // A sender that went away does not wait for its answer any more.
                    drop(sender.send(answer));
                };
                (stored, Box::new(finish))
            })
            .map_err(|_| self.busy())?;
        receiver.await.unwrap_or_else(|_| Err(TakeError::Storage("the writer gave up".into())))
    }
}

impl Shared {
    fn tell(&self, effects: Effects) {
        for effect in effects.done {
            effect();
        }
        for item in effects.told {
            if let StreamItem::Command(command) = &item
                && command.state.is_open()
                && let Some(signal) = self.signals.lock().get(&command.source)
            {
                signal.notify_waiters();
            }
            // An error here means that nobody listens.
            match item {
                StreamItem::Events(batch) => drop(self.events.send(batch)),
                item => drop(self.stream.send(item)),
            }
        }
    }

    /// After a failed commit the memory is ahead of the disk: go back to what the disk says.
    fn rebuild(&self, settings: &EngineSettings) {
        let rules = Arc::clone(&self.rules.read());
        // Only this thread writes, so nothing changes while it loads, and readers need not wait.
        match checkpoint::load(&self.database, &rules, &self.identity, settings) {
            Ok(loaded) => *self.derived.write() = loaded,
            Err(error) => {
                tracing::error!(%error, "state cannot be rebuilt; it is tried again at the next write");
                self.derived.write().mark_stale();
            }
        }
    }
}

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    let since_1970 =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}
