//! The archive is open: DuckDB and pyarrow read its files, and answer what we answer.

use crate::stored;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::environment;
use ringwall_end_to_end::server::Setup;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

const EVENTS: u64 = 50_000;

/// What `python/open_files.py` prints.
#[derive(Debug, Deserialize)]
struct OpenFiles {
    versions: BTreeMap<String, String>,
    files: u64,
    rows: u64,
    columns: Vec<Column>,
    unsorted: Vec<String>,
    compressions: Vec<String>,
    questions: Vec<Question>,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Question {
    name: String,
    sql: String,
    duckdb: Vec<Vec<Value>>,
    pyarrow: Option<Vec<Vec<Value>>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn duckdb_and_pyarrow_agree_with_us() -> Result<()> {
    let setup = Setup::new()?;
    let mut generate = setup.tool();
    generate.args(["generate", "--events", &EVENTS.to_string(), "--hosts", "20", "--seed", "7"]);
    succeeds(generate.arg("--data-dir").arg(setup.data()))?;
    let mut python = Command::new(environment::python());
    python.arg(environment::python_program("open_files.py")).arg(setup.data().join("archive"));
    let found: OpenFiles = serde_json::from_slice(&succeeds(&mut python)?)?;
    eprintln!("{:?}, {} files", found.versions, found.files);

    assert_eq!(found.rows, EVENTS);
    assert!(found.unsorted.is_empty(), "not sorted by time: {:?}", found.unsorted);
    assert_eq!(found.compressions, ["ZSTD"]);
    types_are_plain(&found.columns)?;

    let server = setup.start().await?;
    let mut differences = Vec::new();
    for question in &found.questions {
        let ours =
            stored::query(&server, &question.sql).await.with_context(|| question.name.clone())?;
        ensure!(!ours.is_empty(), "{}: no rows", question.name);
        for (peer, theirs) in
            [("DuckDB", Some(&question.duckdb)), ("pyarrow", question.pyarrow.as_ref())]
        {
            if let Some(theirs) = theirs
                && !is_same(&ours, theirs)
            {
                let (ours, theirs) = first_difference(&ours, theirs);
                let name = &question.name;
                differences.push(format!("{name}: we say {ours}, {peer} says {theirs}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    // The questions are about something: each kind of event is there.
    let kinds = found.questions.iter().find(|question| question.name == "kinds");
    ensure!(kinds.is_some_and(|kinds| kinds.duckdb.len() >= 5), "{kinds:?}");
    server.stop().await?;
    Ok(())
}

/// What every program reads: no type of ours, none that few know.
fn types_are_plain(columns: &[Column]) -> Result<()> {
    for column in columns {
        let plain = ["string", "int64", "double", "timestamp[us, tz=UTC]", "fixed_size_binary[16]"];
        ensure!(plain.contains(&column.kind.as_str()), "{column:?}");
        let is_time = column.name == "time" || column.name.ends_with("_time");
        ensure!(is_time == column.kind.starts_with("timestamp"), "{column:?}");
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    for name in ["time", "class_uid", "device_hostname", "process_cmd_line", "src_endpoint_ip"] {
        ensure!(names.contains(&name), "no column {name} in {names:?}");
    }
    Ok(())
}

fn succeeds(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {words}", output.status);
    Ok(output.stdout)
}

/// Numbers are the same when their values are: `3` and `3.0`.
fn is_same(ours: &[Vec<Value>], theirs: &[Vec<Value>]) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| is_same_row(a, b))
}

fn is_same_row(ours: &[Value], theirs: &[Value]) -> bool {
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|(a, b)| a == b || a.is_f64() && b.is_number() && a.as_f64() == b.as_f64())
}

fn first_difference(ours: &[Vec<Value>], theirs: &[Vec<Value>]) -> (String, String) {
    let differ = ours.iter().zip(theirs).find(|(a, b)| !is_same_row(a, b));
    match differ {
        Some((a, b)) => (format!("{a:?}"), format!("{b:?}")),
        None => (format!("{} rows", ours.len()), format!("{} rows", theirs.len())),
    }
}
