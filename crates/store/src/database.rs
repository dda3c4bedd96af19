use crate::archive::guard;
use crate::archive::open_files::OpenFiles;
use crate::archive::readers::Readers;
use crate::{StoreError, schema};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database file: one connection that writes, a few that read.
pub struct Database {
    path: PathBuf,
    writer: Mutex<Connection>,
    idle_readers: Mutex<Vec<Connection>>,
    archive: OpenFiles,
    readers: Readers,
}

/// A connection during one transaction; [`crate::EventStore`] and [`crate::StateStore`] are its verbs.
pub struct Session<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) archive: &'c OpenFiles,
}

/// Beside the database file.
pub(crate) const ARCHIVE_FOLDER: &str = "archive";
const READERS_IDLE_MAX: usize = 8;
const STATEMENTS_CACHED: usize = 64;

impl Database {
    /// Opens the file, creating it (mode 0600), its tables and the folder of the archive beside it
    /// (mode 0700) where they are missing.
    ///
    /// # Errors
    /// Where the file cannot be opened, is not a database, or comes from a later version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        create_private(path)?;
        let mut writer = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        writer.busy_timeout(Duration::from_secs(10))?;
        // A torn page or a bit flip shows as an error instead of as wrong answers.
        writer.pragma_update(None, "cell_size_check", true)?;
        writer.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        writer.pragma_update(None, "synchronous", "FULL")?;
        writer.pragma_update(None, "foreign_keys", false)?;
        writer.pragma_update(None, "cache_size", -16_384)?;
        writer.pragma_update(None, "temp_store", "MEMORY")?;
        // Checkpoints are cheap when many pages go at once; the journal stays around 32 MiB.
        writer.pragma_update(None, "wal_autocheckpoint", 4000)?;
        writer.pragma_update(None, "journal_size_limit", 64 << 20)?;
        writer.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        schema::migrate(&mut writer)?;
        let archive = OpenFiles::new(path.with_file_name(ARCHIVE_FOLDER));
        guard::prepare(archive.folder())?;
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            idle_readers: Mutex::new(Vec::new()),
            archive,
            readers: Readers::default(),
        })
    }

    /// Runs `job` in a read transaction on a connection of its own: it sees one moment.
    ///
    /// Blocks; call it off the async threads.
    ///
    /// # Errors
    /// What `job` gives, or that the database cannot be read.
    pub fn read<T>(
        &self,
        job: impl FnOnce(&Session<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // Before the transaction begins: no file that it sees is unlinked until it is over.
        let _reader = self.readers.enter();
        let idle = self.idle_readers.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open_reader()?,
        };
        connection.execute_batch("BEGIN")?;
        let answer = job(&Session { connection: &connection, archive: &self.archive });
        connection.execute_batch("ROLLBACK")?;
        let mut idle = self.idle_readers.lock();
        if idle.len() < READERS_IDLE_MAX {
            idle.push(connection);
        }
        answer
    }

    /// Runs `job` in a write transaction of its own and commits it. For start-up and tests; requests
    /// go through [`crate::GroupCommit`].
    ///
    /// # Errors
    /// What `job` gives, after which nothing is changed, or that the commit failed.
    pub fn write_now<T>(
        &self,
        job: impl FnOnce(&Session<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transaction(job)
    }

    pub(crate) fn transaction<T>(
        &self,
        job: impl FnOnce(&Session<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let writer = self.writer.lock();
        writer.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let outcome = job(&Session { connection: &writer, archive: &self.archive });
        let committed = match outcome {
            Ok(value) => {
                writer.prepare_cached("COMMIT")?.execute([]).map(|_| value).map_err(Into::into)
            }
            Err(error) => Err(error),
        };
        if committed.is_err() && !writer.is_autocommit() {
            // A rollback of a transaction that SQLite already rolled back is the only way this
            // fails; then there is nothing left to undo.
            if let Err(error) = writer.execute_batch("ROLLBACK") {
                tracing::warn!(%error, "rollback failed");
            }
        }
        committed
    }

    /// Where the files of the archive are.
    pub fn archive_folder(&self) -> &Path {
        self.archive.folder()
    }

    pub(crate) fn open_files(&self) -> &OpenFiles {
        &self.archive
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// The size of the database and its journal in bytes.
    pub fn size_bytes(&self) -> u64 {
        ["", "-wal"]
            .iter()
            .filter_map(|suffix| {
                let mut name = self.path.clone().into_os_string();
                name.push(suffix);
                std::fs::metadata(PathBuf::from(name)).ok()
            })
            .map(|metadata| metadata.len())
            .sum()
    }

    fn open_reader(&self) -> Result<Connection, StoreError> {
        let reader = Connection::open_with_flags(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        reader.busy_timeout(Duration::from_secs(10))?;
        reader.pragma_update(None, "query_only", true)?;
        reader.pragma_update(None, "cache_size", -4096)?;
        reader.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        Ok(reader)
    }
}

/// Creates the file empty with mode 0600 where it is missing, before SQLite would with 0644.
fn create_private(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    let created = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match created {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Unreadable {
            what: "database file",
            why: format!("{}: {error}", path.display()),
        }),
    }
}
