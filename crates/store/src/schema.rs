//! The tables, and how an older file is brought up to date.

use crate::StoreError;
use rusqlite::Connection;

/// One entry a version; a file at version N has had the first N entries.
const MIGRATIONS: &[&str] = &[
    r"
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    dialect TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (dialect, name)
);
-- One row a batch. `base` is the id of its first event, the others count on from it.
-- `keys` are sorted 32-bit fingerprints of the pids and kinds inside, so that a search by
-- process skips batches without unpacking them; it stands before `body` because SQLite reads
-- rows from the front.
CREATE TABLE batch (
    seq INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    received INTEGER NOT NULL,
    time_min INTEGER NOT NULL,
    time_max INTEGER NOT NULL,
    events INTEGER NOT NULL,
    base BLOB NOT NULL,
    keys BLOB NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX batch_by_time ON batch (time_max, time_min);
CREATE INDEX batch_by_source_and_time ON batch (source, time_max, time_min);
CREATE INDEX batch_by_received ON batch (received);
CREATE TABLE mark (
    digest BLOB PRIMARY KEY,
    received INTEGER NOT NULL,
    answer BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX mark_by_received ON mark (received);
CREATE TABLE alert (
    id BLOB PRIMARY KEY,
    entity TEXT NOT NULL,
    state TEXT NOT NULL,
    severity INTEGER NOT NULL,
    source TEXT NOT NULL,
    finding TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    count INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX alert_by_entity ON alert (entity, id);
CREATE INDEX alert_by_state ON alert (state, severity);
CREATE INDEX alert_by_source ON alert (source, id);
CREATE TABLE command (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    finished INTEGER,
    alert BLOB,
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX command_by_source_and_state ON command (source, state);
CREATE INDEX command_by_state ON command (state, finished);
CREATE INDEX command_by_alert ON command (alert) WHERE alert IS NOT NULL;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END;
CREATE TABLE document (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
-- Derived state as of the batch `seq` that meta.checkpoint_seq names.
CREATE TABLE checkpoint (
    part TEXT NOT NULL,
    key TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (part, key)
) WITHOUT ROWID;
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
",
    ARCHIVE,
    // Four bytes for each block of 16 KiB; none for files from before.
    "ALTER TABLE archive_file ADD COLUMN block_sums BLOB",
    OUTBOX,
    GUARD_RULES,
    GUARD_TELEMETRY,
    GUARD_BAN_CAUSES,
    GUARD_BAN_COUNTS,
];

/// The archive: which Parquet files hold what, what must be kept, and the counts by minute.
const ARCHIVE: &str = r"
-- A row refers to a file in the archive folder. State 0: live; 1: replaced or retired, to be
-- unlinked once no reader from before is left, and only then is the row deleted.
CREATE TABLE archive_file (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    state INTEGER NOT NULL DEFAULT 0,
    -- UTC days since 1970 on which all its events were received.
    day INTEGER NOT NULL,
    events INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    time_min INTEGER NOT NULL,
    time_max INTEGER NOT NULL,
    received_min INTEGER NOT NULL,
    received_max INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    created INTEGER NOT NULL
);
CREATE INDEX archive_file_by_state_and_time ON archive_file (state, time_max, time_min);
CREATE INDEX archive_file_by_state_and_received ON archive_file (state, received_max);
-- With the counts beside the moments, what waits in the intake is told without reading its rows.
DROP INDEX batch_by_received;
CREATE INDEX batch_by_received ON batch (received, events);
-- Which sources a file holds, so that a search by host opens few files.
CREATE TABLE archive_file_source (
    file INTEGER NOT NULL REFERENCES archive_file (id),
    source INTEGER NOT NULL REFERENCES source (id),
    events INTEGER NOT NULL,
    PRIMARY KEY (file, source)
) WITHOUT ROWID;
CREATE INDEX archive_file_source_by_source ON archive_file_source (source, file);
-- What retention must not touch: everything received within the bounds (open where null).
CREATE TABLE legal_hold (
    name TEXT PRIMARY KEY,
    source TEXT,
    since INTEGER,
    until INTEGER,
    reason TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID;
-- Counts of events by the minute (or hour) of their receipt; the body is packed by `rollups`.
CREATE TABLE rollup (
    level INTEGER NOT NULL,
    start INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (level, start)
) WITHOUT ROWID;
";

/// What is to be told to others: written with what it tells, and kept until it arrived or was given up.
const OUTBOX: &str = r"
-- While it waits, `next_attempt` is set and `finished` is not; afterwards the other way round. So the
-- index of what is due holds what waits and nothing else.
CREATE TABLE delivery (
    id TEXT NOT NULL PRIMARY KEY,
    webhook TEXT NOT NULL,
    event_type TEXT NOT NULL,
    subject TEXT NOT NULL,
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- Attempts since it was written or last replayed.
    strikes INTEGER NOT NULL DEFAULT 0,
    next_attempt INTEGER,
    finished INTEGER,
    last_error TEXT,
    payload BLOB NOT NULL
);
CREATE INDEX delivery_due ON delivery (webhook, next_attempt) WHERE next_attempt IS NOT NULL;
CREATE INDEX delivery_waiting ON delivery (webhook, id) WHERE next_attempt IS NOT NULL;
CREATE INDEX delivery_by_webhook ON delivery (webhook, state, id);
CREATE INDEX delivery_by_state ON delivery (state, id);
CREATE INDEX delivery_by_subject ON delivery (subject);
CREATE INDEX delivery_by_finished ON delivery (finished) WHERE finished IS NOT NULL;
CREATE TABLE delivery_attempt (
    delivery TEXT NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status INTEGER,
    error TEXT,
    answer TEXT NOT NULL,
    PRIMARY KEY (delivery, number)
) WITHOUT ROWID;
-- How many deliveries of a webhook are in each state: kept by the triggers, so that no bound and no
-- page counts rows.
CREATE TABLE delivery_count (
    webhook TEXT NOT NULL,
    state TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (webhook, state)
) WITHOUT ROWID;
CREATE TRIGGER delivery_is_counted AFTER INSERT ON delivery BEGIN
    INSERT INTO delivery_count (webhook, state, count) VALUES (new.webhook, new.state, 1)
        ON CONFLICT (webhook, state) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER delivery_is_recounted AFTER UPDATE OF state ON delivery
    WHEN old.state <> new.state
BEGIN
    UPDATE delivery_count SET count = count - 1 WHERE webhook = old.webhook AND state = old.state;
    INSERT INTO delivery_count (webhook, state, count) VALUES (new.webhook, new.state, 1)
        ON CONFLICT (webhook, state) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER delivery_is_discounted AFTER DELETE ON delivery BEGIN
    UPDATE delivery_count SET count = count - 1 WHERE webhook = old.webhook AND state = old.state;
    DELETE FROM delivery_count WHERE webhook = old.webhook AND state = old.state AND count <= 0;
END;
";

/// What applications are told to let in and what not.
const GUARD_RULES: &str = r"
-- What the applications of a project are told, as it is sent.
CREATE TABLE guard_rules (
    project TEXT PRIMARY KEY,
    rule_id TEXT NOT NULL,
    began INTEGER NOT NULL,
    version INTEGER NOT NULL,
    published INTEGER NOT NULL,
    text TEXT NOT NULL,
    left_out INTEGER NOT NULL
) WITHOUT ROWID;
-- Applications ignore what is not newer than what they have.
CREATE TRIGGER guard_rules_only_grow BEFORE UPDATE ON guard_rules
    WHEN new.version <= old.version
BEGIN SELECT RAISE(ABORT, 'the version of published rules only grows'); END;
CREATE TABLE guard_rules_edit (
    project TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    note TEXT,
    summary TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (project, version)
) WITHOUT ROWID;
-- A ban of all projects has the project ''. It is active until `ended` is set.
CREATE TABLE guard_ban (
    id TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    project TEXT NOT NULL,
    reason TEXT NOT NULL,
    origin TEXT NOT NULL,
    hosts INTEGER NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires INTEGER NOT NULL,
    ended INTEGER,
    ended_by TEXT,
    alert BLOB,
    country TEXT,
    caused_by TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX guard_ban_active ON guard_ban (address, project) WHERE ended IS NULL;
CREATE INDEX guard_ban_by_end ON guard_ban (expires) WHERE ended IS NULL;
CREATE INDEX guard_ban_ended ON guard_ban (ended) WHERE ended IS NOT NULL;
CREATE INDEX guard_ban_by_project ON guard_ban (project, id) WHERE ended IS NULL;
CREATE INDEX guard_ban_by_address ON guard_ban (address);
CREATE INDEX guard_ban_by_cause ON guard_ban (caused_by, created) WHERE caused_by IS NOT NULL;
-- Which hosts were told of a ban, and by which command last.
CREATE TABLE guard_ban_command (
    ban TEXT NOT NULL,
    host TEXT NOT NULL,
    command TEXT NOT NULL,
    PRIMARY KEY (ban, host)
) WITHOUT ROWID;
";

/// What the guards of applications send beside events.
const GUARD_TELEMETRY: &str = r"
-- Single items that were taken, by a digest of what makes them the same. Rows are numbered as they come
-- and go from the front, so the number tells their age.
CREATE TABLE item_key (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL UNIQUE,
    event BLOB NOT NULL,
    received INTEGER NOT NULL
);
-- Level 0: by minute. Level 1: by hour, under the first minute of it.
CREATE TABLE guard_metric (
    level INTEGER NOT NULL,
    minute INTEGER NOT NULL,
    project TEXT NOT NULL,
    metric TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    count INTEGER NOT NULL,
    sum REAL NOT NULL,
    min REAL NOT NULL,
    max REAL NOT NULL,
    PRIMARY KEY (level, minute, project, metric, endpoint)
) WITHOUT ROWID;
CREATE INDEX guard_metric_by_metric ON guard_metric (project, metric, level, minute);
";

/// What came of the events of applications, and what they did themselves.
const GUARD_BAN_CAUSES: &str = r"
-- Each time that a source's events led to a ban, or to a longer one.
CREATE TABLE guard_ban_cause (
    source TEXT NOT NULL,
    moment INTEGER NOT NULL,
    ban TEXT NOT NULL,
    PRIMARY KEY (source, moment, ban)
) WITHOUT ROWID;
CREATE INDEX guard_ban_cause_by_moment ON guard_ban_cause (moment);
INSERT INTO guard_ban_cause (source, moment, ban)
    SELECT caused_by, created, id FROM guard_ban WHERE caused_by IS NOT NULL;
DROP INDEX guard_ban_by_cause;
-- What the applications of a project banned by themselves.
CREATE TABLE guard_own_ban (
    project TEXT NOT NULL,
    address TEXT NOT NULL,
    began INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (project, address)
) WITHOUT ROWID;
CREATE INDEX guard_own_ban_by_project ON guard_own_ban (project, until, address);
CREATE INDEX guard_own_ban_by_end ON guard_own_ban (until);
";

/// How many bans are active.
const GUARD_BAN_COUNTS: &str = r"
-- By whose events they follow from; '' for those that people ordered, 'rules' for all others, which no source
-- is called. Kept by the triggers, so that no bound counts rows: the events that run into one have no end.
CREATE TABLE guard_ban_count (
    cause TEXT PRIMARY KEY,
    active INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO guard_ban_count (cause, active)
    SELECT ifnull(caused_by, ''), count(*) FROM guard_ban WHERE ended IS NULL GROUP BY caused_by;
INSERT INTO guard_ban_count (cause, active)
    SELECT 'rules', count(*) FROM guard_ban WHERE ended IS NULL AND caused_by IS NOT NULL;
CREATE TRIGGER guard_ban_is_counted AFTER INSERT ON guard_ban WHEN new.ended IS NULL BEGIN
    INSERT INTO guard_ban_count (cause, active) VALUES (ifnull(new.caused_by, ''), 1)
        ON CONFLICT (cause) DO UPDATE SET active = active + 1;
    UPDATE guard_ban_count SET active = active + 1
        WHERE cause = 'rules' AND new.caused_by IS NOT NULL;
END;
CREATE TRIGGER guard_ban_is_discounted AFTER UPDATE OF ended ON guard_ban
    WHEN old.ended IS NULL AND new.ended IS NOT NULL
BEGIN
    UPDATE guard_ban_count SET active = active - 1
        WHERE cause = ifnull(old.caused_by, '')
            OR (cause = 'rules' AND old.caused_by IS NOT NULL);
    DELETE FROM guard_ban_count WHERE cause = old.caused_by AND active <= 0;
END;
-- The counts would be wrong from then on.
CREATE TRIGGER guard_ban_stays_ended BEFORE UPDATE OF ended ON guard_ban
    WHEN old.ended IS NOT NULL AND new.ended IS NULL
BEGIN SELECT RAISE(ABORT, 'a ban that ended begins anew as another one'); END;
CREATE TRIGGER guard_ban_is_forgotten_ended BEFORE DELETE ON guard_ban WHEN old.ended IS NULL
BEGIN SELECT RAISE(ABORT, 'only bans that ended are forgotten'); END;
";

/// The version that this program writes.
pub(crate) fn version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = version();
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}
