use crate::procfs::ProcReader;
use crate::program_file::{FileIdentity, Mounts, ProgramFile};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, retry_on_intr};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
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
    /// A large file that is being read, piece by piece.
    reading: Option<Reading>,
}

/// A file of which a part was read.
#[derive(Debug)]
struct Reading {
    file: OwnedFd,
    identity: FileIdentity,
    left: u64,
    hasher: Sha256,
    /// When it was last asked for.
    asked: Instant,
}

/// What came of asking for a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// In lower-case hexadecimal.
    Digest(Box<str>),
    /// It takes more time, or the allowance is used up: ask again.
    Later,
    /// It cannot be had: the file cannot be read, does not lie on this host, or is too large.
    Never,
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
    /// A process that started a while ago, and for which this was said.
    Later,
    /// A picture, for a process that has none yet: half of the allowance is left for those that start.
    Sometime,
}

/// Reading goes on at this rate on average: below one percent of a core.
const ALLOWANCE_BYTES_PER_MILLI: i64 = 4 << 10;
/// So much can be read at once after a quiet time.
const ALLOWANCE_BYTES_MAX: i64 = 32 << 20;
/// Files that are remembered; the oldest is forgotten first.
const FILES_MAX: usize = 2048;
/// Files of this size are read at once; larger ones in pieces, so that nothing else is held up.
const FILE_AT_ONCE_BYTES: u64 = 16 << 20;
/// Larger program files have no digest: reading them would take most of an hour.
const FILE_BYTES_MAX: u64 = 4 << 30;
/// So much of a large file at one go.
const PIECE_BYTES: u64 = 4 << 20;
/// A file that nobody asked for in this time is given up for another.
const READING_HELD: Duration = Duration::from_secs(60);
/// Read in pieces of this size.
const CHUNK_BYTES: usize = 32 << 10;

impl ExecutableDigests {
    /// The processor time that reading files has taken so far.
    pub(super) fn cost(&self) -> Duration {
        self.cost
    }

    /// The digest of the program that the process runs.
    pub(super) fn of_process(
        &mut self,
        reader: &mut ProcReader,
        pid: u32,
        wanted: Wanted,
    ) -> Answer {
        let Some(file) = self.mounts.program_file(reader, pid) else {
            return Answer::Never;
        };
        if let Some(digest) = self.known.get(&file.identity) {
            return hexadecimal(digest);
        }
        if file.size > FILE_BYTES_MAX {
            return Answer::Never;
        }
        self.allowance.grow(Instant::now());
        let reserve = if wanted == Wanted::Sometime { ALLOWANCE_BYTES_MAX / 2 } else { 0 };
        if self.allowance.bytes <= reserve {
            return Answer::Later;
        }
        // One large file at a time; while it is wanted it is not given up for another.
        let in_pieces = file.size > FILE_AT_ONCE_BYTES;
        let going_on = self.reading.as_ref().is_some_and(|it| it.identity == file.identity);
        if in_pieces && !going_on && (wanted == Wanted::Now || self.is_reading_lately()) {
            return Answer::Later;
        }
        let began = super::processor_time();
        let digest = self.go_on(reader, pid, &file, in_pieces);
        self.cost += super::processor_time().saturating_sub(began);
        let digest = match digest {
            Ok(Some(digest)) => digest,
            Ok(None) => return Answer::Later,
            Err(_) => return Answer::Never,
        };
        // The process may have ended, and its number may have gone to another, or it runs another
        // file by now: the digest is of the file that was looked at only where it still runs that.
        let still = self.mounts.program_file(reader, pid);
        if still.is_none_or(|still| still.identity != file.identity) {
            return Answer::Never;
        }
        self.remember(file.identity, digest);
        hexadecimal(&digest)
    }

    /// Whether a large file is being read for somebody who still asks.
    fn is_reading_lately(&self) -> bool {
        self.reading.as_ref().is_some_and(|it| it.asked.elapsed() < READING_HELD)
    }

