//! `./x package`: Debian packages of the programs.
//!
//! The same sources, compiler and `SOURCE_DATE_EPOCH` (by default the time of the last commit) give the
//! same bytes.

mod check;
mod manual_page;

pub(crate) use check::check;

use crate::build::{self, Profile};
use crate::place::Place;
use crate::run::{answer, command, say, succeeds};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package: one program with its unit and its configuration.
struct Package {
    /// Its name, and that of its program and unit.
    name: &'static str,
    summary: &'static str,
    /// Lines of the long description.
    description: &'static [&'static str],
    /// Its configuration, below `packaging` as below the root.
    conffile: &'static str,
    recommends: &'static str,
}

const PACKAGES: [Package; 2] = [
    Package {
        name: "ringwall-host-agent",
        summary: "watches a host for a Ringwall server and carries out its commands",
        description: &[
            "Reports processes, connections and what containers run them as they start and",
            "end, and ends processes, blocks addresses or puts files into quarantine when its",
            "server orders that with its signature. It does nothing before it is enrolled.",
        ],
        conffile: "etc/default/ringwall-host-agent",
        recommends: "nftables",
    },
    Package {
        name: "ringwall",
        summary: "self-hosted security platform: server, dashboard and tools",
        description: &[
            "Takes in what host agents and other senders report, concludes alerts from it,",
            "orders commands to hosts, and keeps an account of what was done. One program:",
            "the server with its dashboard, a host agent, and the tool for people.",
        ],
        conffile: "etc/ringwall/ringwall.toml",
        recommends: "ca-certificates",
    },
];

/// How hard to press: a package for use, or one for a test.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compression {
    Small,
    Quick,
}

/// `./x package [--debug | --programs FOLDER | --check FOLDER]`: the paths of the packages on stdout.
pub(crate) fn run(place: &Place, arguments: &[String]) -> Result<()> {
    let in_folder = |folder: &String| -> Vec<PathBuf> {
        PACKAGES.iter().map(|package| Path::new(folder).join(package.name)).collect()
    };
    let (programs, compression) = match arguments {
        [] => (build::programs(place, Profile::Release)?, Compression::Small),
        [debug] if debug == "--debug" => {
            (build::programs(place, Profile::Dev)?, Compression::Quick)
        }
        [flag, folder] if flag == "--programs" => (in_folder(folder), Compression::Small),
        [flag, folder] if flag == "--check" => return check(place, &in_folder(folder)),
        _ => bail!(
            "`package` takes nothing, --debug, --programs FOLDER or --check FOLDER, not `{}`",
            arguments.join(" ")
        ),
    };
    let folder = place.cache.join("packages");
    for path in all(place, &programs, &folder, compression)? {
        answer(&path.display().to_string())?;
    }
    Ok(())
}

/// Makes all packages of these programs in the folder.
fn all(
    place: &Place,
    programs: &[PathBuf],
    folder: &Path,
    compression: Compression,
) -> Result<Vec<PathBuf>> {
    ensure!(
        succeeds("dpkg-deb", &["--version"]),
        "dpkg-deb is not there: packages are made on Debian and its kin"
    );
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let epoch = epoch(place)?;
    let mut made = Vec::new();
    for package in &PACKAGES {
        let program = programs
            .iter()
            .find(|path| path.file_name().is_some_and(|name| name == package.name))
            .with_context(|| format!("{} was not built", package.name))?;
        made.push(package.make(place, program, folder, compression, &epoch)?);
    }
    Ok(made)
}

impl Package {
    fn make(
        &self,
        place: &Place,
        program: &Path,
        folder: &Path,
        compression: Compression,
        epoch: &str,
    ) -> Result<PathBuf> {
        let sources = place.root.join("packaging");
        let root = folder.join(format!("{}.root", self.name));
        if root.exists() {
            fs::remove_dir_all(&root)
                .with_context(|| format!("cannot remove {}", root.display()))?;
        }
        let bin = format!("usr/bin/{}", self.name);
        copy(program, &root.join(&bin), 0o755)?;
        strip(&root.join(&bin))?;
        let unit = format!("{}.service", self.name);
        copy(
            &sources.join("systemd").join(&unit),
            &root.join("usr/lib/systemd/system").join(&unit),
            0o644,
        )?;
        copy(&sources.join(self.conffile), &root.join(self.conffile), 0o644)?;
        let documents = root.join("usr/share/doc").join(self.name);
        copy(&sources.join("deb/copyright"), &documents.join("copyright"), 0o644)?;
        write(&documents.join("changelog"), &self.changelog(epoch)?)?;
        gzip(&documents.join("changelog"))?;
        let manual = root.join(format!("usr/share/man/man8/{}.8", self.name));
        write(&manual, &manual_page::of(program, self.name, self.summary)?)?;
        gzip(&manual)?;

        let control = root.join("DEBIAN");
        write(&control.join("md5sums"), &checksums(&root)?)?;
        write(&control.join("control"), &self.control(&root, &bin)?)?;
        write(&control.join("conffiles"), &format!("/{}\n", self.conffile))?;
        for script in ["postinst", "prerm", "postrm"] {
            let source = sources.join("deb").join(self.name).join(script);
            copy(&source, &control.join(script), 0o755)?;
        }
        folders_readable(&root)?;

        let name = format!("{}_{}_{}.deb", self.name, version(), architecture()?);
        let path = folder.join(name);
        let pressed: &[&str] = match compression {
            Compression::Small => &["-Zxz"],
            Compression::Quick => &["-Zgzip", "-z1"],
        };
        let mut build = command("dpkg-deb", ["--root-owner-group"], folder);
        build.args(pressed).arg("--build").args([&root, &path]).env("SOURCE_DATE_EPOCH", epoch);
        output_of(&mut build, "dpkg-deb")?;
        fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
        Ok(path)
    }

