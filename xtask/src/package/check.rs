//! Whether the packages are what they should be, without installing them on this machine.

use super::{Compression, PACKAGES, Package, all, output_of};
use crate::place::Place;
use crate::run::{say, succeeds};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages the programs that tests drive, twice, and looks at what came of it.
pub(crate) fn check(place: &Place, programs: &[PathBuf]) -> Result<()> {
    if !succeeds("dpkg-deb", &["--version"]) {
        say("x: skipped: no dpkg-deb here, so no packages");
        return Ok(());
    }
    let folder = place.cache.join("packages/check");
    let first = all(place, programs, &folder.join("first"), Compression::Quick)?;
    let second = all(place, programs, &folder.join("second"), Compression::Quick)?;
    for ((package, one), other) in PACKAGES.iter().zip(&first).zip(&second) {
        ensure!(fs::read(one)? == fs::read(other)?, "{} differs when made again", one.display());
        contents(package, one)?;
        scripts(place, package)?;
        let root = folder.join("root").join(package.name);
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        fs::create_dir_all(&root)?;
        output_of(Command::new("dpkg-deb").arg("-x").args([one, &root]), "dpkg-deb -x")?;
        let program = root.join("usr/bin").join(package.name);
        let said = output_of(Command::new(&program).arg("--version"), package.name)?;
        ensure!(said.contains(super::version()), "`--version` says {said}");
        unit(package, &root)?;
    }
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// Files, owners and modes; fields.
fn contents(package: &Package, file: &Path) -> Result<()> {
    let listed = output_of(Command::new("dpkg-deb").arg("-c").arg(file), "dpkg-deb -c")?;
    let name = package.name;
    for wanted in [
        format!("-rwxr-xr-x root/root ./usr/bin/{name}"),
        format!("-rw-r--r-- root/root ./usr/lib/systemd/system/{name}.service"),
        format!("-rw-r--r-- root/root ./{}", package.conffile),
        format!("-rw-r--r-- root/root ./usr/share/man/man8/{name}.8.gz"),
        format!("-rw-r--r-- root/root ./usr/share/doc/{name}/copyright"),
        format!("-rw-r--r-- root/root ./usr/share/doc/{name}/changelog.gz"),
    ] {
        let mut wanted = wanted.split(' ');
        let (mode, owner, path) = (wanted.next(), wanted.next(), wanted.next());
        let is_there = listed.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == mode && words.next() == owner && words.last() == path
        });
        ensure!(is_there, "{}: no {path:?} as wanted in\n{listed}", file.display());
    }
    let strange = |line: &&str| line.starts_with('-') && line.contains("./var/");
    ensure!(listed.lines().find(strange).is_none(), "state is no part of a package:\n{listed}");
    let fields = output_of(Command::new("dpkg-deb").arg("-I").arg(file), "dpkg-deb -I")?;
    for field in [format!("Package: {name}"), "Depends: libc6 (>= 2.".to_owned()] {
        ensure!(fields.contains(&field), "{}: no `{field}` in\n{fields}", file.display());
    }
    Ok(())
}

fn scripts(place: &Place, package: &Package) -> Result<()> {
    for script in ["postinst", "prerm", "postrm"] {
        let path = place.root.join("packaging/deb").join(package.name).join(script);
        output_of(Command::new("sh").arg("-n").arg(&path), &format!("sh -n {}", path.display()))?;
    }
    Ok(())
}

/// What systemd itself says of the unit: every word known, and how exposed it leaves the program.
fn unit(package: &Package, root: &Path) -> Result<()> {
    if !succeeds("systemd-analyze", &["--version"]) {
        say("x: skipped: no systemd-analyze here, so nobody reads the units");
        return Ok(());
    }
    let unit = root.join(format!("usr/lib/systemd/system/{}.service", package.name));
    // The program lies elsewhere than it will, and the manual is not installed.
    let text = fs::read_to_string(&unit)?;
    let here = text
        .replace("/usr/bin/", &format!("{}/usr/bin/", root.display()))
        .replace("Documentation=man:", "#Documentation=man:");
    fs::write(&unit, here)?;
    let verified = Command::new("systemd-analyze").arg("verify").arg(&unit).output()?;
    let words = String::from_utf8_lossy(&verified.stderr);
    // It reads the units of this machine as well, and says what is wrong with those.
    let ours: Vec<&str> = words.lines().filter(|line| line.contains(package.name)).collect();
    ensure!(ours.is_empty(), "systemd-analyze verify:\n{}", ours.join("\n"));
    let limit = EXPOSURE_MAX.iter().find(|(name, _)| *name == package.name);
    let Some((_, limit)) = limit else { bail!("no limit for {}", package.name) };
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--no-pager", "--threshold", limit]).arg(&unit);
    let output = security.output()?;
    let table = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "more exposed than {limit} tenths:\n{table}");
    if let Some(line) = table.lines().last() {
        say(&format!("x: {line}"));
    }
    Ok(())
}

/// How exposed systemd may find a unit, in tenths (0 to 100). The agent must see and touch all of its host.
const EXPOSURE_MAX: [(&str, &str); 2] = [("ringwall-host-agent", "40"), ("ringwall", "20")];
