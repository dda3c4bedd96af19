//! What `./x` tells us by environment variables, and what stands in for it without `./x`.

use anyhow::{Context, Result, bail};
use std::env;
use std::path::{Path, PathBuf};

/// The binary that the tests drive: `RINGWALL_BIN`, else the one of cargo's target folder.
///
/// # Errors
///
/// When it was not built yet.
pub fn ringwall() -> Result<PathBuf> {
    let path = match env::var_os("RINGWALL_BIN") {
        Some(path) => PathBuf::from(path),
        None => target_folder()?.join("debug/ringwall"),
    };
    if !path.is_file() {
        bail!("{} is not there: cargo build -p ringwall", path.display());
    }
    Ok(path)
}

/// Our test programs lie in the target folder, so it is above them.
fn target_folder() -> Result<PathBuf> {
    let program = env::current_exe().context("cannot tell the path of this program")?;
    let folder = program.ancestors().find(|folder| folder.join(".rustc_info.json").exists());
    folder.map(Path::to_path_buf).context("cannot find cargo's target folder; set RINGWALL_BIN")
}

/// The Python interpreter with the modules of `python/requirements.txt`.
pub fn python() -> PathBuf {
    env::var_os("RINGWALL_PYTHON").map_or_else(
        || {
            let cache = env::var_os("HOME").map(|home| Path::new(&home).join(".cache/ringwall"));
            let ours = cache.map(|cache| cache.join("python/bin/python3"));
            ours.filter(|path| path.exists()).unwrap_or_else(|| "python3".into())
        },
        PathBuf::from,
    )
}

/// The Python interpreter with the original guard programs (`python/guard/requirements.txt`).
pub fn guard_python() -> PathBuf {
    env::var_os("RINGWALL_GUARD_PYTHON").map_or_else(
        || {
            let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
            home.join(".cache/ringwall/python-guard/bin/python3")
        },
        PathBuf::from,
    )
}

/// One of our Python programs.
pub fn python_program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}

/// The checkout.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap_or(root)
}

/// The shared suites and seeds; none when nobody named a place for them.
pub fn shared() -> Option<PathBuf> {
    env::var_os("RINGWALL_SHARED").map(PathBuf::from)
}

/// The SysScore integration guide among the shared seeds.
///
/// None without `RINGWALL_SHARED`: then the caller skips, and says so.
///
/// # Errors
///
/// When the place was named and the guide is not there.
pub fn integration_guide() -> Result<Option<PathBuf>> {
    let Some(shared) = shared() else { return Ok(None) };
    let seeds = shared.join("seeds");
    let entries = std::fs::read_dir(&seeds)
        .with_context(|| format!("RINGWALL_SHARED is set, but cannot read {}", seeds.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("000") {
            return Ok(Some(entry.path()));
        }
    }
    bail!("RINGWALL_SHARED is set, but no file 000* in {}", seeds.display())
}
