//! The outbox: what is to be told to others, until it arrived or was given up.

mod delivery;

pub use delivery::{
    Attempt, AttemptEnd, Delivery, DeliveryCounts, DeliveryFilter, DeliveryState, NewDelivery,
    Replay,
};

use crate::{Session, StoreError};
use ringwall_event::Timestamp;
use rusqlite::{OptionalExtension, Params, Row, params};
use std::collections::BTreeMap;

/// Deliveries and their attempts, in the same transaction as what they tell.
pub trait OutboxStore {
    /// Writes a delivery that is due at once.
    ///
    /// # Errors
    /// Where the database cannot be written; so for every verb that changes something.
    fn put_delivery(&self, delivery: &NewDelivery<'_>) -> Result<(), StoreError>;

    /// The delivery with this id, without its payload.
    ///
    /// # Errors
    /// Where the database cannot be read; so for every verb that reads.
    fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError>;

    /// What is sent: the bytes as they were written with what they tell.
    fn delivery_payload(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Deliveries that fit, newest first, those with an id below `before`.
    fn deliveries(
        &self,
        filter: &DeliveryFilter,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// The latest attempts of a delivery, oldest first.
    fn attempts(&self, id: &str) -> Result<Vec<Attempt>, StoreError>;

    /// What waits for a webhook's receiver, the one that is due first first.
    fn waiting(&self, webhook: &str, limit: usize) -> Result<Vec<Delivery>, StoreError>;

    /// The webhooks for whose receivers something waits.
    fn webhooks_with_waiting(&self) -> Result<Vec<String>, StoreError>;

    /// Writes down how an attempt went. False where the delivery is not there any more.
    ///
    /// A delivery that was given up meanwhile stays given up, unless the attempt succeeded.
    fn put_attempt(&self, id: &str, attempt: &Attempt, end: AttemptEnd)
    -> Result<bool, StoreError>;

    /// Gives up the oldest of what waits for this webhook's receiver, down to `keep`; returns how
    /// many.
    fn give_up_oldest(
        &self,
        webhook: &str,
        keep: u64,
        why: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Makes what waits for this webhook's receiver due at `now` at the latest.
    fn hasten(&self, webhook: &str, now: Timestamp) -> Result<(), StoreError>;

    /// Has a delivery that came to its end sent again, under its id.
    fn replay(&self, id: &str, now: Timestamp) -> Result<Replay, StoreError>;

    /// Has up to `limit` dead letters of a webhook sent again, oldest first; returns how many.
    fn replay_dead_letters(
        &self,
        webhook: &str,
        limit: u64,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// How many deliveries of a webhook are in which state.
    fn delivery_counts_of(&self, webhook: &str) -> Result<DeliveryCounts, StoreError>;

    /// The same for all webhooks that have deliveries.
    fn delivery_counts(&self) -> Result<BTreeMap<String, DeliveryCounts>, StoreError>;

    /// Forgets up to `limit` deliveries that came to their end: those that did before `before`, and
    /// the oldest where more than `keep` are left; returns how many.
    fn forget_deliveries(
        &self,
        before: Timestamp,
        keep: u64,
        limit: u64,
    ) -> Result<u64, StoreError>;
}

/// How many attempts of one delivery are kept: replays can go on for ever.
const ATTEMPTS_KEPT: i64 = 50;
const COLUMNS: &str = "id, webhook, event_type, subject, state, created, attempts, strikes, \
                       next_attempt, finished, last_error";

impl OutboxStore for Session<'_> {
    fn put_delivery(&self, delivery: &NewDelivery<'_>) -> Result<(), StoreError> {
        let created = delivery.created.as_micros();
        self.connection
            .prepare_cached(
                "INSERT INTO delivery
                     (id, webhook, event_type, subject, state, created, next_attempt, payload)
                 VALUES (?, ?, ?, ?, 'pending', ?, ?, ?)",
            )?
            .execute(params![
                delivery.id,
                delivery.webhook,
                delivery.event_type,
                delivery.subject,
                created,
                created,
                delivery.payload,
            ])?;
        Ok(())
    }

    fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM delivery WHERE id = ?");
        Ok(self.list(&sql, [id])?.pop())
    }

    fn delivery_payload(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT payload FROM delivery WHERE id = ?")?
            .query_row([id], |row| row.get(0))
            .optional()?)
    }

    fn deliveries(
        &self,
        filter: &DeliveryFilter,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        // Only what is asked for stands in the query, so that each has its index.
        let mut conditions = vec!["id < ?1"];
        let mut values = vec![before.unwrap_or("~").to_owned()];
        let fields = [
            (["webhook = ?2", "webhook = ?3", "webhook = ?4"], filter.webhook.clone()),
            (
                ["state = ?2", "state = ?3", "state = ?4"],
                filter.state.map(|state| state.name().to_owned()),
            ),
            (["subject = ?2", "subject = ?3", "subject = ?4"], filter.subject.clone()),
        ];
        for (forms, value) in fields {
            if let (Some(value), Some(form)) = (value, forms.get(values.len() - 1)) {
                conditions.push(form);
                values.push(value);
            }
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM delivery WHERE {} ORDER BY id DESC LIMIT {limit}",
            conditions.join(" AND "),
        );
        self.list(&sql, rusqlite::params_from_iter(values))
    }

    fn attempts(&self, id: &str) -> Result<Vec<Attempt>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at, duration_ms, status, error, answer FROM delivery_attempt
             WHERE delivery = ? ORDER BY number",
        )?;
        let attempts = statement.query_map([id], |row| {
            Ok(Attempt {
                at: Timestamp::from_micros(row.get(0)?),
                duration_ms: row.get::<_, i64>(1)?.unsigned_abs(),
                status: row.get(2)?,
                error: row.get(3)?,
                answer: row.get(4)?,
            })
        })?;
        Ok(attempts.collect::<Result<_, _>>()?)
    }

