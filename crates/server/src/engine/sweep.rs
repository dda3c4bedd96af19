use super::Writing;
use ringwall_event::CommandState;
use ringwall_store::{StateStore, StoreError};

impl Writing<'_> {
    /// Ends the commands whose time ran out; returns how many.
    pub(crate) fn expire_commands(&mut self) -> Result<usize, StoreError> {
        let overdue = self.session.overdue_commands(self.now)?;
        for command in &overdue {
            let result = match command.deliveries {
                0 => "the client never asked for it",
                _ => "the client never reported a result",
            };
            self.finish_command(None, &command.id, CommandState::Expired, result, "server")?;
        }
        Ok(overdue.len())
    }
}
