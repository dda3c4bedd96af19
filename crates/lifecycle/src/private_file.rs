//! Files that only their owner may read, written whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a private file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateFileError {
    /// The system refuses.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Group or others may read it.
    #[error("{}: mode {mode:04o} lets others read a secret", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// The permission bits.
        mode: u32,
    },
    /// It is longer than anything that belongs there.
    #[error("{}: more than {bytes_max} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The bound.
        bytes_max: u64,
    },
}

/// Writes a file with mode 0600. A reader sees the old content or all of the new one, also after a
/// power cut; when this returns the new one is on disk.
///
/// # Errors
/// Where the system refuses; then the old content stands.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("not the name of a file"))?;
    let mut temporary = name.to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary);
    let written = write_new(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = written {
        // The first error is the one to tell; the rest of the file may be missing already.
        drop(std::fs::remove_file(&temporary));
        return Err(error);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = match options.open(path) {
        // Left behind by a process of the same number that was killed.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            options.open(path)?
        }
        other => other?,
    };
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a file that holds a secret.
///
/// # Errors
/// Where it is missing or unreadable, longer than `bytes_max`, or others may read it.
pub fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, PrivateFileError> {
    let io = |error| PrivateFileError::Io { path: path.to_owned(), error };
    let file = File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::Exposed { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > bytes_max {
        return Err(PrivateFileError::TooLong { path: path.to_owned(), bytes_max });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_whole_and_stays_private() {
        let folder = std::env::temp_dir().join(format!("ringwall-private-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("secret");
        write(&path, b"first").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(read(&path, 6).unwrap(), b"second");
        assert!(matches!(read(&path, 5), Err(PrivateFileError::TooLong { bytes_max: 5, .. })));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = read(&path, 6).unwrap_err();
        assert!(matches!(error, PrivateFileError::Exposed { mode: 0o640, .. }), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(write(&path, b"x").is_err());
    }
}
