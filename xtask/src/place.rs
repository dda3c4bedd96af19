//! Where things are: the checkout, the cache folder, the shared suites.

use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf};

/// The folders that everything here works in.
pub(crate) struct Place {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// All that is fetched or built, outside the checkout.
    pub(crate) cache: PathBuf,
    /// Cargo's target folder, in the cache.
    pub(crate) target: PathBuf,
    /// The shared suites and seeds, where there are any.
    pub(crate) shared: Option<PathBuf>,
}

impl Place {
    /// Reads what `./x` has exported.
    pub(crate) fn from_environment() -> Result<Self> {
        let root = folder("RINGWALL_ROOT")?;
        let cache = folder("RINGWALL_CACHE")?;
        let target = folder("CARGO_TARGET_DIR")?;
        // Named by somebody: then it has to be there, and the suites fail when it is not. Not named:
        // the neighbour folder, if it happens to exist.
        let shared = match env::var_os("RINGWALL_SHARED") {
            Some(named) => {
                let named = PathBuf::from(named);
                Some(named.canonicalize().unwrap_or(named))
            }
            None => root.join("../shared").canonicalize().ok(),
        };
        Ok(Self { root, cache, target, shared })
    }

    /// The Python interpreter of our own environment.
    pub(crate) fn python(&self) -> PathBuf {
        self.cache.join("python/bin/python3")
    }

    /// The interpreter of the environment with the original guard programs.
    pub(crate) fn guard_python(&self) -> PathBuf {
        self.cache.join("python-guard/bin/python3")
    }

    /// The dashboard's sources.
    pub(crate) fn dashboard(&self) -> PathBuf {
        self.root.join("dashboard")
    }

    /// A built program.
    pub(crate) fn program(&self, profile_folder: &str, name: &str) -> PathBuf {
        self.target.join(profile_folder).join(name)
    }
}

fn folder(variable: &str) -> Result<PathBuf> {
    let value = env::var_os(variable)
        .with_context(|| format!("{variable} is not set: start me by ./x, which sets it"))?;
    Ok(Path::new(&value).to_path_buf())
}
