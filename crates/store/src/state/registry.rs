//! The [`StateStore`] of a session, and its plainer tables.

use super::alerts::optional_json;
use super::{AlertFilter, AuditRecord, CommandFilter, Mark, StateStore};
use crate::events::unreadable;
use crate::{Session, StoreError};
use ringwall_event::{Alert, Command, CommandState, EventId, Severity, Timestamp};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

impl StateStore for Session<'_> {
    fn put_alert(&self, alert: &Alert, entity: &str) -> Result<(), StoreError> {
        self.write_alert(alert, entity)
    }

    fn alert(&self, id: EventId) -> Result<Option<(Alert, String)>, StoreError> {
        self.read_alert(id)
    }

    fn live_alert(&self, entity: &str) -> Result<Option<Alert>, StoreError> {
        self.read_live_alert(entity)
    }

    fn alerts(
        &self,
        filter: &AlertFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError> {
        self.read_alerts(filter, before, limit)
    }

    fn open_alerts_by_severity(&self) -> Result<Vec<(Severity, u64)>, StoreError> {
        self.count_open_alerts_by_severity()
    }

    fn open_alerts_by_source(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.count_open_alerts_by_source()
    }

    fn live_alerts_of_dialect(
        &self,
        dialect: &str,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError> {
        self.read_live_alerts_of_dialect(dialect, limit)
    }

    fn live_alert_counts_of_dialect(
        &self,
        dialect: &str,
    ) -> Result<Vec<(Severity, u64)>, StoreError> {
        self.count_live_alerts_of_dialect(dialect)
    }

    fn alerts_by_minute(&self, since: Timestamp) -> Result<Vec<(i64, u64)>, StoreError> {
        self.count_alerts_by_minute(since)
    }

    fn sightings(&self, entity_begins: &str) -> Result<Option<(u64, Timestamp)>, StoreError> {
        self.read_sightings(entity_begins)
    }

    fn put_command(&self, command: &Command) -> Result<(), StoreError> {
        self.write_command(command)
    }

    fn command(&self, id: &str) -> Result<Option<Command>, StoreError> {
        self.read_command(id)
    }

    fn commands(
        &self,
        filter: &CommandFilter,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Command>, StoreError> {
        self.read_commands(filter, before, limit)
    }

    fn open_commands(&self, source: &str) -> Result<Vec<Command>, StoreError> {
        self.read_open_commands(source)
    }

    fn sources_with_open_commands(&self) -> Result<Vec<String>, StoreError> {
        self.read_sources_with_open_commands()
    }

    fn overdue_commands(&self, now: Timestamp) -> Result<Vec<Command>, StoreError> {
        self.read_overdue_commands(now)
    }

    fn command_counts(&self, since: Timestamp) -> Result<Vec<(CommandState, u64)>, StoreError> {
        self.count_commands(since)
    }

    fn append_audit(&self, record: &AuditRecord) -> Result<i64, StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO audit (time, actor, action, subject, outcome, reason)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                record.time.as_micros(),
                record.actor,
                record.action,
                record.subject,
                record.outcome,
                record.reason,
            ])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn audit(
        &self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, AuditRecord)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, time, actor, action, subject, outcome, reason FROM audit
             WHERE id < ? ORDER BY id DESC LIMIT ?",
        )?;
        let rows = statement.query_map(
            params![before.unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX)],
            |row| {
                Ok((
                    row.get(0)?,
                    AuditRecord {
                        time: Timestamp::from_micros(row.get(1)?),
                        actor: row.get(2)?,
                        action: row.get(3)?,
                        subject: row.get(4)?,
                        outcome: row.get(5)?,
                        reason: row.get(6)?,
                    },
                ))
            },
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn mark(&self, digest: &[u8; 32]) -> Result<Option<Mark>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT received, answer FROM mark WHERE digest = ?")?
            .query_row([digest.as_slice()], |row| {
                Ok(Mark { received: Timestamp::from_micros(row.get(0)?), answer: row.get(1)? })
            })
            .optional()?)
    }

    fn put_mark(&self, digest: &[u8; 32], mark: &Mark) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO mark (digest, received, answer) VALUES (?, ?, ?)")?
            .execute(params![digest.as_slice(), mark.received.as_micros(), mark.answer])?;
        Ok(())
    }

    fn forget_marks(&self, moment: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "DELETE FROM mark WHERE digest IN
                     (SELECT digest FROM mark WHERE received < ? ORDER BY received LIMIT ?)",
            )?
            .execute(params![moment.as_micros(), i64::try_from(limit).unwrap_or(i64::MAX)])?)
    }

    fn put_document<T: Serialize + ?Sized>(
        &self,
        kind: &str,
        key: &str,
        body: &T,
    ) -> Result<(), StoreError> {
        let body = serde_json::to_string(body).map_err(unreadable("document"))?;
        self.connection
            .prepare_cached(
                "INSERT INTO document (kind, key, body) VALUES (?, ?, ?)
                 ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
            )?
            .execute(params![kind, key, body])?;
        Ok(())
    }

    fn document<T: DeserializeOwned>(
        &self,
        kind: &str,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        let found = self
            .connection
            .prepare_cached("SELECT body FROM document WHERE kind = ? AND key = ?")?
            .query_row([kind, key], |row| row.get(0));
        optional_json("document", found)
    }

    fn documents<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<(String, T)>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT key, body FROM document WHERE kind = ? ORDER BY key")?;
        let mut rows = statement.query([kind])?;
        let mut documents = Vec::new();
        while let Some(row) = rows.next()? {
            let body = row.get_ref(1)?.as_str().map_err(unreadable("document"))?;
            documents
                .push((row.get(0)?, serde_json::from_str(body).map_err(unreadable("document"))?));
        }
        Ok(documents)
    }

    fn delete_document(&self, kind: &str, key: &str) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached("DELETE FROM document WHERE kind = ? AND key = ?")?
            .execute([kind, key])?
            > 0)
    }

    fn put_checkpoint(&self, part: &str, key: &str, body: Option<&[u8]>) -> Result<(), StoreError> {
        match body {
            Some(body) => self
                .connection
                .prepare_cached(
                    "INSERT INTO checkpoint (part, key, body) VALUES (?, ?, ?)
                     ON CONFLICT (part, key) DO UPDATE SET body = excluded.body",
                )?
                .execute(params![part, key, body])?,
            None => self
                .connection
                .prepare_cached("DELETE FROM checkpoint WHERE part = ? AND key = ?")?
                .execute([part, key])?,
        };
        Ok(())
    }

    fn checkpoints(&self, part: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT key, body FROM checkpoint WHERE part = ?")?;
        let rows = statement.query_map([part], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn checkpoint_seq(&self) -> Result<i64, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT value FROM meta WHERE name = 'checkpoint_seq'")?
            .query_row([], |row| row.get(0))
            .optional()?
            .unwrap_or(0))
    }

    fn set_checkpoint_seq(&self, seq: i64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO meta (name, value) VALUES ('checkpoint_seq', ?)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute([seq])?;
        Ok(())
    }
}
