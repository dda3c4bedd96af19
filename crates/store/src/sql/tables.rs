//! The tables beside `events`: what they are called, what their columns hold, and how they are filled.

use super::moment;
use super::plan::Shown;
use crate::archive::columns::{Column, ColumnKind};
use rusqlite::types::Value;
use rusqlite::{Connection, Result, params_from_iter};
use serde::{Deserialize, Serialize};

/// A table that SQL can ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableFacts {
    /// Its name.
    pub name: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// Its columns in their order.
    pub columns: Vec<ColumnFacts>,
}

/// A column that SQL can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnFacts {
    /// Its name.
    pub name: &'static str,
    /// `time`, `text`, `integer`, `float` or `uid`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it holds.
    pub about: &'static str,
}

/// A row of the table `hosts`, which the server keeps in memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns of the table `hosts` are described in one place")]
pub struct HostEntry {
    pub id: String,
    pub dialect: String,
    pub name: String,
    pub hostname: String,
    pub online: bool,
    pub first_seen: i64,
    pub last_seen: i64,
    pub processes: u64,
    pub connections: u64,
    pub open_alerts: u64,
    pub risk_max: Option<f64>,
    pub events: u64,
    pub system: String,
}

/// A row of the table `scores`, which the server keeps in memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns of the table `scores` are described in one place")]
pub struct ScoreEntry {
    pub process_id: String,
    pub source: String,
    pub host: String,
    pub process_pid: i64,
    pub process_name: String,
    pub process_created_time: Option<i64>,
    pub risk_score: f64,
    pub anomaly_score: Option<f64>,
    pub evidence_score: f64,
    pub reasons: String,
    pub calculated_at: i64,
}

/// Every table, in the order of a first read.
pub fn tables() -> Vec<TableFacts> {
    let events = TableFacts {
        name: super::events_table::NAME,
        about: "what was observed, one row an event",
        columns: Shown::all()
            .map(|column| match column {
                Shown::MetadataUid => ColumnFacts {
                    name: Shown::METADATA_UID,
                    kind: "uid",
                    about: "The id of the event, 32 hexadecimal digits.",
                },
                Shown::Stored(column) => stored_facts(column),
            })
            .collect(),
    };
    let others = OTHERS.iter().map(|table| TableFacts {
        name: table.name,
        about: table.about,
        columns: table
            .columns
            .iter()
            .map(|column| ColumnFacts {
                name: column.name,
                kind: column.kind.name(),
                about: column.about,
            })
            .collect(),
    });
    std::iter::once(events).chain(others).collect()
}

/// The table in the database that a view reads.
pub(super) fn table_behind(view: &str) -> Option<&'static str> {
    OTHERS.iter().find(|table| table.name == view).and_then(|table| table.behind)
}

fn stored_facts(column: Column) -> ColumnFacts {
    let kind = match column.kind() {
        ColumnKind::Time => "time",
        ColumnKind::Integer => "integer",
        ColumnKind::Float => "float",
        ColumnKind::Text => "text",
        ColumnKind::Uid => "uid",
    };
    ColumnFacts { name: column.name(), kind, about: column.about() }
}

struct Other {
    name: &'static str,
    about: &'static str,
    /// The table of the database that it is a view of; none for those that live in memory.
    behind: Option<&'static str>,
    columns: &'static [OtherColumn],
}

struct OtherColumn {
    name: &'static str,
    kind: Kind,
    /// What gives the value in the table behind; the columns of those in memory are themselves.
    from: &'static str,
    about: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Time,
    Integer,
    Float,
    Text,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Text => "text",
        }
    }

    fn declared(self) -> &'static str {
        match self {
            Self::Time => "TIME TEXT COLLATE moment",
            Self::Integer => "INTEGER",
            Self::Float => "REAL",
            Self::Text => "TEXT",
        }
    }

    /// An expression with the type of the column.
    fn shown(self, from: &str) -> String {
        match self {
            Self::Time => format!("CAST(ts({from}) AS TEXT) COLLATE {}", moment::COLLATION),
            Self::Integer => format!("CAST({from} AS INTEGER)"),
            Self::Float => format!("CAST({from} AS REAL)"),
            Self::Text => format!("CAST({from} AS TEXT)"),
        }
    }
}

macro_rules! columns {
    ($($name:literal $kind:ident $from:literal $about:literal;)+) => {
        &[$(OtherColumn { name: $name, kind: Kind::$kind, from: $from, about: $about }),+]
    };
}

