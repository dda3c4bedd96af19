//! Work that takes its time: shown on a terminal while it goes on, and given up when asked.

use crate::output::{bytes, count};
use anyhow::{Context as _, Result};
use ringwall_lifecycle::{Shutdown, logging};
use ringwall_store::{Progress, ProgressNow};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// Often enough to look alive.
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// Runs `work` on a thread of its own, with a line about its progress where stderr is a terminal.
/// SIGINT and SIGTERM ask it to end early.
pub(super) fn run<T: Send + 'static>(
    work: impl FnOnce(&Arc<Progress>) -> T + Send + 'static,
) -> Result<T> {
    if std::env::var_os("RINGWALL_LOG").is_some() {
        logging::start(logging::LogFormat::Text, tracing::Level::WARN)
            .map_err(anyhow::Error::msg)?;
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?
        .block_on(watch(work))
}

async fn watch<T: Send + 'static>(
    work: impl FnOnce(&Arc<Progress>) -> T + Send + 'static,
) -> Result<T> {
    let progress = Arc::<Progress>::default();
    let stop = Shutdown::on_signals()?;
    let shared = Arc::clone(&progress);
    let mut working = tokio::task::spawn_blocking(move || work(&shared));
    let mut line = Line::on_stderr();
    let mut ticks = tokio::time::interval(SHOWN_EVERY);
    loop {
        tokio::select! {
            done = &mut working => {
                line.show("");
                return done.context("the work ended in a panic");
            }
            () = stop.asked(), if !progress.is_cancelled() => progress.cancel(),
            _ = ticks.tick() => line.show(&told(&progress.now())),
        }
    }
}

/// Whether somebody looks on whose terminal can move its cursor.
fn is_lively() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// A line on stderr that is written over.
pub(super) struct Line {
    is_shown: bool,
    width: usize,
}

impl Line {
    pub(super) fn on_stderr() -> Self {
        Self { is_shown: is_lively(), width: 0 }
    }

    pub(super) fn show(&mut self, text: &str) {
        if !self.is_shown || (text.is_empty() && self.width == 0) {
            return;
        }
        let blanks = " ".repeat(self.width.saturating_sub(text.len()));
        self.width = text.len();
        let back = if text.is_empty() { "\r" } else { "" };
        // Whoever closed stderr does not want to see.
        let mut out = std::io::stderr().lock();
        drop(write!(out, "\r{text}{blanks}{back}").and_then(|()| out.flush()));
    }
}

fn told(now: &ProgressNow) -> String {
    let mut text = now.stage.to_owned();
    if now.files_total > 0 {
        text += &format!("  {} of {} files", count(now.files_done), count(now.files_total));
    }
    if let Some(share) = now.bytes_done.saturating_mul(100).checked_div(now.bytes_total) {
        text += &format!(
            "  {} of {}  {} %",
            bytes(now.bytes_done),
            bytes(now.bytes_total),
            share.min(100)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_known() {
        let mut now = ProgressNow { stage: "database", ..ProgressNow::default() };
        check(&now, "database");
        now.bytes_total = 2000;
        now.bytes_done = 500;
        check(&now, "database  500 B of 2.0 kB  25 %");
        now.bytes_done = 2500;
        now.files_total = 3000;
        check(&now, "database  0 of 3,000 files  2.5 kB of 2.0 kB  100 %");
    }

    #[track_caller]
    fn check(now: &ProgressNow, expected: &str) {
        assert_eq!(told(now), expected);
    }
}
