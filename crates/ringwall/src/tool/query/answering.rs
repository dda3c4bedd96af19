use crate::output::now;
use anyhow::{Context, Result};
use ringwall_server::Config;
use ringwall_server::query::{QueryRequest as Question, Worker, tables};
use ringwall_server_api::{QueryLine, QueryRequest};
use ringwall_server_client::QueryLines;
use std::path::Path;

/// Whoever answers.
pub(super) enum Answering {
    /// A server.
    Server(QueryLines),
    /// A process of our own on a store without a server.
    Local(Box<Worker>),
}

impl Answering {
    /// The next line; none after the last.
    pub(super) async fn next(&mut self) -> Result<Option<QueryLine>> {
        match self {
            Self::Server(lines) => Ok(lines.next().await?),
            Self::Local(worker) => match worker.next().await? {
                None => Ok(None),
                Some(line) => {
                    serde_json::from_slice(&line).map(Some).context("answer cannot be read")
                }
            },
        }
    }
}

const ROWS_DEFAULT: u64 = 10_000;
const TIME_DEFAULT_MS: u64 = 30_000;

/// Asks the store itself, with the bounds that a server has where nothing is configured.
pub(super) fn locally(data_dir: &Path, request: &QueryRequest) -> Result<Answering> {
    let bounds = Config::default().query;
    let question = Question {
        data_dir: data_dir
            .canonicalize()
            .with_context(|| format!("cannot open {}", data_dir.display()))?,
        sql: request.sql.clone(),
        now: now().as_micros(),
        row_limit: request.row_limit.unwrap_or(ROWS_DEFAULT),
        time_limit_ms: request.time_limit_ms.unwrap_or(TIME_DEFAULT_MS),
        memory_bytes_max: bounds.memory_bytes_max,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        // What a running server keeps in memory is not there.
        tables: tables()
            .iter()
            .map(|table| table.name.to_owned())
            .filter(|name| !matches!(name.as_str(), "hosts" | "scores"))
            .collect(),
        explain: request.explain,
        hosts: Vec::new(),
        scores: Vec::new(),
    };
    let program = std::env::current_exe().context("own program not found")?;
    Ok(Answering::Local(Box::new(Worker::start(&program, &question)?)))
}
