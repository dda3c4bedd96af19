//! Questions over everything: of the tool, and of DuckDB on the same files.

use super::{first_number, mebibytes, tool};
use crate::limits::Limits;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::environment;
use ringwall_end_to_end::measured;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What is asked, and how many CPU seconds it may take.
struct Question {
    name: &'static str,
    sql: &'static str,
    cpu_seconds_max: Option<f64>,
    /// Whether DuckDB is asked too; it takes the same SQL.
    has_peer: bool,
}

/// Needles are command lines and an address that the generator gives to few events and no others.
const QUESTIONS: &[Question] = &[
    Question {
        name: "substring hunt",
        sql: "SELECT count(*) AS n FROM events WHERE process_cmd_line GLOB '*/tmp/.x/stage2.bin*'",
        cpu_seconds_max: Some(6.0),
        has_peer: true,
    },
    Question {
        name: "one indicator",
        sql: "SELECT count(*) AS n FROM events WHERE dst_endpoint_ip = '203.0.113.66'",
        cpu_seconds_max: Some(1.0),
        has_peer: true,
    },
    Question {
        name: "count",
        sql: "SELECT count(*) AS n FROM events",
        cpu_seconds_max: None,
        has_peer: false,
    },
    Question {
        name: "kinds",
        sql: "SELECT kind, count(*) AS n FROM events GROUP BY kind ORDER BY n DESC",
        cpu_seconds_max: None,
        has_peer: true,
    },
    Question {
        name: "top 10 process names",
        sql: "SELECT process_name, count(*) AS n FROM events GROUP BY process_name ORDER BY n DESC LIMIT 10",
        cpu_seconds_max: None,
        has_peer: true,
    },
];

pub(super) fn ask(data: &Path, limits: &mut Limits) -> Result<()> {
    for question in QUESTIONS {
        let mut command = tool(data)?;
        command.arg("query").arg("--data-dir").arg(data);
        command.args(["--json", "--timeout", "10m", question.sql]);
        let (output, usage) = measured::run(command)?;
        let found = first_number(&output.stdout)?;
        ensure!(found > 0, "{}: nothing was found", question.name);
        let cpu_seconds = usage.cpu.as_secs_f64();
        let held = question.cpu_seconds_max.map_or_else(String::new, |limit| {
            format!("; {}", limits.check(question.name, cpu_seconds, limit, "CPU s"))
        });
        println!(
            "{}  {cpu_seconds:.2} CPU s, {:.2} s, {:.0} MiB at most; finds {found}{held}",
            question.name,
            usage.wall.as_secs_f64(),
            mebibytes(usage.peak_bytes)
        );
        if question.has_peer {
            let peer = duckdb(data, question.sql)?;
            // It sees the archive alone, and in a folder that is used again the intake has events too.
            let differs = if peer.found == found { "" } else { ", in the archive alone" };
            println!("    {}; finds {}{differs}", peer.words, peer.found);
        }
    }
    Ok(())
}

struct Peer {
    found: u64,
    words: String,
}

fn duckdb(data: &Path, sql: &str) -> Result<Peer> {
    let mut command = Command::new(environment::python());
    command.arg(environment::python_program("duckdb_peer.py"));
    command.arg(data.join("archive")).arg(sql);
    let (output, usage) = measured::run(command)?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| {
        answer.get(name).and_then(Value::as_f64).with_context(|| format!("no {name} in {answer}"))
    };
    let found = answer.pointer("/rows/0/n").and_then(Value::as_u64);
    Ok(Peer {
        found: found.with_context(|| format!("no number in {answer}"))?,
        words: format!(
            "DuckDB {} on {} threads: {:.2} CPU s, {:.2} s, {:.0} MiB at most",
            answer.get("version").and_then(Value::as_str).unwrap_or_default(),
            number("threads")?,
            number("cpu_seconds")?,
            number("wall_seconds")?,
            mebibytes(usage.peak_bytes)
        ),
    })
}
