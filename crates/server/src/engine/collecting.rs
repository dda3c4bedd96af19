//! What becomes of files that are collected.

use super::Writing;
use ringwall_event::{CollectedFile, Command, CommandAction, CommandState, Source};
use ringwall_store::{AuditRecord, StateStore, StoreError};

impl Writing<'_> {
    /// The command by which this source may bring a file now: its own, handed out, and not ended.
    pub(crate) fn collecting(
        &self,
        source: &Source,
        id: &str,
    ) -> Result<Option<Command>, StoreError> {
        let command = self.session.command(id)?;
        Ok(command.filter(|command| may_bring(command, source, self.now)))
    }

    /// Notes that a file is there, with one audit entry; false where the command has ended meanwhile.
    pub(crate) fn file_arrived(
        &mut self,
        source: &Source,
        id: &str,
        bytes: u64,
        sha256: &str,
    ) -> Result<bool, StoreError> {
        let known = self.session.command(id)?.filter(|command| command.source == *source);
        if known.is_some_and(|command| command.file.is_some()) {
            // Brought twice; it stays, also where the command has ended by now.
            return Ok(true);
        }
        let Some(mut command) = self.collecting(source, id)? else { return Ok(false) };
        command.file =
            Some(CollectedFile { bytes, sha256: sha256.into(), received: self.now, removed: None });
        self.keep(&command)?;
        self.session.append_audit(&AuditRecord {
            time: self.now,
            actor: source.to_string(),
            action: "bring_file".to_owned(),
            subject: format!("{id} {}", command.order.done_to()),
            outcome: CommandState::Succeeded.name().to_owned(),
            reason: format!("{bytes} bytes, sha256 {sha256}"),
        })?;
        Ok(true)
    }

    /// Notes that a file is not kept any more.
    pub(crate) fn forget_file(&mut self, id: &str) -> Result<(), StoreError> {
        let Some(mut command) = self.session.command(id)? else { return Ok(()) };
        let Some(file) = &mut command.file else { return Ok(()) };
        if file.removed.is_none() {
            file.removed = Some(self.now);
            self.keep(&command)?;
        }
        Ok(())
    }
}

/// What is believed of a result: a file that was collected is here.
pub(crate) fn judged_result(
    command: &Command,
    state: CommandState,
    result: String,
) -> (CommandState, String) {
    let lacks_file = command.order.action() == CommandAction::CollectFile && command.file.is_none();
    match state {
        CommandState::Succeeded if lacks_file => {
            (CommandState::Failed, format!("no file came; the agent says: {result}"))
        }
        _ => (state, result),
    }
}

fn may_bring(command: &Command, source: &Source, now: ringwall_event::Timestamp) -> bool {
    command.source == *source
        && command.order.action() == CommandAction::CollectFile
        && command.state == CommandState::Delivered
        && now <= command.expires
}
