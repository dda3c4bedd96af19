//! The folder in which an agent keeps what outlives it.

use ringwall_lifecycle::Failure;
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Of an agent that runs as root: what packages create.
const OF_ROOT: &str = "/var/lib/ringwall-host-agent";
const NAME: &str = "ringwall-host-agent";

/// Where an agent keeps its state when nobody says otherwise: `/var/lib/ringwall-host-agent` for root, else
/// `ringwall-host-agent` in `XDG_STATE_HOME` or in `.local/state` in `HOME`. None where the environment
/// says nothing at all.
pub(crate) fn find(is_root: bool, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if is_root {
        return Some(PathBuf::from(OF_ROOT));
    }
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The XDG specification has relative paths ignored.
    if let Some(state) = set("XDG_STATE_HOME").filter(|path| path.is_absolute()) {
        return Some(state.join(NAME));
    }
    Some(set("HOME")?.join(Path::new(".local/state")).join(NAME))
}

/// Makes the folder where it is missing, for its owner alone.
///
/// # Errors
/// Where it cannot be made, belongs to somebody else, or others may look into it: the key of this agent
/// stands there.
pub(crate) fn prepare(path: &Path) -> Result<(), Failure> {
    let place = path.display();
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        Failure::new(format!("cannot create the state directory {place}: {error}"))
            .hint("give another one by --state-dir")
    })?;
    let metadata = std::fs::metadata(path)
        .map_err(|error| Failure::new(format!("state directory {place}: {error}")))?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(Failure::new(format!("state directory {place}: belongs to somebody else"))
            .hint("run the agent as its owner, or give another one by --state-dir"));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::new(format!(
            "state directory {place}: mode {mode:04o} lets others look into it"
        ))
        .hint(format!("chmod 700 {place}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn root_has_a_place_of_its_own_and_others_theirs() {
        check(true, &[("HOME", "/root")], Some("/var/lib/ringwall-host-agent"));
        check(false, &[], None);
        check(false, &[("HOME", "/h")], Some("/h/.local/state/ringwall-host-agent"));
        let both = [("HOME", "/h"), ("XDG_STATE_HOME", "/x")];
        check(false, &both, Some("/x/ringwall-host-agent"));
        let relative = [("HOME", "/h"), ("XDG_STATE_HOME", "x")];
        check(false, &relative, Some("/h/.local/state/ringwall-host-agent"));
    }

    #[track_caller]
    fn check(is_root: bool, environment: &[(&str, &str)], expected: Option<&str>) {
        let found = find(is_root, |name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        });
        assert_eq!(found.as_deref(), expected.map(Path::new), "{environment:?}");
    }

    #[test]
    fn the_folder_is_private() {
        let above = std::env::temp_dir().join(format!("ringwall-state-{}", std::process::id()));
        let path = above.join("a/b");
        prepare(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        prepare(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
        let refused = prepare(&path).unwrap_err();
        assert_eq!(refused.hint.unwrap(), format!("chmod 700 {}", path.display()));
        std::fs::remove_dir_all(&above).unwrap();
    }
}
