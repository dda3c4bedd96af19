//! Derived state on disk: a start begins at the last checkpoint and replays what came after.

use super::derived::{Derived, HostState, ProcessScore, Totals};
use super::losses::Losses;
use super::pending_rollups::{PendingRollups, catch_up};
use super::{EngineSettings, now};
use crate::guard_rules::automatic;
use crate::rules::Rules;
use crate::secrets::random_bytes;
use anyhow::Context;
use ringwall_dialects::sysscore::IdentityHasher;
use ringwall_event::{EventId, Source, Timestamp};
use ringwall_store::{Database, EventStore, RollupStore, Session, StateStore, StoreError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Raised when the form of the derived state changes: older checkpoints are then replayed anew.
const HOSTS: &str = "hosts/2";
/// Read, and written anew in the present form by the next checkpoint.
const HOSTS_1: &str = "hosts/1";
const TOTALS: &str = "totals/1";
const LEVEL: i32 = 1;
const UNPACKED_BYTES_MAX: usize = 512 << 20;

/// Writes derived state down from time to time, in the transaction of whatever is committed then.
pub(super) struct Checkpointer {
    every_seconds: i64,
    mark_seconds: i64,
    last: Timestamp,
}

const MARKS_FORGOTTEN_AT_ONCE: usize = 2000;

impl Checkpointer {
    pub(super) fn new(settings: &EngineSettings) -> Self {
        Self {
            every_seconds: settings.checkpoint_seconds,
            mark_seconds: settings.mark_seconds,
            last: now(),
        }
    }

    /// For the end of each transaction.
    pub(super) fn run(
        &mut self,
        session: &Session<'_>,
        derived: &mut Derived,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let written = self.write_if_due(session, derived, now);
        derived.rollups.end_transaction();
        written
    }

    fn write_if_due(
        &mut self,
        session: &Session<'_>,
        derived: &mut Derived,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let elapsed = now.micros_since(self.last);
        // A clock that was set back counts as due: else nothing was written for as long as it went.
        let due = elapsed < 0
            || elapsed >= self.every_seconds.saturating_mul(1_000_000)
            || derived.rollups.is_full();
        if !due || derived.batches_since_checkpoint == 0 {
            return Ok(());
        }
        self.last = now;
        // At least as many as came since the last time, so that they never pile up.
        let forgotten = MARKS_FORGOTTEN_AT_ONCE.max(2 * derived.batches_since_checkpoint);
        write(session, derived)?;
        session.forget_marks(now.plus_seconds(-self.mark_seconds), forgotten)?;
        Ok(())
    }
}

/// Writes what changed since the last checkpoint.
pub(super) fn write(session: &Session<'_>, derived: &mut Derived) -> Result<(), StoreError> {
    for source in derived.dropped.drain() {
        session.put_checkpoint(HOSTS, &source.to_string(), None)?;
    }
    for source in derived.dirty.drain() {
        if let Some(host) = derived.hosts.get(&source) {
            let packed = match pack(host) {
                Ok(packed) => packed,
                Err(error) => {
                    // Its counts and scores stay; its picture comes again with the next report.
                    tracing::error!(%source, %error, "a host's picture is too large to be kept");
                    let detection = ringwall_detection::HostState::default();
                    pack(&HostState { detection, ..host.clone() })?
                }
            };
            session.put_checkpoint(HOSTS, &source.to_string(), Some(&packed))?;
        }
    }
    for source in derived.hosts_of_form_1.drain(..) {
        session.put_checkpoint(HOSTS_1, &source.to_string(), None)?;
    }
    session.put_checkpoint(TOTALS, "all", Some(&pack(&derived.totals)?))?;
    derived.rollups.merge(session, derived.totals.seq)?;
    session.set_checkpoint_seq(derived.totals.seq)?;
    derived.batches_since_checkpoint = 0;
    Ok(())
}

/// The derived state as of the last stored batch.
pub(super) fn load(
    database: &Database,
    rules: &Rules,
    identity: &IdentityHasher,
    settings: &EngineSettings,
) -> anyhow::Result<Derived> {
    let mut derived = Derived::new(settings, u64::from_le_bytes(random_bytes::<8>()?));
    catch_up(database).context("cannot count the stored events")?;
    database
        .read(|session| {
            let mut from = 0;
            derived.rollups = PendingRollups::after(session.rollup_seq()?);
            if let Some((_, totals)) = session.checkpoints(TOTALS)?.into_iter().next() {
                derived.totals = unpack::<Totals>(&totals)?;
                from = derived.totals.seq;
                for (name, body) in session.checkpoints(HOSTS)? {
                    add_host(&mut derived, &name, unpack::<HostState>(&body));
                }
                for (name, body) in session.checkpoints(HOSTS_1)? {
                    let host = unpack::<HostState1>(&body).map(HostState::from);
                    if let Some(source) = add_host(&mut derived, &name, host) {
                        derived.dirty.insert(source.clone());
                        derived.hosts_of_form_1.push(source);
                    }
                }
            }
            if let Some(received) = session.last_received()? {
                derived.tick_past(received);
            }
            remember_items(session, &mut derived, identity, settings)?;
            automatic::recount_recent(session, &mut derived.ban_windows, rules, now())?;
            session.replay(from, None, &mut |batch| {
                // What follows was committed with the batch; only the state is wanted.
                drop(derived.absorb(
                    batch.seq,
                    &batch.source,
                    batch.received,
                    &batch.events,
                    rules,
                ));
                Ok(())
            })?;
            let alerts = session.alerts_by_minute(now().plus_seconds(-3700))?;
            derived.totals.minutes.set_alerts(&alerts);
            for source in session.sources_with_open_commands()? {
                derived.open_commands.extend(Source::parse(&source));
            }
            Ok(())
        })
        .context("cannot load the derived state")?;
    Ok(derived)
}

/// Takes in a host from the checkpoint; its source, where the name is one.
fn add_host(
    derived: &mut Derived,
    name: &str,
    host: Result<HostState, StoreError>,
) -> Option<Source> {
    let source = Source::parse(name)?;
    match host {
        Ok(host) => drop(derived.hosts.insert(source.clone(), host)),
        // One damaged host must not keep all others from being guarded.
        Err(error) => {
            tracing::error!(%source, %error, "a host's state is lost and starts anew");
        }
    }
    Some(source)
}

/// [`HostState`] as the first version of the program wrote it down.
#[derive(Deserialize)]
struct HostState1 {
    hostname: Box<str>,
    first_seen: Timestamp,
    last_seen: Timestamp,
    events: u64,
    detection: ringwall_detection::form_1::HostState1,
    scores: BTreeMap<i64, ProcessScore>,
}

impl From<HostState1> for HostState {
    fn from(host: HostState1) -> Self {
        Self {
            hostname: host.hostname,
            first_seen: host.first_seen,
            last_seen: host.last_seen,
            events: host.events,
            detection: host.detection.into(),
            scores: host.scores,
            losses: Losses::default(),
        }
    }
}

/// Items are recognised over a window of time, which may begin before the checkpoint: by then they may
/// be archived.
fn remember_items(
    session: &Session<'_>,
    derived: &mut Derived,
    identity: &IdentityHasher,
    settings: &EngineSettings,
) -> Result<(), StoreError> {
    let since = now().plus_seconds(-settings.item_window_seconds);
    let enough = settings.item_window_max;
    let mut items = Vec::new();
    // The window forgets by the order in which it is told.
    let keep_newest = |items: &mut Vec<(Timestamp, EventId, u128)>| {
        items.sort_unstable();
        items.drain(..items.len().saturating_sub(enough));
    };
    let read = session.recent_events(Source::SYSSCORE, since, enough, &mut |event| {
        if let Some(item) = identity.identify(event) {
            items.push((event.received, event.id, item));
        }
        if items.len() >= enough.saturating_mul(2).max(1024) {
            keep_newest(&mut items);
        }
    });
    match read {
        // Intake goes on without that file: what comes again may then be stored again.
        Err(error @ StoreError::Archive { .. }) => {
            tracing::error!(%error, "items of late cannot be recognised");
        }
        other => other?,
    }
    keep_newest(&mut items);
    for (received, id, item) in items {
        derived.items.remember(item, id, received);
    }
    Ok(())
}

fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let unwritable = |why: String| StoreError::Unreadable { what: "checkpoint", why };
    let plain = postcard::to_allocvec(value).map_err(|error| unwritable(error.to_string()))?;
    let length = u32::try_from(plain.len())
        .ok()
        .filter(|length| *length as usize <= UNPACKED_BYTES_MAX)
        .ok_or_else(|| unwritable(format!("{} bytes", plain.len())))?;
    let packed =
        zstd::bulk::compress(&plain, LEVEL).map_err(|error| unwritable(error.to_string()))?;
    Ok([length.to_le_bytes().as_slice(), &packed].concat())
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    let unreadable = |why: String| StoreError::Unreadable { what: "checkpoint", why };
    let (length, packed) =
        bytes.split_first_chunk::<4>().ok_or_else(|| unreadable("too short".into()))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > UNPACKED_BYTES_MAX {
        return Err(unreadable(format!("claims {length} bytes")));
    }
    let plain =
        zstd::bulk::decompress(packed, length).map_err(|error| unreadable(error.to_string()))?;
    postcard::from_bytes(&plain).map_err(|error| unreadable(error.to_string()))
}
