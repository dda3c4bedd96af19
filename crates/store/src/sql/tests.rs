//! What `events` answers against what an ordinary table with the same rows answers.

#[path = "../../tests/it/sample.rs"]
mod sample;

use super::event_source::{EventSource, StoredEvents};
use super::running::Running;
use super::{closed, closed_answer, events_table, functions};
use crate::scan::control::ScanControl;
use crate::{BulkLoad, BulkLoadSettings, Database, EncodedBatch, EventStore, FileLayout};
use proptest::prelude::*;
use ringwall_event::{Event, EventId, Timestamp};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SMALL: BulkLoadSettings = BulkLoadSettings {
    layout: FileLayout { level: 1, row_group_rows: 16, page_rows: 8 },
    file_events_max: 50,
    sorted_at_once: 30,
};

/// In the middle of the times of the sample.
const NOW: Timestamp = Timestamp::from_micros(1_763_000_000_005_000);

/// A connection with `events`, and `plain`, a table with the same columns and rows.
fn both(
    folder: &sample::Folder,
    mut events: Vec<Event>,
    archived: usize,
) -> (Connection, Arc<StoredEvents>) {
    let database = Database::open(&folder.path().join("ringwall.db")).unwrap();
    for (number, event) in events.iter_mut().enumerate() {
        let position = u16::try_from(number % 7).unwrap();
        event.id = EventId::from_parts(1_763_000_000_000, number as u64 / 7, position);
    }
    let archived = archived.min(events.len());
    let (old, new) = events.split_at_mut(archived);
    let mut load = BulkLoad::open(&database, SMALL).unwrap();
    load.add(old.iter().cloned()).unwrap();
    load.finish().unwrap();
    for (number, event) in new.iter_mut().enumerate() {
        let base = EventId::from_parts(1_764_000_000_000, number as u64, 0);
        let batch = EncodedBatch::encode(std::slice::from_ref(event), |_| true).unwrap();
        database
            .write_now(|s| s.append_batch(&event.source, base, event.received, &batch))
            .unwrap();
    }
    drop(database);
    let deadline = Instant::now() + Duration::from_secs(60);
    let running = Arc::new(Running::new(NOW, deadline));
    let control = Arc::new(ScanControl::until(deadline));
    let stored = Arc::new(StoredEvents::open(folder.path(), 2, control).unwrap());
    let connection = Connection::open_in_memory().unwrap();
    functions::add(&connection, &running).unwrap();
    let source: Arc<dyn EventSource> = Arc::<StoredEvents>::clone(&stored);
    events_table::add(&connection, &source, &running).unwrap();
    connection
        .execute_batch(
            &events_table::declaration().replace("CREATE TABLE events", "CREATE TABLE plain"),
        )
        .unwrap();
    connection.execute_batch("INSERT INTO plain SELECT * FROM events").unwrap();
    let count: i64 =
        connection.query_row("SELECT count(*) FROM plain", [], |row| row.get(0)).unwrap();
    assert_eq!(count, i64::try_from(events.len()).unwrap());
    (connection, stored)
}

fn all(connection: &Connection, sql: &str) -> Result<Vec<Vec<Value>>, String> {
    let mut statement = connection.prepare(sql).map_err(|error| error.to_string())?;
    let count = statement.column_count();
    let rows = statement
        .query_map([], |row| (0..count).map(|index| row.get(index)).collect())
        .and_then(Iterator::collect);
    rows.map_err(|error| error.to_string())
}

#[track_caller]
fn check(connection: &Connection, sql: &str) {
    let plain = sql.replace(" events", " plain");
    assert_eq!(all(connection, sql), all(connection, &plain), "{sql}");
}

fn text_literal() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-c]{0,3}",
        "[A-C]{1,2}",
        "[a-c%_]{0,4}",
        "[a-c*?\\[\\]]{0,4}",
        Just("system_call".to_owned()),
        Just("process_%".to_owned()),
        Just("é".to_owned()),
        Just("1".to_owned()),
    ];
    prop_oneof![
        8 => text.prop_map(|text| format!("'{text}'")),
        1 => Just("NULL".to_owned()),
        1 => Just("1".to_owned()),
        1 => Just("1.0".to_owned()),
        1 => Just("x'61'".to_owned()),
        1 => Just("'a' || char(0) || 'b'".to_owned()),
    ]
}

fn number_literal() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (-1i64..6).prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => Just("2.5".to_owned()),
        1 => Just("-1e300".to_owned()),
        1 => Just("'3'".to_owned()),
        1 => Just("' 3.0 '".to_owned()),
        1 => Just("'x'".to_owned()),
        1 => Just("NULL".to_owned()),
        1 => Just("9223372036854775807".to_owned()),
        1 => Just("0.1".to_owned()),
    ]
}