    fn waiting(&self, webhook: &str, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM delivery INDEXED BY delivery_due
             WHERE webhook = ? AND next_attempt IS NOT NULL ORDER BY next_attempt LIMIT {limit}"
        );
        self.list(&sql, [webhook])
    }

    fn webhooks_with_waiting(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT webhook FROM delivery_count
             WHERE state IN ('pending', 'failed') AND count > 0",
        )?;
        let webhooks = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(webhooks)
    }

    fn put_attempt(
        &self,
        id: &str,
        attempt: &Attempt,
        end: AttemptEnd,
    ) -> Result<bool, StoreError> {
        let finished = attempt.at.plus_micros(
            i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX).saturating_mul(1000),
        );
        let (state, next, finished) = match end {
            AttemptEnd::Arrived => (DeliveryState::Success, None, Some(finished)),
            AttemptEnd::Again(next) => (DeliveryState::Failed, Some(next), None),
            AttemptEnd::GivenUp => (DeliveryState::DeadLetter, None, Some(finished)),
        };
        // Where it was given up meanwhile, its state and its reason stay, unless it arrived.
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE delivery SET attempts = attempts + 1, strikes = strikes + 1,
                     state = CASE WHEN ?6 OR next_attempt IS NOT NULL THEN ?2 ELSE state END,
                     finished = CASE WHEN ?6 OR next_attempt IS NOT NULL THEN ?4 ELSE finished END,
                     last_error =
                         CASE WHEN ?6 OR next_attempt IS NOT NULL THEN ?5 ELSE last_error END,
                     next_attempt = CASE WHEN next_attempt IS NOT NULL THEN ?3 END
                 WHERE id = ?1",
            )?
            .execute(params![
                id,
                state.name(),
                next.map(Timestamp::as_micros),
                finished.map(Timestamp::as_micros),
                attempt.error,
                end == AttemptEnd::Arrived,
            ])?;
        if changed == 0 {
            return Ok(false);
        }
        self.connection
            .prepare_cached(
                "INSERT INTO delivery_attempt
                     (delivery, number, at, duration_ms, status, error, answer)
                 SELECT ?1, attempts, ?2, ?3, ?4, ?5, ?6 FROM delivery WHERE id = ?1",
            )?
            .execute(params![
                id,
                attempt.at.as_micros(),
                i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX),
                attempt.status,
                attempt.error,
                attempt.answer,
            ])?;
        self.connection
            .prepare_cached(
                "DELETE FROM delivery_attempt WHERE delivery = ?1
                     AND number <= (SELECT attempts FROM delivery WHERE id = ?1) - ?2",
            )?
            .execute(params![id, ATTEMPTS_KEPT])?;
        Ok(true)
    }

    fn give_up_oldest(
        &self,
        webhook: &str,
        keep: u64,
        why: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let waiting = self.delivery_counts_of(webhook)?.waiting();
        let beyond = waiting.saturating_sub(keep);
        if beyond == 0 {
            return Ok(0);
        }
        let given_up = self
            .connection
            .prepare_cached(
                "UPDATE delivery
                 SET state = 'dead_letter', next_attempt = NULL, finished = ?2, last_error = ?3
                 WHERE id IN (SELECT id FROM delivery INDEXED BY delivery_waiting
                     WHERE webhook = ?1 AND next_attempt IS NOT NULL ORDER BY id LIMIT ?4)",
            )?
            .execute(params![webhook, now.as_micros(), why, limited(beyond)])?;
        Ok(count(given_up))
    }

    fn hasten(&self, webhook: &str, now: Timestamp) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE delivery SET next_attempt = ?2 WHERE webhook = ?1 AND next_attempt > ?2",
            )?
            .execute(params![webhook, now.as_micros()])?;
        Ok(())
    }

    fn replay(&self, id: &str, now: Timestamp) -> Result<Replay, StoreError> {
        let Some(delivery) = self.delivery(id)? else { return Ok(Replay::Missing) };
        if delivery.next_attempt.is_some() {
            return Ok(Replay::Waits);
        }
        self.connection
            .prepare_cached(
                "UPDATE delivery
                 SET state = 'pending', strikes = 0, next_attempt = ?2, finished = NULL
                 WHERE id = ?1",
            )?
            .execute(params![id, now.as_micros()])?;
        Ok(Replay::Done(delivery.webhook))
    }

    fn replay_dead_letters(
        &self,
        webhook: &str,
        limit: u64,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let replayed = self
            .connection
            .prepare_cached(
                "UPDATE delivery
                 SET state = 'pending', strikes = 0, next_attempt = ?2, finished = NULL
                 WHERE id IN (SELECT id FROM delivery WHERE webhook = ?1 AND state = 'dead_letter'
                     ORDER BY id LIMIT ?3)",
            )?
            .execute(params![webhook, now.as_micros(), limited(limit)])?;
        Ok(count(replayed))
    }

    fn delivery_counts_of(&self, webhook: &str) -> Result<DeliveryCounts, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT state, count FROM delivery_count WHERE webhook = ?")?;
        let mut rows = statement.query([webhook])?;
        let mut counts = DeliveryCounts::default();
        while let Some(row) = rows.next()? {
            counts.add(&row.get::<_, String>(0)?, row.get::<_, i64>(1)?.unsigned_abs());
        }
        Ok(counts)
    }

    fn delivery_counts(&self) -> Result<BTreeMap<String, DeliveryCounts>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT webhook, state, count FROM delivery_count")?;
        let mut rows = statement.query([])?;
        let mut all = BTreeMap::<String, DeliveryCounts>::new();
        while let Some(row) = rows.next()? {
            let counts = all.entry(row.get(0)?).or_default();
            counts.add(&row.get::<_, String>(1)?, row.get::<_, i64>(2)?.unsigned_abs());
        }
        Ok(all)
    }

    fn forget_deliveries(
        &self,
        before: Timestamp,
        keep: u64,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let finished: u64 = self
            .delivery_counts()?
            .values()
            .map(|counts| counts.success.saturating_add(counts.dead_letter))
            .sum();
        let beyond = finished.saturating_sub(keep).min(limit);
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM delivery WHERE finished IS NOT NULL AND finished < ?1
             ORDER BY finished LIMIT ?2",
        )?;
        let mut ids: Vec<String> = statement
            .query_map(params![before.as_micros(), limited(limit)], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if count(ids.len()) < beyond {
            let everything = i64::MAX;
            ids = statement
                .query_map(params![everything, limited(beyond)], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
        }
        for id in &ids {
            for table in [
                "DELETE FROM delivery_attempt WHERE delivery = ?",
                "DELETE FROM delivery WHERE id = ?",
            ] {
                self.connection.prepare_cached(table)?.execute([id])?;
            }
        }
        Ok(count(ids.len()))
    }
}

impl Session<'_> {
    fn list(&self, sql: &str, params: impl Params) -> Result<Vec<Delivery>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut deliveries = Vec::new();
        while let Some(row) = rows.next()? {
            deliveries.push(read(row)?);
        }
        Ok(deliveries)
    }
}

fn read(row: &Row<'_>) -> Result<Delivery, StoreError> {
    let state: String = row.get(4)?;
    let moment = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    Ok(Delivery {
        id: row.get(0)?,
        webhook: row.get(1)?,
        event_type: row.get(2)?,
        subject: row.get(3)?,
        state: DeliveryState::from_name(&state).ok_or_else(|| StoreError::Unreadable {
            what: "delivery",
            why: format!("state `{state}` is not known"),
        })?,
        created: Timestamp::from_micros(row.get(5)?),
        attempts: row.get(6)?,
        strikes: row.get(7)?,
        next_attempt: moment(row.get(8)?),
        finished: moment(row.get(9)?),
        last_error: row.get(10)?,
    })
}

fn limited(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
