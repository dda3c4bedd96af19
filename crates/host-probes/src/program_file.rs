//! What may be known of a program file without waiting for anybody.
//!
//! A user can run a program from a file system that another host or a program of theirs serves. Opening
//! such a file could wait for ever, and what it says of itself is not to be trusted.

use crate::procfs::{MountLine, ProcReader};
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, statx};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// The file that a process runs, on a file system of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProgramFile {
    /// What tells this state of this file from all others.
    pub(crate) identity: FileIdentity,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// Whether it belongs to root, and only root can write it.
    pub(crate) is_roots: bool,
}

/// What tells one state of one file from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileIdentity {
    device: (u32, u32),
    inode: u64,
    size: u64,
    modified: (i64, u32),
    changed: (i64, u32),
}

/// The mounts of this host.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    local: HashMap<u64, bool>,
    local_devices: HashSet<(u32, u32)>,
    read: Option<Instant>,
}

/// A mount that is not known is looked for again, but not more often than this.
const READ_INTERVAL: Duration = Duration::from_secs(5);
/// More mounts than this are not held.
const MOUNTS_MAX: usize = 50_000;

impl Mounts {
    /// The file that the process runs; none where it runs none, it cannot be looked at, or it does
    /// not lie on this host.
    pub(crate) fn program_file(
        &mut self,
        reader: &mut ProcReader,
        pid: u32,
    ) -> Option<ProgramFile> {
        let file = reader.program_file(pid).ok()?;
        let is_file = FileType::from_raw_mode(file.stx_mode.into()) == FileType::RegularFile;
        if !is_file || !self.is_local(reader, &file) {
            return None;
        }
        Some(ProgramFile {
            identity: FileIdentity {
                device: (file.stx_dev_major, file.stx_dev_minor),
                inode: file.stx_ino,
                size: file.stx_size,
                modified: (file.stx_mtime.tv_sec, file.stx_mtime.tv_nsec),
                changed: (file.stx_ctime.tv_sec, file.stx_ctime.tv_nsec),
            },
            size: file.stx_size,
            is_roots: file.stx_uid == 0 && file.stx_mode & 0o022 == 0,
        })
    }

    fn is_local(&mut self, reader: &mut ProcReader, file: &Statx) -> bool {
        let has_mount = file.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        let mount = has_mount.then_some(file.stx_mnt_id);
        let known = mount.and_then(|mount| self.local.get(&mount)).copied();
        if let Some(is_local) = known {
            return is_local;
        }
        if self.read.is_none_or(|read| read.elapsed() > READ_INTERVAL) {
            self.read(reader);
            if let Some(is_local) = mount.and_then(|mount| self.local.get(&mount)) {
                return *is_local;
            }
        }
        // A mount of another namespace: local where its device is a disk, or one that is known.
        let device = (file.stx_dev_major, file.stx_dev_minor);
        device.0 != 0 || self.local_devices.contains(&device)
    }

    fn read(&mut self, reader: &mut ProcReader) {
        self.read = Some(Instant::now());
        self.local.clear();
        self.local_devices.clear();
        let (local, devices) = (&mut self.local, &mut self.local_devices);
        let read = reader.lines("self/mountinfo", |line| {
            if let Some(mount) = MountLine::parse(line)
                && local.len() < MOUNTS_MAX
            {
                local.insert(mount.id, mount.is_local());
                if mount.is_local() {
                    devices.insert(mount.device);
                }
            }
        });
        if let Err(error) = read {
            tracing::debug!(%error, "the mounts of this host cannot be read");
        }
    }
}

impl ProcReader {
    /// The attributes of the file that a process runs, as the kernel has them at hand.
    fn program_file(&mut self, pid: u32) -> Result<Statx, rustix::io::Errno> {
        let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        self.with_executable(pid, |root, path| statx(root, path, flags, wanted))
    }
}

#[cfg(test)]
impl FileIdentity {
    /// Another state of the file.
    pub(crate) fn with_size(self, size: u64) -> Self {
        Self { size, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_process_is_known() {
        let mut reader = ProcReader::open().unwrap();
        let file = Mounts::default().program_file(&mut reader, std::process::id()).unwrap();
        let expected = std::fs::metadata(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(file.size, expected.len());
        assert_eq!(file.identity.inode, std::os::unix::fs::MetadataExt::ino(&expected));
        assert_eq!(Mounts::default().program_file(&mut reader, 0), None);
    }

    #[test]
    fn a_file_of_a_mount_that_is_elsewhere_is_not_looked_at() {
        let mut reader = ProcReader::open().unwrap();
        let own = std::process::id();
        let file = reader.program_file(own).unwrap();
        let mut mounts = Mounts { read: Some(Instant::now()), ..Mounts::default() };
        mounts.local.insert(file.stx_mnt_id, false);
        if file.stx_mask & StatxFlags::MNT_ID.bits() != 0 {
            assert_eq!(mounts.program_file(&mut reader, own), None);
        }
    }
}
