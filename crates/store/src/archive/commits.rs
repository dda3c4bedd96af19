//! How the archive's changes get into the database.

use crate::{Database, Session, StoreError};

/// Commits jobs: a tool does so by itself, a server through the queue of its one writer.
pub trait Commits {
    /// Runs `job` in a write transaction, maybe with those of others, and returns after the commit.
    ///
    /// # Errors
    /// Where nothing was changed, or that is not known: after an error of a commit the next start may
    /// find it done all the same.
    fn commit<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Session<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError>;
}

impl Commits for Database {
    fn commit<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Session<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_now(job)
    }
}
