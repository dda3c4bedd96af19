//! What changes: alerts, commands, audit entries, documents, marks and checkpoints.

mod alerts;
mod commands;
pub(crate) mod guard_bans;
pub(crate) mod guard_metrics;
pub(crate) mod guard_own_bans;
pub(crate) mod guard_rules;
pub(crate) mod item_keys;
pub(crate) mod outbox;
mod registry;

use crate::StoreError;
use ringwall_event::{Alert, AlertState, Command, CommandState, EventId, Severity, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// State that is read and written row by row, in the same transaction as the events.
pub trait StateStore {
    /// Adds an alert or replaces the one with its id. `entity` is what later sightings are counted
    /// under while the alert is not resolved.
    ///
    /// # Errors
    /// Where the database cannot be written; so for every verb that changes something.
    fn put_alert(&self, alert: &Alert, entity: &str) -> Result<(), StoreError>;

    /// The alert with this id, and its entity.
    ///
    /// # Errors
    /// Where the database cannot be read; so for every verb that reads.
    fn alert(&self, id: EventId) -> Result<Option<(Alert, String)>, StoreError>;

    /// The alert of this entity that is not resolved.
    fn live_alert(&self, entity: &str) -> Result<Option<Alert>, StoreError>;

    /// Alerts that fit, newest first, those before `before`.
    fn alerts(
        &self,
        filter: &AlertFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError>;

    /// How many alerts are open, by severity.
    fn open_alerts_by_severity(&self) -> Result<Vec<(Severity, u64)>, StoreError>;

    /// How many alerts are open, by source.
    fn open_alerts_by_source(&self) -> Result<Vec<(String, u64)>, StoreError>;

    /// Alerts of the sources of one dialect that are not resolved, newest first.
    fn live_alerts_of_dialect(&self, dialect: &str, limit: usize)
    -> Result<Vec<Alert>, StoreError>;

    /// How many alerts of the sources of one dialect are not resolved, by severity.
    fn live_alert_counts_of_dialect(
        &self,
        dialect: &str,
    ) -> Result<Vec<(Severity, u64)>, StoreError>;

    /// How many alerts were first seen at or after `since`, by minutes since 1970.
    fn alerts_by_minute(&self, since: Timestamp) -> Result<Vec<(i64, u64)>, StoreError>;

    /// How many sightings the alerts count whose entity begins with this, and when the latest was;
    /// none where there are no such alerts.
    fn sightings(&self, entity_begins: &str) -> Result<Option<(u64, Timestamp)>, StoreError>;

    /// Adds a command or replaces the one with its id.
    fn put_command(&self, command: &Command) -> Result<(), StoreError>;

    /// The command with this id.
    fn command(&self, id: &str) -> Result<Option<Command>, StoreError>;

    /// Commands that fit, newest first, those with an id below `before`.
    fn commands(
        &self,
        filter: &CommandFilter,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Command>, StoreError>;

    /// Commands of this source that are queued or delivered, oldest first.
    fn open_commands(&self, source: &str) -> Result<Vec<Command>, StoreError>;

    /// The sources that have commands queued or delivered.
    fn sources_with_open_commands(&self) -> Result<Vec<String>, StoreError>;

    /// Commands of any source that are queued or delivered and whose time ran out before `now`.
    fn overdue_commands(&self, now: Timestamp) -> Result<Vec<Command>, StoreError>;

    /// How many commands are in each state, ended ones only if they ended at or after `since`.
    fn command_counts(&self, since: Timestamp) -> Result<Vec<(CommandState, u64)>, StoreError>;

    /// Writes an audit entry. Entries cannot be changed or removed.
    fn append_audit(&self, record: &AuditRecord) -> Result<i64, StoreError>;

    /// Audit entries, newest first, those with a number below `before`.
    fn audit(
        &self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, AuditRecord)>, StoreError>;

    /// The mark of a batch that was taken before.
    fn mark(&self, digest: &[u8; 32]) -> Result<Option<Mark>, StoreError>;

    /// Remembers a batch by its digest.
    fn put_mark(&self, digest: &[u8; 32], mark: &Mark) -> Result<(), StoreError>;

    /// Forgets up to `limit` marks made before `moment`; returns how many.
    fn forget_marks(&self, moment: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Writes a small JSON document.
    fn put_document<T: Serialize + ?Sized>(
        &self,
        kind: &str,
        key: &str,
        body: &T,
    ) -> Result<(), StoreError>;

    /// Reads a document.
    fn document<T: DeserializeOwned>(&self, kind: &str, key: &str)
    -> Result<Option<T>, StoreError>;

    /// All documents of a kind, by key.
    fn documents<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<(String, T)>, StoreError>;

    /// Removes a document; returns whether there was one.
    fn delete_document(&self, kind: &str, key: &str) -> Result<bool, StoreError>;

    /// Writes a part of the derived state; none removes it.
    fn put_checkpoint(&self, part: &str, key: &str, body: Option<&[u8]>) -> Result<(), StoreError>;

    /// All pieces of a part of the derived state.
    fn checkpoints(&self, part: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// The number of the last batch that the checkpoints contain; 0 where there are none.
    fn checkpoint_seq(&self) -> Result<i64, StoreError>;

    /// Says that the checkpoints contain everything up to this batch.
    fn set_checkpoint_seq(&self, seq: i64) -> Result<(), StoreError>;
}

/// Which alerts; every field that is set must fit.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// In this state.
    pub state: Option<AlertState>,
    /// Of this severity.
    pub severity: Option<Severity>,
    /// From this source (`dialect:name`).
    pub source: Option<String>,
}

/// Which commands; every field that is set must fit.
#[derive(Clone, Debug, Default)]
pub struct CommandFilter {
    /// In this state.
    pub state: Option<CommandState>,
    /// For this source (`dialect:name`).
    pub source: Option<String>,
    /// In answer to this alert.
    pub alert: Option<EventId>,
}

/// What somebody did or was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub time: Timestamp,
    /// Who: `user:admin`, `rule:indicator`, `token:ci`.
    pub actor: String,
    /// What: `kill_process`, `sign_in`.
    pub action: String,
    /// To what or whom.
    pub subject: String,
    /// `permitted`, `refused`, `succeeded`, `failed`.
    pub outcome: String,
    /// Why, or with what result.
    pub reason: String,
}

/// That a batch was taken, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When it was taken.
    pub received: Timestamp,
    /// The answer, in the form of whoever wrote it.
    pub answer: Vec<u8>,
}
