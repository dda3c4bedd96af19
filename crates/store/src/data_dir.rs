//! A data directory seen from another process than its server's.

use crate::{ArchiveGuard, StoreError, schema};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database in a data directory.
pub const DATABASE: &str = "ringwall.db";
/// The file of the master key in a data directory.
pub const MASTER_KEY: &str = "master.key";
/// The folder of the archive in a data directory.
pub const ARCHIVE: &str = "archive";
/// The file that a running server holds locked.
pub const LOCK: &str = "lock";

/// Why a data directory cannot be worked on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// There is no database in it.
    #[error("{}: no store is there", .0.display())]
    NoStore(PathBuf),
    /// The database was written by an earlier version of this program.
    #[error("{}: the database has schema version {found}, this program works on {known}", path.display())]
    Older {
        /// The data directory.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The version that this program writes.
        known: i64,
    },
    /// A server runs on it.
    #[error("{}: a server is running on it", .0.display())]
    InUse(PathBuf),
    /// The system refuses.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The database or the archive cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for DataDirError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A data directory opened beside its server, if one runs: nothing of the archive is unlinked
/// meanwhile.
pub(crate) struct Beside {
    pub(crate) database: PathBuf,
    pub(crate) archive: PathBuf,
    _guard: ArchiveGuard,
}

impl Beside {
    pub(crate) fn open(data_dir: &Path) -> Result<Self, DataDirError> {
        let database = data_dir.join(DATABASE);
        match std::fs::metadata(&database) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DataDirError::NoStore(data_dir.to_owned()));
            }
            Err(error) => return Err(io_error(&database)(error)),
        }
        let archive = data_dir.join(ARCHIVE);
        let guard = ArchiveGuard::shared(&archive)?;
        Ok(Self { database, archive, _guard: guard })
    }

    /// A connection that only reads, and leaves the journal to the server.
    pub(crate) fn connect(&self) -> Result<Connection, DataDirError> {
        let connection = connect(&self.database)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

/// A connection to a database that a server may be using; of the schema that this program knows.
pub(crate) fn connect(database: &Path) -> Result<Connection, DataDirError> {
    let connection = Connection::open_with_flags(
        database,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // What was found is left as it was: the journal of a killed server stays its own to take up.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    check_version(&connection, database)?;
    Ok(connection)
}

/// Whether the tables are those that this program knows.
pub(crate) fn check_version(connection: &Connection, database: &Path) -> Result<(), DataDirError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = schema::version();
    if found > known {
        return Err(StoreError::TooNew { found, known }.into());
    }
    if found < known {
        return Err(DataDirError::Older { path: database.to_owned(), found, known });
    }
    Ok(())
}

/// Takes the lock of the server, so that none starts meanwhile.
///
/// # Errors
/// Where a server holds it, or the system refuses.
pub fn lock_alone(data_dir: &Path) -> Result<File, DataDirError> {
    let path = data_dir.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(io_error(&path)(error)),
    }
}

/// Whether a server holds the lock.
pub(crate) fn is_in_use(data_dir: &Path) -> bool {
    File::open(data_dir.join(LOCK))
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    move |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::FileTooLarge | io::ErrorKind::QuotaExceeded => {
            StoreError::Full.into()
        }
        _ => DataDirError::Io { path: path.to_owned(), error },
    }
}
