//! Names this installation to the server, the same for as long as its file is there.

use super::record::uuid_v4;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A UUID and an end of line.
const FILE_BYTES_MAX: u64 = 64;

/// The id in the file; a new one where there is none yet. Where the file cannot be used, the id is good
/// for this process only: telemetry starts all the same.
pub(super) fn find(path: Option<&Path>) -> String {
    let Some(path) = path.map(Path::to_owned).or_else(default_path) else {
        tracing::warn!("no home folder: the install id changes with each start");
        return random();
    };
    match read(&path) {
        Ok(Some(id)) => return id,
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the install id cannot be read: it changes with each start");
            return random();
        }
    }
    let id = random();
    match write(&path, &id) {
        Ok(()) => id,
        // Another process of the same start was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(&path).ok().flatten().unwrap_or(id)
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the install id cannot be kept: it changes with each start");
            id
        }
    }
}

fn default_path() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".guard-agent/install-id"))
}

/// None where there is no file, or nothing usable in it.
fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.permissions().mode() & 0o077 != 0
        && let Err(error) = file.set_permissions(Permissions::from_mode(0o600))
    {
        tracing::debug!(%error, "the install id stays readable for others");
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let id = text.trim();
    if is_uuid(id) {
        return Ok(Some(id.to_owned()));
    }
    // Neither empty nor an id: somebody else's file, which is not to be overwritten.
    if id.is_empty() {
        fs::remove_file(path)?;
        return Ok(None);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "not a UUID"))
}

fn write(path: &Path, id: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{id}")
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn random() -> String {
    let mut bytes = [0; 16];
    if let Err(error) = getrandom::fill(&mut bytes) {
        // Still told apart from most others, and nothing depends on its being secret.
        tracing::warn!(%error, "no randomness for the install id");
        let now = super::record::micros(std::time::SystemTime::now());
        bytes =
            (u128::from(std::process::id()) << 64 | u128::from(now.unsigned_abs())).to_be_bytes();
    }
    uuid_v4(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_kept_for_the_owner_alone() {
        let folder = Folder::new("kept");
        let path = folder.0.join("a/b/install-id");
        let id = find(Some(&path));
        assert!(is_uuid(&id), "{id}");
        assert_eq!(find(Some(&path)), id);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }

    /// Flaw 18: the file was readable for everybody.
    #[test]
    fn flaw_18_the_file_of_an_original_agent_is_used_and_closed_to_others() {
        let folder = Folder::new("closed");
        let path = folder.0.join("install-id");
        fs::write(&path, "4b1c8a4e-6f0b-4c6c-9a53-0d5f3a2b1c00\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(find(Some(&path)), "4b1c8a4e-6f0b-4c6c-9a53-0d5f3a2b1c00");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    /// Flaw 13: a home folder that could not be written stopped the agent from being built at all.
    #[test]
    fn flaw_13_a_folder_that_cannot_be_used_stops_nothing() {
        let folder = Folder::new("unusable");
        fs::write(folder.0.join("file"), "").unwrap();
        let id = find(Some(&folder.0.join("file/install-id")));
        assert!(is_uuid(&id), "{id}");
        let strange = folder.0.join("strange");
        fs::write(&strange, "somebody else's").unwrap();
        assert!(is_uuid(&find(Some(&strange))));
        assert_eq!(fs::read_to_string(&strange).unwrap(), "somebody else's");
        let empty = folder.0.join("empty");
        fs::write(&empty, "").unwrap();
        assert_eq!(find(Some(&empty)), find(Some(&empty)));
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("ringwall-install-id-{name}-{}", random());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }
}
