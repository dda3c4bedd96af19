//! SQL over a store: what is answered, what is refused.

use crate::{Fixture, call};
use ringwall_event::{
    Activity, Alert, AlertState, Command, CommandState, Event, EventId, Finding, Order, Process,
    ProcessRef, ProcessTarget, Severity, Source, Timestamp,
};
use ringwall_store::sql::{HostEntry, QueryRequest, ScoreEntry, Surroundings, run_query, tables};
use ringwall_store::{AuditRecord, StateStore};
use serde_json::{Value, json};

/// 2026-11-01T00:00:00Z
const DAY: i64 = 1_793_491_200_000_000;

/// A store with a few events of everyday, and one of everything else.
fn sample() -> Fixture {
    let fixture = Fixture::new();
    let source = Source::new("sysscore", "agent-1");
    let mut events: Vec<Event> = (0..10).map(|n| call(100 + n, DAY + n * 60_000_000)).collect();
    events.push(Event {
        activity: Activity::ProcessStarted(Process {
            pid: 4711,
            name: "evil.sh".into(),
            command_line: Some("/tmp/Evil.sh --now".into()),
            start_time: Some(Timestamp::from_micros(DAY)),
            ..Process::default()
        }),
        severity: Severity::High,
        ..call(0, DAY + 3_600_000_000)
    });
    fixture.append(&source, 1, &events);
    let alert = Alert {
        id: EventId::from_parts(7, 2, 3),
        finding: Finding::IndicatorMatch { indicator: "process".into(), value: "evil.sh".into() },
        severity: Severity::High,
        state: AlertState::Open,
        source: source.clone(),
        host: "web-1".into(),
        process: Some(ProcessRef { pid: 4711, start_time: None, name: "evil.sh".into() }),
        title: "known bad process 'evil.sh'".into(),
        reasons: vec!["listed".into()],
        count: 2,
        first_seen: Timestamp::from_micros(DAY),
        last_seen: Timestamp::from_micros(DAY + 1_000_000),
        events: vec![],
        kill_offered: true,
        note: None,
    };
    let command = Command {
        id: "cmd_1".into(),
        source,
        order: Order::KillProcess(ProcessTarget {
            pid: 4711,
            start_time: None,
            name: "evil.sh".into(),
        }),
        reason: "listed".into(),
        ordered_by: "rule:indicator".into(),
        alert: Some(alert.id),
        state: CommandState::Queued,
        created: Timestamp::from_micros(DAY),
        expires: Timestamp::from_micros(DAY + 500_000),
        delivered: None,
        finished: None,
        deliveries: 0,
        result: None,
        file: None,
    };
    let audit = AuditRecord {
        time: Timestamp::from_micros(DAY),
        actor: "user:admin".into(),
        action: "sign_in".into(),
        subject: "127.0.0.1".into(),
        outcome: "permitted".into(),
        reason: String::new(),
    };
    fixture
        .database
        .write_now(|session| {
            session.put_alert(&alert, "entity")?;
            session.put_command(&command)?;
            session.append_audit(&audit)?;
            session.put_document("token", "secret", &"do not read")
        })
        .unwrap();
    fixture
}

fn request(fixture: &Fixture, sql: &str) -> QueryRequest {
    QueryRequest {
        data_dir: fixture.folder.clone(),
        sql: sql.to_owned(),
        now: DAY + 7_200_000_000,
        row_limit: 1000,
        time_limit_ms: 20_000,
        memory_bytes_max: 256 << 20,
        threads: 2,
        tables: tables().iter().map(|table| table.name.to_owned()).collect(),
        explain: false,
        hosts: vec![HostEntry {
            id: "sysscore:agent-1".into(),
            events: 11,
            ..HostEntry::default()
        }],
        scores: vec![ScoreEntry {
            process_name: "evil.sh".into(),
            risk_score: 85.5,
            calculated_at: DAY,
            ..ScoreEntry::default()
        }],
    }
}

