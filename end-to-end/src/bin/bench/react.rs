//! How fast the loop closes: a bad process starts, its alert is on the stream, it is gone.

use crate::percentile;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::machine;
use ringwall_end_to_end::server::Setup;
use ringwall_end_to_end::tour;
use std::time::Duration;

/// A source that raises more than 120 new alerts a minute gets them counted under one.
const BETWEEN_STARTS: Duration = Duration::from_millis(550);

pub(crate) async fn run(runs: u64) -> Result<()> {
    ensure!(runs > 0, "at least one run");
    let _machine = machine::alone().await?;
    let server = Setup::new()?.with_host_agent().start().await?;
    tour::this_machine_is_seen(&server).await?;
    let mut stream = server.api().stream("/api/v1/stream?topics=alerts").await?;
    let suspect = tour::listed_suspect(&server, &server.folder().join("suspect")).await?;
    let mut found = Vec::new();
    let mut ended = Vec::new();
    let mut starts = tokio::time::interval(BETWEEN_STARTS);
    for run in 0..runs {
        starts.tick().await;
        let (reaction, _) = tour::suspect_found_and_ended(&mut stream, &suspect)
            .await
            .with_context(|| format!("run {run}"))?;
        found.push(reaction.found);
        ended.push(reaction.ended);
    }
    server.stop().await?;
    println!("load      {runs} runs, one every {} ms", BETWEEN_STARTS.as_millis());
    print("process start -> alert on the stream", found);
    print("alert on the stream -> process gone ", ended);
    Ok(())
}

fn print(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let [half, most, worst] =
        [0.5, 0.95, 1.0].map(|share| percentile(&times, share).as_secs_f64() * 1000.0);
    println!("{name}  p50 {half:.1} ms, p95 {most:.1} ms, worst {worst:.1} ms");
}
