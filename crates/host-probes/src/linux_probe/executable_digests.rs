use crate::procfs::ProcReader;
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, fstat};
use rustix::io::retry_on_intr;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

/// SHA-256 of program files, each file read once.
///
/// The file is read through the process that runs it, so a file that was deleted or replaced after the
/// start still gets its own digest.
#[derive(Debug, Default)]
pub(super) struct ExecutableDigests {
    known: HashMap<FileIdentity, [u8; 32]>,
    order: VecDeque<FileIdentity>,
    buffer: Vec<u8>,
    /// How many bytes may still be read before [`ExecutableDigests::allow`] is called again.
    allowance: u64,
    cost: Duration,
}

/// What tells one state of one file from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FileIdentity {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Files that are remembered; the oldest is forgotten first.
const FILES_MAX: usize = 2048;
/// Larger program files have no digest: reading them would hold up what else is to be seen.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Read in pieces of this size.
const CHUNK_BYTES: usize = 32 << 10;

impl ExecutableDigests {
    /// Grants so many bytes to be read from now on; what was left before is forfeit.
    pub(super) fn allow(&mut self, bytes: u64) {
        self.allowance = bytes;
    }

    /// The processor time that reading files has taken so far.
    pub(super) fn cost(&self) -> Duration {
        self.cost
    }

    /// The digest of the program that the process runs; none where it cannot be read, is too large, or
    /// the allowance is used up.
    pub(super) fn of_process(&mut self, reader: &mut ProcReader, pid: u32) -> Option<Box<str>> {
        let file = reader.open_executable(pid).ok()?;
        let status = fstat(&file).ok()?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return None;
        }
        let identity = FileIdentity {
            device: status.st_dev,
            inode: status.st_ino,
            size: status.st_size,
            modified: (status.st_mtime as i64, status.st_mtime_nsec as i64),
            changed: (status.st_ctime as i64, status.st_ctime_nsec as i64),
        };
        let digest = match self.known.get(&identity) {
            Some(digest) => *digest,
            None => {
                let size = u64::try_from(status.st_size).ok()?;
                if size > FILE_BYTES_MAX || size > self.allowance {
                    return None;
                }
                self.allowance -= size;
                let began = super::processor_time();
                let digest = self.read(&file, size);
                self.cost += super::processor_time().saturating_sub(began);
                let digest = digest?;
                self.remember(identity, digest);
                digest
            }
        };
        let mut text = String::with_capacity(64);
        for byte in digest {
            write!(text, "{byte:02x}").ok()?;
        }
        Some(text.into())
    }

    fn read(&mut self, file: &OwnedFd, size: u64) -> Option<[u8; 32]> {
        self.buffer.resize(CHUNK_BYTES, 0);
        let mut hasher = Sha256::new();
        let mut left = size;
        loop {
            let read = retry_on_intr(|| rustix::io::read(file, self.buffer.as_mut_slice())).ok()?;
            if read == 0 {
                break;
            }
            // A file that grows while it is read is not the one that was measured.
            left = left.checked_sub(read as u64)?;
            hasher.update(self.buffer.get(..read)?);
        }
        Some(hasher.finalize().into())
    }

    fn remember(&mut self, identity: FileIdentity, digest: [u8; 32]) {
        if self.order.len() >= FILES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(identity);
        self.known.insert(identity, digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_file_and_the_allowance_is_kept() {
        let mut reader = ProcReader::open().unwrap();
        let own = std::process::id();
        let mut digests = ExecutableDigests::default();
        assert_eq!(digests.of_process(&mut reader, own), None);
        let mut sleep = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let wanted = std::fs::canonicalize("/bin/sleep").unwrap();
        // Right after the fork the child still runs this test's own program.
        while reader.link_of(sleep.id(), "exe") != Some(wanted.as_os_str().as_encoded_bytes()) {
            std::thread::yield_now();
        }
        digests.allow(64 << 20);
        let found = digests.of_process(&mut reader, sleep.id());
        digests.allow(0);
        let again = digests.of_process(&mut reader, sleep.id());
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        let expected: String = Sha256::digest(std::fs::read(wanted).unwrap())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(found.as_deref(), Some(&*expected));
        assert_eq!(again, found);
    }
}
