//! Notices when the process that started this one ends.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, getppid, pidfd_open};
use tokio::sync::oneshot;

/// The process that started this one, as long as it runs. To be called at the very start: who asks
/// later may find the parent that took an orphan over.
pub(crate) fn parent() -> Option<Pid> {
    getppid()
}

/// Returns when the parent has ended; never where it cannot be watched.
pub(crate) async fn ended(parent: Option<Pid>) {
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("parent".to_owned())
        .stack_size(128 << 10)
        // It sleeps until the parent ends; the end of this process ends it as well.
        .spawn(move || match wait(parent) {
            // Who waits is gone when nobody takes the word.
            Ok(()) => drop(sender.send(())),
            Err(error) => tracing::warn!(%error, "the parent process cannot be watched"),
        });
    if let Err(error) = thread {
        tracing::warn!(%error, "the parent process cannot be watched");
    }
    if receiver.await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn wait(parent: Option<Pid>) -> Result<(), Errno> {
    let Some(parent) = parent else {
        return Ok(());
    };
    let handle = match pidfd_open(parent, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error),
    };
    // It may have ended before it was held: then this process has another parent by now.
    while getppid() == Some(parent) {
        let mut handles = [PollFd::new(&handle, PollFlags::IN)];
        match poll(&mut handles, None) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
