//! What lies in the archive folder beside the files that rows refer to.

use crate::archive::file::UNFINISHED;
use crate::archive::guard::LOCK;
use crate::data_dir::{ARCHIVE, DataDirError, io_error};
use crate::maintenance::{Finding, FindingKind};
use std::collections::HashSet;
use std::path::Path;

/// The names in the folder.
pub(super) fn names(archive: &Path) -> Result<Vec<String>, DataDirError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(archive).map_err(io_error(archive))? {
        let entry = entry.map_err(io_error(archive))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Files that nothing refers to, and those that wait to be removed. A running server removes both;
/// what it is writing at this moment looks the same.
pub(super) fn findings(
    archive: &Path,
    names: &[String],
    referred: &HashSet<String>,
    doomed: &[String],
    is_server_running: bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in names.iter().filter(|name| *name != LOCK && !referred.contains(*name)) {
        // Removed since: a file that was unfinished, or doomed.
        if archive.join(name).symlink_metadata().is_err() {
            continue;
        }
        let place = format!("{ARCHIVE}/{name}");
        findings.push(if is_server_running && name.ends_with(UNFINISHED) {
            Finding::note(FindingKind::Orphan, place, "is being written by the server")
        } else {
            let what = "nothing refers to it; the next start of the server removes it";
            Finding::warning(FindingKind::Orphan, place, what)
        });
    }
    let left = doomed.iter().filter(|name| archive.join(name).exists()).count();
    if left > 0 {
        let what = format!("{left} files were replaced or retired, and are removed once unread");
        findings.push(Finding::note(FindingKind::Doomed, ARCHIVE, what));
    }
    findings
}
