use crate::procfs::ProcReader;
use crate::program_file::{FileIdentity, Mounts};
use rustix::fd::OwnedFd;
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
    mounts: Mounts,
    known: HashMap<FileIdentity, [u8; 32]>,
    order: VecDeque<FileIdentity>,
    buffer: Vec<u8>,
    /// How many bytes may still be read before [`ExecutableDigests::allow`] is called again.
    allowance: u64,
    cost: Duration,
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

    /// The digest of the program that the process runs; none where it cannot be read, does not lie on
    /// this host, is too large, or the allowance is used up.
    pub(super) fn of_process(&mut self, reader: &mut ProcReader, pid: u32) -> Option<Box<str>> {
        let file = self.mounts.program_file(reader, pid)?;
        if let Some(digest) = self.known.get(&file.identity) {
            return hexadecimal(digest);
        }
        if file.size > FILE_BYTES_MAX || file.size > self.allowance {
            return None;
        }
        self.allowance -= file.size;
        let began = super::processor_time();
        let opened = reader.open_executable(pid).ok()?;
        let digest = self.read(&opened, file.size);
        self.cost += super::processor_time().saturating_sub(began);
        let digest = digest?;
        // The process may have ended, and its number may have gone to another, or it runs another
        // file by now: the digest is of the file that was looked at only where it still runs that.
        if self.mounts.program_file(reader, pid)?.identity != file.identity {
            return None;
        }
        self.remember(file.identity, digest);
        hexadecimal(&digest)
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

fn hexadecimal(digest: &[u8; 32]) -> Option<Box<str>> {
    let mut text = String::with_capacity(64);
    for byte in digest {
        write!(text, "{byte:02x}").ok()?;
    }
    Some(text.into())
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