    fn control(&self, root: &Path, bin: &str) -> Result<String> {
        let installed = size_of(root)?.div_ceil(1024);
        let libc = newest_glibc(&root.join(bin))?;
        let mut text = format!(
            "Package: {}\nVersion: {}\nArchitecture: {}\nMaintainer: {MAINTAINER}\n\
             Installed-Size: {installed}\nDepends: libc6 (>= {libc}), libgcc-s1\n\
             Recommends: {}\nSection: admin\nPriority: optional\n\
             Homepage: https://github.com/ringwall/ringwall\nDescription: {}\n",
            self.name,
            version(),
            architecture()?,
            self.recommends,
            self.summary
        );
        for line in self.description {
            text.push_str(&format!(" {line}\n"));
        }
        Ok(text)
    }

    fn changelog(&self, epoch: &str) -> Result<String> {
        let mut date = Command::new("date");
        date.args(["-u", "-R", "-d", &format!("@{epoch}")]).env("LC_ALL", "C");
        let date = output_of(&mut date, "date")?;
        let (name, version) = (self.name, version());
        Ok(format!(
            "{name} ({version}) stable; urgency=medium\n\n  * Version {version}.\n\n \
             -- {MAINTAINER}  {}\n",
            date.trim()
        ))
    }
}

const MAINTAINER: &str = "The Ringwall authors <packages@ringwall.invalid>";

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

fn architecture() -> Result<String> {
    let name = output_of(Command::new("dpkg").arg("--print-architecture"), "dpkg")?;
    Ok(name.trim().to_owned())
}

/// What stands for the time of the build, in seconds since 1970.
fn epoch(place: &Place) -> Result<String> {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        ensure!(given.parse::<u64>().is_ok(), "SOURCE_DATE_EPOCH `{given}` is not a number");
        return Ok(given);
    }
    let mut git = command("git", ["log", "-1", "--format=%ct"], &place.root);
    Ok(output_of(&mut git, "git")?.trim().to_owned())
}

/// The version of glibc that the program asks for at most: its symbols bear them.
fn newest_glibc(program: &Path) -> Result<String> {
    const MARK: &[u8] = b"GLIBC_2.";
    let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let minors = bytes.windows(MARK.len()).enumerate().filter(|(_, it)| *it == MARK);
    let newest = minors.filter_map(|(at, _)| {
        let digits = bytes.get(at + MARK.len()..)?.iter().take_while(|byte| byte.is_ascii_digit());
        let text: String = digits.map(|byte| char::from(*byte)).collect();
        text.parse::<u32>().ok()
    });
    let newest = newest.max().context("the program names no version of glibc")?;
    Ok(format!("2.{newest}"))
}

/// Lines of `md5sum` over all files, as dpkg wants them: sorted, without the leading `./`.
fn checksums(root: &Path) -> Result<String> {
    let script = "find . -type f ! -path './DEBIAN/*' -printf '%P\\0' | sort -z | xargs -0r md5sum";
    output_of(&mut command("sh", ["-c", script], root), "md5sum")
}

fn strip(program: &Path) -> Result<()> {
    output_of(Command::new("strip").arg("--strip-unneeded").arg(program), "strip").map(drop)
}

fn gzip(file: &Path) -> Result<()> {
    output_of(Command::new("gzip").args(["-9", "-n", "-f"]).arg(file), "gzip").map(drop)
}

fn copy(source: &Path, target: &Path, mode: u32) -> Result<()> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(source, target)
        .with_context(|| format!("cannot copy {} to {}", source.display(), target.display()))?;
    fs::set_permissions(target, fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn write(target: &Path, text: &str) -> Result<()> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(target, text).with_context(|| format!("cannot write {}", target.display()))?;
    fs::set_permissions(target, fs::Permissions::from_mode(0o644))?;
    Ok(())
}

/// Whatever the umask was.
fn folders_readable(folder: &Path) -> Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders_readable(&entry.path())?;
        }
    }
    Ok(())
}

fn size_of(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => size_of(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

/// What the command prints on stdout; its words on stderr when it does not end well.
fn output_of(command: &mut Command, name: &str) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        say(String::from_utf8_lossy(&output.stderr).trim_end());
        bail!("{name} ended with {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("what {name} says is not text"))
}
