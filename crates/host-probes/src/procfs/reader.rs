use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::Errno;
use std::fmt::Write as _;
use std::mem::MaybeUninit;

/// Reads a procfs tree into buffers that it keeps, so that a scan of all processes allocates nothing.
#[derive(Debug)]
pub struct ProcReader {
    root: OwnedFd,
    path: String,
    bytes: Vec<u8>,
    directory: Vec<u8>,
}

/// Room for one answer of the kernel. A `stat` needs 400 bytes, a page suffices for most others.
const CHUNK_BYTES: usize = 8 * 1024;

impl ProcReader {
    /// A reader of `/proc`.
    ///
    /// # Errors
    /// Where it is not mounted or may not be read.
    pub fn open() -> Result<Self, Errno> {
        Self::open_at("/proc")
    }

    /// A reader of a tree like `/proc` elsewhere.
    ///
    /// # Errors
    /// Where the directory cannot be opened.
    pub fn open_at(root: &str) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            root: openat(CWD, root, flags, Mode::empty())?,
            path: String::with_capacity(64),
            bytes: vec![0; CHUNK_BYTES],
            directory: Vec::with_capacity(CHUNK_BYTES),
        })
    }

    /// The first bytes of the file `name` (as in `net/tcp`), at most `bytes_max`.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn read(&mut self, name: &str, bytes_max: usize) -> Result<&[u8], Errno> {
        self.path.clear();
        self.path.push_str(name);
        self.read_path(bytes_max)
    }

    /// The first bytes of `/proc/PID/file`, at most `bytes_max`.
    ///
    /// # Errors
    /// What the kernel said: `NOENT` or `SRCH` where the process is gone.
    pub fn read_of(&mut self, pid: u32, file: &str, bytes_max: usize) -> Result<&[u8], Errno> {
        self.set_path(pid, file);
        self.read_path(bytes_max)
    }

    /// Where the link `/proc/PID/name` points; none where the process has no such thing.
    pub fn link_of(&mut self, pid: u32, name: &str) -> Option<&[u8]> {
        self.set_path(pid, name);
        let length =
            readlinkat_raw(&self.root, self.path.as_str(), self.bytes.as_mut_slice()).ok()?;
        self.bytes.get(..length)
    }

    /// Opens `/proc/PID/exe`: the program file itself, even where its name is gone by now.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn open_executable(&mut self, pid: u32) -> Result<OwnedFd, Errno> {
        self.set_path(pid, "exe");
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        openat(&self.root, self.path.as_str(), flags, Mode::empty())
    }

    /// Calls `look` with the open root and the path below it of the link to the program file.
    pub(crate) fn with_executable<T>(
        &mut self,
        pid: u32,
        look: impl FnOnce(&OwnedFd, &str) -> T,
    ) -> T {
        self.set_path(pid, "exe");
        look(&self.root, &self.path)
    }

    /// Calls `line` with each line of the file `name`, however long the file is.
    ///
    /// # Errors
    /// What the kernel said when the file was opened or read.
    pub fn lines(&mut self, name: &str, mut line: impl FnMut(&[u8])) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(&self.root, name, flags, Mode::empty())?;
        let mut held = 0;
        loop {
            if held == self.bytes.len() {
                // No line of these files is so long: what does not end is dropped.
                held = 0;
            }
            let room = self.bytes.get_mut(held..).unwrap_or_default();
            let read = retry(|| rustix::io::read(&file, &mut *room))?;
            let end = held + read;
            let filled = self.bytes.get(..end).unwrap_or_default();
            let last_break = filled.iter().rposition(|byte| *byte == b'\n');
            let whole = if read == 0 { end } else { last_break.map_or(0, |at| at + 1) };
            for part in filled.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n') {
                if !part.is_empty() {
                    line(part);
                }
            }
            if read == 0 {
                return Ok(());
            }
            self.bytes.copy_within(whole..end, 0);
            held = end - whole;
        }
    }

    /// Puts the ids of all processes into `pids`, in the kernel's order.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn pids(&mut self, pids: &mut Vec<u32>) -> Result<(), Errno> {
        pids.clear();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(&self.root, ".", flags, Mode::empty())?;
        let mut entries = RawDir::new(&directory, self.directory.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            if let Some(pid) = super::digits::decimal(entry?.file_name().to_bytes()) {
                pids.extend(u32::try_from(pid).ok());
            }
        }
        Ok(())
    }

    /// Calls `socket` with the inode of each socket that the process holds open, and says how many
    /// descriptors were looked at; stops when `socket` says false.
    ///
    /// # Errors
    /// What the kernel said: `ACCESS` where the process belongs to somebody else.
    pub fn sockets_of(
        &mut self,
        pid: u32,
        mut socket: impl FnMut(u64) -> bool,
    ) -> Result<usize, Errno> {
        self.set_path(pid, "fd");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(&self.root, self.path.as_str(), flags, Mode::empty())?;
        let mut entries = RawDir::new(&directory, self.directory.spare_capacity_mut());
        let mut looked_at = 0;
        while let Some(entry) = entries.next() {
            let entry = entry?;
            if entry.file_name().to_bytes().first() == Some(&b'.') {
                continue;
            }
            looked_at += 1;
            let mut link = [MaybeUninit::<u8>::uninit(); 64];
            let Ok((link, _)) = readlinkat_raw(&directory, entry.file_name(), &mut link) else {
                continue;
            };
            if let Some(inode) = socket_inode(link)
                && !socket(inode)
            {
                break;
            }
        }
        Ok(looked_at)
    }

    fn set_path(&mut self, pid: u32, file: &str) {
        self.path.clear();
        if write!(self.path, "{pid}/{file}").is_err() {
            // Writing to a `String` cannot fail; were it to, the empty path is simply not found.
            self.path.clear();
        }
    }

    fn read_path(&mut self, bytes_max: usize) -> Result<&[u8], Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(&self.root, self.path.as_str(), flags, Mode::empty())?;
        let mut held = 0;
        loop {
            if held == self.bytes.len() {
                if held >= bytes_max {
                    break;
                }
                self.bytes.resize(held * 2, 0);
            }
            let room = self.bytes.get_mut(held..).unwrap_or_default();
            let asked = room.len();
            let read = retry(|| rustix::io::read(&file, &mut *room))?;
            held += read;
            // These files are made at the first read: an answer shorter than the room is all of it.
            if read < asked || held >= bytes_max {
                break;
            }
        }
        Ok(self.bytes.get(..held.min(bytes_max)).unwrap_or_default())
    }
}

