//! Puts files where nobody runs or reads them, so that they can be put back as they were.
//!
//! A quarantined file is moved where it lies on the same file system, else copied; either way what is
//! moved or removed is the very file that was looked at, and a crash at any moment leaves the original or
//! the whole quarantined file, never neither. What the file was (place, owner, mode, times, extended
//! attributes, digest) stands beside it in a small file of JSON.

mod copying;
mod sidecar;
#[cfg(test)]
mod tests;

pub use sidecar::{Attribute, Moment, QuarantinedFile};

use crate::plain_file::{OpenError, PlainFile, resolve};
use copying::{copy_within, digest};
use ringwall_event::{AbsolutePath, CommandId, Timestamp};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, Stat, fchmod, fsync, mkdirat, openat, renameat_with,
    statat, unlinkat,
};
use rustix::io::Errno;
use sidecar::Facts;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The folder of quarantined files of one agent.
#[derive(Clone, Debug)]
pub struct Quarantine {
    folder: PathBuf,
}

/// A file that was put away or back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// What it was.
    pub file: QuarantinedFile,
    /// What of it could not be done, a line each, for people.
    pub lacking: Vec<String>,
}

/// Why a file was not quarantined, or not put back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuarantineError {
    /// The file was not opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Somebody replaced or changed it meanwhile.
    #[error("`{0}` was replaced or changed meanwhile: it was left as it is")]
    Changed(AbsolutePath),
    /// It lies on another file system and would have to be copied.
    #[error("`{path}` lies on another file system and has more than {bytes_max} bytes")]
    TooLarge {
        /// Which.
        path: AbsolutePath,
        /// The bound.
        bytes_max: u64,
    },
    /// There is a quarantined file of this id.
    #[error("a file is in quarantine as `{0}` already")]
    Taken(CommandId),
    /// There is none.
    #[error("no file is in quarantine as `{0}`")]
    NotThere(CommandId),
    /// The content or what stands beside it is not what was put there.
    #[error("the file that is in quarantine as `{0}` is damaged: {1}")]
    Damaged(CommandId, String),
    /// A file of this name has come into being; it is not overwritten.
    #[error("`{0}` exists: it is not overwritten")]
    Exists(AbsolutePath),
    /// The folder in which the file was is gone, or a link stands in its way.
    #[error("the folder of `{0}` is gone or leads through a link")]
    FolderMissing(AbsolutePath),
    /// The system refused.
    #[error("cannot {step}: {error}")]
    System {
        /// What was tried.
        step: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
}

/// A larger file is not copied from one file system to another.
pub const COPY_BYTES_MAX: u64 = 1 << 30;
/// So much of a file is digested: one that claims exabytes, or grows without end, must not keep whoever
/// puts it away busy.
pub const DIGEST_BYTES_MAX: u64 = COPY_BYTES_MAX;
/// Nobody but the owner enters.
const FOLDER_MODE: Mode = Mode::RWXU;
/// Nobody writes or runs it.
const SEALED: Mode = Mode::RUSR;
/// What stays of an original under further names: not even read.
const DEAD: Mode = Mode::empty();

/// Where a test lets the agent be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    FactsWritten,
    Moved,
    Copied,
    Kept,
    SetAside,
    Prepared,
    PutBack,
}

/// Told of each step; an error stands for the end of the process.
type Watch<'a> = &'a mut dyn FnMut(Step) -> Result<(), QuarantineError>;

impl Quarantine {
    /// The quarantine in this folder, which is made when it is needed.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Takes a file away from its place and keeps it under this id.
    ///
    /// # Errors
    /// Where it cannot be opened without following links, changes meanwhile, or the system refuses; then it
    /// is where it was.
    pub fn put(
        &self,
        id: &CommandId,
        path: &AbsolutePath,
        now: Timestamp,
    ) -> Result<Moved, QuarantineError> {
        self.put_in_steps(id, path, now, &mut |_| Ok(()))
    }

