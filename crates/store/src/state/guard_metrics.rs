//! What the guards of applications measured: by minute, and after some days by hour.

use crate::{Session, StoreError};
use ringwall_event::Timestamp;
use rusqlite::params;

/// The sum of what was measured of one thing in one minute.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardMetricBucket {
    /// What: `response_time`, ….
    pub metric: Box<str>,
    /// Minutes since 1970.
    pub minute: i64,
    /// The path it belongs to; empty for none.
    pub endpoint: Box<str>,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least of them.
    pub min: f64,
    /// The greatest of them.
    pub max: f64,
}

/// What was measured in one step of time, over all paths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardMetricPoint {
    /// When the step begins.
    pub time: Timestamp,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least of them.
    pub min: f64,
    /// The greatest of them.
    pub max: f64,
}

/// What was measured of one path.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardMetricEndpoint {
    /// The path; empty for what belongs to none.
    pub endpoint: String,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

/// Measurements, in the transaction of what came with them.
pub trait GuardMetricStore {
    /// Adds a bucket to what is there. A path beyond the first `endpoints_max` of its minute is
    /// counted under `other`.
    ///
    /// # Errors
    /// Where the database cannot be written; so for every verb that changes something.
    fn add_guard_metric(
        &self,
        project: &str,
        bucket: &GuardMetricBucket,
        endpoints_max: usize,
        other: &str,
    ) -> Result<(), StoreError>;

    /// What was measured between two moments, step by step; steps without values are left out.
    ///
    /// # Errors
    /// Where the database cannot be read; so for every verb that reads.
    fn guard_metric_points(
        &self,
        project: &str,
        metric: &str,
        since: Timestamp,
        until: Timestamp,
        step_minutes: u32,
    ) -> Result<Vec<GuardMetricPoint>, StoreError>;

    /// The paths with the most values between two moments.
    fn guard_metric_endpoints(
        &self,
        project: &str,
        metric: &str,
        since: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<GuardMetricEndpoint>, StoreError>;

    /// How many values there were since a moment, by project.
    fn guard_metric_counts(
        &self,
        metric: &str,
        since: Timestamp,
    ) -> Result<Vec<(String, u64)>, StoreError>;

    /// Makes hours of up to `limit` rows by minute from before a moment; returns how many rows went.
    fn merge_guard_metrics(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Removes up to `limit` rows from before a moment; returns how many.
    fn forget_guard_metrics(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Removes all of a project's.
    fn remove_guard_metrics(&self, project: &str) -> Result<(), StoreError>;
}

const MINUTE_SECONDS: i64 = 60;
const MINUTES_OF_HOUR: i64 = 60;
/// Rows by minute and by hour stand apart, so that hours are never merged again.
const BY_MINUTE: i64 = 0;
const BY_HOUR: i64 = 1;

impl GuardMetricStore for Session<'_> {
    fn add_guard_metric(
        &self,
        project: &str,
        bucket: &GuardMetricBucket,
        endpoints_max: usize,
        other: &str,
    ) -> Result<(), StoreError> {
        let mut endpoint = &*bucket.endpoint;
        let key = params![BY_MINUTE, bucket.minute, project, bucket.metric, endpoint];
        let is_known: bool = self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM guard_metric WHERE level = ?1 AND minute = ?2
                    AND project = ?3 AND metric = ?4 AND endpoint = ?5)",
            )?
            .query_row(key, |row| row.get(0))?;
        if !is_known && !endpoint.is_empty() {
            let known: i64 = self
                .connection
                .prepare_cached(
                    "SELECT count(*) FROM guard_metric WHERE level = ?1 AND minute = ?2
                        AND project = ?3 AND metric = ?4",
                )?
                .query_row(params![BY_MINUTE, bucket.minute, project, bucket.metric], |row| {
                    row.get(0)
                })?;
            if usize::try_from(known).unwrap_or(usize::MAX) >= endpoints_max {
                endpoint = other;
            }
        }
        self.connection
            .prepare_cached(&format!("{INSERT} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) {ADD}"))?
            .execute(params![
                BY_MINUTE,
                bucket.minute,
                project,
                bucket.metric,
                endpoint,
                bucket.count.cast_signed(),
                bounded(bucket.sum),
                bounded(bucket.min),
                bounded(bucket.max),
            ])?;
        Ok(())
    }

