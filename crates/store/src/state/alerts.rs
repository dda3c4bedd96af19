use super::AlertFilter;
use crate::events::unreadable;
use crate::{Session, StoreError};
use ringwall_event::{Alert, EventId, Severity, Timestamp};
use rusqlite::{OptionalExtension, Params, Row, Statement, params};

impl Session<'_> {
    pub(super) fn write_alert(&self, alert: &Alert, entity: &str) -> Result<(), StoreError> {
        let body = serde_json::to_string(alert).map_err(unreadable("alert"))?;
        self.connection
            .prepare_cached(
                "INSERT INTO alert
                     (id, entity, state, severity, source, finding, first_seen, last_seen, count, body)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (id) DO UPDATE SET state = excluded.state,
                     severity = excluded.severity, last_seen = excluded.last_seen,
                     count = excluded.count, body = excluded.body",
            )?
            .execute(params![
                blob(alert.id).as_slice(),
                entity,
                alert.state.name(),
                alert.severity.id(),
                alert.source.to_string(),
                alert.finding.kind(),
                alert.first_seen.as_micros(),
                alert.last_seen.as_micros(),
                i64::try_from(alert.count).unwrap_or(i64::MAX),
                body,
            ])?;
        Ok(())
    }

    pub(super) fn read_alert(&self, id: EventId) -> Result<Option<(Alert, String)>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT body, entity FROM alert WHERE id = ?")?;
        let mut rows = statement.query([blob(id).as_slice()])?;
        match rows.next()? {
            None => Ok(None),
            Some(row) => Ok(Some((parse(row)?, row.get(1)?))),
        }
    }

    pub(super) fn read_live_alert(&self, entity: &str) -> Result<Option<Alert>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT body FROM alert WHERE entity = ? AND state <> 'resolved'
             ORDER BY id DESC LIMIT 1",
        )?;
        let mut rows = statement.query([entity])?;
        rows.next()?.map(parse).transpose()
    }

    pub(super) fn read_alerts(
        &self,
        filter: &AlertFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT body FROM alert WHERE id < ?1 AND (?2 IS NULL OR state = ?2)
                 AND (?3 IS NULL OR severity = ?3) AND (?4 IS NULL OR source = ?4)
             ORDER BY id DESC LIMIT ?5",
        )?;
        let before = before.map_or([0xff; 16], blob);
        let mut rows = statement.query(params![
            before.as_slice(),
            filter.state.map(|state| state.name()),
            filter.severity.map(Severity::id),
            filter.source,
            i64::try_from(limit).unwrap_or(i64::MAX),
        ])?;
        let mut alerts = Vec::new();
        while let Some(row) = rows.next()? {
            alerts.push(parse(row)?);
        }
        Ok(alerts)
    }

    pub(super) fn count_open_alerts_by_severity(&self) -> Result<Vec<(Severity, u64)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT severity, count(*) FROM alert WHERE state = 'open' GROUP BY severity",
        )?;
        by_severity(&mut statement, [])
    }

    pub(super) fn count_open_alerts_by_source(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT source, count(*) FROM alert WHERE state = 'open' GROUP BY source",
        )?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(rows)
    }

    pub(super) fn read_live_alerts_of_dialect(
        &self,
        dialect: &str,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError> {
        let (from, to) = sources_of(dialect);
        let mut statement = self.connection.prepare_cached(
            "SELECT body FROM alert WHERE source >= ? AND source < ? AND state <> 'resolved'
             ORDER BY id DESC LIMIT ?",
        )?;
        let mut rows =
            statement.query(params![from, to, i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut alerts = Vec::new();
        while let Some(row) = rows.next()? {
            alerts.push(parse(row)?);
        }
        Ok(alerts)
    }

    pub(super) fn count_live_alerts_of_dialect(
        &self,
        dialect: &str,
    ) -> Result<Vec<(Severity, u64)>, StoreError> {
        let (from, to) = sources_of(dialect);
        let mut statement = self.connection.prepare_cached(
            "SELECT severity, count(*) FROM alert
             WHERE source >= ? AND source < ? AND state <> 'resolved' GROUP BY severity",
        )?;
        by_severity(&mut statement, [from, to])
    }

    pub(super) fn read_sightings(
        &self,
        entity_begins: &str,
    ) -> Result<Option<(u64, Timestamp)>, StoreError> {
        // No text sorts after the last character there is: what begins so lies in between.
        let to = format!("{entity_begins}{}", char::MAX);
        let (count, latest): (Option<i64>, Option<i64>) = self
            .connection
            .prepare_cached(
                "SELECT sum(count), max(last_seen) FROM alert WHERE entity >= ? AND entity < ?",
            )?
            .query_row([entity_begins, &to], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let latest = latest.map(Timestamp::from_micros);
        Ok(count.map(i64::unsigned_abs).zip(latest))
    }

    pub(super) fn count_alerts_by_minute(
        &self,
        since: Timestamp,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        // Ids begin with the time, so the primary key finds the young ones.
        let millis = since.as_millis().clamp(0, i64::MAX).unsigned_abs();
        let mut statement = self.connection.prepare_cached(
            "SELECT first_seen / 60000000, count(*) FROM alert WHERE id >= ? AND first_seen >= ?
             GROUP BY 1 ORDER BY 1",
        )?;
        let rows = statement
            .query_map(
                params![blob(EventId::from_parts(millis, 0, 0)).as_slice(), since.as_micros()],
                |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())),
            )?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(rows)
    }
}

fn by_severity(
    statement: &mut Statement<'_>,
    parameters: impl Params,
) -> Result<Vec<(Severity, u64)>, StoreError> {
    let rows = statement
        .query_map(parameters, |row| Ok((row.get::<_, u8>(0)?, row.get::<_, i64>(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, count)| Some((Severity::from_id(id)?, count.unsigned_abs())))
        .collect())
}

/// Where the sources of a dialect begin and end in the order of their names: `;` follows `:`.
fn sources_of(dialect: &str) -> (String, String) {
    (format!("{dialect}:"), format!("{dialect};"))
}

pub(super) fn blob(id: EventId) -> [u8; 16] {
    id.as_u128().to_be_bytes()
}

fn parse(row: &Row<'_>) -> Result<Alert, StoreError> {
    let body = row.get_ref(0)?.as_str().map_err(unreadable("alert"))?;
    serde_json::from_str(body).map_err(unreadable("alert"))
}

/// The first row's JSON in column 0, where there is a row.
pub(super) fn optional_json<T: serde::de::DeserializeOwned>(
    what: &'static str,
    found: Result<String, rusqlite::Error>,
) -> Result<Option<T>, StoreError> {
    match found.optional()? {
        None => Ok(None),
        Some(body) => serde_json::from_str(&body).map(Some).map_err(unreadable(what)),
    }
}
