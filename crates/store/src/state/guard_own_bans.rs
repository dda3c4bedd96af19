//! What applications banned by themselves, as far as they said so. Such a ban is not ours to end.

use crate::{Session, StoreError};
use ringwall_event::{Network, Timestamp};
use rusqlite::{OptionalExtension, params};

/// Bans of an application's own making, in the transaction of the events that tell of them.
pub trait OwnBanStore {
    /// Adds what the applications of this project banned. An address keeps the later end of two. Those
    /// beyond `most` that end first are forgotten.
    ///
    /// # Errors
    /// Where the database cannot be written; so for every verb that changes something.
    fn put_own_bans(&self, project: &str, bans: &[OwnBan], most: usize) -> Result<(), StoreError>;

    /// The own ban of this address, over or not.
    ///
    /// # Errors
    /// Where the database cannot be read.
    fn own_ban(&self, project: &str, address: Network) -> Result<Option<OwnBan>, StoreError>;

    /// Forgets the own ban of this address that began at or before `ended`; whether there was one.
    fn end_own_ban(
        &self,
        project: &str,
        address: Network,
        ended: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Forgets up to `limit` own bans that were over before `before`; returns how many.
    fn forget_own_bans(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Forgets all of a project that is removed.
    fn remove_own_bans(&self, project: &str) -> Result<(), StoreError>;
}

/// A ban that an application made by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnBan {
    /// Who is not let in.
    pub address: Network,
    /// When it began, or was made longer, for the last time.
    pub began: Timestamp,
    /// Until when it may run.
    pub until: Timestamp,
}

impl OwnBan {
    /// Whether it may still run, and began after somebody wanted the address let in.
    pub fn stands_against(&self, let_in: Timestamp, now: Timestamp) -> bool {
        self.until > now && self.began > let_in
    }
}

impl OwnBanStore for Session<'_> {
    fn put_own_bans(&self, project: &str, bans: &[OwnBan], most: usize) -> Result<(), StoreError> {
        let mut put = self.connection.prepare_cached(
            "INSERT INTO guard_own_ban (project, address, began, until) VALUES (?, ?, ?, ?)
             ON CONFLICT (project, address) DO UPDATE SET
                 began = max(began, excluded.began), until = max(until, excluded.until)",
        )?;
        for ban in bans {
            put.execute(params![
                project,
                ban.address.to_string(),
                ban.began.as_micros(),
                ban.until.as_micros(),
            ])?;
        }
        if bans.is_empty() {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "DELETE FROM guard_own_ban WHERE project = ?1 AND (until, address) <=
                     (SELECT until, address FROM guard_own_ban WHERE project = ?1
                      ORDER BY until DESC, address DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute(params![project, i64::try_from(most).unwrap_or(i64::MAX)])?;
        Ok(())
    }

    fn own_ban(&self, project: &str, address: Network) -> Result<Option<OwnBan>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT began, until FROM guard_own_ban WHERE project = ? AND address = ?",
            )?
            .query_row(params![project, address.to_string()], |row| {
                Ok(OwnBan {
                    address,
                    began: Timestamp::from_micros(row.get(0)?),
                    until: Timestamp::from_micros(row.get(1)?),
                })
            })
            .optional()?)
    }

    fn end_own_ban(
        &self,
        project: &str,
        address: Network,
        ended: Timestamp,
    ) -> Result<bool, StoreError> {
        let ended = self
            .connection
            .prepare_cached(
                "DELETE FROM guard_own_ban WHERE project = ? AND address = ? AND began <= ?",
            )?
            .execute(params![project, address.to_string(), ended.as_micros()])?;
        Ok(ended > 0)
    }

    fn forget_own_bans(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "DELETE FROM guard_own_ban WHERE (project, address) IN
                     (SELECT project, address FROM guard_own_ban WHERE until < ? LIMIT ?)",
            )?
            .execute(params![before.as_micros(), i64::try_from(limit).unwrap_or(i64::MAX)])?)
    }

    fn remove_own_bans(&self, project: &str) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM guard_own_ban WHERE project = ?")?
            .execute([project])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
