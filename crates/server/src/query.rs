//! Queries in processes of their own: the server starts `ringwall query-worker` for each, and ends it
//! where nobody waits for the answer any more.

mod worker;

pub use ringwall_store::sql::{
    FUNCTIONS, Failure, FailureCode, HostEntry, QueryRequest, SQL_BYTES_MAX, ScoreEntry,
    Surroundings, run_query, tables,
};
pub use worker::{Worker, WorkerError};

use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What queries need of the server: the program that runs them, and places for so many at once.
pub(crate) struct Queries {
    program: Option<PathBuf>,
    data_dir: PathBuf,
    places: Arc<Semaphore>,
}

impl Queries {
    /// Without a program nothing can be asked; so it is in tests of other things.
    pub(crate) fn new(program: Option<PathBuf>, data_dir: PathBuf, concurrent_max: usize) -> Self {
        Self { program, data_dir, places: Arc::new(Semaphore::new(concurrent_max)) }
    }

    pub(crate) fn program(&self) -> Option<&PathBuf> {
        self.program.as_ref()
    }

    pub(crate) fn data_dir(&self) -> &PathBuf {
        &self.data_dir
    }

    /// A place for a query, where one is free.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }
}
