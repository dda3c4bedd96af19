//! Whether a store is sound: every byte is read again, and counted again.

mod archive_file;
mod duplicates;
mod folder;
mod intake;
mod recount;

use super::catalogue::{self, FileRow, SourceCounts};
use super::{Finding, FindingKind};
use crate::data_dir::{Beside, DATABASE, DataDirError, MASTER_KEY, is_in_use};
use crate::{Progress, StoreError, integrity};
use archive_file::FileReport;
use intake::IntakeReport;
use parking_lot::Mutex;
use recount::Recount;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an examination of a store found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verification {
    /// What was looked at.
    pub checked: Checked,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// How many more findings there were than are listed.
    pub findings_left_out: u64,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Batches in the intake.
    pub intake_batches: u64,
    /// Events in them.
    pub intake_events: u64,
    /// Files of the archive.
    pub archive_files: u64,
    /// Events in them.
    pub archived_events: u64,
    /// Their bytes.
    pub archive_bytes: u64,
}

impl Verification {
    /// Whether nothing is lost, doubled or altered.
    pub fn is_sound(&self) -> bool {
        !self.findings.iter().any(Finding::is_damage)
    }
}

/// Findings that are kept; a store where everything is wrong says so with fewer.
const FINDINGS_MAX: usize = 1000;
const MASTER_KEY_BYTES: u64 = 32;

/// Examines the store of a data directory, which a server may be using, on `threads` threads.
///
/// # Errors
/// Where there is no store, or it cannot be read for another reason than damage.
pub fn verify(
    data_dir: &Path,
    threads: usize,
    progress: &Arc<Progress>,
) -> Result<Verification, DataDirError> {
    let beside = Beside::open(data_dir)?;
    let mut outcome = Outcome::default();
    outcome.findings.extend(master_key(data_dir));
    // What lies there now, before the rows are read: what comes later is no orphan.
    let names = folder::names(&beside.archive)?;
    let moment = match examine_database(&beside, progress, &mut outcome) {
        Ok(moment) => moment,
        Err(error) => {
            let database = |what| Finding::damage(FindingKind::Database, DATABASE, what);
            outcome.findings.extend(damage_of(error)?.into_iter().map(database));
            return Ok(outcome.finish());
        }
    };
    let bytes = moment.files.iter().map(|(row, _)| row.bytes).sum();
    progress.begin("archive files", bytes, moment.files.len() as u64);
    let reports = examine_files(&beside.archive, &moment, threads, progress)?;
    let mut readable: Vec<&FileRow> = Vec::new();
    for ((row, _), report) in moment.files.iter().zip(reports) {
        outcome.checked.archive_files += 1;
        outcome.checked.archived_events += row.events;
        outcome.checked.archive_bytes += row.bytes;
        if report.is_readable {
            readable.push(row);
        }
        outcome.findings.extend(report.findings);
    }
    // What is damaged is not counted, and would be told a second time.
    if moment.intake.is_whole && readable.len() == moment.files.len() {
        outcome.findings.extend(moment.recount.findings()?);
    }
    progress.begin("duplicates", 0, 0);
    outcome.findings.extend(duplicates::find(
        &beside.archive,
        &readable,
        &moment.intake.batches,
        progress,
    )?);
    let after = beside.connect()?;
    outcome.findings.extend(folder::findings(
        &beside.archive,
        &names,
        &catalogue::all_names(&after)?,
        &moment.doomed,
        is_in_use(data_dir),
    ));
    Ok(outcome.finish())
}

/// What the database says at one moment.
struct Moment {
    files: Vec<(FileRow, SourceCounts)>,
    doomed: Vec<String>,
    intake: IntakeReport,
    recount: Recount,
}

/// Reads everything that the database holds.
fn examine_database(
    beside: &Beside,
    progress: &Arc<Progress>,
    outcome: &mut Outcome,
) -> Result<Moment, DataDirError> {
    let mut connection = beside.connect()?;
    progress.begin("database", 0, 0);
    for what in integrity::check(&mut connection, progress)? {
        outcome.findings.push(Finding::damage(FindingKind::Database, DATABASE, what));
    }
    connection.execute_batch("BEGIN")?;
    progress.begin("intake", 0, 0);
    let recount = Recount::begin(&connection)?;
    let intake = intake::examine(&connection, &recount, progress)?;
    outcome.checked.intake_batches = intake.all_batches;
    outcome.checked.intake_events = intake.events;
    outcome.findings.extend(intake.findings.iter().cloned());
    let moment = Moment {
        files: read_files(&connection)?,
        doomed: catalogue::doomed_files(&connection)?,
        intake,
        recount,
    };
    connection.execute_batch("ROLLBACK")?;
    Ok(moment)
}

fn read_files(connection: &Connection) -> Result<Vec<(FileRow, SourceCounts)>, rusqlite::Error> {
    catalogue::live_files(connection)?
        .into_iter()
        .map(|row| {
            let sources = catalogue::sources_of(connection, row.id)?;
            Ok((row, sources))
        })
        .collect()
}

/// Errors that tell of damage, as findings; others as they are.
fn damage_of(error: DataDirError) -> Result<Vec<String>, DataDirError> {
    match error {
        DataDirError::Store(StoreError::Sqlite(error)) => Ok(integrity::told(error)?),
        DataDirError::Store(StoreError::Unreadable { what, why }) => {
            Ok(vec![format!("stored {what} cannot be read: {why}")])
        }
        other => Err(other),
    }
}

fn examine_files(
    archive: &Path,
    moment: &Moment,
    threads: usize,
    progress: &Progress,
) -> Result<Vec<FileReport>, StoreError> {
    let Moment { files, recount, .. } = moment;
    let next = AtomicUsize::new(0);
    let reports: Mutex<Vec<(usize, FileReport)>> = Mutex::new(Vec::with_capacity(files.len()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((row, sources)) = files.get(number) else { return Ok(()) };
            let report = archive_file::examine(archive, row, sources, recount, progress)?;
            progress.file_done();
            reports.lock().push((number, report));
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads.clamp(1, 64).min(files.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| {
                let why = "an examination panicked".to_owned();
                Err(StoreError::Unreadable { what: "archive", why })
            })
        })
    })?;
    let mut reports = reports.into_inner();
    reports.sort_unstable_by_key(|(number, _)| *number);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

/// What is wrong with the master key, without which secrets in the database cannot be opened.
fn master_key(data_dir: &Path) -> Option<Finding> {
    let what = match std::fs::metadata(data_dir.join(MASTER_KEY)) {
        Ok(file) if file.len() == MASTER_KEY_BYTES => return None,
        Ok(file) => format!("has {} bytes, a master key has {MASTER_KEY_BYTES}", file.len()),
        Err(error) => error.to_string(),
    };
    Some(Finding::warning(FindingKind::MasterKey, MASTER_KEY, what))
}

#[derive(Default)]
struct Outcome {
    checked: Checked,
    findings: Vec<Finding>,
}

impl Outcome {
    fn finish(mut self) -> Verification {
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let left_out = self.findings.len().saturating_sub(FINDINGS_MAX);
        self.findings.truncate(FINDINGS_MAX);
        Verification {
            checked: self.checked,
            findings: self.findings,
            findings_left_out: left_out as u64,
        }
    }
}
