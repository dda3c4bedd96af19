//! Where everything is kept when nobody says otherwise.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The data directory: `RINGWALL_DATA_DIR`, else `ringwall` in `XDG_DATA_HOME`, else
/// `.local/share/ringwall` in `HOME`. None where the environment says nothing at all.
///
/// ```
/// use ringwall_lifecycle::data_dir;
/// let found = data_dir::find(|name| (name == "HOME").then(|| "/home/ada".into()));
/// assert_eq!(found, Some("/home/ada/.local/share/ringwall".into()));
/// ```
pub fn find(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(data_dir) = set("RINGWALL_DATA_DIR") {
        return Some(data_dir);
    }
    // The XDG specification has relative paths ignored.
    if let Some(home) = set("XDG_DATA_HOME").filter(|path| path.is_absolute()) {
        return Some(home.join("ringwall"));
    }
    Some(set("HOME")?.join(Path::new(".local/share/ringwall")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_wins() {
        check(&[], None);
        check(&[("HOME", "/h")], Some("/h/.local/share/ringwall"));
        check(&[("HOME", "/h"), ("XDG_DATA_HOME", "/x")], Some("/x/ringwall"));
        check(&[("HOME", "/h"), ("XDG_DATA_HOME", "x")], Some("/h/.local/share/ringwall"));
        check(&[("XDG_DATA_HOME", "/x"), ("RINGWALL_DATA_DIR", "d")], Some("d"));
        check(&[("HOME", "/h"), ("RINGWALL_DATA_DIR", "")], Some("/h/.local/share/ringwall"));
    }

    #[track_caller]
    fn check(environment: &[(&str, &str)], expected: Option<&str>) {
        let found = find(|name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        });
        assert_eq!(found.as_deref(), expected.map(Path::new), "{environment:?}");
    }
}
