use crate::{Database, Session, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// Many concurrent writers, one thread, one `fsync` for all that wait.
///
/// A job runs inside the group's transaction and returns its [`Finish`], which is called after the
/// commit, or after the rollback when the group failed. A job that fails takes its group with it:
/// storage errors are the disk's, not the job's, and the others would fail the same way. The jobs
/// after it are not run, and dropped with their [`Finish`]: their callers see that nobody answers.
pub struct GroupCommit {
    queue: Option<mpsc::Sender<Job>>,
    queued: Arc<AtomicUsize>,
    capacity: usize,
    thread: Option<JoinHandle<()>>,
}

/// Called with the outcome of the commit; dropped uncalled where an earlier job failed the group.
pub type Finish = Box<dyn FnOnce(Result<(), CommitError>) + Send>;

type Job = Box<dyn FnOnce(&Session<'_>) -> (Result<(), StoreError>, Finish) + Send>;

/// The group was rolled back; nothing of it is stored.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not stored: {reason}")]
pub struct CommitError {
    /// Why, for the log.
    pub reason: Arc<str>,
    /// Whether space ran out, which a person must mend.
    pub is_full: bool,
}

/// The queue has no place; try again in a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the write queue is full")]
pub struct QueueFull;

/// Bounds of the queue and of one group.
#[derive(Clone, Copy, Debug)]
pub struct GroupCommitOptions {
    /// How many jobs may wait.
    pub queue_capacity: usize,
    /// How many jobs share a commit at most.
    pub group_max: usize,
}

impl Default for GroupCommitOptions {
    fn default() -> Self {
        Self { queue_capacity: 4096, group_max: 512 }
    }
}

impl GroupCommit {
    /// Starts the writer thread.
    ///
    /// `before_commit` runs at the end of each group, inside its transaction; `after_rollback`
    /// runs when a group failed of which jobs were run, before they hear of it: the place to rebuild
    /// what the jobs changed in memory.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub fn start(
        database: Arc<Database>,
        options: GroupCommitOptions,
        mut before_commit: impl FnMut(&Session<'_>) -> Result<(), StoreError> + Send + 'static,
        mut after_rollback: impl FnMut(&CommitError) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, mut receiver) = mpsc::channel::<Job>(options.queue_capacity.max(1));
        let queued = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&queued);
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || {
            let mut group = Vec::with_capacity(options.group_max);
            while let Some(first) = receiver.blocking_recv() {
                group.push(first);
                while group.len() < options.group_max {
                    match receiver.try_recv() {
                        Ok(job) => group.push(job),
                        Err(_) => break,
                    }
                }
                counter.fetch_sub(group.len(), Ordering::Relaxed);
                run_group(&database, &mut group, &mut before_commit, &mut after_rollback);
            }
        })?;
        Ok(Self {
            queue: Some(sender),
            queued,
            capacity: options.queue_capacity,
            thread: Some(thread),
        })
    }

    /// Puts a job into the queue. Its [`Finish`] is called at most once.
    ///
    /// # Errors
    /// Where the queue is full or the writer is gone; the job was not run.
    pub fn submit(
        &self,
        job: impl FnOnce(&Session<'_>) -> (Result<(), StoreError>, Finish) + Send + 'static,
    ) -> Result<(), QueueFull> {
        let queue = self.queue.as_ref().ok_or(QueueFull)?;
        let place = queue.try_reserve().map_err(|_| QueueFull)?;
        self.queued.fetch_add(1, Ordering::Relaxed);
        place.send(Box::new(job));
        Ok(())
    }

    /// How many jobs wait, and how many may.
    pub fn load(&self) -> (usize, usize) {
        (self.queued.load(Ordering::Relaxed).min(self.capacity), self.capacity)
    }
}

impl Drop for GroupCommit {
    /// Runs what is queued, then ends the thread.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer thread ended in a panic");
        }
    }
}

fn run_group(
    database: &Database,
    group: &mut Vec<Job>,
    before_commit: &mut impl FnMut(&Session<'_>) -> Result<(), StoreError>,
    after_rollback: &mut impl FnMut(&CommitError),
) {
    let mut finishes: Vec<Finish> = Vec::with_capacity(group.len());
    let outcome = database.transaction(|session| {
        for job in group.drain(..) {
            let (result, finish) = job(session);
            finishes.push(finish);
            // A failure ends the group at once: on a full disk SQLite has rolled the transaction back
            // already, and whatever ran now would be committed by itself.
            result?;
            if session.connection.is_autocommit() {
                return Err(StoreError::RolledBack);
            }
        }
        before_commit(session)
    });
    group.clear();
    let outcome = outcome.map_err(|error| CommitError {
        reason: error.to_string().into(),
        is_full: matches!(error, StoreError::Full),
    });
    if let Err(error) = &outcome {
        tracing::error!(%error, "a group of writes was rolled back");
        if !finishes.is_empty() {
            after_rollback(error);
        }
    }
    for finish in finishes {
        finish(outcome.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StateStore;
    use std::sync::mpsc;

    /// On a full disk SQLite rolls the transaction back by itself: what ran after it in the group
    /// would be committed alone, and its caller told that it was not.
    #[test]
    fn nothing_of_a_group_is_stored_once_the_disk_is_full() {
        let folder = std::env::temp_dir().join(format!("ringwall-full-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let database = Arc::new(Database::open(&folder.join("ringwall.db")).unwrap());
        database
            .write_now(|session| {
                let pages: i64 =
                    session.connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
                session.connection.pragma_update(None, "max_page_count", pages + 8)?;
                Ok(())
            })
            .unwrap();
        let (hold, held) = mpsc::channel::<()>();
        let (sender, receiver) = mpsc::channel();
        let group_commit = GroupCommit::start(
            Arc::clone(&database),
            GroupCommitOptions::default(),
            |_| Ok(()),
            |_| {},
        )
        .unwrap();
        // The first job keeps the thread busy until all others wait: they are one group.
        group_commit
            .submit(move |_| {
                held.recv().unwrap();
                (Ok(()), Box::new(|_| {}))
            })
            .unwrap();
        for number in 0..30 {
            let sender = sender.clone();
            group_commit
                .submit(move |session| {
                    let large = "x".repeat(4000);
                    let written = session.put_document("large", &number.to_string(), &large);
                    let finish: Finish = Box::new(move |outcome| sender.send(outcome).unwrap());
                    (written, finish)
                })
                .unwrap();
        }
        drop(sender);
        hold.send(()).unwrap();
        drop(group_commit);
        let answers: Vec<_> = receiver.iter().collect();
        assert!(answers.len() < 30 && answers.iter().all(Result::is_err), "{answers:?}");
        let stored: Vec<(String, String)> =
            database.read(|session| session.documents("large")).unwrap();
        assert_eq!(stored.len(), 0);
        drop(database);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
