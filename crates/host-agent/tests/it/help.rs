//! What the program says of itself; `UPDATE_GOLDEN=1` rewrites the file.

use crate::agent::output;
use std::path::Path;

#[tokio::test]
async fn help_is_the_reviewed_one() {
    let (code, help, _) = output(&["--help"]).await;
    assert_eq!(code, Some(0));
    check("help.txt", &help);
    let (code, help, _) = output(&["check", "--help"]).await;
    assert_eq!(code, Some(0));
    check("help-check.txt", &help);
}

#[track_caller]
fn check(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} changed; review it with UPDATE_GOLDEN=1:\n{found}");
}