/// The lines of the answer.
fn lines(request: QueryRequest) -> Vec<Value> {
    let mut out = Vec::new();
    let surroundings = Surroundings { opened: &|| Ok(()), cpu_ms: &|| 0 };
    run_query(request, &surroundings, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn rows_of(request: QueryRequest) -> Result<Value, String> {
    let mut rows = Vec::new();
    for line in lines(request) {
        if let Some(Value::Array(more)) = line.get("rows") {
            rows.extend(more.iter().cloned());
        }
        if let Some(error) = line.get("error") {
            let hint = error.get("hint").and_then(Value::as_str);
            let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            return Err(format!("{}{hint}", error["message"].as_str().unwrap()));
        }
    }
    Ok(Value::Array(rows))
}

#[test]
fn questions_are_answered() {
    let fixture = sample();
    let check = |sql: &str, expected: Value| {
        assert_eq!(rows_of(request(&fixture, sql)), Ok(expected), "{sql}");
    };
    check("SELECT count(*) FROM events", json!([[11]]));
    check("SELECT count(*) FROM events WHERE kind = 'system_call'", json!([[10]]));
    check(
        "SELECT process_pid FROM events WHERE time >= '2026-11-01 00:08' AND kind = 'system_call' ORDER BY time",
        json!([[108], [109]]),
    );
    check("SELECT process_pid FROM events WHERE time < '2026-11-01T00:01Z'", json!([[100]]));
    check(
        "SELECT count(*) FROM events WHERE time BETWEEN '2026-11-01' AND '2026-11-02'",
        json!([[11]]),
    );
    check(
        "SELECT count(*) FROM events WHERE NOT time > '2026-11-01 00:05' OR kind = 'x'",
        json!([[6]]),
    );
    check("SELECT count(*) FROM events WHERE time > ago('61m')", json!([[1]]));
    check("SELECT process_pid FROM events WHERE time > 1793494799999999", json!([[4711]]));
    check(
        "SELECT time, process_pid FROM events ORDER BY time DESC LIMIT 2",
        json!([["2026-11-01T01:00:00.000000Z", 4711], ["2026-11-01T00:09:00.000000Z", 109]]),
    );
    check(
        "SELECT process_pid FROM events WHERE process_pid IN (101, '103', 9) ORDER BY time DESC LIMIT 5 OFFSET 1",
        json!([[101]]),
    );
    check(
        "SELECT process_name FROM events WHERE process_cmd_line LIKE '%evil.SH%'",
        json!([["evil.sh"]]),
    );
    check("SELECT process_name FROM events WHERE process_cmd_line GLOB '*evil.sh*'", json!([]));
    check("SELECT count(*) FROM events WHERE process_cmd_line IS NULL", json!([[10]]));
    check(
        "SELECT count(*) FROM events e JOIN alerts a ON a.process_pid = e.process_pid",
        json!([[1]]),
    );
    check(
        "SELECT time_bucket('30m', time), count(*) FROM events GROUP BY 1 ORDER BY 1",
        json!([["2026-11-01T00:00:00.000000Z", 10], ["2026-11-01T01:00:00.000000Z", 1]]),
    );
    check(
        "SELECT strftime('%H', time) AS hour, count(*) FROM events GROUP BY hour",
        json!([["00", 10], ["01", 1]]),
    );
    check("SELECT max(time) > '2026-11-01' FROM events", json!([[1]]));
    check(
        "SELECT id, first_seen, process_pid, kill_offered, process_created_time, reasons FROM alerts WHERE first_seen < '2026-11-01 00:00:00.5'",
        json!([[
            "000000000007700080000000000200 03".replace(' ', ""),
            "2026-11-01T00:00:00.000000Z",
            4711,
            1,
            null,
            "[\"listed\"]"
        ]]),
    );
    check(
        "SELECT id, expires, action, process_name FROM commands",
        json!([["cmd_1", "2026-11-01T00:00:00.500000Z", "kill_process", "evil.sh"]]),
    );
    check("SELECT actor, time FROM audit", json!([["user:admin", "2026-11-01T00:00:00.000000Z"]]));
    check("SELECT id, events FROM hosts", json!([["sysscore:agent-1", 11]]));
    check(
        "SELECT process_name, risk_score, calculated_at FROM scores",
        json!([["evil.sh", 85.5, "2026-11-01T00:00:00.000000Z"]]),
    );
    check(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3) SELECT x, x'0aff' FROM n",
        json!([[1, "0aff"], [2, "0aff"], [3, "0aff"]]),
    );
    check("WITH n AS (SELECT 1) SELECT count(*) FROM n", json!([[1]]));
    check("SELECT value FROM json_each('[1,2]')", json!([[1], [2]]));
    check(
        "SELECT ip_in('10.1.2.3', '10.0.0.0/8'), micros('1970-01-01T00:00:01Z'), ts(0)",
        json!([[1, 1_000_000, "1970-01-01T00:00:00.000000Z"]]),
    );
    check("SELECT 1;  -- that is all", json!([[1]]));
}

#[test]
fn an_event_is_found_by_its_id() {
    let fixture = sample();
    let found = rows_of(request(
        &fixture,
        "SELECT a.metadata_uid = b.metadata_uid, b.process_pid FROM events a JOIN events b
         ON b.metadata_uid = a.metadata_uid WHERE a.process_pid = 103",
    ));
    assert_eq!(found, Ok(json!([[1, 103]])));
}

#[test]
fn mistakes_are_told_with_their_place_and_a_way_out() {
    let fixture = sample();
    let check = |sql: &str, expected: &str| {
        assert_eq!(rows_of(request(&fixture, sql)), Err(expected.to_owned()), "{sql}");
    };
    check(
        "SELECT proces_name FROM events",
        "1:8: no such column: proces_name (did you mean `process_name`?)",
    );
    check("SELECT 1\n FROM event", "no such table: event (did you mean `events`?)");
    check("SELECT agoo('1h')", "1:8: no such function: agoo (did you mean `ago`?)");
    check(
        "SELECT * FROM events WHERE kind = \"x\"",
        "1:35: no such column: \"x\" - should this be a string literal in single-quotes? (texts stand in single quotes: 'word')",
    );
    check("SELEC 1", "1:1: near \"SELEC\": syntax error");
    check("", "the query is empty");
    check("SELECT 1; SELECT 2", "a query is one statement");
    check(
        "SELECT count(*) FROM events WHERE time > 'yesterday'",
        "`yesterday` is no time: write 2026-11-21, 2026-11-21T08:00:00Z, or ago('24h')",
    );
    check(
        "SELECT count(*) FROM events WHERE kind = 'x' OR time > 'yesterday'",
        "`yesterday` is no time: write 2026-11-21, 2026-11-21T08:00:00Z, or ago('24h')",
    );
    check(
        "SELECT rowid FROM events",
        "1:8: no such column: rowid (the id of an event is `metadata_uid`)",
    );
}

/// What lies beside the tables for queries in the same file must not be reached in any way.
#[test]
fn nothing_else_can_be_read_or_changed() {
    let fixture = sample();
    for sql in [
        "SELECT * FROM document",
        "SELECT * FROM store.document",
        "SELECT count(*) FROM document",
        "SELECT count(*) FROM store.document",
        "SELECT 1 FROM store.document LIMIT 1",
        "SELECT EXISTS (SELECT 1 FROM document)",
        "SELECT body FROM main.document",
        "SELECT body FROM temp.document",
        "SELECT * FROM store.meta",
        "SELECT * FROM store.checkpoint",
        "SELECT * FROM store.mark",
        "SELECT * FROM store.source",
        "SELECT * FROM store.batch",
        "SELECT * FROM store.alert",
        "SELECT * FROM alert",
        "WITH alerts AS (SELECT * FROM store.document) SELECT * FROM alerts",
        "WITH audit AS (SELECT * FROM document) SELECT * FROM audit",
        "WITH document AS (SELECT 1 AS body) SELECT body, (SELECT count(*) FROM store.document) FROM document",
        "SELECT (SELECT body FROM document) FROM events",
        "SELECT * FROM events WHERE kind IN (SELECT body FROM document)",
        "SELECT * FROM events ORDER BY (SELECT body FROM document LIMIT 1)",
        "SELECT * FROM alerts UNION ALL SELECT kind,key,body,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1 FROM document",
        "SELECT * FROM sqlite_schema",
        "SELECT * FROM store.sqlite_schema",
        "SELECT count(*) FROM store.sqlite_master",
        "SELECT * FROM sqlite_temp_schema",
        "SELECT * FROM sqlite_dbpage",
        "SELECT * FROM dbstat",
        "SELECT count(*) FROM dbstat",
        "SELECT * FROM pragma_table_info('document')",
        "SELECT count(*) FROM pragma_table_list",
        "SELECT * FROM pragma_database_list",
        "PRAGMA table_info(document)",
        "PRAGMA query_only = 0",
        "PRAGMA hard_heap_limit = 0",
        "PRAGMA writable_schema = 1",
        "ATTACH 'x.db' AS x",
        "ATTACH ':memory:' AS x",
        "DETACH store",
        "VACUUM",
        "VACUUM INTO 'copy.db'",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT x",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x AS SELECT * FROM store.document",
        "CREATE TEMP VIEW x AS SELECT * FROM store.document",
        "CREATE VIRTUAL TABLE temp.x USING dbstat(store)",
        "CREATE TRIGGER temp.t AFTER INSERT ON hosts BEGIN SELECT 1; END",
        "INSERT INTO hosts (id) VALUES ('x')",
        "DELETE FROM audit",
        "DELETE FROM store.audit",
        "UPDATE store.document SET body = ''",
        "DROP TABLE store.document",
        "ALTER TABLE store.document RENAME TO d",
        "REINDEX",
        "ANALYZE",
        "SELECT load_extension('x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT writefile('x', 'y')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT randomblob(1000000000)",
        "SELECT zeroblob(1000000000)",
        "SELECT sqlite_compileoption_get(1)",
        "SELECT edit('x')",
        "EXPLAIN SELECT * FROM document",
        "EXPLAIN QUERY PLAN SELECT * FROM document",
    ] {
        let answer = rows_of(request(&fixture, sql));
        assert!(answer.is_err(), "{sql}: {answer:?}");
        let shown = answer.unwrap_err();
        assert!(!shown.contains("do not read"), "{sql}: {shown}");
    }
    let kept: Option<String> =
        fixture.database.read(|session| session.document("token", "secret")).unwrap();
    assert_eq!(kept.as_deref(), Some("do not read"));
}

#[test]
fn only_allowed_tables_are_read() {
    let fixture = sample();
    let only = |sql: &str| {
        let tables = vec!["events".to_owned()];
        rows_of(QueryRequest { tables, ..request(&fixture, sql) })
    };
    assert_eq!(only("SELECT count(*) FROM events"), Ok(json!([[11]])));
    for table in ["alerts", "commands", "audit", "hosts", "scores"] {
        for columns in ["*", "count(*)"] {
            let error = only(&format!("SELECT {columns} FROM {table}")).unwrap_err();
            assert!(error.contains("may not be read"), "{error}");
        }
    }
}

#[test]
fn limits_hold() {
    let fixture = sample();
    let endless =
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    let request = QueryRequest { time_limit_ms: 200, ..self::request(&fixture, endless) };
    let began = std::time::Instant::now();
    assert!(rows_of(request).unwrap_err().starts_with("the query took longer than it may"));
    assert!(began.elapsed().as_secs() < 120, "it would never end by itself");
    let request =
        QueryRequest { row_limit: 3, ..self::request(&fixture, "SELECT time FROM events") };
    let answer = lines(request);
    let done = answer.last().unwrap().get("done").unwrap();
    assert_eq!((&done["rows"], &done["truncated"]), (&json!(3), &json!(true)));
    let request =
        QueryRequest { row_limit: 11, ..self::request(&fixture, "SELECT time FROM events") };
    assert_eq!(lines(request).last().unwrap()["done"]["truncated"], json!(false));
    let error =
        rows_of(self::request(&fixture, "SELECT printf('%.*c', 20000000, 'x')")).unwrap_err();
    assert_eq!(error, "string or blob too big");
    let long = format!("SELECT '{}'", "x".repeat(70_000));
    assert!(rows_of(self::request(&fixture, &long)).unwrap_err().contains("longer than"));
}
