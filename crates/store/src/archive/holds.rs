//! Legal holds: what must be kept, whatever the rules of retention say.

use crate::{Session, StoreError};
use ringwall_event::{Source, Timestamp};
use rusqlite::params;

/// Keeps everything that was received within its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegalHold {
    /// What people call it; one of a kind.
    pub name: String,
    /// Only what this one sent; without it, everything.
    pub source: Option<Source>,
    /// Received at or after; without it, from the beginning.
    pub since: Option<Timestamp>,
    /// Received before; without it, without end.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub created_by: String,
    /// When.
    pub created: Timestamp,
}

/// What became of a hold that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldAdded {
    /// It is in force.
    Added,
    /// There is one of that name.
    NameTaken,
    /// There are as many as there may be.
    TooMany,
}

/// How many holds there may be.
pub const HOLDS_MAX: usize = 1000;

impl Session<'_> {
    /// Puts a hold into force with this transaction.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn add_hold(&self, hold: &LegalHold) -> Result<HoldAdded, StoreError> {
        let (taken, all): (i64, i64) = self
            .connection
            .prepare_cached("SELECT count(*) FILTER (WHERE name = ?), count(*) FROM legal_hold")?
            .query_row([&hold.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if taken > 0 {
            return Ok(HoldAdded::NameTaken);
        }
        if usize::try_from(all).is_ok_and(|all| all >= HOLDS_MAX) {
            return Ok(HoldAdded::TooMany);
        }
        self.connection
            .prepare_cached(
                "INSERT INTO legal_hold (name, source, since, until, reason, created_by, created)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                hold.name,
                hold.source.as_ref().map(Source::to_string),
                hold.since.map(|since| since.as_micros()),
                hold.until.map(|until| until.as_micros()),
                hold.reason,
                hold.created_by,
                hold.created.as_micros(),
            ])?;
        Ok(HoldAdded::Added)
    }

    /// Lifts the hold of this name; returns it, if there was one.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn remove_hold(&self, name: &str) -> Result<Option<LegalHold>, StoreError> {
        let found = self.holds()?.into_iter().find(|hold| hold.name == name);
        if found.is_some() {
            self.connection
                .prepare_cached("DELETE FROM legal_hold WHERE name = ?")?
                .execute([name])?;
        }
        Ok(found)
    }

    /// All holds, by name.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn holds(&self) -> Result<Vec<LegalHold>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name, source, since, until, reason, created_by, created
             FROM legal_hold ORDER BY name",
        )?;
        let mut rows = statement.query([])?;
        let mut holds = Vec::new();
        while let Some(row) = rows.next()? {
            let source: Option<String> = row.get(1)?;
            let source = match source {
                // A hold that cannot be read must not become one on everything, or on nothing.
                Some(text) => Some(Source::parse(&text).ok_or_else(|| StoreError::Unreadable {
                    what: "legal hold",
                    why: format!("`{text}` is no source"),
                })?),
                None => None,
            };
            holds.push(LegalHold {
                name: row.get(0)?,
                source,
                since: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_micros),
                until: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_micros),
                reason: row.get(4)?,
                created_by: row.get(5)?,
                created: Timestamp::from_micros(row.get(6)?),
            });
        }
        Ok(holds)
    }
}
