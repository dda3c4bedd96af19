use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::Path;

/// The path of a file on a host: from the root, in one spelling, with nothing in it that leads elsewhere
/// than it reads.
///
/// `/etc/passwd`, never `etc/passwd`, `/etc/../etc/passwd`, `/etc//passwd` or `/etc/`. What a link on
/// the host makes of it is for the host to refuse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsolutePath(Box<str>);

/// Why a text is not the path of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AbsolutePathError {
    /// It does not begin at the root.
    #[error("a path must begin with `/`")]
    Relative,
    /// It is the root, or ends in a slash: a folder.
    #[error("a path must name a file")]
    NoFile,
    /// It has a part `.` or `..`, or two slashes on end.
    #[error("a path must not have empty parts, `.` or `..`")]
    NotNormal,
    /// No file can have this name.
    #[error("a path must not have a zero byte")]
    ZeroByte,
    /// The kernel takes no such path.
    #[error("a path must have at most {} bytes", AbsolutePath::BYTES_MAX)]
    TooLong,
}

impl AbsolutePath {
    /// Linux takes no longer path (`PATH_MAX` without its end mark).
    pub const BYTES_MAX: usize = 4095;

    /// Reads a path.
    ///
    /// # Errors
    /// Where it is not absolute, not in the one spelling, or names no file.
    pub fn parse(text: &str) -> Result<Self, AbsolutePathError> {
        if text.len() > Self::BYTES_MAX {
            return Err(AbsolutePathError::TooLong);
        }
        if text.contains('\0') {
            return Err(AbsolutePathError::ZeroByte);
        }
        let parts = text.strip_prefix('/').ok_or(AbsolutePathError::Relative)?;
        if parts.is_empty() || parts.ends_with('/') {
            return Err(AbsolutePathError::NoFile);
        }
        if parts.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(AbsolutePathError::NotNormal);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For the calls of the system.
    pub fn as_path(&self) -> &Path {
        Path::new(&*self.0)
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it is this file or folder, or lies within it.
    pub fn is_within(&self, folder: &str) -> bool {
        let folder = folder.trim_end_matches('/');
        self.0.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for AbsolutePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AbsolutePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        check("/etc/passwd", Ok(()));
        check("/x", Ok(()));
        check("/tmp/…/ a\nb", Ok(()));
        check("/tmp/..x", Ok(()));
        check("", Err(AbsolutePathError::Relative));
        check("etc/passwd", Err(AbsolutePathError::Relative));
        check("/", Err(AbsolutePathError::NoFile));
        check("/etc/", Err(AbsolutePathError::NoFile));
        check("//etc", Err(AbsolutePathError::NotNormal));
        check("/etc//passwd", Err(AbsolutePathError::NotNormal));
        check("/etc/./passwd", Err(AbsolutePathError::NotNormal));
        check("/tmp/../etc/passwd", Err(AbsolutePathError::NotNormal));
        check("/..", Err(AbsolutePathError::NotNormal));
        check("/etc/passwd\0.txt", Err(AbsolutePathError::ZeroByte));
        check(&format!("/{}", "x".repeat(4094)), Ok(()));
        check(&format!("/{}", "x".repeat(4095)), Err(AbsolutePathError::TooLong));
    }

    #[track_caller]
    fn check(text: &str, expected: Result<(), AbsolutePathError>) {
        assert_eq!(AbsolutePath::parse(text).map(drop), expected, "{text:?}");
    }

    #[test]
    fn a_folder_is_no_mere_beginning() {
        let path = AbsolutePath::parse("/usr/bin/x").unwrap();
        for (folder, expected) in [
            ("/usr", true),
            ("/usr/", true),
            ("/usr/bin/x", true),
            ("/us", false),
            ("/", true),
            ("/usr/bin/x/y", false),
        ] {
            assert_eq!(path.is_within(folder), expected, "{folder}");
        }
        assert_eq!(path.file_name(), "x");
    }
}