const OTHERS: &[Other] = &[
    Other {
        name: "alerts",
        about: "what was concluded, one row a finding about a process or host",
        behind: Some("alert"),
        columns: columns! {
            "id" Text "lower(hex(id))" "32 hexadecimal digits; sorts by the first sighting.";
            "first_seen" Time "first_seen" "The first sighting.";
            "last_seen" Time "last_seen" "The latest sighting.";
            "count" Integer "count" "How many sightings.";
            "state" Text "state" "open, acknowledged or resolved.";
            "severity" Text "body ->> '$.severity'" "informational to critical, in words.";
            "severity_id" Integer "severity" "1 informational to 5 critical.";
            "finding" Text "finding" "indicator_match, new_process, risk_threshold, command_refused, cloned_identity, app_attack, app_ban, app_abuse, app_emergency, guard_key_shared or guard_unreadable.";
            "title" Text "body ->> '$.title'" "One line for people.";
            "source" Text "source" "Whose events led to it: dialect:name.";
            "host" Text "body ->> '$.host'" "The host that it is about.";
            "process_pid" Integer "body ->> '$.process.pid'" "The process that it is about.";
            "process_name" Text "body ->> '$.process.name'" "The short name of its program.";
            "process_created_time" Time "body ->> '$.process.start_time'" "When that process started.";
            "indicator" Text "body ->> '$.finding.indicator'" "The kind of the indicator that matched.";
            "indicator_value" Text "body ->> '$.finding.value'" "The listed value that matched.";
            "reasons" Text "body -> '$.reasons'" "Why: JSON, a list of sentences.";
            "events" Text "body -> '$.events'" "The first events behind it: JSON, a list of ids.";
            "kill_offered" Integer "body ->> '$.kill_offered'" "1 where people may order the kill.";
            "note" Text "body ->> '$.note'" "What somebody noted.";
            "entity" Text "entity" "What sightings are counted under.";
        },
    },
    Other {
        name: "commands",
        about: "orders to hosts, one row a command",
        behind: Some("command"),
        columns: columns! {
            "id" Text "id" "cmd_ and 32 hexadecimal digits; sorts by time.";
            "created" Time "created" "When it was ordered.";
            "state" Text "state" "queued, delivered, succeeded, failed, expired or withdrawn.";
            "action" Text "body ->> '$.action'" "kill_process, collect_file, block_address and their like.";
            "source" Text "source" "The client that shall carry it out: dialect:name.";
            "process_pid" Integer "body ->> '$.target.pid'" "The process that is meant.";
            "process_name" Text "body ->> '$.target.name'" "The short name of its program.";
            "process_created_time" Time "body ->> '$.target.start_time'" "When that process started.";
            "target_path" Text "body ->> '$.target.path'" "The file that is meant.";
            "target_address" Text "body ->> '$.target.address'" "The address or network that is meant.";
            "file_sha256" Text "body ->> '$.file.sha256'" "The SHA-256 of the file that it brought.";
            "reason" Text "body ->> '$.reason'" "Why.";
            "ordered_by" Text "body ->> '$.ordered_by'" "Who: rule:indicator, user:admin.";
            "alert" Text "lower(hex(alert))" "The id of the alert that it answers.";
            "expires" Time "body ->> '$.expires'" "When it is void.";
            "delivered" Time "body ->> '$.delivered'" "When it was last handed out.";
            "deliveries" Integer "body ->> '$.deliveries'" "How often it was handed out.";
            "finished" Time "finished" "When it came to its end.";
            "result" Text "body ->> '$.result'" "What the client said of it.";
        },
    },
    Other {
        name: "deliveries",
        about: "what was sent to webhooks or is to be, one row a message to one receiver",
        behind: Some("delivery"),
        columns: columns! {
            "id" Text "id" "dlv_ and 32 hexadecimal digits, as the receiver sees it; sorts by time.";
            "created" Time "created" "When it was written, in the transaction of what it tells.";
            "webhook" Text "webhook" "The id of the webhook.";
            "event_type" Text "event_type" "alert.raised, alert.escalated, risk_threshold_crossed or test.";
            "subject" Text "subject" "The id of the alert that it tells.";
            "state" Text "state" "pending, failed (to be tried again), success or dead_letter.";
            "attempts" Integer "attempts" "How often it was tried.";
            "next_attempt" Time "next_attempt" "When it is tried next.";
            "finished" Time "finished" "When it arrived or was given up.";
            "last_error" Text "last_error" "Why the latest attempt failed, or why it was given up.";
        },
    },
    Other {
        name: "scores",
        about: "how risky processes are, one row a process that has a score now",
        behind: None,
        columns: columns! {
            "process_id" Text "" "Names the process within its source.";
            "source" Text "" "Who reported it: dialect:name.";
            "host" Text "" "The host that it runs on.";
            "process_pid" Integer "" "The process.";
            "process_name" Text "" "The short name of its program.";
            "process_created_time" Time "" "When it started.";
            "risk_score" Float "" "The score, 0 to 100.";
            "anomaly_score" Float "" "The sender's own anomaly score, 0 to 100.";
            "evidence_score" Float "" "The part of the score from what it did, 0 to 100.";
            "reasons" Text "" "Why: JSON, a list of sentences.";
            "calculated_at" Time "" "When it last changed.";
        },
    },
    Other {
        name: "hosts",
        about: "who reports, one row a host",
        behind: None,
        columns: columns! {
            "id" Text "" "dialect:name.";
            "dialect" Text "" "The dialect that it speaks.";
            "name" Text "" "The name that it reports under.";
            "hostname" Text "" "The name that it gives itself.";
            "online" Integer "" "1 where it reported lately.";
            "first_seen" Time "" "The first report.";
            "last_seen" Time "" "The latest report.";
            "processes" Integer "" "How many processes run.";
            "connections" Integer "" "How many connections are open.";
            "open_alerts" Integer "" "How many of its alerts are open.";
            "risk_max" Float "" "The highest score of a process, 0 to 100.";
            "events" Integer "" "How many of its events are stored.";
            "system" Text "" "What it says of itself: JSON.";
        },
    },
    Other {
        name: "audit",
        about: "who did what, one row an action",
        behind: Some("audit"),
        columns: columns! {
            "id" Integer "id" "Counts up without a gap.";
            "time" Time "time" "When.";
            "actor" Text "actor" "Who: user:admin, token:ci, rule:indicator.";
            "action" Text "action" "What: kill_process, sign_in.";
            "subject" Text "subject" "To what or whom.";
            "outcome" Text "outcome" "permitted, refused, succeeded or failed.";
            "reason" Text "reason" "Why, or with what result.";
        },
    },
];

