//! How far it is, and a line about it where somebody looks on.

use crate::output::{count, duration};
use crate::tool::store_work::Line;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts events as they are done.
#[derive(Debug)]
pub(super) struct Meter {
    total: u64,
    done: AtomicU64,
    started: Instant,
}

/// Often enough to look alive.
const SHOWN_EVERY: Duration = Duration::from_millis(200);
const BAR_CHARS: u64 = 24;

impl Meter {
    pub(super) fn new(total: u64) -> Self {
        Self { total, done: AtomicU64::new(0), started: Instant::now() }
    }

    pub(super) fn add(&self, events: u64) {
        self.done.fetch_add(events, Ordering::Relaxed);
    }

    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Waits for `work`, and shows how far it is meanwhile.
    pub(super) async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut line = Line::on_stderr();
        let mut ticks = tokio::time::interval(SHOWN_EVERY);
        loop {
            tokio::select! {
                done = &mut work => {
                    line.show("");
                    return done;
                }
                _ = ticks.tick() => {
                    line.show(&told(self.done(), self.total, self.started.elapsed()));
                }
            }
        }
    }
}

fn told(done: u64, total: u64, elapsed: Duration) -> String {
    let full = (u128::from(done) * u128::from(BAR_CHARS) / u128::from(total.max(1))) as usize;
    let full = full.min(BAR_CHARS as usize);
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(BAR_CHARS as usize - full));
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    let mut text =
        format!("[{bar}] {} of {} events  {}/s", count(done), count(total), count(rate as u64));
    if done > 0 && done < total {
        let left = (total - done) as f64 / rate.max(0.001);
        text += &format!("  {} left", duration(left as i64));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        check(0, "[------------------------] 0 of 4,000 events  0/s");
        check(1000, "[######------------------] 1,000 of 4,000 events  500/s  6 s left");
        check(4000, "[########################] 4,000 of 4,000 events  2,000/s");
    }

    #[track_caller]
    fn check(done: u64, expected: &str) {
        assert_eq!(told(done, 4000, Duration::from_secs(2)), expected);
    }
}
