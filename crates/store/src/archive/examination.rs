//! What lies in the archive folder beside what the database says.

use super::file::{UNFINISHED, sync_folder, write_error};
use super::guard::LOCK;
use crate::{Database, StoreError};

/// A file that rows refer to and that is not as they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// The file's name.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
}

/// Removes the files that nothing refers to: those that a killed process was writing, or had written
/// and not committed. Returns their names. Only for the process that writes this archive, while it
/// does not.
///
/// What does not look like ours is left where it is.
///
/// # Errors
/// Where the folder or the database cannot be read, or a file cannot be removed.
pub fn remove_orphans(database: &Database) -> Result<Vec<String>, StoreError> {
    let folder = database.archive_folder();
    let failed = |error: std::io::Error| write_error(&folder.display().to_string(), &error);
    let mut removed = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == LOCK {
            continue;
        }
        if !is_ours(&name) {
            tracing::warn!(file = %entry.path().display(), "a foreign file in the archive folder");
            continue;
        }
        if database.read(|session| session.refers_to(&name))? {
            continue;
        }
        match std::fs::remove_file(entry.path()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(write_error(&name, &error));
            }
            _ => {}
        }
        tracing::info!(file = %name, "removed an archive file that nothing refers to");
        removed.push(name);
    }
    if !removed.is_empty() {
        sync_folder(folder).map_err(failed)?;
    }
    Ok(removed)
}

/// Looks whether every file that events are read from is there and has its size; reads none of them.
///
/// # Errors
/// Where the database cannot be read.
pub fn missing_files(database: &Database) -> Result<Vec<FileProblem>, StoreError> {
    let files = database.read(|session| session.archive_files())?;
    let mut problems = Vec::new();
    for file in files {
        let why = match std::fs::metadata(database.archive_folder().join(&file.name)) {
            Ok(found) if found.len() == file.bytes => continue,
            Ok(found) => format!("has {} bytes, {} were written", found.len(), file.bytes),
            Err(error) => error.to_string(),
        };
        problems.push(FileProblem { name: file.name, why });
    }
    Ok(problems)
}

/// Names as `FileWriter` gives them: eight digits, 32 hexadecimal ones, and the ending.
fn is_ours(name: &str) -> bool {
    let unfinished = name.strip_prefix('.').and_then(|name| name.strip_suffix(UNFINISHED));
    let name = unfinished.unwrap_or(name);
    let Some((day, rest)) = name.strip_suffix(".parquet").and_then(|name| name.split_once('-'))
    else {
        return false;
    };
    !day.is_empty()
        && day.bytes().all(|byte| byte.is_ascii_digit())
        && rest.len() == 32
        && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
}
