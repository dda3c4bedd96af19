//! What goes on beside the requests: files and lists read again, patterns of other workers taken over.

mod clouds;
mod countries;
#[cfg(feature = "redis")]
mod shared_state;
mod watched_file;

pub(crate) use clouds::follow as follow_clouds;
pub(crate) use countries::{Countries, follow as follow_countries};
#[cfg(feature = "redis")]
pub(crate) use shared_state::follow as follow_redis;

pub use clouds::CloudLists;
pub use countries::CountryFile;

use parking_lot::{Mutex, RwLock};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A value that every request reads and that is now and then replaced whole.
#[derive(Debug, Default)]
pub(crate) struct Current<T>(RwLock<Arc<T>>);

impl<T> Current<T> {
    pub(crate) fn load(&self) -> Arc<T> {
        self.0.read().clone()
    }

    pub(crate) fn replace(&self, value: T) {
        let value = Arc::new(value);
        // What it replaces is dropped after the lock, as that takes its time.
        let replaced = std::mem::replace(&mut *self.0.write(), value);
        drop(replaced);
    }
}

/// The tasks of one guard. They end when it is stopped or gone.
#[derive(Debug)]
pub(crate) struct Background {
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// Tells a task to end.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Background {
    pub(crate) fn new() -> Self {
        Self { stop: watch::Sender::new(false), tasks: Mutex::default() }
    }

    pub(crate) fn stopping(&self) -> Stopping {
        Stopping(self.stop.subscribe())
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().push(tokio::spawn(task));
    }

    /// Tells all to end and waits for them; who is not done by then is cut off.
    pub(crate) async fn stop(&self, within: Duration) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        let deadline = tokio::time::Instant::now() + within;
        for mut task in tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        for task in self.tasks.lock().drain(..) {
            task.abort();
        }
    }
}

impl Stopping {
    /// Waits so long; false where it was told to end meanwhile.
    pub(crate) async fn pause(&mut self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            // An error means that nobody is left who could want anything.
            _ = self.0.wait_for(|stop| *stop) => false,
        }
    }
}