fn socket_inode(link: &[u8]) -> Option<u64> {
    super::digits::decimal(link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

fn retry<T>(call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    rustix::io::retry_on_intr(call)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::ProcessStat;

    #[test]
    fn this_process_is_among_the_pids_and_can_be_read() {
        let mut reader = ProcReader::open().unwrap();
        let mut pids = Vec::new();
        reader.pids(&mut pids).unwrap();
        let own = std::process::id();
        assert!(pids.contains(&own), "{own} not in {pids:?}");
        let stat = reader.read_of(own, "stat", 4096).unwrap();
        assert_eq!(ProcessStat::parse(stat).unwrap().pid, own);
        assert!(reader.link_of(own, "exe").unwrap().starts_with(b"/"));
        assert!(reader.read_of(own, "no-such-file", 10).is_err());
    }

    #[test]
    fn a_limit_is_kept_and_long_files_come_line_by_line() {
        let mut reader = ProcReader::open().unwrap();
        assert_eq!(reader.read("stat", 7).unwrap().len(), 7);
        let mut text = Vec::new();
        reader
            .lines("kallsyms", |line| {
                if text.len() < 100_000 {
                    text.push(line.len());
                }
            })
            .unwrap();
        assert!(text.iter().all(|length| (1..4096).contains(length)));
    }

    #[test]
    fn sockets_are_found_by_their_inode() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut reader = ProcReader::open().unwrap();
        let mut inodes = Vec::new();
        let own = std::process::id();
        let looked_at = reader
            .sockets_of(own, |inode| {
                inodes.push(inode);
                true
            })
            .unwrap();
        assert!(looked_at >= 3);
        let port = listener.local_addr().unwrap().port();
        let mut inode = None;
        reader
            .lines("net/tcp", |line| {
                if let Some(line) = crate::procfs::NetLine::parse(line)
                    && line.local.port() == port
                {
                    inode = Some(line.inode);
                }
            })
            .unwrap();
        assert!(inodes.contains(&inode.unwrap()), "{inode:?} not in {inodes:?}");
    }

    #[test]
    fn only_sockets_have_inodes() {
        assert_eq!(socket_inode(b"socket:[42]"), Some(42));
        assert_eq!(socket_inode(b"pipe:[42]"), None);
        assert_eq!(socket_inode(b"socket:[]"), None);
        assert_eq!(socket_inode(b"/tmp/socket:[1]"), None);
    }
}
