//! What `check` prints, and how an end that is no success is told.

use crate::check::{Checks, Outcome};
use crate::identity::Identity;
use ringwall_lifecycle::visible::visible;
use ringwall_lifecycle::{Exit, Failure};
use std::io::{self, IsTerminal, Write};

/// Prints the checks: a table for people, JSON for programs.
pub(crate) fn checks(checks: &Checks, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, checks)?;
        return writeln!(out);
    }
    let colour = out.is_terminal() && wants_colour();
    for check in &checks.checks {
        let paint = match check.outcome {
            _ if !colour => "",
            Outcome::Passed => "\u{1b}[32m",
            Outcome::Failed => "\u{1b}[31m",
            Outcome::Skipped => "\u{1b}[33m",
        };
        let plain = if colour { "\u{1b}[0m" } else { "" };
        let outcome = check.outcome.name();
        let detail = visible(&check.detail);
        writeln!(out, "{:<13} {paint}{outcome:<8}{plain} {detail}", check.name)?;
    }
    out.flush()
}

/// Whether nobody said that there should be no colour: no-color.org, and terminals that have none.
pub(crate) fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|value| value != "dumb")
}

/// Prints as whom this host is known, without its key.
pub(crate) fn identity(done: &str, identity: &Identity, json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let key = identity.signing_key()?.public_key().id();
    let server_key = identity.server_public_key.id();
    if json {
        let told = serde_json::json!({
            "name": identity.name, "server": identity.server, "key_id": key,
            "server_fingerprint": server_key,
        });
        serde_json::to_writer_pretty(&mut out, &told)?;
        writeln!(out)?;
    } else {
        let (name, server) = (visible(&identity.name), visible(&identity.server));
        writeln!(out, "{done}: {name} at {server}")?;
        writeln!(out, "key         {key}")?;
        writeln!(out, "server key  {server_key}")?;
    }
    out.flush()?;
    Ok(())
}

/// Tells an error on stderr; what the program ends with.
pub fn tell(error: anyhow::Error) -> Exit {
    let broken_pipe = error.chain().any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    });
    if broken_pipe {
        return Exit::Yes;
    }
    let failure =
        error.downcast::<Failure>().unwrap_or_else(|error| Failure::new(format!("{error:#}")));
    let mut text = format!("error: {}\n", visible(&failure.message));
    if let Some(hint) = &failure.hint {
        text += &format!("hint: {}\n", visible(hint));
    }
    // If stderr is gone, the exit code still tells.
    drop(io::stderr().lock().write_all(text.as_bytes()));
    failure.exit
}
