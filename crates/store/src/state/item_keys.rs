//! Which single items of batches were taken, so that one that comes again in another batch is known.

use crate::{Session, StoreError};
use ringwall_event::{EventId, Timestamp};
use rusqlite::OptionalExtension;

/// Keys of items, in the transaction of what they are the keys of.
pub trait ItemKeyStore {
    /// The event that was taken under this key; none where none was, or it was forgotten.
    ///
    /// # Errors
    /// Where the database cannot be read.
    fn item_key(&self, key: &[u8; 16]) -> Result<Option<EventId>, StoreError>;

    /// Remembers a key, which must be new.
    ///
    /// # Errors
    /// Where the database cannot be written; so for every verb that changes something.
    fn put_item_key(
        &self,
        key: &[u8; 16],
        event: EventId,
        received: Timestamp,
    ) -> Result<(), StoreError>;

    /// Forgets up to `limit` keys, the oldest first: those from before `moment`, and those beyond the
    /// newest `kept_max`. Returns how many.
    fn forget_item_keys(
        &self,
        moment: Timestamp,
        kept_max: u64,
        limit: usize,
    ) -> Result<usize, StoreError>;
}

impl ItemKeyStore for Session<'_> {
    fn item_key(&self, key: &[u8; 16]) -> Result<Option<EventId>, StoreError> {
        let found: Option<[u8; 16]> = self
            .connection
            .prepare_cached("SELECT event FROM item_key WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()?;
        Ok(found.map(|id| EventId::from_u128(u128::from_be_bytes(id))))
    }

    fn put_item_key(
        &self,
        key: &[u8; 16],
        event: EventId,
        received: Timestamp,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO item_key (key, event, received) VALUES (?1, ?2, ?3)")?
            .execute((key, event.as_u128().to_be_bytes(), received.as_micros()))?;
        Ok(())
    }

    fn forget_item_keys(
        &self,
        moment: Timestamp,
        kept_max: u64,
        limit: usize,
    ) -> Result<usize, StoreError> {
        // Rows are numbered as they come and go from the front: the number alone tells how many there
        // are, and which are the oldest.
        let newest: Option<i64> =
            self.connection.query_row("SELECT max(seq) FROM item_key", [], |row| row.get(0))?;
        let Some(newest) = newest else { return Ok(0) };
        let beyond = newest.saturating_sub(i64::try_from(kept_max).unwrap_or(i64::MAX));
        let forgotten = self
            .connection
            .prepare_cached(
                "DELETE FROM item_key WHERE seq IN
                    (SELECT seq FROM (SELECT seq, received FROM item_key ORDER BY seq LIMIT ?3)
                     WHERE received < ?1 OR seq <= ?2)",
            )?
            .execute((moment.as_micros(), beyond, i64::try_from(limit).unwrap_or(i64::MAX)))?;
        Ok(forgotten)
    }
}

#[cfg(test)]
mod tests;
