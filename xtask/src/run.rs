//! Running other programs: their output goes to stderr, their failure becomes an error with a name.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// One line for people, on stderr.
pub(crate) fn say(line: &str) {
    // Nobody can be told when stderr itself is closed.
    writeln!(io::stderr(), "{line}").ok();
}

/// One line of what was asked for, on stdout.
pub(crate) fn answer(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("cannot write to stdout")
}

/// The command `program arguments…` in `folder`, without standard input.
pub(crate) fn command<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
    folder: &Path,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs to the end, with stdout sent to stderr so that our own stdout stays clean.
pub(crate) fn quietly_named(command: &mut Command, name: &str) -> Result<()> {
    let status = command
        .stdout(Stdio::from(io::stderr()))
        .status()
        .with_context(|| format!("cannot start {name}"))?;
    if status.success() { Ok(()) } else { bail!("{name} ended with {status}") }
}

/// Runs to the end, passes its output on, and returns the lines that `keep` chose of it.
///
/// Both streams are read through one pipe, as a test runner's closing line may be on either.
pub(crate) fn keeping_lines(
    command: &mut Command,
    name: &str,
    keep: fn(&str) -> bool,
) -> Result<Vec<String>> {
    let (reader, writer) = io::pipe().context("cannot make a pipe")?;
    let errors = writer.try_clone().context("cannot make a pipe")?;
    command.stdout(writer).stderr(errors);
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    // The command still holds the writing ends; without them the pipe ends with the child.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut kept = Vec::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.with_context(|| format!("cannot read the output of {name}"))?;
        let line = String::from_utf8_lossy(&line);
        say(&line);
        if keep(&line) {
            kept.push(line.trim_end().to_owned());
        }
    }
    let status = child.wait().with_context(|| format!("cannot wait for {name}"))?;
    if status.success() { Ok(kept) } else { bail!("{name} ended with {status}") }
}

/// Whether the command can be started and ends well; its output is dropped.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether a program of this name is in `PATH`.
pub(crate) fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
