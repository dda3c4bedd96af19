use super::copying::{digest, hexadecimal};
use super::{QuarantineError, of_errno, sync, system};
use crate::plain_file::PlainFile;
use ringwall_event::{AbsolutePath, CommandId, Timestamp};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown, fgetxattr,
    flistxattr, fsetxattr, fstat, fsync, futimens, openat, renameat, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Write};

/// What a quarantined file was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedFile {
    /// The id of the command that quarantined it; it names the file in the quarantine.
    pub id: CommandId,
    /// Where it was.
    pub path: AbsolutePath,
    /// How many bytes it has.
    pub bytes: u64,
    /// Its SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// When it was quarantined.
    pub quarantined: Timestamp,
    /// The user id of its owner.
    pub owner: u32,
    /// The id of its group.
    pub group: u32,
    /// The bits of its mode, those of `setuid` and the like included.
    pub mode: u32,
    /// When it was changed last.
    pub modified: Moment,
    /// When it was read last.
    pub accessed: Moment,
    /// How many further names it had, under which it can still be found.
    pub other_names: u64,
    /// Its extended attributes.
    pub attributes: Vec<Attribute>,
}

/// A moment as the file system has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Whole seconds since 1970.
    pub seconds: i64,
    /// And so many nanoseconds.
    pub nanoseconds: u32,
}

/// An extended attribute of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// As in `user.comment`.
    pub name: String,
    /// The value in lower-case hexadecimal digits.
    pub value: String,
}

/// What is done with the facts of a file.
pub(super) type Facts = QuarantinedFile;

/// The kernel takes no longer list and no longer value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const ATTRIBUTE_BYTES_MAX: usize = 64 << 10;
const FACTS_BYTES_MAX: u64 = 8 << 20;

impl QuarantinedFile {
    pub(super) fn of(
        id: &CommandId,
        path: &AbsolutePath,
        file: &PlainFile,
        now: Timestamp,
    ) -> Result<Self, QuarantineError> {
        let stat = &file.stat;
        Ok(Self {
            id: id.clone(),
            path: path.clone(),
            bytes: file.bytes(),
            sha256: digest(&file.file)?,
            quarantined: now,
            owner: stat.st_uid,
            group: stat.st_gid,
            mode: Mode::from_raw_mode(stat.st_mode).bits() & 0o7777,
            modified: Moment {
                seconds: stat.st_mtime,
                nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
            },
            accessed: Moment {
                seconds: stat.st_atime,
                nanoseconds: u32::try_from(stat.st_atime_nsec).unwrap_or_default(),
            },
            other_names: stat.st_nlink.saturating_sub(1),
            attributes: attributes(&file.file)?,
        })
    }

    /// Writes them beside the file, whole or not at all.
    pub(super) fn write(&self, folder: &OwnedFd) -> Result<(), QuarantineError> {
        let failed = |error| system("write down what the file was", error);
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        let (name, temporary) = (name(&self.id), format!("{}.json.tmp", self.id));
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(folder, temporary.as_str(), flags, Mode::RUSR | Mode::WUSR);
        let mut file = File::from(file.map_err(|error| failed(error.into()))?);
        file.write_all(&text).and_then(|()| Ok(fsync(&file)?)).map_err(failed)?;
        renameat(folder, temporary.as_str(), folder, name.as_str())
            .map_err(|error| failed(error.into()))?;
        sync(folder)
    }

    pub(super) fn read(folder: &OwnedFd, id: &CommandId) -> Result<Self, QuarantineError> {
        let damaged = |why: String| QuarantineError::Damaged(id.clone(), why);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = openat(folder, name(id).as_str(), flags, Mode::empty());
        let file = File::from(file.map_err(|error| damaged(error.to_string()))?);
        let mut text = Vec::new();
        let read = file.take(FACTS_BYTES_MAX).read_to_end(&mut text);
        read.map_err(|error| damaged(error.to_string()))?;
        let facts: Self =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if facts.id != *id {
            return Err(damaged("what stands beside it is about another file".to_owned()));
        }
        Ok(facts)
    }

    pub(super) fn remove(folder: &OwnedFd, id: &CommandId) -> Result<(), QuarantineError> {
        match unlinkat(folder, name(id).as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(of_errno("forget what the file was")(error)),
        }
    }

