//! Fetching what a subcommand needs: Debian packages, npm modules, a Python environment.
//!
//! Each function first looks whether there is anything to do, and then says what it does.

use crate::place::Place;
use crate::run::{command, is_in_path, quietly_named, say, succeeds};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A thing of the machine: how to see that it is there, and the Debian package that brings it.
struct Need {
    package: &'static str,
    is_there: fn() -> bool,
}

const CHROMIUM: Need =
    Need { package: "chromium", is_there: || Path::new("/usr/bin/chromium").exists() };
const FONTS: Need = Need {
    package: "fonts-liberation",
    is_there: || Path::new("/usr/share/fonts/truetype/liberation").exists(),
};
const PYTHON: Need = Need { package: "python3", is_there: || is_in_path("python3") };
const PYTHON_VENV: Need = Need {
    package: "python3-venv",
    is_there: || succeeds("python3", &["-c", "import ensurepip, venv"]),
};
const CURL: Need = Need { package: "curl", is_there: || is_in_path("curl") };
const PRLIMIT: Need = Need { package: "util-linux", is_there: || is_in_path("prlimit") };
/// Host agents block addresses with it; without it their tests of that are skipped.
const NFTABLES: Need =
    Need { package: "nftables", is_there: || Path::new("/usr/sbin/nft").exists() };
/// The spool of `delivery` in Redis is tested against it.
const REDIS: Need = Need { package: "redis-server", is_there: || is_in_path("redis-server") };
const CXX: Need = Need { package: "g++", is_there: || is_in_path("c++") };

/// What the unit tests start.
pub(crate) fn for_unit_tests() -> Result<()> {
    packages(&[REDIS])
}

/// What the end-to-end tests drive: clients in Python, the examples of the guides in curl, and
/// limits on files.
pub(crate) fn for_end_to_end(place: &Place) -> Result<()> {
    packages(&[PYTHON, PYTHON_VENV, CURL, PRLIMIT, NFTABLES, REDIS])?;
    python(place)?;
    guard_python(place)
}

/// What the browser tests drive.
pub(crate) fn for_browser() -> Result<()> {
    packages(&[CHROMIUM, FONTS])
}

/// libFuzzer is C++.
pub(crate) fn for_fuzzing(place: &Place) -> Result<()> {
    packages(&[CXX])?;
    if place.cache.join("tools/bin/cargo-fuzz").exists() || is_in_path("cargo-fuzz") {
        return Ok(());
    }
    say("x: installing cargo-fuzz into the cache folder");
    let mut install =
        command("cargo", ["install", "--locked", "--quiet", "cargo-fuzz"], &place.root);
    install.arg("--root").arg(place.cache.join("tools"));
    quietly_named(&mut install, "cargo install cargo-fuzz")
}

fn packages(needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> =
        needs.iter().filter(|need| !(need.is_there)()).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !is_in_path("apt-get") {
        bail!("missing on this machine: {names} (Debian's names); install them and start again");
    }
    let is_root = fs::metadata("/proc/self").is_ok_and(|metadata| {
        use std::os::unix::fs::MetadataExt;
        metadata.uid() == 0
    });
    if !is_root && !is_in_path("sudo") {
        bail!("missing on this machine: {names}; as root: apt-get install {names}");
    }
    say(&format!("x: installing Debian packages {names}"));
    let apt = |arguments: &[&str]| {
        let mut command = if is_root {
            Command::new("env")
        } else {
            let mut sudo = Command::new("sudo");
            sudo.arg("env");
            sudo
        };
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]).args(arguments);
        quietly_named(&mut command, &format!("apt-get {}", arguments.join(" ")))
    };
    // An unreachable mirror may still leave a usable package list; the install is what decides.
    if let Err(error) = apt(&["update"]) {
        say(&format!("x: {error:#}; going on with the package lists that are here"));
    }
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(&missing);
    apt(&install)
}

/// The dashboard's npm modules, exactly as locked.
pub(crate) fn npm(place: &Place) -> Result<()> {
    if !is_in_path("npm") {
        bail!("npm is not there; install Node.js 20 or later (nodejs.org), which brings it");
    }
    let dashboard = place.dashboard();
    let lock = dashboard.join("package-lock.json");
    let wanted =
        fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    once_for(&dashboard.join("node_modules/.ringwall-lock"), &wanted, || {
        say("x: fetching the dashboard's npm modules");
        let arguments = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
        quietly_named(&mut command("npm", arguments, &dashboard), "npm ci")
    })
}

/// Our own Python environment with the modules that the test clients use.
fn python(place: &Place) -> Result<()> {
    let environment = place.cache.join("python");
    let requirements = place.root.join("end-to-end/python/requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    once_for(&environment.join("requirements.stamp"), &wanted, || {
        say("x: making a Python environment for the test clients");
        let mut create = command("python3", ["-m", "venv", "--clear"], &place.root);
        quietly_named(create.arg(&environment), "python3 -m venv")?;
        let arguments = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r"];
        let mut install = command(place.python(), arguments, &place.root);
        quietly_named(install.arg(&requirements), "pip install")
    })
}

/// A Python environment with the original guard middleware and its newest agent; older agents, which have
/// the same module name, lie beside it.
pub(crate) fn guard_python(place: &Place) -> Result<()> {
    packages(&[PYTHON, PYTHON_VENV])?;
    let environment = place.cache.join("python-guard");
    let folder = place.root.join("end-to-end/python/guard");
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (newest, older) = (read("requirements.txt")?, read("older_agents.txt")?);
    let wanted = format!("{newest}{older}");
    once_for(&environment.join("requirements.stamp"), &wanted, || {
        say("x: making a Python environment with the original guard programs");
        let mut create = command("python3", ["-m", "venv", "--clear"], &place.root);
        quietly_named(create.arg(&environment), "python3 -m venv")?;
        let arguments = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
        let mut install = command(place.guard_python(), arguments, &place.root);
        install.arg("-r").arg(folder.join("requirements.txt"));
        quietly_named(&mut install, "pip install")?;
        let older = older.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        for agent in older.filter(|line| !line.is_empty()) {
            let mut install = command(place.guard_python(), arguments, &place.root);
            install.args(["--no-deps", "--target"]).arg(environment.join("agents").join(agent));
            quietly_named(install.arg(agent), &format!("pip install {agent}"))?;
        }
        Ok(())
    })
}

/// Does `work` unless the stamp says that it was done for just this content.
pub(crate) fn once_for(
    stamp: &Path,
    content: &str,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if fs::read_to_string(stamp).is_ok_and(|done| done == content) {
        return Ok(());
    }
    work()?;
    fs::write(stamp, content).with_context(|| format!("cannot write {}", stamp.display()))
}