    /// Reads the file, or the next piece of it; its digest when that was all.
    fn go_on(
        &mut self,
        reader: &mut ProcReader,
        pid: u32,
        file: &ProgramFile,
        in_pieces: bool,
    ) -> Result<Option<[u8; 32]>, Errno> {
        let before = self.reading.take_if(|it| it.identity == file.identity);
        let mut reading = match before {
            Some(reading) => reading,
            None => Reading {
                file: reader.open_executable(pid)?,
                identity: file.identity,
                left: file.size,
                hasher: Sha256::new(),
                asked: Instant::now(),
            },
        };
        let piece = if in_pieces { reading.left.min(PIECE_BYTES) } else { reading.left };
        self.allowance.bytes -= i64::try_from(piece).unwrap_or(i64::MAX);
        self.buffer.resize(CHUNK_BYTES, 0);
        let end = reading.left - piece;
        while reading.left > end {
            let most = usize::try_from(reading.left - end).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let room = self.buffer.get_mut(..most).unwrap_or_default();
            let read = retry_on_intr(|| rustix::io::read(&reading.file, &mut *room))?;
            if read == 0 {
                // A file that shrinks while it is read is not the one that was measured.
                return Err(Errno::INVAL);
            }
            reading.left = reading.left.saturating_sub(read as u64);
            reading.hasher.update(self.buffer.get(..read).unwrap_or_default());
        }
        if reading.left > 0 {
            reading.asked = Instant::now();
            self.reading = Some(reading);
            return Ok(None);
        }
        Ok(Some(reading.hasher.finalize().into()))
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

fn hexadecimal(digest: &[u8; 32]) -> Answer {
    let nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let text: String =
        nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect();
    Answer::Digest(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that runs a program of its own, which is removed with it.
    struct Running {
        child: std::process::Child,
        file: std::path::PathBuf,
    }

    impl Running {
        fn copy_of_sleep(name: &str, padding: usize) -> Self {
            let name = format!("ringwall-{name}-{}", std::process::id());
            let file = std::env::temp_dir().join(name);
            let mut program = std::fs::read("/bin/sleep").unwrap();
            program.resize(program.len() + padding, b'x');
            std::fs::write(&file, program).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&file, mode).unwrap();
            // It may still be open in a child that another test forked a moment ago.
            let child = loop {
                match std::process::Command::new(&file).arg("60").spawn() {
                    Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                        std::thread::yield_now();
                    }
                    child => break child.unwrap(),
                }
            };
            let running = Self { child, file };
            let mut reader = ProcReader::open().unwrap();
            // Right after the fork the child still runs this test's own program.
            let wanted = std::fs::canonicalize(&running.file).unwrap();
            while reader.link_of(running.pid(), "exe")
                != Some(wanted.as_os_str().as_encoded_bytes())
            {
                std::thread::yield_now();
            }
            running
        }

        fn pid(&self) -> u32 {
            self.child.id()
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
            std::fs::remove_file(&self.file).ok();
        }
    }

    fn digest_of(bytes: &[u8]) -> Answer {
        hexadecimal(&Sha256::digest(bytes).into())
    }

    #[test]
    fn the_digest_is_that_of_the_file_and_what_is_known_needs_no_allowance() {
        let mut reader = ProcReader::open().unwrap();
        let mut digests = ExecutableDigests::default();
        let sleep = Running::copy_of_sleep("digest", 0);
        let expected = digest_of(&std::fs::read(&sleep.file).unwrap());
        assert_eq!(digests.of_process(&mut reader, sleep.pid(), Wanted::Now), expected);
        digests.allowance.bytes = i64::MIN;
        assert_eq!(digests.of_process(&mut reader, sleep.pid(), Wanted::Sometime), expected);
        let own = std::process::id();
        assert_eq!(digests.of_process(&mut reader, own, Wanted::Now), Answer::Later);
        assert_eq!(digests.of_process(&mut reader, 0, Wanted::Now), Answer::Never);
    }

    #[test]
    fn a_program_that_was_deleted_or_replaced_has_its_own_digest() {
        let mut reader = ProcReader::open().unwrap();
        let mut digests = ExecutableDigests::default();
        let sleep = Running::copy_of_sleep("deleted", 1);
        let expected = digest_of(&std::fs::read(&sleep.file).unwrap());
        std::fs::remove_file(&sleep.file).unwrap();
        std::fs::write(&sleep.file, b"another file under the same name").unwrap();
        assert_eq!(digests.of_process(&mut reader, sleep.pid(), Wanted::Now), expected);
    }

    #[test]
    fn a_large_file_is_read_piece_by_piece() {
        let mut reader = ProcReader::open().unwrap();
        let mut digests = ExecutableDigests::default();
        let padding = usize::try_from(FILE_AT_ONCE_BYTES + PIECE_BYTES).unwrap();
        let sleep = Running::copy_of_sleep("large", padding);
        let expected = digest_of(&std::fs::read(&sleep.file).unwrap());
        // A process that starts is not held up by it.
        assert_eq!(digests.of_process(&mut reader, sleep.pid(), Wanted::Now), Answer::Later);
        assert!(digests.reading.is_none());
        let mut pieces = 0;
        let found = loop {
            pieces += 1;
            match digests.of_process(&mut reader, sleep.pid(), Wanted::Later) {
                Answer::Later => assert!(pieces < 20, "it never ends"),
                found => break found,
            }
        };
        assert_eq!((found, pieces), (expected, 6));
        assert!(digests.reading.is_none());
    }

    #[test]
    fn no_more_files_are_remembered_than_allowed() {
        let mut reader = ProcReader::open().unwrap();
        let mut mounts = Mounts::default();
        let file = mounts.program_file(&mut reader, std::process::id()).unwrap();
        let mut digests = ExecutableDigests::default();
        for size in 0..FILES_MAX as u64 + 5 {
            digests.remember(file.identity.with_size(size), [0; 32]);
        }
        assert_eq!((digests.known.len(), digests.order.len()), (FILES_MAX, FILES_MAX));
        assert!(!digests.known.contains_key(&file.identity.with_size(4)));
        assert!(digests.known.contains_key(&file.identity.with_size(5)));
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