fn time_literal() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0i64..10_000).prop_map(|n| (1_763_000_000_000_000 + n).to_string()),
        1 => Just("'2025-11-13 02:13:20.005'".to_owned()),
        1 => Just("'2025-11-13T02:13:20.004Z'".to_owned()),
        1 => Just("'2025-11-13'".to_owned()),
        1 => Just("'2025-11-13 02:13'".to_owned()),
        1 => Just("ago('1s')".to_owned()),
        1 => Just("NULL".to_owned()),
    ]
}

fn comparison() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT", "=="])
}

fn on(
    columns: &'static [&'static str],
    operator: impl Strategy<Value = &'static str>,
    literal: impl Strategy<Value = String> + Clone + 'static,
) -> impl Strategy<Value = String> {
    let column = prop::sample::select(columns);
    let one = (column.clone(), operator, literal.clone())
        .prop_map(|(column, operator, literal)| format!("{column} {operator} {literal}"));
    let among = (column.clone(), prop::collection::vec(literal.clone(), 0..4), any::<bool>())
        .prop_map(|(column, literals, not)| {
            let not = if not { "NOT " } else { "" };
            format!("{column} {not}IN ({})", literals.join(", "))
        });
    let between = (column.clone(), literal.clone(), literal)
        .prop_map(|(column, low, high)| format!("{column} BETWEEN {low} AND {high}"));
    let null = (column, any::<bool>())
        .prop_map(|(column, not)| format!("{column} IS {}NULL", if not { "NOT " } else { "" }));
    prop_oneof![4 => one, 1 => among, 1 => between, 1 => null]
}

fn condition() -> impl Strategy<Value = String> {
    const TEXTS: &[&str] = &[
        "kind",
        "process_name",
        "process_cmd_line",
        "device_hostname",
        "user_name",
        "src_endpoint_ip",
    ];
    const NUMBERS: &[&str] =
        &["process_pid", "severity_id", "class_uid", "exit_code", "risk_score"];
    const TIMES: &[&str] = &["time", "metadata_logged_time", "process_created_time"];
    let pattern = (
        prop::sample::select(TEXTS),
        prop::sample::select(vec!["LIKE", "GLOB", "NOT LIKE"]),
        text_literal(),
    )
        .prop_map(|(column, operator, literal)| format!("{column} {operator} {literal}"));
    let nocase = (prop::sample::select(TEXTS), text_literal())
        .prop_map(|(column, literal)| format!("{column} = {literal} COLLATE NOCASE"));
    prop_oneof![
        3 => on(TEXTS, comparison(), text_literal().boxed()),
        3 => on(NUMBERS, comparison(), number_literal().boxed()),
        3 => on(TIMES, comparison(), time_literal().boxed()),
        2 => pattern,
        1 => nocase,
    ]
}

fn clause() -> impl Strategy<Value = String> {
    condition().prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" AND "))),
            2 => prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" OR "))),
            1 => inner.prop_map(|part| format!("NOT ({part})")),
        ]
    })
}

/// Conditions that kernels take.
fn closed_condition() -> impl Strategy<Value = String> {
    let text = || prop_oneof!["[a-c]{0,3}", Just("system_call".to_owned()), Just("é''".to_owned())];
    let text = move || text().prop_map(|text| format!("'{text}'"));
    let number = || prop_oneof![(-1i64..6).prop_map(|n| n.to_string()), Just("-0".to_owned())];
    let time = || {
        prop_oneof![
            (0i64..10_000).prop_map(|n| (1_763_000_000_000_000 + n).to_string()),
            Just("'2025-11-13 02:13'".to_owned()),
            Just("ago('1s')".to_owned()),
        ]
    };
    let texts =
        || prop::sample::select(vec!["kind", "process_name", "DEVICE_hostname", "user_name"]);
    let numbers = || prop::sample::select(vec!["process_pid", "severity_id", "exit_code"]);
    let times =
        || prop::sample::select(vec!["time", "metadata_logged_time", "process_created_time"]);
    let compare = || prop::sample::select(vec!["=", "==", "<>", "!=", "<", "<=", ">", ">="]);
    let equal = || prop::sample::select(vec!["=", "<>", "!="]);
    prop_oneof![
        (texts(), equal(), text()).prop_map(|(c, o, v)| format!("{c} {o} {v}")),
        (texts(), prop::collection::vec(text(), 1..4))
            .prop_map(|(c, v)| format!("{c} IN ({})", v.join(","))),
        (numbers(), compare(), number()).prop_map(|(c, o, v)| format!("{c}{o}{v}")),
        (numbers(), prop::collection::vec(number(), 1..4))
            .prop_map(|(c, v)| format!("{c} in ({})", v.join(", "))),
        (numbers(), number(), number()).prop_map(|(c, a, b)| format!("{c} BETWEEN {a} AND {b}")),
        (times(), compare(), time()).prop_map(|(c, o, v)| format!("{c} {o} {v}")),
        (times(), prop::collection::vec(time(), 1..4))
            .prop_map(|(c, v)| format!("{c} IN ({})", v.join(", "))),
        (times(), time(), time()).prop_map(|(c, a, b)| format!("{c} BETWEEN {a} and {b}")),
        (texts(), any::<bool>())
            .prop_map(|(c, not)| format!("{c} IS {}NULL", if not { "NOT " } else { "" })),
    ]
}

