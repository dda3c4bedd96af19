/// Why the database could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk, or the size allowed to a file, is used up. Nothing was changed.
    #[error("no space left for the database")]
    Full,
    /// The transaction ended under the hands of a job that did not notice. Nothing was changed.
    #[error("the transaction was rolled back")]
    RolledBack,
    /// The database was written by a later version of this program.
    #[error("the database has schema version {found}, this program knows up to {known}")]
    TooNew {
        /// The version in the file.
        found: i64,
        /// The latest version that this program knows.
        known: i64,
    },
    /// A stored value cannot be read back.
    #[error("stored {what} cannot be read: {why}")]
    Unreadable {
        /// What kind of value.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A file of the archive, or what goes into one, cannot be written or read.
    #[error("archive file {file}: {why}")]
    Archive {
        /// Its name.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// A write did not go through the queue of the one writer; the reason is in its words.
    #[error("not stored: {0}")]
    NotStored(String),
    /// The work was given up because it was asked to, or its time was over.
    #[error("cancelled")]
    Cancelled,
    /// Anything else that SQLite says.
    #[error("database: {0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            // A write beyond RLIMIT_FSIZE or a quota comes back as an I/O error on write.
            Some(ErrorCode::SystemIoFailure)
                if error.sqlite_error().is_some_and(|e| {
                    matches!(
                        e.extended_code,
                        rusqlite::ffi::SQLITE_IOERR_WRITE
                            | rusqlite::ffi::SQLITE_IOERR_TRUNCATE
                            | rusqlite::ffi::SQLITE_IOERR_SHMSIZE
                    )
                }) =>
            {
                Self::Full
            }
            _ => Self::Sqlite(error),
        }
    }
}
