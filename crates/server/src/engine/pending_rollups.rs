//! Counts for timelines: in the database up to the last checkpoint, in memory since.

use super::{Engine, Shared};
use ringwall_event::{Event, Source, Timestamp};
use ringwall_store::{
    Database, EventStore, RollupCounts, RollupStore, Session, StateStore, StoreError, Timeline,
    TimelineQuery,
};
use std::sync::Arc;

/// What is counted and not merged into the table.
///
/// Readers see table and memory at moments that are never quite the same, and a merge lies in a
/// transaction that may not be committed yet. So what the last transaction merged is kept: a reader
/// says up to which batch its table counts, and gets what comes after.
#[derive(Debug, Default)]
pub(super) struct PendingRollups {
    /// The last batch that is not counted in `counts`, but merged.
    after: i64,
    counts: Arc<RollupCounts>,
    merged: Option<Merged>,
    /// The number of the transaction that is open.
    transaction: u64,
}

/// What a transaction merged that may not be committed yet.
#[derive(Debug)]
struct Merged {
    /// The last batch before those that are counted here.
    after: i64,
    counts: Arc<RollupCounts>,
    transaction: u64,
}

impl PendingRollups {
    /// Nothing yet, on a table that counts every batch up to this one.
    pub(super) fn after(seq: i64) -> Self {
        Self { after: seq, ..Self::default() }
    }

    /// Counts a batch, unless the table does.
    pub(super) fn add(&mut self, seq: i64, received: Timestamp, source: &Source, events: &[Event]) {
        if seq > self.after {
            // Copied only while somebody reads it.
            Arc::make_mut(&mut self.counts).add(received, source, events);
        }
    }

    /// Whether a merge is due, however short the time since the last.
    pub(super) fn is_full(&self) -> bool {
        self.counts.is_full()
    }

    /// Merges what is counted up to this batch, with the transaction.
    pub(super) fn merge(&mut self, session: &Session<'_>, seq: i64) -> Result<(), StoreError> {
        if seq <= self.after {
            return Ok(());
        }
        session.merge_rollups(&self.counts)?;
        session.set_rollup_seq(seq)?;
        let counts = std::mem::take(&mut self.counts);
        let transaction = self.transaction;
        match &mut self.merged {
            Some(merged) if merged.transaction == transaction => {
                Arc::make_mut(&mut merged.counts).merge(&counts);
            }
            _ => self.merged = Some(Merged { after: self.after, counts, transaction }),
        }
        self.after = seq;
        Ok(())
    }

    /// Says that the open transaction ends: what is merged from now on belongs to another.
    pub(super) fn end_transaction(&mut self) {
        self.transaction += 1;
    }

    /// What is not in a table that counts every batch up to this one; none where that table is too
    /// old to tell.
    fn beyond(&self, seq: i64) -> Option<Vec<Arc<RollupCounts>>> {
        let pending = Arc::clone(&self.counts);
        if seq == self.after {
            return Some(vec![pending]);
        }
        let merged = self.merged.as_ref().filter(|merged| merged.after == seq)?;
        Some(vec![Arc::clone(&merged.counts), pending])
    }
}

/// Counts batches that were stored before there were counts, or by a version that did not count.
///
/// # Errors
/// Where the database cannot be read or written.
pub(super) fn catch_up(database: &Database) -> Result<(), StoreError> {
    let is_behind = |session: &Session<'_>| Ok(session.rollup_seq()? < session.checkpoint_seq()?);
    if !database.read(is_behind)? {
        return Ok(());
    }
    database.write_now(|session| {
        let (rolled, checkpointed) = (session.rollup_seq()?, session.checkpoint_seq()?);
        tracing::info!(from = rolled + 1, to = checkpointed, "events are counted");
        let mut counts = RollupCounts::default();
        session.replay(rolled, None, &mut |batch| {
            if batch.seq <= checkpointed {
                counts.add(batch.received, &batch.source, &batch.events);
            }
            if counts.is_full() {
                session.merge_rollups(&std::mem::take(&mut counts))?;
            }
            Ok(())
        })?;
        session.merge_rollups(&counts)?;
        session.set_rollup_seq(checkpointed)
    })
}

/// How often a reader looks again whose table was too old; a merge comes once a minute.
const LOOKS_MAX: usize = 20;

impl Engine {
    /// How many events were received, bucket by bucket, all that were answered among them.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn timeline(&self, query: TimelineQuery) -> Result<Timeline, StoreError> {
        self.read_rollups(move |session, pending| session.receipt_timeline(&query, pending)).await
    }

    /// Who sent most, see [`RollupStore::top_sources`].
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn top_sources(
        &self,
        since: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Source, u64)>, StoreError> {
        self.read_rollups(move |session, pending| session.top_sources(since, until, limit, pending))
            .await
    }

    async fn read_rollups<T: Send + 'static>(
        &self,
        job: impl Fn(&Session<'_>, &[&RollupCounts]) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.read_rollups(job)).await.unwrap_or_else(
            |error| Err(StoreError::Unreadable { what: "answer", why: error.to_string() }),
        )
    }
}

impl Shared {
    fn read_rollups<T>(
        &self,
        job: impl Fn(&Session<'_>, &[&RollupCounts]) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        for _ in 0..LOOKS_MAX {
            let answer = self.database.read(|session| {
                let seq = session.rollup_seq()?;
                let pending = self.derived.read().rollups.beyond(seq);
                pending
                    .map(|pending| {
                        let pending: Vec<&RollupCounts> =
                            pending.iter().map(|counts| &**counts).collect();
                        job(session, &pending)
                    })
                    .transpose()
            })?;
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
        Err(StoreError::Unreadable { what: "counts", why: "they change too fast".into() })
    }
}