    /// Puts a file back where it was, as it was, as far as this program is permitted to: what is lacking is
    /// said.
    ///
    /// # Errors
    /// Where there is no such file, it is not what was put there, something is in its old place, or the
    /// system refuses; then it stays in quarantine.
    pub fn restore(&self, id: &CommandId) -> Result<Moved, QuarantineError> {
        self.restore_in_steps(id, &mut |_| Ok(()))
    }

    /// What is in quarantine, in the order of the ids.
    ///
    /// # Errors
    /// Where the folder cannot be read. What cannot be read of a single file is left out.
    pub fn list(&self) -> Result<Vec<QuarantinedFile>, QuarantineError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| system("read the quarantine", error))?,
        };
        let folder = self.open()?;
        let mut all: Vec<QuarantinedFile> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| CommandId::parse(name.strip_suffix(".json")?).ok())
            // Facts without a file: it was never moved here.
            .filter(|id| statat(&folder, id.as_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok())
            .filter_map(|id| Facts::read(&folder, &id).ok())
            .collect();
        all.sort_by(|one, two| one.id.cmp(&two.id));
        Ok(all)
    }

    fn put_in_steps(
        &self,
        id: &CommandId,
        path: &AbsolutePath,
        now: Timestamp,
        watch: Watch<'_>,
    ) -> Result<Moved, QuarantineError> {
        let folder = self.open_or_make()?;
        if statat(&folder, id.as_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Err(QuarantineError::Taken(id.clone()));
        }
        let file = PlainFile::open(path)?;
        let parent = parent_of(path)?;
        let mut facts = Facts::of(id, path, &file, now)?;
        facts.write(&folder)?;
        watch(Step::FactsWritten)?;
        let name = path.file_name();
        let mut lacking = Vec::new();
        match rename_new(&parent, name, &folder, id.as_str()) {
            Ok(()) => {
                watch(Step::Moved)?;
                if !is_same(&folder, id.as_str(), &file.stat) {
                    let back = rename_new(&folder, id.as_str(), &parent, name);
                    back.map_err(of_errno("put back what was moved by mistake"))?;
                    Facts::remove(&folder, id)?;
                    return Err(QuarantineError::Changed(path.clone()));
                }
                sync(&parent)?;
                sync(&folder)?;
                if let Err(error) = seal(&file.file, SEALED) {
                    lacking.push(format!(
                        "it keeps its owner and mode ({error}), and can be run under a further name"
                    ));
                }
                // Who held it open for writing may have written between the digest and the move. Its times
                // say nothing about that: the owner sets the one, the move has set the other.
                let bytes = file.file.metadata().map_or(facts.bytes, |found| found.len());
                let sha256 = digest(&file.file)?;
                if (bytes, &sha256) != (facts.bytes, &facts.sha256) {
                    (facts.bytes, facts.sha256) = (bytes, sha256);
                    facts.write(&folder)?;
                }
            }
            Err(Errno::XDEV) => {
                lacking.extend(copy_away(&folder, &parent, &file, &facts, watch)?);
            }
            Err(error) => {
                Facts::remove(&folder, id)?;
                return Err(QuarantineError::Open(crate::plain_file::of_errno(path, error)));
            }
        }
        Ok(Moved { file: facts, lacking })
    }

    fn restore_in_steps(&self, id: &CommandId, watch: Watch<'_>) -> Result<Moved, QuarantineError> {
        let not_there = || QuarantineError::NotThere(id.clone());
        let folder = self.open().map_err(|_| not_there())?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match openat(&folder, id.as_str(), flags, Mode::empty()) {
            Err(Errno::NOENT) => return Err(not_there()),
            other => File::from(other.map_err(of_errno("open the quarantined file"))?),
        };
        let facts = Facts::read(&folder, id)?;
        if digest(&file)? != facts.sha256 {
            let why = "its digest is not what it was".to_owned();
            return Err(QuarantineError::Damaged(id.clone(), why));
        }
        let path = &facts.path;
        let parent = parent_of(path)?;
        let name = path.file_name();
        if statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Err(QuarantineError::Exists(path.clone()));
        }
        let mut lacking = facts.apply(&file)?;
        watch(Step::Prepared)?;
        match rename_new(&folder, id.as_str(), &parent, name) {
            Ok(()) => {
                facts.apply_times(&file);
                sync(&parent)?;
                watch(Step::PutBack)?;
            }
            Err(Errno::XDEV) => {
                // Its copy is what is put back.
                seal_or_warn(&file);
                lacking = copy_back(&folder, &parent, &file, &facts, watch)?;
                if facts.other_names > 0 {
                    lacking.push(format!(
                        "the {} further names of the original stay without owner and mode",
                        facts.other_names
                    ));
                }
            }
            Err(error) => {
                seal_or_warn(&file);
                return Err(match error {
                    Errno::EXIST => QuarantineError::Exists(path.clone()),
                    error => of_errno("move the file back")(error),
                });
            }
        }
        Facts::remove(&folder, id)?;
        sync(&folder)?;
        Ok(Moved { file: facts, lacking })
    }

    fn open(&self) -> Result<OwnedFd, QuarantineError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(CWD, &self.folder, flags, Mode::empty()).map_err(of_errno("open the quarantine"))
    }

    fn open_or_make(&self) -> Result<OwnedFd, QuarantineError> {
        match mkdirat(CWD, &self.folder, FOLDER_MODE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(of_errno("make the quarantine")(error)),
        }
        let folder = self.open()?;
        fchmod(&folder, FOLDER_MODE).map_err(of_errno("close the quarantine to others"))?;
        Ok(folder)
    }
}

