//! The names of a host's users, without a detour over the C library's name service.

use crate::procfs::decimal;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// The names of the users in passwd(5), read again when the file changes.
#[derive(Debug)]
pub struct UserNames {
    file: PathBuf,
    read_at: Option<SystemTime>,
    names: HashMap<u32, Arc<str>>,
}

/// A file with more users than this is read up to here.
const USERS_MAX: usize = 20_000;
/// A file longer than this is read up to here, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

impl UserNames {
    /// The users of this host.
    pub fn new() -> Self {
        Self::of_file("/etc/passwd")
    }

    /// The users of another file in the same form.
    pub fn of_file(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), read_at: None, names: HashMap::new() }
    }

    /// Reads the file again where it changed since it was read; to be called now and then.
    pub fn refresh(&mut self) {
        let changed = std::fs::metadata(&self.file).and_then(|file| file.modified()).ok();
        if changed.is_some() && changed == self.read_at {
            return;
        }
        self.read_at = changed;
        self.names.clear();
        let mut text = Vec::new();
        let read = std::fs::File::open(&self.file).and_then(|file| {
            std::io::Read::read_to_end(&mut std::io::Read::take(file, FILE_BYTES_MAX), &mut text)
        });
        match read {
            Ok(_) => self.names.extend(parse_passwd(&text).take(USERS_MAX)),
            Err(error) => tracing::debug!(%error, "user names cannot be read"),
        }
    }

    /// The name of the user with this number; the number itself where there is no name.
    pub fn name(&mut self, user: u32) -> Arc<str> {
        if self.read_at.is_none() {
            self.refresh();
        }
        match self.names.get(&user) {
            Some(name) => Arc::clone(name),
            None => user.to_string().into(),
        }
    }
}

impl Default for UserNames {
    fn default() -> Self {
        Self::new()
    }
}

/// The numbers and names of passwd(5); of several names for a number the first counts, which is why
/// they come in reverse.
pub fn parse_passwd(text: &[u8]) -> impl Iterator<Item = (u32, Arc<str>)> {
    text.rsplit(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next().filter(|name| !name.is_empty() && name.len() <= 64)?;
        let user = u32::try_from(decimal(fields.nth(1)?)?).ok()?;
        Some((user, String::from_utf8_lossy(name).into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_unknown_users_keep_their_number() {
        let text =
            b"root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\njoe:x:1000:1000\nbad\n::5:";
        let names: HashMap<_, _> = parse_passwd(text).collect();
        assert_eq!(names.len(), 2);
        assert_eq!(&*names[&0], "root");
        assert_eq!(&*names[&1000], "joe");
        assert_eq!(&*UserNames::new().name(0), "root");
        assert_eq!(&*UserNames::new().name(3_999_999_999), "3999999999");
        assert_eq!(&*UserNames::of_file("/nowhere").name(0), "0");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            parse_passwd(&bytes).for_each(drop);
        }
    }
}