fn closed_query() -> impl Strategy<Value = String> {
    // Each order leaves no two rows alike: in which order SQLite gives those is its own.
    let shape = prop::sample::select(vec![
        ("count(*)", ""),
        ("count(*) AS n, COUNT( * )", ""),
        ("kind, count(*)", "GROUP BY kind ORDER BY 1"),
        ("kind, count(*) AS n", "GROUP BY 1 ORDER BY n DESC, kind"),
        ("count(*), process_name", "GROUP BY process_name ORDER BY 1 DESC, 2 DESC"),
        ("process_pid AS p, kind, count(*)", "GROUP BY p, kind ORDER BY count(*), p, 2 DESC"),
        ("kind, count(*)", "GROUP BY exit_code, kind ORDER BY kind DESC, 2"),
        ("time_bucket('1s', time) AS t, count(*)", "GROUP BY t ORDER BY t"),
        (
            "time_bucket('2w', time), count(*) AS n",
            "GROUP BY time_bucket('2w', time) ORDER BY 1 DESC",
        ),
        ("DISTINCT device_hostname", "ORDER BY 1"),
        ("DISTINCT user_name, severity_id", "ORDER BY 1, 2 DESC"),
    ]);
    let conditions = prop::collection::vec(closed_condition(), 0..4);
    (shape, conditions, prop::option::of(0usize..5)).prop_map(
        |((items, rest), conditions, limit)| {
            let conditions = if conditions.is_empty() {
                String::new()
            } else {
                format!("WHERE {} ", conditions.join(" AND "))
            };
            let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
            format!("SELECT {items} FROM events {conditions}{rest}{limit}")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn events_answer_as_an_ordinary_table(
        events in prop::collection::vec(sample::event(), 0..120),
        archived in 0usize..150,
        clauses in prop::collection::vec((clause(), 0usize..20, 0usize..4), 12),
    ) {
        let folder = sample::folder();
        let (connection, _) = both(&folder, events, archived);
        for (clause, limit, offset) in clauses {
            check(&connection, &format!(
                "SELECT metadata_uid, time, process_name, attrs FROM events WHERE {clause} ORDER BY metadata_uid"
            ));
            check(&connection, &format!("SELECT count(*) FROM events WHERE {clause}"));
            check(&connection, &format!(
                "SELECT kind, count(*), max(time) FROM events WHERE {clause} GROUP BY kind ORDER BY kind"
            ));
            check(&connection, &format!(
                "SELECT * FROM events WHERE {clause} ORDER BY time DESC, metadata_uid DESC LIMIT {limit} OFFSET {offset}"
            ));
            check(&connection, &format!(
                "SELECT process_pid, time FROM events WHERE {clause} ORDER BY time LIMIT {limit}"
            ).replace("ORDER BY time LIMIT", "ORDER BY time, process_pid LIMIT"));
            check(&connection, &format!(
                "SELECT a.metadata_uid FROM events AS a LEFT JOIN events AS b ON b.metadata_uid = a.metadata_uid \
                 AND b.{} WHERE a.process_pid < 3 ORDER BY 1", "severity_id > 2"
            ));
        }
    }

    #[test]
    fn kernels_answer_as_sqlite(
        events in prop::collection::vec(sample::event(), 0..120),
        archived in 0usize..150,
        queries in prop::collection::vec(closed_query(), 24),
    ) {
        let folder = sample::folder();
        let (connection, stored) = both(&folder, events, archived);
        let control = ScanControl::until(Instant::now() + Duration::from_secs(60));
        for sql in queries {
            let Some(closed) = closed::read(&sql, NOW) else {
                // A condition that the scan cannot hold is left to SQLite, and so is a test by it.
                continue;
            };
            let fast = closed_answer::rows(&closed, &stored, &control).unwrap().unwrap();
            prop_assert_eq!(Ok(fast), all(&connection, &sql), "{}", sql);
        }
    }
}
