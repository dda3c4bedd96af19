//! The counts by minute made anew from the events themselves.

use super::{catalogue, tally};
use crate::archive::file::ArchiveFile;
use crate::data_dir::{ARCHIVE, Beside, DATABASE, DataDirError, lock_alone};
use crate::{Counted, Database, EventStore, Progress, Session, StoreError, rebuild_rollups};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// What was counted anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// How many events.
    pub events: u64,
    /// How many files of the archive they were read from, besides the intake.
    pub archive_files: u64,
}

/// Counts everything in a data directory anew. No server may run on it.
///
/// # Errors
/// Where a server runs, there is no store, or a file of it cannot be read. Then the old counts stand.
pub fn rebuild(data_dir: &Path, progress: &Arc<Progress>) -> Result<Rebuilt, DataDirError> {
    // Nobody makes a store here by asking for one.
    drop(Beside::open(data_dir)?);
    let _alone = lock_alone(data_dir)?;
    let database = Database::open(&data_dir.join(DATABASE))?;
    let archive = data_dir.join(ARCHIVE);
    let mut archive_files = 0;
    let events = database.write_now(|session| {
        let files = catalogue::live_files(session.connection)?;
        archive_files = files.len() as u64;
        rebuild_rollups(session, |each| {
            progress.begin("intake", 0, 0);
            count_intake(session, progress, each)?;
            progress.begin("archive files", 0, archive_files);
            for row in &files {
                let file = ArchiveFile::open(&archive, &row.name)?;
                for batch in file.read((0..file.row_groups()).collect(), &tally::COLUMNS, None)? {
                    progress.go_on()?;
                    tally::tally(&batch?, each)?;
                }
                progress.file_done();
            }
            Ok(())
        })
    })?;
    Ok(Rebuilt { events, archive_files })
}

fn count_intake(
    session: &Session<'_>,
    progress: &Progress,
    each: &mut dyn FnMut(&Counted<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    session.replay(0, None, &mut |batch| {
        progress.go_on()?;
        batch.events.iter().try_for_each(|event| {
            each(&Counted {
                received: batch.received,
                source: &batch.source,
                kind: event.activity.kind(),
                severity: event.severity,
                count: 1,
            })
        })
    })
}
