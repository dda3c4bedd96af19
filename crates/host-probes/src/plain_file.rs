//! Opens the one file that is meant, and nothing that only looks like it.
//!
//! Whoever owns a folder on the way can put a link, a pipe or a device in the place of a file between an
//! order and its execution. So no link is followed anywhere in the path, only files with stored content
//! are opened, and all that follows goes through the descriptor.

use ringwall_event::AbsolutePath;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{
    CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fstatfs, openat, openat2,
};
use rustix::io::Errno;
use std::fs::File;
use std::path::Path;

/// A file with stored content, open for reading.
#[derive(Debug)]
pub struct PlainFile {
    pub(crate) file: File,
    pub(crate) stat: Stat,
}

/// Why a file was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is nothing.
    #[error("`{0}` does not exist")]
    Missing(AbsolutePath),
    /// Part of the path is a link.
    #[error("`{0}` leads through a link, and links are not followed")]
    Link(AbsolutePath),
    /// A folder, pipe, socket or device.
    #[error("`{0}` is no regular file")]
    NotRegular(AbsolutePath),
    /// The content is made up when it is read.
    #[error("`{0}` is not a stored file")]
    NotStored(AbsolutePath),
    /// It belongs to the agent.
    #[error("`{0}` is the host agent's own")]
    Own(AbsolutePath),
    /// This agent lacks the right.
    #[error("not permitted to open `{0}`")]
    NotPermitted(AbsolutePath),
    /// The kernel cannot open files without following links.
    #[error("the kernel of this host lacks openat2 (Linux 5.6)")]
    NoOpenat2,
    /// The kernel refused for another reason.
    #[error("cannot open `{path}`: {error}")]
    Kernel {
        /// Which.
        path: AbsolutePath,
        /// What the kernel said.
        error: Errno,
    },
}

/// File systems whose files are made up by the kernel, or by a program of anybody, which may never
/// answer (FUSE): `include/uapi/linux/magic.h`.
const NOT_STORED: [u64; 16] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x7363_6673, // securityfs
    0xcafe_4a11, // bpf
    0xde5e_81e4, // efivarfs
    0x6265_6570, // configfs
    0xf97c_ff8c, // selinuxfs
    0x1cd1,      // devpts
    0x1980_0202, // mqueue
    0x6165_676c, // pstore
    0x4249_4e4d, // binfmt_misc
    0x6573_5546, // FUSE
];

impl PlainFile {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// Where it is missing, leads through a link, has no stored content, or may not be read.
    pub fn open(path: &AbsolutePath) -> Result<Self, OpenError> {
        let refused = |error| of_errno(path, error);
        // First only a handle: to open a pipe or a device for reading can have effects by itself.
        let handle = resolve(path.as_path(), OFlags::PATH | OFlags::NOFOLLOW).map_err(refused)?;
        let found = fstat(&handle).map_err(refused)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => {}
            FileType::Symlink => return Err(OpenError::Link(path.clone())),
            _ => return Err(OpenError::NotRegular(path.clone())),
        }
        let system = fstatfs(&handle).map_err(refused)?;
        // The type of the field differs between architectures; the numbers have 32 bits.
        if NOT_STORED.contains(&(system.f_type as u64 & 0xffff_ffff)) {
            return Err(OpenError::NotStored(path.clone()));
        }
        // Through the handle: the very file that was looked at, whatever bears its name by now.
        let by_handle = format!("/proc/self/fd/{}", handle.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = openat(CWD, by_handle, flags, Mode::empty()).map_err(refused)?;
        let stat = fstat(&file).map_err(refused)?;
        if (stat.st_dev, stat.st_ino) != (found.st_dev, found.st_ino) {
            return Err(refused(Errno::STALE));
        }
        Ok(Self { file: File::from(file), stat })
    }

    /// How many bytes it had when it was opened.
    pub fn bytes(&self) -> u64 {
        u64::try_from(self.stat.st_size).unwrap_or_default()
    }

    /// The open file.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Whether its content may have changed since it was opened, as its size and times say. The time of its
    /// last change counts as well: unlike that of the last writing, its owner cannot set it back.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn has_changed(&self) -> Result<bool, Errno> {
        let now = fstat(self.file.as_fd())?;
        let facts = |stat: &Stat| {
            let modified = (stat.st_mtime, stat.st_mtime_nsec);
            (stat.st_size, modified, (stat.st_ctime, stat.st_ctime_nsec))
        };
        Ok(facts(&now) != facts(&self.stat))
    }
}

/// Opens a path in which no part is a link.
pub(crate) fn resolve(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let how = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(CWD, path, flags | OFlags::CLOEXEC, Mode::empty(), how)
}

pub(crate) fn of_errno(path: &AbsolutePath, error: Errno) -> OpenError {
    match error {
        Errno::NOENT | Errno::NOTDIR => OpenError::Missing(path.clone()),
        Errno::LOOP => OpenError::Link(path.clone()),
        Errno::ACCESS | Errno::PERM => OpenError::NotPermitted(path.clone()),
        Errno::NOSYS => OpenError::NoOpenat2,
        error => OpenError::Kernel { path: path.clone(), error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_stored_files_are_opened_and_no_link_is_followed() {
        let folder = std::env::temp_dir().canonicalize().unwrap();
        let folder = folder.join(format!("ringwall-plain-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("real")).unwrap();
        std::fs::write(folder.join("real/file"), b"content").unwrap();
        symlink("real/file", folder.join("link")).unwrap();
        symlink("real", folder.join("folder-link")).unwrap();
        let _socket = UnixListener::bind(folder.join("socket")).unwrap();
        let pipe = folder.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());

        let open = |name: &str| {
            let path = AbsolutePath::parse(folder.join(name).to_str().unwrap()).unwrap();
            (PlainFile::open(&path).map(|file| file.bytes()), path)
        };
        assert_eq!(open("real/file").0, Ok(7));
        for (name, expected) in [
            ("link", OpenError::Link as fn(AbsolutePath) -> OpenError),
            ("folder-link/file", OpenError::Link),
            ("pipe", OpenError::NotRegular),
            ("socket", OpenError::NotRegular),
            ("real", OpenError::NotRegular),
            ("none", OpenError::Missing),
            ("real/file/x", OpenError::Missing),
        ] {
            let (found, path) = open(name);
            assert_eq!(found, Err(expected(path)), "{name}");
        }
        let device = AbsolutePath::parse("/dev/null").unwrap();
        assert_eq!(PlainFile::open(&device).unwrap_err(), OpenError::NotRegular(device));
        let made_up = AbsolutePath::parse("/proc/version").unwrap();
        assert_eq!(PlainFile::open(&made_up).unwrap_err(), OpenError::NotStored(made_up));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_change_is_seen_although_the_time_of_writing_was_set_back() {
        let folder = std::env::temp_dir().canonicalize().unwrap();
        let name = folder.join(format!("ringwall-changed-{}", std::process::id()));
        std::fs::write(&name, b"content").unwrap();
        let path = AbsolutePath::parse(name.to_str().unwrap()).unwrap();
        let file = PlainFile::open(&path).unwrap();
        assert_eq!(file.has_changed(), Ok(false));
        let before = std::fs::metadata(&name).unwrap().modified().unwrap();
        // The kernel's clock of files moves a few hundred times a second.
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(&name, b"CONTENT").unwrap();
        File::options().write(true).open(&name).unwrap().set_modified(before).unwrap();
        assert_eq!(std::fs::metadata(&name).unwrap().modified().unwrap(), before);
        assert_eq!(file.has_changed(), Ok(true));
        std::fs::remove_file(&name).unwrap();
    }
}
