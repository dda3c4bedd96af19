//! Whether a backup is what it was when it was made.

use super::copy::Copying;
use super::database_copy::{self, Content};
use super::{BackupError, Manifest, ManifestFile};
use crate::Progress;
use crate::data_dir::{ARCHIVE, DATABASE, DataDirError};
use crate::maintenance::{Finding, FindingKind};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A backup, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct BackupCheck {
    /// What it says about itself.
    pub manifest: Manifest,
    /// What is wrong; nothing where it can be restored.
    pub findings: Vec<Finding>,
}

/// Reads every byte of a backup again and examines its database.
///
/// # Errors
/// Where the folder is not a whole backup, or cannot be read.
pub fn check(folder: &Path, progress: &Arc<Progress>) -> Result<BackupCheck, BackupError> {
    let manifest = Manifest::read(folder)?;
    let mut findings = Vec::new();
    progress.begin("files", manifest.bytes, manifest.files.len() as u64);
    let mut copying = Copying::new(progress);
    for file in &manifest.files {
        match copying.fingerprint(&folder.join(&file.path)) {
            Ok(read) => findings.extend(file.difference(read.bytes, &read.sha256)),
            Err(error) => findings.push(unreadable(file, error)?),
        }
        progress.file_done();
    }
    // A database whose bytes are others than it had is not worth opening.
    if !findings.iter().any(|finding| finding.place == DATABASE) {
        match database_copy::examine(&folder.join(DATABASE), progress) {
            Ok(content) => findings.extend(compare(&manifest, &content)),
            Err(BackupError::Damaged { why, .. }) => {
                findings.push(Finding::damage(FindingKind::Database, DATABASE, why));
            }
            Err(other) => return Err(other),
        }
    }
    Ok(BackupCheck { manifest, findings })
}

impl ManifestFile {
    /// What tells these bytes from those that were written.
    pub(super) fn difference(&self, bytes: u64, sha256: &[u8; 32]) -> Option<Finding> {
        if bytes != self.bytes {
            let why = format!("has {bytes} bytes, {} were written", self.bytes);
            return Some(Finding::damage(FindingKind::Size, &self.path, why));
        }
        (*sha256 != self.sha256).then(|| {
            let why = "its bytes are not those that were written".to_owned();
            Finding::damage(FindingKind::Checksum, &self.path, why)
        })
    }
}

/// A file that cannot be read is a finding; to be asked to stop is not.
fn unreadable(file: &ManifestFile, error: BackupError) -> Result<Finding, BackupError> {
    match error {
        BackupError::DataDir(DataDirError::Io { error, .. }) => {
            let kind = if error.kind() == io::ErrorKind::NotFound {
                FindingKind::Missing
            } else {
                FindingKind::Unreadable
            };
            Ok(Finding::damage(kind, &file.path, error.to_string()))
        }
        other => Err(other),
    }
}

/// What tells the archive files of the manifest from those that the database refers to.
pub(super) fn compare(manifest: &Manifest, content: &Content) -> Vec<Finding> {
    let mut listed: HashMap<&str, &ManifestFile> = manifest
        .files
        .iter()
        .filter_map(|file| {
            let name = file.path.strip_prefix(ARCHIVE)?.strip_prefix('/')?;
            Some((name, file))
        })
        .collect();
    let mut findings = Vec::new();
    for file in &content.files {
        let place = format!("{ARCHIVE}/{}", file.name);
        match listed.remove(file.name.as_str()) {
            None => findings.push(Finding::damage(
                FindingKind::Missing,
                &place,
                "the database refers to it, the manifest does not name it",
            )),
            Some(listed) if listed.sha256 != file.sha256 || listed.bytes != file.bytes => {
                findings.push(Finding::damage(
                    FindingKind::Checksum,
                    &place,
                    "the database and the manifest name different bytes",
                ));
            }
            Some(_) => {}
        }
    }
    findings.extend(listed.values().map(|file| {
        Finding::warning(FindingKind::Orphan, &file.path, "the database does not refer to it")
    }));
    if (content.intake_events, content.archived_events)
        != (manifest.intake_events, manifest.archived_events)
    {
        findings.push(Finding::damage(
            FindingKind::Count,
            DATABASE,
            format!(
                "has {} events in the intake and {} in the archive, the manifest says {} and {}",
                content.intake_events,
                content.archived_events,
                manifest.intake_events,
                manifest.archived_events
            ),
        ));
    }
    findings
}
