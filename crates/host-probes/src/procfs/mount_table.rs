use super::digits::{decimal, words};

/// One line of `/proc/PID/mountinfo`: proc_pid_mountinfo(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MountLine<'a> {
    /// The mount's id, which `statx` gives for a file as well.
    pub id: u64,
    /// The device of its files, as `(major, minor)`; of some file systems only of the root directory.
    pub device: (u32, u32),
    /// The kind of the file system: `ext4`, `fuse.sshfs`, ….
    pub file_system: &'a [u8],
}

impl<'a> MountLine<'a> {
    /// Reads one line; none for what is not such a line.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = words(line);
        let id = decimal(fields.next()?)?;
        let device = fields.nth(1)?;
        let colon = device.iter().position(|byte| *byte == b':')?;
        let number = |digits: &[u8]| u32::try_from(decimal(digits)?).ok();
        let device = (number(device.get(..colon)?)?, number(device.get(colon + 1..)?)?);
        // Root, mount point and options, then any number of optional fields, then a lone hyphen.
        fields.nth(2)?;
        fields.find(|field| field == b"-")?;
        Some(Self { id, device, file_system: fields.next()? })
    }

    /// Whether the files lie on this host: a read never waits for another host or for a program.
    pub fn is_local(&self) -> bool {
        const ELSEWHERE: [&[u8]; 11] = [
            b"9p", b"afs", b"beegfs", b"ceph", b"cifs", b"coda", b"lustre", b"ncpfs", b"nfs",
            b"smb3", b"smbfs",
        ];
        let name = self.file_system;
        !name.starts_with(b"fuse") && !name.starts_with(b"nfs") && !ELSEWHERE.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_stands_behind_the_hyphen() {
        check(
            "36 35 98:0 /m1 /m2 rw,noatime master:1 - ext3 /dev/root rw",
            Some((36, 98, 0, true)),
        );
        check("22 27 0:21 / /proc rw,relatime - proc proc rw", Some((22, 0, 21, true)));
        check(
            "9 1 0:50 / /mnt/a\\040b rw shared:1 x - fuse.sshfs joe@h:/ rw",
            Some((9, 0, 50, false)),
        );
        check("9 1 0:50 / /home rw - nfs4 h:/ rw", Some((9, 0, 50, false)));
        check("9 1 0:50 / /home rw nfs4 h:/ rw", None);
        check("9 1 050 / /home rw - nfs4 h:/ rw", None);
        check("", None);
    }

    #[track_caller]
    fn check(line: &str, expected: Option<(u64, u32, u32, bool)>) {
        let found = MountLine::parse(line.as_bytes());
        let found = found.map(|it| (it.id, it.device.0, it.device.1, it.is_local()));
        assert_eq!(found, expected, "line {line:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = MountLine::parse(&bytes);
        }
    }
}
