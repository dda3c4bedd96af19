use crate::procfs::ProcReader;
use crate::program_file::{FileIdentity, Mounts};
use rustix::fd::OwnedFd;
use rustix::io::retry_on_intr;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

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
    allowance: Allowance,
    cost: Duration,
}

/// How many bytes may be read. It grows with time; a large file may overdraw it, and the next one waits
/// until that is made good.
#[derive(Debug)]
struct Allowance {
    bytes: i64,
    since: Instant,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { bytes: ALLOWANCE_BYTES_MAX, since: Instant::now() }
    }
}

impl Allowance {
    fn grow(&mut self, now: Instant) {
        let millis = now.saturating_duration_since(self.since).as_millis();
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        let bytes = millis.saturating_mul(ALLOWANCE_BYTES_PER_MILLI);
        self.bytes = self.bytes.saturating_add(bytes).min(ALLOWANCE_BYTES_MAX);
        self.since = now;
    }
}

/// Who asks for a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A process that starts: its digest may decide what becomes of it.
    Now,
    /// A picture, for a process that has none yet: half of the allowance is left for those that start.
    Sometime,
}

/// Reading goes on at this rate on average: below one percent of a core.
const ALLOWANCE_BYTES_PER_MILLI: i64 = 4 << 10;
/// So much can be read at once after a quiet time.
const ALLOWANCE_BYTES_MAX: i64 = 32 << 20;
/// Files that are remembered; the oldest is forgotten first.
const FILES_MAX: usize = 2048;
/// Larger program files have no digest: reading them would hold up what else is to be seen.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Read in pieces of this size.
const CHUNK_BYTES: usize = 32 << 10;

impl ExecutableDigests {
    /// The processor time that reading files has taken so far.
    pub(super) fn cost(&self) -> Duration {
        self.cost
    }

    /// The digest of the program that the process runs; none where it cannot be read, does not lie on
    /// this host, is too large, or the allowance is used up.
    pub(super) fn of_process(
        &mut self,
        reader: &mut ProcReader,
        pid: u32,
        wanted: Wanted,
    ) -> Option<Box<str>> {
        let file = self.mounts.program_file(reader, pid)?;
        if let Some(digest) = self.known.get(&file.identity) {
            return hexadecimal(digest);
        }
        self.allowance.grow(Instant::now());
        let reserve = if wanted == Wanted::Now { 0 } else { ALLOWANCE_BYTES_MAX / 2 };
        if file.size > FILE_BYTES_MAX || self.allowance.bytes <= reserve {
            return None;
        }
        self.allowance.bytes -= i64::try_from(file.size).ok()?;
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
    fn the_digest_is_that_of_the_file() {
        let mut reader = ProcReader::open().unwrap();
        let mut digests = ExecutableDigests::default();
        let mut sleep = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let wanted = std::fs::canonicalize("/bin/sleep").unwrap();
        // Right after the fork the child still runs this test's own program.
        while reader.link_of(sleep.id(), "exe") != Some(wanted.as_os_str().as_encoded_bytes()) {
            std::thread::yield_now();
        }
        let found = digests.of_process(&mut reader, sleep.id(), Wanted::Now);
        // What is known needs no allowance.
        digests.allowance.bytes = i64::MIN;
        let again = digests.of_process(&mut reader, sleep.id(), Wanted::Sometime);
        let other = digests.of_process(&mut reader, std::process::id(), Wanted::Now);
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        let expected: String = Sha256::digest(std::fs::read(wanted).unwrap())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(found.as_deref(), Some(&*expected));
        assert_eq!(again, found);
        assert_eq!(other, None);
    }

    #[test]
    fn the_allowance_grows_to_its_limit_and_debts_are_made_good() {
        let start = Instant::now();
        let mut allowance = Allowance { bytes: -(8 << 20), since: start };
        allowance.grow(start + Duration::from_secs(1));
        assert_eq!(allowance.bytes, ALLOWANCE_BYTES_PER_MILLI * 1000 - (8 << 20));
        allowance.grow(start + Duration::from_secs(86_400));
        assert_eq!(allowance.bytes, ALLOWANCE_BYTES_MAX);
        allowance.grow(start);
        assert_eq!(allowance.bytes, ALLOWANCE_BYTES_MAX);
    }
}
