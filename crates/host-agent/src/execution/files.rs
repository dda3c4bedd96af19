use super::{Failure, unfinished};
use crate::kill::Place;
use ringwall_event::{AbsolutePath, CommandId, FileTarget, QuarantineTarget};
use ringwall_host_probes::plain_file::{OpenError, PlainFile};
use ringwall_host_probes::quarantine::{DIGEST_BYTES_MAX, Moved, Quarantine, QuarantineError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads and moves files, but for the agent's own.
#[derive(Debug)]
pub(crate) struct FileHands {
    quarantine: Quarantine,
    /// The state directory, where the key of this agent is, and its program.
    own: Vec<PathBuf>,
    /// No larger file is collected.
    pub(super) collect_bytes_max: u64,
}

/// The folder of quarantined files in the state directory.
pub(crate) const QUARANTINE: &str = "quarantine";

impl FileHands {
    pub(super) fn new(state_dir: &Path, collect_bytes_max: u64) -> Self {
        // As paths of orders are: without links.
        let state_dir = state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned());
        let program = std::env::current_exe().and_then(|program| program.canonicalize());
        Self {
            quarantine: Quarantine::at(&state_dir.join(QUARANTINE)),
            own: program.ok().into_iter().chain([state_dir]).collect(),
            collect_bytes_max,
        }
    }

    /// Opens a file that is not one of the agent's own.
    pub(super) fn open(&self, path: &AbsolutePath) -> Result<PlainFile, OpenError> {
        self.must_not_be_own(path)?;
        PlainFile::open(path)
    }

    fn must_not_be_own(&self, path: &AbsolutePath) -> Result<(), OpenError> {
        match self.own.iter().any(|own| path.as_path().starts_with(own)) {
            true => Err(OpenError::Own(path.clone())),
            false => Ok(()),
        }
    }

    fn put_away(&self, id: &CommandId, path: &AbsolutePath) -> Result<Moved, QuarantineError> {
        self.must_not_be_own(path)?;
        self.quarantine.put(id, path, crate::now())
    }
}

pub(super) async fn quarantine(
    hands: &Arc<FileHands>,
    id: CommandId,
    target: &FileTarget,
    place: Place,
) -> Result<String, Failure> {
    let (hands, path) = (Arc::clone(hands), target.path.clone());
    match place.run(move |_, _| hands.put_away(&id, &path)).await {
        Some(Ok(moved)) => Ok(describe_quarantined(&moved)),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(unfinished()),
    }
}

pub(super) async fn restore(
    hands: &Arc<FileHands>,
    target: &QuarantineTarget,
    place: Place,
) -> Result<String, Failure> {
    let (hands, id) = (Arc::clone(hands), target.quarantine_id.clone());
    match place.run(move |_, _| hands.quarantine.restore(&id)).await {
        Some(Ok(moved)) => Ok(describe("restored", &moved, "")),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(unfinished()),
    }
}

fn describe_quarantined(moved: &Moved) -> String {
    let names = match (moved.file.other_names, moved.lacking.is_empty()) {
        (0, _) => String::new(),
        (count, true) => format!("; under its {count} further names nobody runs it any more"),
        (count, false) => format!("; it has {count} further names, which stay"),
    };
    describe("quarantined", moved, &names)
}

/// What is lacking stands at the end, and each of it: somebody has to see to it by hand.
fn describe(what: &str, moved: &Moved, names: &str) -> String {
    let file = &moved.file;
    let mut text = format!("{what} `{}`: {} bytes, sha256 {}", file.path, file.bytes, file.sha256);
    if file.bytes > DIGEST_BYTES_MAX {
        text += &format!(" of the first {DIGEST_BYTES_MAX}");
    }
    text += names;
    for lacking in &moved.lacking {
        text += "; but ";
        text += lacking;
    }
    text
}
