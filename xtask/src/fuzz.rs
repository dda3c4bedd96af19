//! Fuzzing one parser, or naming those that can be.

use crate::place::Place;
use crate::run::{answer, command, quietly_named};
use crate::set_up;
use anyhow::{Context, Result, bail};
use std::fs;

/// `./x fuzz TARGET [SECONDS]`.
pub(crate) fn run(place: &Place, arguments: &[String]) -> Result<()> {
    let targets = targets(place)?;
    match arguments {
        [] => targets.iter().try_for_each(|target| answer(target)),
        [target, rest @ ..] => {
            if !targets.contains(target) {
                bail!("no fuzz target `{target}`; there are {}", targets.join(", "));
            }
            let seconds = match rest {
                [] => 60,
                [seconds] => seconds.parse().with_context(|| format!("seconds `{seconds}`"))?,
                _ => bail!("`fuzz` takes a target and a number of seconds"),
            };
            one(place, target, seconds)
        }
    }
}

/// The names of all targets, sorted.
pub(crate) fn targets(place: &Place) -> Result<Vec<String>> {
    let folder = place.root.join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path();
        if let (Some("rs"), Some(stem)) =
            (path.extension().and_then(|e| e.to_str()), path.file_stem().and_then(|s| s.to_str()))
        {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Fuzzes one target; what it learns stays in the cache folder, a crash is an error.
pub(crate) fn one(place: &Place, target: &str, seconds: u64) -> Result<()> {
    set_up::for_fuzzing(place)?;
    let corpus = place.cache.join("fuzz/corpus").join(target);
    let crashes = place.cache.join("fuzz/crashes").join(target);
    for folder in [&corpus, &crashes] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut cargo = command("cargo", ["fuzz", "run", target], &place.root);
    cargo.arg(&corpus);
    let seeds = place.root.join("fuzz/seeds").join(target);
    if seeds.exists() {
        cargo.arg(seeds);
    }
    cargo.args(["--", "-rss_limit_mb=1024", "-max_len=65536", "-timeout=10", "-print_funcs=0"]);
    cargo.arg(format!("-max_total_time={seconds}"));
    cargo.arg(format!("-artifact_prefix={}/", crashes.display()));
    // The instrumentation is a nightly flag that the stable compiler has too.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", place.cache.join("fuzz/target"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = std::iter::once(place.cache.join("tools/bin")).chain(std::env::split_paths(&path));
    cargo.env("PATH", std::env::join_paths(tools).context("PATH")?);
    quietly_named(&mut cargo, &format!("fuzz target {target}"))
        .with_context(|| format!("inputs that fail are in {}", crashes.display()))
}
