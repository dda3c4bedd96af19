//! What a backup says about itself.

use super::BackupError;
use crate::data_dir::{ARCHIVE, DATABASE, MASTER_KEY, io_error};
use crate::schema;
use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The name of the manifest in a backup.
pub const MANIFEST: &str = "manifest.json";

/// What a backup holds, written as `manifest.json` after everything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `ringwall-backup`.
    format: String,
    /// Of this form.
    version: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// The version of the tables in the database.
    pub schema: i64,
    /// When it was made.
    pub created: Timestamp,
    /// Events that lie in the database.
    pub intake_events: u64,
    /// Events that lie in archive files.
    pub archived_events: u64,
    /// The sizes of all files together.
    pub bytes: u64,
    /// How many of them are shared with an older backup or the data directory itself.
    pub linked_bytes: u64,
    /// Its files but for the manifest.
    pub files: Vec<ManifestFile>,
}

/// A file in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its place in the backup: `ringwall.db`, `master.key` or `archive/….parquet`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Over all its bytes, in hexadecimal.
    #[serde(with = "hexadecimal")]
    pub sha256: [u8; 32],
}

const FORMAT: &str = "ringwall-backup";
const VERSION: u32 = 1;
/// Room for several hundred thousand files.
const BYTES_MAX: u64 = 64 << 20;

impl Manifest {
    pub(super) fn new(
        created: Timestamp,
        intake_events: u64,
        archived_events: u64,
        files: Vec<ManifestFile>,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schema: schema::version(),
            created,
            intake_events,
            archived_events,
            bytes: files.iter().map(|file| file.bytes).sum(),
            linked_bytes: 0,
            files,
        }
    }

    pub(super) fn with_linked_bytes(self, linked_bytes: u64) -> Self {
        Self { linked_bytes, ..self }
    }

    /// All events.
    pub fn events(&self) -> u64 {
        self.intake_events.saturating_add(self.archived_events)
    }

    /// Whether the master key is in it.
    pub fn has_master_key(&self) -> bool {
        self.file(MASTER_KEY).is_some()
    }

    /// The file at this place.
    pub fn file(&self, path: &str) -> Option<&ManifestFile> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let path = folder.join(MANIFEST);
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| {
            BackupError::NotABackup { path: folder.to_owned(), why: error.to_string() }
        })?;
        text.push(b'\n');
        let written =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).and_then(
                |mut file| {
                    file.write_all(&text)?;
                    file.sync_all()
                },
            );
        Ok(written.map_err(io_error(&path))?)
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// Where there is none, it was written by a later version, or names files that no backup has.
    pub fn read(folder: &Path) -> Result<Self, BackupError> {
        let unusable = |why: String| BackupError::NotABackup { path: folder.to_owned(), why };
        let path = folder.join(MANIFEST);
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(unusable(format!("there is no {MANIFEST}")));
            }
            other => other.map_err(io_error(&path))?,
        };
        let mut text = Vec::new();
        file.take(BYTES_MAX + 1).read_to_end(&mut text).map_err(io_error(&path))?;
        if text.len() as u64 > BYTES_MAX {
            return Err(unusable(format!("{MANIFEST} has more than {BYTES_MAX} bytes")));
        }
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|error| unusable(format!("{MANIFEST}: {error}")))?;
        if manifest.format != FORMAT {
            return Err(unusable(format!("{MANIFEST} is of the form `{}`", manifest.format)));
        }
        if manifest.version != VERSION {
            return Err(unusable(format!(
                "{MANIFEST} has version {}, this program knows {VERSION}",
                manifest.version
            )));
        }
        // Places are joined to folders: none may lead out of them.
        let mut seen = HashSet::new();
        for file in &manifest.files {
            if !is_known_place(&file.path) || !seen.insert(file.path.as_str()) {
                return Err(unusable(format!("{MANIFEST} names the file `{}`", file.path)));
            }
        }
        if manifest.file(DATABASE).is_none() {
            return Err(unusable(format!("{MANIFEST} names no {DATABASE}")));
        }
        Ok(manifest)
    }
}

/// Whether a backup has files at this place.
fn is_known_place(path: &str) -> bool {
    let archived = path.strip_prefix(ARCHIVE).and_then(|name| name.strip_prefix('/'));
    [DATABASE, MASTER_KEY].contains(&path) || archived.is_some_and(is_archive_name)
}

/// Whether a name is one that archive files have.
pub(crate) fn is_archive_name(name: &str) -> bool {
    name.strip_suffix(".parquet").is_some_and(|stem| {
        !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// 32 bytes as 64 digits.
mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &[u8; 32],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::sha256::hex(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let is_plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if pairs.len() != bytes.len() || !rest.is_empty() || !is_plain {
            return Err(D::Error::custom("not 64 hexadecimal digits"));
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let digits = std::str::from_utf8(pair).map_err(D::Error::custom)?;
            *byte = u8::from_str_radix(digits, 16).map_err(D::Error::custom)?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_leads_out_of_the_folder() {
        check("ringwall.db", true);
        check("master.key", true);
        check("archive/20261121-00ff.parquet", true);
        check("archive/../master.key", false);
        check("archive/..parquet", false);
        check("archive/a/b.parquet", false);
        check("archive/.parquet", false);
        check("archive", false);
        check("/etc/passwd", false);
        check("archive//etc.parquet", false);
        check("manifest.json", false);
        check("", false);
    }

    #[track_caller]
    fn check(path: &str, expected: bool) {
        assert_eq!(is_known_place(path), expected, "{path:?}");
    }
}