/// Makes the views over the database attached as `store`.
pub(super) fn add_views(connection: &Connection) -> Result<()> {
    for table in OTHERS {
        let Some(behind) = table.behind else { continue };
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("{} AS {}", column.kind.shown(column.from), column.name))
            .collect();
        let (name, columns) = (table.name, columns.join(", "));
        connection.execute_batch(&format!(
            "CREATE TEMP VIEW {name} AS SELECT {columns} FROM store.{behind}"
        ))?;
    }
    Ok(())
}

/// Makes and fills the tables that the server keeps in memory.
pub(super) fn add_in_memory(
    connection: &Connection,
    hosts: Vec<HostEntry>,
    scores: Vec<ScoreEntry>,
) -> Result<()> {
    for table in OTHERS.iter().filter(|table| table.behind.is_none()) {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.kind.declared()))
            .collect();
        let (name, columns) = (table.name, columns.join(", "));
        connection.execute_batch(&format!("CREATE TABLE main.{name} ({columns})"))?;
    }
    connection.execute_batch("BEGIN")?;
    {
        let mut insert = insert_into(connection, "hosts")?;
        for host in hosts {
            insert.execute(params_from_iter(host_values(host)))?;
        }
        let mut insert = insert_into(connection, "scores")?;
        for score in scores {
            insert.execute(params_from_iter(score_values(score)))?;
        }
    }
    connection.execute_batch("COMMIT")
}

fn insert_into<'c>(connection: &'c Connection, table: &str) -> Result<rusqlite::Statement<'c>> {
    let columns = OTHERS.iter().find(|one| one.name == table).map_or(0, |one| one.columns.len());
    let places = vec!["?"; columns].join(", ");
    connection.prepare(&format!("INSERT INTO main.{table} VALUES ({places})"))
}

fn count(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn time(micros: i64) -> Value {
    let moment = ringwall_event::Timestamp::from_micros(micros);
    Value::Text(moment::text_of(moment).as_str().to_owned())
}

fn host_values(host: HostEntry) -> Vec<Value> {
    vec![
        host.id.into(),
        host.dialect.into(),
        host.name.into(),
        host.hostname.into(),
        host.online.into(),
        time(host.first_seen),
        time(host.last_seen),
        count(host.processes),
        count(host.connections),
        count(host.open_alerts),
        host.risk_max.into(),
        count(host.events),
        host.system.into(),
    ]
}

fn score_values(score: ScoreEntry) -> Vec<Value> {
    vec![
        score.process_id.into(),
        score.source.into(),
        score.host.into(),
        score.process_pid.into(),
        score.process_name.into(),
        score.process_created_time.map_or(Value::Null, time),
        score.risk_score.into(),
        score.anomaly_score.into(),
        score.evidence_score.into(),
        score.reasons.into(),
        time(score.calculated_at),
    ]
}
