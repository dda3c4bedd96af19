//! A run of named steps with their times, a summary at the end, and a loud failure.

use crate::run::{answer, say};
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
                if !lines.is_empty() {
                    self.closing_lines.push(format!("{name}:"));
                    self.closing_lines.extend(lines);
                }
                Ok(())
            }
            Err(error) => {
                say(&format!("\nerror: {error:#}"));
                self.table().iter().for_each(|line| say(line));
                say(&format!("  FAILED {:>7.1} s  {name}", start.elapsed().as_secs_f64()));
                Err(StepFailed(name.to_owned()).into())
            }
        }
    }

    /// The times of all steps, and what the test runners said last, on stdout.
    pub(crate) fn summary(&self) -> Result<()> {
        self.table().iter().try_for_each(|line| answer(line))?;
        let total: Duration = self.done.iter().map(|(_, time)| *time).sum();
        answer(&format!("  all ok {:>7.1} s", total.as_secs_f64()))?;
        self.closing_lines.iter().try_for_each(|line| answer(line))
    }

    fn table(&self) -> Vec<String> {
        let lines = self
            .done
            .iter()
            .map(|(name, time)| format!("  ok     {:>7.1} s  {name}", time.as_secs_f64()));
        std::iter::once(String::new()).chain(lines).collect()
    }
}
