//! Takes back on the host what commands did to it, also where the server is out of reach.

use crate::arguments::QuarantineAction;
use crate::execution::QUARANTINE;
use ringwall_event::CommandId;
use ringwall_host_probes::firewall::{Firewall, Unblocked};
use ringwall_host_probes::quarantine::{Quarantine, QuarantineError, QuarantinedFile};
use ringwall_lifecycle::Failure;
use ringwall_lifecycle::visible::visible;
use std::io::{self, Write};
use std::path::Path;

/// Lists or restores the quarantined files of an agent with this state directory.
pub(crate) fn run(state_dir: &Path, action: &QuarantineAction) -> anyhow::Result<()> {
    let quarantine = Quarantine::at(&state_dir.join(QUARANTINE));
    match action {
        QuarantineAction::List { json } => {
            let files = quarantine.list().map_err(of_quarantine)?;
            list(&files, *json)?;
        }
        QuarantineAction::Restore { id } => {
            let id = CommandId::parse(id).map_err(|error| Failure::no(error.to_string()))?;
            let moved = quarantine.restore(&id).map_err(of_quarantine)?;
            writeln!(io::stdout().lock(), "restored {}", visible(moved.file.path.as_str()))?;
            for lacking in &moved.lacking {
                writeln!(io::stderr().lock(), "warning: {}", visible(lacking))?;
            }
        }
    }
    Ok(())
}

/// Ends all blocks of addresses.
pub(crate) fn unblock_all() -> anyhow::Result<()> {
    let ended = Firewall::of_this_host().unblock_all();
    let text = match ended.map_err(|error| Failure::new(error.to_string()))? {
        Unblocked::Ended => "no address is blocked any more",
        _ => "no address was blocked",
    };
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

fn list(files: &[QuarantinedFile], json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, files)?;
        writeln!(out)?;
    } else {
        for file in files {
            let QuarantinedFile { id, quarantined, bytes, sha256, path, .. } = file;
            writeln!(out, "{id}  {quarantined}  {bytes}  {sha256}  {}", visible(path.as_str()))?;
        }
    }
    Ok(out.flush()?)
}

fn of_quarantine(error: QuarantineError) -> Failure {
    match error {
        QuarantineError::NotThere(_) => Failure::no(error.to_string())
            .hint("`ringwall-host-agent quarantine list` lists what is there"),
        QuarantineError::Exists(_) => {
            Failure::no(error.to_string()).hint("move what is there out of the way")
        }
        error => Failure::new(error.to_string()),
    }
}
