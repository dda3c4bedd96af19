//! What there is to do for the archive, one step after the other.

use super::UpkeepState;
use crate::engine::now;
use crate::server::Server;
use ringwall_store::{
    ArchiveLimits, Commits, CompactionLimits, Database, FileLayout, RetentionLimits, RetireReason,
    RollupStore, ScanControl, Session, StateStore, StoreError, Unlinker, archive_once,
    compact_once, missing_files, remove_orphans, retire_once,
};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// One thing to do. Each fails by itself: a disk too full for new files must still get rid of old
/// ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Examine,
    Archive,
    Compact,
    Retire,
    Unlink,
}

impl Step {
    pub(super) const ALL: [Self; 5] =
        [Self::Examine, Self::Archive, Self::Compact, Self::Retire, Self::Unlink];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Examine => "examining the folder",
            Self::Archive => "moving events into files",
            Self::Compact => "merging files",
            Self::Retire => "giving up what is beyond the limits",
            Self::Unlink => "removing files",
        }
    }
}

/// Everything that the steps need, and what they remember from one time to the next.
pub(super) struct Steps {
    server: Arc<Server>,
    database: Arc<Database>,
    runtime: Handle,
    control: Arc<ScanControl>,
    unlinker: Unlinker,
    /// Files that are missing or damaged: they are not merged.
    bad_files: HashSet<String>,
    /// Whether the folder is to be cleared of files that nothing refers to.
    orphans: Orphans,
    examined: Option<Instant>,
    retired: Option<Instant>,
    held_is_told: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Orphans {
    None,
    /// Left by a process before this one.
    OfBefore,
    /// Left by a commit of this process that failed.
    OfFailure,
}

/// How often it is looked whether all files are there.
const EXAMINE_EVERY: Duration = Duration::from_secs(600);
/// Not more often are limits looked at, unless events are moved at once.
const RETIRE_EVERY: Duration = Duration::from_secs(10);
const ROLLUPS_AT_ONCE: usize = 10_000;
const DAY_SECONDS: i64 = 86_400;

impl Steps {
    pub(super) fn new(
        server: Arc<Server>,
        database: Arc<Database>,
        runtime: Handle,
        control: Arc<ScanControl>,
    ) -> Self {
        Self {
            server,
            database,
            runtime,
            control,
            unlinker: Unlinker::default(),
            bad_files: HashSet::new(),
            orphans: Orphans::OfBefore,
            examined: None,
            retired: None,
            held_is_told: false,
        }
    }

    /// Whether events are to be moved at once.
    pub(super) fn is_hasty(&self) -> bool {
        self.server.config.archive.after_seconds == 0
    }

    pub(super) fn state(&self) -> &UpkeepState {
        &self.server.upkeep
    }

    /// Does a step; returns whether there may be more of it to do at once.
    pub(super) fn run(&mut self, step: Step) -> Result<bool, StoreError> {
        // Without it only what was begun before is brought to its end.
        let is_new_work = matches!(step, Step::Archive | Step::Compact | Step::Retire);
        if is_new_work && !self.server.config.archive.enabled {
            return Ok(false);
        }
        let done = match step {
            Step::Examine => self.examine(),
            Step::Archive => self.archive(),
            Step::Compact => self.compact(),
            Step::Retire => self.retire(),
            Step::Unlink => self.unlink(),
        };
        if done.is_err() && matches!(step, Step::Archive | Step::Compact) {
            self.orphans = Orphans::OfFailure;
        }
        done
    }

    fn examine(&mut self) -> Result<bool, StoreError> {
        if self.examined.is_none_or(|last| last.elapsed() >= EXAMINE_EVERY) {
            for problem in missing_files(&self.database)? {
                self.found_bad(&problem.name, &problem.why);
            }
            self.examined = Some(Instant::now());
        }
        match self.orphans {
            Orphans::None => return Ok(false),
            Orphans::OfBefore => {}
            // After a commit that failed, its pages may still lie in the journal, where the next start
            // would find them: only when another one was written in their place is it certain that no
            // row refers to the file.
            Orphans::OfFailure => {
                let moment = now();
                self.commits()
                    .commit(move |session| session.put_document("archive", "cleared", &moment))?;
            }
        }
        remove_orphans(&self.database)?;
        self.orphans = Orphans::None;
        Ok(false)
    }