/// Keeps a copy, and then removes the original: that very file, not what bears its name by then. Under its
/// further names nobody runs or reads it any more, or what is told says otherwise.
fn copy_away(
    folder: &OwnedFd,
    parent: &OwnedFd,
    file: &PlainFile,
    facts: &QuarantinedFile,
    watch: Watch<'_>,
) -> Result<Option<String>, QuarantineError> {
    let (id, path) = (&facts.id, &facts.path);
    let give_up = |error: QuarantineError| {
        let part = format!("{id}.part");
        for name in [part.as_str(), id.as_str()] {
            discard(folder, name);
        }
        match Facts::remove(folder, id) {
            Ok(()) => error,
            Err(also) => also,
        }
    };
    if file.bytes() > COPY_BYTES_MAX {
        let error = QuarantineError::TooLarge { path: path.clone(), bytes_max: COPY_BYTES_MAX };
        return Err(give_up(error));
    }
    let part = format!("{id}.part");
    let copied =
        copy_within(&file.file, folder, &part, COPY_BYTES_MAX).and_then(|(copy, sha256)| {
            // The digest says more than the times, which its owner can move all the time to keep it here.
            if sha256 != facts.sha256 {
                return Err(QuarantineError::Changed(path.clone()));
            }
            seal_or_warn(&copy);
            fsync(&copy).map_err(of_errno("write the copy to the disk"))
        });
    copied.map_err(give_up)?;
    watch(Step::Copied)?;
    let kept = rename_new(folder, &part, folder, id.as_str())
        .map_err(of_errno("keep the copy"))
        .and_then(|()| sync(folder));
    kept.map_err(give_up)?;
    watch(Step::Kept)?;
    // By a name that nobody expects: what is removed can be looked at first.
    let (name, aside) = (path.file_name(), aside_name(id));
    let set_aside = rename_new(parent, name, parent, &aside);
    set_aside.map_err(of_errno("take the original away")).map_err(give_up)?;
    watch(Step::SetAside)?;
    let put_back = || rename_new(parent, &aside, parent, name);
    if !is_same(parent, &aside, &file.stat) {
        put_back().map_err(of_errno("put back what was moved by mistake"))?;
        return Err(give_up(QuarantineError::Changed(path.clone())));
    }
    // Before its name goes: nobody opens it for writing from here on, and what was written is seen below.
    let sealed = seal(&file.file, DEAD);
    if !digest(&file.file).is_ok_and(|sha256| sha256 == facts.sha256) {
        put_back().map_err(of_errno("put back what was changed meanwhile"))?;
        for lacking in facts.apply(&file.file)? {
            tracing::warn!(lacking, %path, "a file that was left in its place is not as it was");
        }
        return Err(give_up(QuarantineError::Changed(path.clone())));
    }
    unlinkat(parent, aside.as_str(), AtFlags::empty()).map_err(of_errno("remove the original"))?;
    sync(parent)?;
    let running = |error| format!("under a further name it can still be run and read ({error})");
    Ok(sealed.err().filter(|_| facts.other_names > 0).map(running))
}

