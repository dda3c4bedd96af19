//! A run of named steps with their times, a summary at the end, and a loud failure.

use crate::run::say;
use anyhow::Result;
use std::time::{Duration, Instant};

/// A step did not end well; it has been said in full already.
#[derive(Debug)]
pub(crate) struct StepFailed(String);

impl std::fmt::Display for StepFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "step `{}` failed", self.0)
    }
}

impl std::error::Error for StepFailed {}

/// The steps done so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration)>,
    closing_lines: Vec<String>,
}

impl Steps {
    /// Runs one step.
    ///
    /// # Errors
    ///
    /// [`StepFailed`] when the step failed, after the summary with its name was printed.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        self.suite(name, || work().map(|()| Vec::new()))
    }

    /// Runs one step that returns closing lines of a test runner, to be repeated in the summary.
    pub(crate) fn suite(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<Vec<String>>,
    ) -> Result<()> {
        say(&format!("\n==> {name}"));
        let start = Instant::now();
        match work() {
            Ok(lines) => {
                self.done.push((name.to_owned(), start.elapsed()));
                self.closing_lines.extend(lines.into_iter().map(|line| format!("{name}: {line}")));
                Ok(())
            }
            Err(error) => {
                say(&format!("\nerror: {error:#}"));
                self.table();
                say(&format!("  FAILED {:>7.1} s  {name}", start.elapsed().as_secs_f64()));
                Err(StepFailed(name.to_owned()).into())
            }
        }
    }

    /// The times of all steps, and what the test runners said last.
    pub(crate) fn summary(&self) {
        self.table();
        let total: Duration = self.done.iter().map(|(_, time)| *time).sum();
        say(&format!("  all ok {:>7.1} s", total.as_secs_f64()));
        for line in &self.closing_lines {
            say(line);
        }
    }

    fn table(&self) {
        say("");
        for (name, time) in &self.done {
            say(&format!("  ok     {:>7.1} s  {name}", time.as_secs_f64()));
        }
    }
}