    fn archive(&mut self) -> Result<bool, StoreError> {
        if self.orphans != Orphans::None {
            // The folder must not fill up with what failed.
            return Ok(false);
        }
        let settings = &self.server.config.archive;
        let waiting = self.database.read(|session| session.intake_waiting())?;
        let Some(oldest) = waiting.oldest else { return Ok(false) };
        let age = now().micros_since(oldest);
        // A clock that was set back must not hold events in intake for as long.
        let is_old = age < 0 || age >= settings.after_seconds.saturating_mul(1_000_000);
        if !is_old && waiting.events < settings.intake_events_min {
            return Ok(false);
        }
        if !waiting.is_checkpointed {
            let written = self.runtime.block_on(self.server.engine.checkpoint());
            written.map_err(|error| StoreError::NotStored(error.to_string()))?;
        }
        let limits = ArchiveLimits { layout: self.layout(), ..ArchiveLimits::default() };
        let archived = archive_once(&self.database, &self.commits(), &limits, &self.control)?;
        if let Some(archived) = &archived {
            tracing::debug!(
                file = %archived.name,
                events = archived.events,
                bytes = archived.bytes,
                batches = archived.batches,
                "events moved into a file"
            );
        }
        Ok(archived.is_some())
    }

    fn compact(&mut self) -> Result<bool, StoreError> {
        if self.orphans != Orphans::None {
            return Ok(false);
        }
        let limits = CompactionLimits {
            file_events_max: self.server.config.archive.file_events_max,
            layout: self.layout(),
        };
        let today = now().as_seconds().div_euclid(DAY_SECONDS);
        let merged = compact_once(
            &self.database,
            &self.commits(),
            &limits,
            today,
            &self.bad_files,
            &self.control,
        );
        match merged {
            Ok(merged) => {
                if let Some(merged) = &merged {
                    tracing::debug!(
                        file = %merged.name,
                        events = merged.events,
                        bytes = merged.bytes,
                        files = merged.files.len(),
                        "files merged"
                    );
                }
                Ok(merged.is_some())
            }
            Err(StoreError::Archive { file, why }) if self.is_live(&file)? => {
                // All others are merged without it.
                self.found_bad(&file, &why);
                self.orphans = Orphans::OfFailure;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    fn retire(&mut self) -> Result<bool, StoreError> {
        if !self.is_hasty() && self.retired.is_some_and(|last| last.elapsed() < RETIRE_EVERY) {
            return Ok(false);
        }
        let settings = &self.server.config.archive;
        let limits =
            RetentionLimits { days: settings.retention_days, bytes_max: settings.bytes_max };
        let moment = now();
        let beyond = self.database.read(|session| session.beyond_retention(limits, moment))?;
        self.tell_held(beyond.held_bytes_above, limits.bytes_max);
        if beyond.retired.is_empty() {
            self.retired = Some(Instant::now());
            return Ok(false);
        }
        let done = retire_once(&self.commits(), limits, moment)?;
        for retired in &done.retired {
            let file = &retired.file;
            let reason = match retired.reason {
                RetireReason::Age { .. } => "age",
                RetireReason::Size { .. } => "size",
            };
            self.bad_files.remove(&file.name);
            self.state().forget(&file.name);
            tracing::info!(file = %file.name, events = file.events, reason, "events given up");
        }
        // Counts of what is gone go too.
        let oldest = self.database.read(|session| session.oldest_received())?.unwrap_or(moment);
        self.commits()
            .commit(move |session| session.forget_rollups(oldest, ROLLUPS_AT_ONCE).map(drop))?;
        Ok(true)
    }

    fn unlink(&mut self) -> Result<bool, StoreError> {
        let commits = Writer { server: &self.server, runtime: &self.runtime };
        self.unlinker.run(&self.database, &commits)?;
        Ok(false)
    }

    fn tell_held(&mut self, bytes: u64, bytes_max: u64) {
        const SUBJECT: &str = "held";
        if bytes == 0 {
            self.held_is_told = false;
            self.state().forget(SUBJECT);
            return;
        }
        if !self.held_is_told {
            tracing::warn!(
                bytes,
                bytes_max,
                "the archive is too large, and legal holds keep it so"
            );
            self.held_is_told = true;
        }
        let problem =
            format!("archive: {bytes} bytes above archive.bytes_max are under legal holds");
        self.state().tell(SUBJECT, problem);
    }

    fn found_bad(&mut self, name: &str, why: &str) {
        if self.bad_files.insert(name.to_owned()) {
            tracing::error!(file = %name, why, "an archive file cannot be read: its events are missing");
            self.state().tell(name, format!("archive file {name}: {why}"));
        }
    }

    fn is_live(&self, name: &str) -> Result<bool, StoreError> {
        let files = self.database.read(|session| session.archive_files())?;
        Ok(files.iter().any(|file| file.name == name))
    }

    fn layout(&self) -> FileLayout {
        FileLayout { level: self.server.config.archive.compression_level, ..FileLayout::default() }
    }

    fn commits(&self) -> Writer<'_> {
        Writer { server: &self.server, runtime: &self.runtime }
    }
}

/// Commits through the queue of the one writer, like every request.
struct Writer<'a> {
    server: &'a Server,
    runtime: &'a Handle,
}

impl Commits for Writer<'_> {
    fn commit<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Session<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.runtime
            .block_on(self.server.engine.write(move |writing| job(writing.session)))
            .map_err(|error| StoreError::NotStored(error.to_string()))
    }
}
