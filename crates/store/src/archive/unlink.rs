//! Removing files that nobody reads any more.

use super::commits::Commits;
use super::file::{sync_folder, write_error};
use super::guard::ArchiveGuard;
use crate::{Database, StoreError};
use std::collections::BTreeMap;

/// Unlinks files that were replaced or retired, once whoever may still read them is gone.
#[derive(Debug, Default)]
pub struct Unlinker {
    /// By the number of the file: its name, and the number of the first reader that cannot know it.
    waiting: BTreeMap<i64, (String, u64)>,
}

/// How far an unlinker came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unlinked {
    /// Files that are gone.
    pub files: usize,
    /// Files that somebody may still read.
    pub postponed: usize,
}

impl Unlinker {
    /// Removes what can be removed now; the rest is postponed, however long its readers stay.
    ///
    /// # Errors
    /// Where a file cannot be removed, or the commit failed; it is tried again the next time.
    pub fn run(
        &mut self,
        database: &Database,
        commits: &impl Commits,
    ) -> Result<Unlinked, StoreError> {
        let doomed = database.read(|session| session.doomed_files())?;
        // Their doom was on the disk when it was read: a reader that begins now does not see them.
        let now = database.readers().next();
        let mut waiting = BTreeMap::new();
        for (id, name) in doomed {
            let known = self.waiting.remove(&id);
            waiting.insert(id, known.unwrap_or((name, now)));
        }
        self.waiting = waiting;
        let due: Vec<(i64, String)> = self
            .waiting
            .iter()
            .filter(|(_, (_, reader))| database.readers().all_gone_before(*reader))
            .map(|(id, (name, _))| (*id, name.clone()))
            .collect();
        let postponed = Unlinked { files: 0, postponed: self.waiting.len() };
        if due.is_empty() {
            return Ok(postponed);
        }
        let folder = database.archive_folder();
        let Some(alone) = ArchiveGuard::try_alone(folder)? else { return Ok(postponed) };
        for (_, name) in &due {
            database.open_files().forget(name);
            match std::fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(write_error(name, &error));
                }
                _ => {}
            }
        }
        sync_folder(folder).map_err(|error| write_error("archive", &error))?;
        drop(alone);
        let ids: Vec<i64> = due.iter().map(|(id, _)| *id).collect();
        commits.commit(move |session| ids.iter().try_for_each(|id| session.forget_file(*id)))?;
        for (id, name) in &due {
            self.waiting.remove(id);
            tracing::debug!(file = %name, "removed a file of the archive");
        }
        Ok(Unlinked { files: due.len(), postponed: self.waiting.len() })
    }
}
