//! Building: the dashboard first, as the server embeds its files, then the programs.

use crate::place::Place;
use crate::run::{answer, command, quietly_named, say};
use crate::set_up;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

/// What the programs are built for.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    /// For tests: our own code compiles fast, what it depends on is optimised.
    Dev,
    /// For use and for figures.
    Release,
}

/// Builds the dashboard and the programs; returns their paths, `ringwall` first.
pub(crate) fn programs(place: &Place, profile: Profile) -> Result<Vec<PathBuf>> {
    dashboard(place)?;
    const NAMES: [&str; 2] = ["ringwall", "ringwall-host-agent"];
    let mut arguments = vec!["build", "--locked"];
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            arguments.push("--release");
            "release"
        }
    };
    for name in NAMES {
        arguments.extend(["-p", name]);
    }
    quietly_named(&mut command("cargo", arguments, &place.root), "cargo build")?;
    Ok(NAMES.iter().map(|name| place.program(folder, name)).collect())
}

/// `./x up`: builds, then becomes `ringwall up`. The demo has a shop, which lies beside it.
pub(crate) fn up(place: &Place, arguments: &[String]) -> Result<()> {
    let ringwall = ringwall(place)?;
    if arguments.iter().any(|argument| argument == "--demo") {
        let build = ["build", "--locked", "--release", "-p", "guarded-shop"];
        quietly_named(&mut command("cargo", build, &place.root), "cargo build")?;
    }
    let error = Command::new(&ringwall).arg("up").args(arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", ringwall.display()))
}

/// `./x path ringwall`: the path alone on stdout.
pub(crate) fn print_path(place: &Place, arguments: &[String]) -> Result<()> {
    let [name] = arguments else { bail!("`path` takes the name of one program: ringwall") };
    let found = programs(place, Profile::Release)?
        .into_iter()
        .find(|path| path.file_name().is_some_and(|file| file == name.as_str()));
    match found {
        Some(path) => answer(&path.display().to_string()),
        None => bail!("no program `{name}`; there are ringwall and ringwall-host-agent"),
    }
}

/// The release binary.
pub(crate) fn ringwall(place: &Place) -> Result<PathBuf> {
    first(programs(place, Profile::Release)?)
}

/// The binary that tests drive.
pub(crate) fn ringwall_for_tests(place: &Place) -> Result<PathBuf> {
    first(programs(place, Profile::Dev)?)
}

fn first(programs: Vec<PathBuf>) -> Result<PathBuf> {
    programs.into_iter().next().context("no program was built")
}

/// `dashboard/dist`, made anew when a source changed.
pub(crate) fn dashboard(place: &Place) -> Result<()> {
    set_up::npm(place)?;
    let dashboard = place.dashboard();
    let mut sources = String::new();
    fingerprint(&dashboard, &mut sources)?;
    let stamp = dashboard.join("node_modules/.ringwall-built");
    if !dashboard.join("dist/index.html").exists() && stamp.exists() {
        fs::remove_file(&stamp).with_context(|| format!("cannot remove {}", stamp.display()))?;
    }
    set_up::once_for(&stamp, &sources, || {
        say("x: building the dashboard");
        npm_run(place, "build")
    })
}

/// One of the dashboard's npm scripts.
pub(crate) fn npm_run(place: &Place, script: &str) -> Result<()> {
    let mut npm = command("npm", ["run", "--silent", script], &place.dashboard());
    quietly_named(&mut npm, &format!("npm run {script}"))
}

/// Path, size and time of every source file, one a line.
fn fingerprint(folder: &Path, text: &mut String) -> Result<()> {
    let error = || format!("cannot read {}", folder.display());
    let mut entries: Vec<_> =
        fs::read_dir(folder).with_context(error)?.collect::<Result<_, _>>().with_context(error)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let metadata = entry.metadata().with_context(error)?;
        if metadata.is_dir() {
            let made = ["node_modules", "dist", "test-results", "tests", "e2e"];
            if !made.iter().any(|name| entry.file_name() == *name) {
                fingerprint(&path, text)?;
            }
            continue;
        }
        let changed = metadata.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
        writeln!(text, "{} {} {changed}", path.display(), metadata.len())?;
    }
    Ok(())
}