    fn guard_metric_points(
        &self,
        project: &str,
        metric: &str,
        since: Timestamp,
        until: Timestamp,
        step_minutes: u32,
    ) -> Result<Vec<GuardMetricPoint>, StoreError> {
        let step = i64::from(step_minutes.max(1));
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT minute / ?5 AS step, sum(count), {TOTAL}, min(min), max(max)
             FROM guard_metric
             WHERE level IN (0, 1) AND minute >= ?3 AND minute < ?4 AND project = ?1 AND metric = ?2
             GROUP BY step ORDER BY step",
        ))?;
        let rows = statement.query_map(
            params![project, metric, minute_of(since), minute_after(until), step],
            |row| {
                Ok(GuardMetricPoint {
                    time: moment_of(row.get::<_, i64>(0)?.saturating_mul(step)),
                    count: row.get::<_, i64>(1)?.unsigned_abs(),
                    sum: row.get(2)?,
                    min: row.get(3)?,
                    max: row.get(4)?,
                })
            },
        )?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    fn guard_metric_endpoints(
        &self,
        project: &str,
        metric: &str,
        since: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<GuardMetricEndpoint>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT endpoint, sum(count) AS times, {TOTAL} FROM guard_metric
             WHERE level IN (0, 1) AND minute >= ?3 AND minute < ?4 AND project = ?1 AND metric = ?2
             GROUP BY endpoint ORDER BY times DESC, endpoint LIMIT ?5",
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(
            params![project, metric, minute_of(since), minute_after(until), limit],
            |row| {
                Ok(GuardMetricEndpoint {
                    endpoint: row.get(0)?,
                    count: row.get::<_, i64>(1)?.unsigned_abs(),
                    sum: row.get(2)?,
                })
            },
        )?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    fn guard_metric_counts(
        &self,
        metric: &str,
        since: Timestamp,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT project, sum(count) FROM guard_metric
             WHERE level IN (0, 1) AND minute >= ?2 AND metric = ?1 GROUP BY project",
        )?;
        let rows = statement.query_map(params![metric, minute_of(since)], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    fn merge_guard_metrics(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        // Whole hours only: a part of one would be merged again, which the sum allows, but a page would
        // show it twice as wide meanwhile.
        let before = minute_of(before).div_euclid(MINUTES_OF_HOUR) * MINUTES_OF_HOUR;
        let chosen = "SELECT level, minute, project, metric, endpoint FROM guard_metric
             WHERE level = 0 AND minute < ?1
             ORDER BY level, minute, project, metric, endpoint LIMIT ?2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(&format!(
                "{INSERT} SELECT ?3, minute / 60 * 60, project, metric, endpoint,
                    sum(count), {TOTAL}, min(min), max(max)
                 FROM guard_metric
                 WHERE (level, minute, project, metric, endpoint) IN ({chosen})
                 GROUP BY 2, 3, 4, 5 {ADD}"
            ))?
            .execute(params![before, limit, BY_HOUR])?;
        let merged = self
            .connection
            .prepare_cached(&format!(
                "DELETE FROM guard_metric
                 WHERE (level, minute, project, metric, endpoint) IN ({chosen})"
            ))?
            .execute(params![before, limit])?;
        Ok(merged)
    }

    fn forget_guard_metrics(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let forgotten = self
            .connection
            .prepare_cached(
                "DELETE FROM guard_metric WHERE (level, minute, project, metric, endpoint) IN
                    (SELECT level, minute, project, metric, endpoint FROM guard_metric
                     WHERE level IN (0, 1) AND minute < ?1 LIMIT ?2)",
            )?
            .execute(params![minute_of(before), limit])?;
        Ok(forgotten)
    }

    fn remove_guard_metrics(&self, project: &str) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM guard_metric WHERE project = ?1", params![project])?;
        Ok(())
    }
}

/// A sum goes no further than this from zero. Two of them, and a total of as many as a store can hold,
/// are still numbers: what a sender measures never becomes infinite, and so never the difference of two
/// infinities, which SQLite takes for NULL and the table refuses.
const SUM_MAX: f64 = 1e300;
/// The total of stored sums. One that was stored before there was a bound is brought within it.
const TOTAL: &str = "total(max(-1e300, min(1e300, sum)))";

const fn bounded(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(-SUM_MAX, SUM_MAX) }
}

const INSERT: &str = "INSERT INTO guard_metric
    (level, minute, project, metric, endpoint, count, sum, min, max)";
/// A select before it needs its own `WHERE` to tell this from a join: every one has.
const ADD: &str = "ON CONFLICT (level, minute, project, metric, endpoint) DO UPDATE SET
    count = count + excluded.count,
    sum = max(-1e300, min(1e300, ifnull(sum + excluded.sum, 0.0))),
    min = min(min, excluded.min), max = max(max, excluded.max)";

const fn minute_of(moment: Timestamp) -> i64 {
    moment.as_seconds().div_euclid(MINUTE_SECONDS)
}

/// The first minute that begins at or after the moment.
const fn minute_after(moment: Timestamp) -> i64 {
    moment.as_seconds().saturating_add(MINUTE_SECONDS - 1).div_euclid(MINUTE_SECONDS)
}

fn moment_of(minute: i64) -> Timestamp {
    Timestamp::from_millis(minute.saturating_mul(MINUTE_SECONDS * 1000))
}

#[cfg(test)]
mod tests;
