use bytes::Bytes;
use ringwall_store::sql::{Failure, FailureCode, QueryRequest};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

/// A query that runs in a process of its own. Dropping it ends the process.
pub struct Worker {
    child: Child,
    lines: BufReader<ChildStdout>,
    complaint: JoinHandle<String>,
    asked: JoinHandle<io::Result<()>>,
    has_ended: bool,
}

/// Why no answer can be had from a worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The process cannot be started.
    #[error("cannot start the query: {0}")]
    NotStarted(io::Error),
    /// The process does not talk as it should.
    #[error("the query broke off: {0}")]
    BrokeOff(io::Error),
    /// The question cannot be written.
    #[error("cannot put the question: {0}")]
    Unwritable(serde_json::Error),
}

/// One line is at most this long: some rows, each value bounded.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// What a worker says on stderr is kept up to here.
const COMPLAINT_BYTES_MAX: u64 = 16 << 10;

impl Worker {
    /// Starts `program query-worker` with this question. It inherits no environment: there is
    /// nothing in it that a query could tell.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(program: &Path, request: &QueryRequest) -> Result<Self, WorkerError> {
        let mut question = serde_json::to_vec(request).map_err(WorkerError::Unwritable)?;
        question.push(b'\n');
        let mut child = Command::new(program)
            .arg("query-worker")
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at a terminal goes to those who ended it in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(WorkerError::NotStarted)?;
        let pipe = || WorkerError::NotStarted(io::Error::other("no pipe"));
        let mut stdin = child.stdin.take().ok_or_else(pipe)?;
        let stdout = child.stdout.take().ok_or_else(pipe)?;
        let stderr = child.stderr.take().ok_or_else(pipe)?;
        let asked = tokio::spawn(async move { stdin.write_all(&question).await });
        let complaint = tokio::spawn(async move {
            let mut text = Vec::new();
            // What could not be read is not there; the exit status tells the rest.
            drop(stderr.take(COMPLAINT_BYTES_MAX).read_to_end(&mut text).await);
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self {
            child,
            lines: BufReader::with_capacity(64 << 10, stdout),
            complaint,
            asked,
            has_ended: false,
        })
    }

    /// The next line of the answer with its line feed; none after the last. The last says `done` or
    /// `error`, also where the process came to a bad end.
    ///
    /// # Errors
    /// Where the process cannot be read.
    pub async fn next(&mut self) -> Result<Option<Bytes>, WorkerError> {
        if self.has_ended {
            return Ok(None);
        }
        let mut line = Vec::new();
        let read = (&mut self.lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await;
        read.map_err(WorkerError::BrokeOff)?;
        if line.last() == Some(&b'\n') {
            self.has_ended = line.starts_with(b"{\"done\"") || line.starts_with(b"{\"error\"");
            if self.has_ended {
                self.child.wait().await.map_err(WorkerError::BrokeOff)?;
            }
            return Ok(Some(line.into()));
        }
        // It ended without a last word, or says what no worker says.
        self.has_ended = true;
        if !line.is_empty() {
            self.child.start_kill().map_err(WorkerError::BrokeOff)?;
        }
        let status = self.child.wait().await.map_err(WorkerError::BrokeOff)?;
        let complaint = (&mut self.complaint).await.unwrap_or_default();
        let failure = of_ending(status, &complaint);
        let line = serde_json::json!({ "error": failure }).to_string() + "\n";
        Ok(Some(line.into()))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.asked.abort();
        self.complaint.abort();
    }
}

/// What the bad end of a process means.
fn of_ending(status: ExitStatus, complaint: &str) -> Failure {
    // A process that gets no more memory aborts, or cannot start another thread.
    let no_memory = ["memory allocation of", "Cannot allocate memory", "failed to spawn thread"];
    if no_memory.iter().any(|words| complaint.contains(words)) {
        return Failure::new(FailureCode::MemoryLimit, "the query needs more memory than it may")
            .hint("ask for fewer columns, fewer groups or less time, or sort less");
    }
    // SIGXCPU: its share of processor time is used up. SIGKILL is what the system sends who goes on.
    if status.signal() == Some(SIGXCPU) {
        return Failure::new(FailureCode::TimeLimit, "the query took longer than it may")
            .hint("ask for less time: WHERE time > ago('1h'), or raise the time limit");
    }
    tracing::warn!(%status, complaint, "a query came to a bad end");
    match status.signal() {
        Some(SIGKILL) => Failure::new(
            FailureCode::MemoryLimit,
            "the system ended the query: it needed too much memory or time",
        ),
        _ => Failure::new(FailureCode::Internal, format!("the query broke off: {status}")),
    }
}

const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_ends_are_told_in_words() {
        let check = |status, complaint, expected| {
            let failure = of_ending(ExitStatus::from_raw(status), complaint);
            assert_eq!(failure.code, expected, "{status} {complaint}");
        };
        check(6, "memory allocation of 123 bytes failed", FailureCode::MemoryLimit);
        check(SIGXCPU, "", FailureCode::TimeLimit);
        check(SIGKILL, "", FailureCode::MemoryLimit);
        check(256, "", FailureCode::Internal);
    }
}