    /// Gives the file back to its owner, as it was; what could not be done of that.
    ///
    /// The owner first: a change of it takes `setuid` and the file's capabilities away. The mode last: until
    /// then nobody runs the file, whatever else it has.
    pub(super) fn apply(&self, file: &File) -> Result<Vec<String>, QuarantineError> {
        fchown(file.as_fd(), Some(Uid::from_raw(self.owner)), Some(Gid::from_raw(self.group)))
            .map_err(of_errno("give the file back to its owner"))?;
        let mut lacking = self.apply_attributes(file);
        let mode = Mode::from_raw_mode(self.mode);
        match fchmod(file.as_fd(), mode) {
            // systemd's `RestrictSUIDSGID` forbids it to anybody.
            Err(Errno::PERM) if mode.intersects(SPECIAL) => {
                fchmod(file.as_fd(), mode.difference(SPECIAL))
                    .map_err(of_errno("set the file's mode"))?;
            }
            other => other.map_err(of_errno("set the file's mode"))?,
        }
        // The kernel drops a bit without a word where the right to set it is lacking.
        let found = fstat(file.as_fd()).map_err(of_errno("look at the file's mode"))?;
        let found = Mode::from_raw_mode(found.st_mode);
        if mode.difference(found).intersects(SPECIAL) {
            lacking.push(format!(
                "its mode was {:04o} and is {:04o}: this agent may not set setuid or setgid; \
                 `chmod {:04o}` does",
                self.mode,
                found.bits() & 0o7777,
                self.mode
            ));
        }
        Ok(lacking)
    }

    /// Sets the times of before; where that is refused the file is as good.
    pub(super) fn apply_times(&self, file: &File) {
        let spec = |moment: Moment| Timespec {
            tv_sec: moment.seconds,
            tv_nsec: moment.nanoseconds.into(),
        };
        let times =
            Timestamps { last_access: spec(self.accessed), last_modification: spec(self.modified) };
        if let Err(error) = futimens(file.as_fd(), &times) {
            tracing::warn!(%error, path = %self.path, "a restored file has new times");
        }
    }

    /// Gives the file the attributes that it had and has not; which of them it still lacks. Some only the
    /// kernel may set, and capabilities only who has CAP_SETFCAP.
    fn apply_attributes(&self, file: &File) -> Vec<String> {
        let mut lacking = Vec::new();
        let mut held = vec![0; ATTRIBUTE_BYTES_MAX];
        for attribute in &self.attributes {
            let name = attribute.name.as_str();
            let Some(value) = bytes(&attribute.value) else {
                lacking.push(format!("its attribute `{name}` cannot be read from what was kept"));
                continue;
            };
            let has = fgetxattr(file.as_fd(), name, held.as_mut_slice());
            if has.is_ok_and(|length| held.get(..length) == Some(&value)) {
                continue;
            }
            if let Err(error) = fsetxattr(file.as_fd(), name, &value, XattrFlags::empty()) {
                lacking.push(match name {
                    CAPABILITY => {
                        format!("its capabilities are gone ({error}): `setcap` gives them")
                    }
                    _ => format!("its attribute `{name}` is gone ({error})"),
                });
            }
        }
        lacking
    }
}

/// The bits of a mode that make a program run as somebody else.
const SPECIAL: Mode = Mode::SUID.union(Mode::SGID);
/// What a program may do whoever runs it: capabilities(7).
const CAPABILITY: &str = "security.capability";

fn name(id: &CommandId) -> String {
    format!("{id}.json")
}

fn attributes(file: &File) -> Result<Vec<Attribute>, QuarantineError> {
    let failed = of_errno("read the file's attributes");
    let mut list = vec![0; ATTRIBUTE_BYTES_MAX];
    let length = match flistxattr(file.as_fd(), list.as_mut_slice()) {
        Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(Vec::new()),
        other => other.map_err(&failed)?,
    };
    let names = list.get(..length).unwrap_or_default().split(|byte| *byte == 0);
    let mut value = vec![0; ATTRIBUTE_BYTES_MAX];
    let mut all = Vec::new();
    for name in names.filter_map(|name| std::str::from_utf8(name).ok()).filter(|n| !n.is_empty()) {
        match fgetxattr(file.as_fd(), name, value.as_mut_slice()) {
            Ok(length) => all.push(Attribute {
                name: name.to_owned(),
                value: hexadecimal(value.get(..length).unwrap_or_default()),
            }),
            // Taken away in between, or not for our eyes.
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS | Errno::NOTSUP) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(all)
}

/// What these hexadecimal digits stand for.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let value =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(value(*high)? << 4 | value(*low)?),
            _ => None,
        })
        .collect()
}
