use super::CommandFilter;
use super::alerts::{blob, optional_json};
use crate::events::unreadable;
use crate::{Session, StoreError};
use ringwall_event::{Command, CommandState, Timestamp};
use rusqlite::{Params, params};

impl Session<'_> {
    pub(super) fn write_command(&self, command: &Command) -> Result<(), StoreError> {
        let body = serde_json::to_string(command).map_err(unreadable("command"))?;
        self.connection
            .prepare_cached(
                "INSERT INTO command (id, source, state, created, finished, alert, body)
                 VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (id) DO UPDATE SET state = excluded.state,
                     finished = excluded.finished, body = excluded.body",
            )?
            .execute(params![
                command.id,
                command.source.to_string(),
                command.state.name(),
                command.created.as_micros(),
                command.finished.map(Timestamp::as_micros),
                command.alert.map(|id| blob(id).to_vec()),
                body,
            ])?;
        Ok(())
    }

    pub(super) fn read_command(&self, id: &str) -> Result<Option<Command>, StoreError> {
        let found = self
            .connection
            .prepare_cached("SELECT body FROM command WHERE id = ?")?
            .query_row([id], |row| row.get(0));
        optional_json("command", found)
    }

    pub(super) fn read_commands(
        &self,
        filter: &CommandFilter,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Command>, StoreError> {
        self.list_commands(
            "SELECT body FROM command WHERE (?1 IS NULL OR id < ?1) AND (?2 IS NULL OR state = ?2)
                 AND (?3 IS NULL OR source = ?3) AND (?4 IS NULL OR alert = ?4)
             ORDER BY id DESC LIMIT ?5",
            params![
                before,
                filter.state.map(CommandState::name),
                filter.source,
                filter.alert.map(|id| blob(id).to_vec()),
                i64::try_from(limit).unwrap_or(i64::MAX),
            ],
        )
    }

    pub(super) fn read_open_commands(&self, source: &str) -> Result<Vec<Command>, StoreError> {
        self.list_commands(
            "SELECT body FROM command WHERE source = ? AND state IN ('queued', 'delivered')
             ORDER BY id LIMIT 1000",
            [source],
        )
    }

    pub(super) fn read_sources_with_open_commands(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT source FROM command WHERE state IN ('queued', 'delivered')",
        )?;
        let sources = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(sources)
    }

    pub(super) fn read_overdue_commands(&self, now: Timestamp) -> Result<Vec<Command>, StoreError> {
        let mut open: Vec<Command> = self.list_commands(
            "SELECT body FROM command WHERE state IN ('queued', 'delivered') ORDER BY id
             LIMIT 10000",
            [],
        )?;
        open.retain(|command| command.expires < now);
        Ok(open)
    }

    pub(super) fn count_commands(
        &self,
        since: Timestamp,
    ) -> Result<Vec<(CommandState, u64)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT state, count(*) FROM command WHERE state IN ('queued', 'delivered')
                 OR finished >= ? GROUP BY state",
        )?;
        let rows = statement
            .query_map([since.as_micros()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(rows
            .into_iter()
            .filter_map(|(name, count)| {
                Some((CommandState::from_name(&name)?, count.unsigned_abs()))
            })
            .collect())
    }

    fn list_commands(&self, sql: &str, params: impl Params) -> Result<Vec<Command>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut commands = Vec::new();
        while let Some(row) = rows.next()? {
            let body = row.get_ref(0)?.as_str().map_err(unreadable("command"))?;
            commands.push(serde_json::from_str(body).map_err(unreadable("command"))?);
        }
        Ok(commands)
    }
}
