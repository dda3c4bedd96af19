use crate::output::count;
use ringwall_server_api::QueryProgress;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// How far a query is, on one line of stderr that is written over; nothing where that is no terminal.
pub(super) struct ProgressBar {
    is_terminal: bool,
    began: Instant,
    is_shown: bool,
}

const WIDTH: usize = 24;

impl ProgressBar {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), began: Instant::now(), is_shown: false }
    }

    pub(super) fn show(&mut self, progress: &QueryProgress) {
        if self.is_terminal {
            self.is_shown = true;
            write(&format!("\r{}\u{1b}[K", line(progress, self.began.elapsed().as_secs_f64())));
        }
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            write("\r\u{1b}[K");
        }
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn write(text: &str) {
    let mut out = io::stderr().lock();
    // Whoever closed stderr does not want to see.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

fn line(progress: &QueryProgress, seconds: f64) -> String {
    let events = progress.events_scanned + progress.events_skipped;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "for people"
    )]
    let per_second = (events as f64 / seconds.max(0.001)) as u64;
    let done = progress.files_done.min(progress.files) * WIDTH as u64;
    let full = usize::try_from(done.checked_div(progress.files).unwrap_or(0)).unwrap_or(0);
    format!(
        "[{}{}] {} events, {} a second",
        "=".repeat(full),
        " ".repeat(WIDTH.saturating_sub(full)),
        count(events),
        count(per_second),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_and_how_fast() {
        let progress =
            QueryProgress { files: 4, files_done: 1, events_scanned: 1500, events_skipped: 500 };
        assert_eq!(line(&progress, 2.0), "[======                  ] 2,000 events, 1,000 a second");
        assert!(line(&QueryProgress::default(), 0.0).starts_with("[   "));
    }
}