/// Puts a copy in the old place, and then removes the quarantined file.
fn copy_back(
    folder: &OwnedFd,
    parent: &OwnedFd,
    file: &File,
    facts: &QuarantinedFile,
    watch: Watch<'_>,
) -> Result<Vec<String>, QuarantineError> {
    let (name, aside) = (facts.path.file_name(), aside_name(&facts.id));
    let give_up = |error: QuarantineError| {
        discard(parent, &aside);
        error
    };
    let copied = copy_within(file, parent, &aside, u64::MAX).and_then(|(copy, _)| {
        let lacking = facts.apply(&copy)?;
        facts.apply_times(&copy);
        fsync(&copy).map_err(of_errno("write the copy to the disk"))?;
        Ok(lacking)
    });
    let lacking = copied.map_err(give_up)?;
    watch(Step::Copied)?;
    match rename_new(parent, &aside, parent, name) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Err(give_up(QuarantineError::Exists(facts.path.clone()))),
        Err(error) => return Err(give_up(of_errno("name the copy")(error))),
    }
    sync(parent)?;
    watch(Step::PutBack)?;
    unlinkat(folder, facts.id.as_str(), AtFlags::empty())
        .map_err(of_errno("remove the quarantined file"))?;
    Ok(lacking)
}

/// Removes what was begun and is not wanted any more; most likely it never came to be.
fn discard(folder: &OwnedFd, name: &str) {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => tracing::warn!(%error, name, "what was begun stays behind"),
    }
}

/// In the folder of a file, for the moment between two steps.
fn aside_name(id: &CommandId) -> String {
    format!(".ringwall-{id}")
}

/// The open folder of a file, which no link leads to.
fn parent_of(path: &AbsolutePath) -> Result<OwnedFd, QuarantineError> {
    let parent = path.as_path().parent().unwrap_or_else(|| Path::new("/"));
    match resolve(parent, OFlags::RDONLY | OFlags::DIRECTORY) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
            Err(QuarantineError::FolderMissing(path.clone()))
        }
        other => other.map_err(of_errno("open the folder of the file")),
    }
}

/// Renames, and never over something that exists.
fn rename_new(from: &OwnedFd, name: &str, to: &OwnedFd, new_name: &str) -> Result<(), Errno> {
    match renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE) {
        // A file system that cannot promise it. A second name can be given there, which is never given
        // over something that exists.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(from, name, to, new_name, AtFlags::empty())?;
            unlinkat(from, name, AtFlags::empty())
        }
        other => other,
    }
}

/// Whether this name is of the very file that was looked at.
fn is_same(folder: &OwnedFd, name: &str, expected: &Stat) -> bool {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|found| (found.st_dev, found.st_ino) == (expected.st_dev, expected.st_ino))
}

/// Takes a file from its owner, who could open it again, and from everybody the right to run it. The same
/// file under another name is the same.
fn seal(file: &File, mode: Mode) -> Result<(), Errno> {
    let own = (rustix::process::geteuid(), rustix::process::getegid());
    rustix::fs::fchown(file.as_fd(), Some(own.0), Some(own.1))?;
    fchmod(file.as_fd(), mode)
}

/// Seals what nobody else can reach: where it is not permitted the closed folder has to do.
fn seal_or_warn(file: &File) {
    if let Err(error) = seal(file, SEALED) {
        tracing::warn!(%error, "a quarantined file keeps its owner and mode");
    }
}

fn sync(folder: &OwnedFd) -> Result<(), QuarantineError> {
    fsync(folder).map_err(of_errno("write a folder to the disk"))
}

fn system(step: &'static str, error: std::io::Error) -> QuarantineError {
    QuarantineError::System { step, error }
}

fn of_errno(step: &'static str) -> impl Fn(Errno) -> QuarantineError {
    move |error| system(step, error.into())
}
