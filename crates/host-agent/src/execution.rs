//! Carries out what a verified command orders.

mod addresses;
mod collection;
mod files;
mod processes;

use crate::kill::{Hands, Place};
use crate::verified_command::VerifiedCommand;
use files::FileHands;
pub(crate) use files::QUARANTINE;
use ringwall_event::{CommandId, Order};
use ringwall_host_probes::firewall::Firewall;
use ringwall_server_api::{CommandOutcome, CommandResult};
use ringwall_server_client::AgentClient;
use std::path::Path;
use std::sync::Arc;

/// The server takes no longer result, in characters.
const RESULT_CHARS_MAX: usize = 2000;

/// Why an order was not carried out, or not all of it: one line for people.
type Failure = String;

/// Everything that acts on this host.
#[derive(Clone)]
pub(crate) struct Executor {
    hands: Hands,
    files: Arc<FileHands>,
    firewall: Arc<Firewall>,
    client: AgentClient,
}

impl Executor {
    /// An executor that keeps what it must keep in the state directory, and collects files of at most
    /// so many bytes.
    pub(crate) fn new(
        hands: Hands,
        state_dir: &Path,
        collect_bytes_max: u64,
        client: AgentClient,
    ) -> Self {
        Self {
            hands,
            files: Arc::new(FileHands::new(state_dir, collect_bytes_max)),
            firewall: Arc::new(Firewall::of_this_host()),
            client,
        }
    }

    /// Carries out a command once there is a place for it, and tells how that went.
    pub(crate) async fn carry_out(&self, command: &VerifiedCommand) -> CommandResult {
        let (id, reason) = (command.id(), command.reason());
        // It may wait long for the place, and must not be carried out when it has expired by then.
        let place = self.hands.place().await;
        let done = match command.order(crate::now()) {
            Ok(order) => {
                tracing::info!(command = id, %order, reason, "a command is carried out");
                self.carry_out_order(command, order, place).await
            }
            Err(refused) => Err(refused.to_string()),
        };
        match done {
            Ok(result) => {
                tracing::info!(command = id, result, "command carried out");
                CommandResult { state: CommandOutcome::Succeeded, result: bounded(result) }
            }
            Err(result) => {
                tracing::warn!(command = id, result, "command not carried out");
                CommandResult { state: CommandOutcome::Failed, result: bounded(result) }
            }
        }
    }

    async fn carry_out_order(
        &self,
        command: &VerifiedCommand,
        order: &Order,
        place: Place,
    ) -> Result<String, Failure> {
        match order {
            Order::KillProcess(target) => processes::kill(target, place).await,
            Order::KillTree(target) => processes::kill_tree(target, place).await,
            Order::StopProcess(target) => processes::stop(target, place).await,
            Order::ContinueProcess(target) => processes::go_on(target, place).await,
            Order::CollectFile(target) => {
                let until = command.expires();
                collection::collect(&self.client, &self.files, command.id(), target, until, place)
                    .await
            }
            Order::BlockAddress(target) => {
                addresses::block(&self.firewall, self.client.url(), target, place).await
            }
            Order::UnblockAddress(target) => {
                addresses::unblock(&self.firewall, target, place).await
            }
            Order::QuarantineFile(target) => {
                let id = CommandId::parse(command.id()).map_err(|error| error.to_string())?;
                files::quarantine(&self.files, id, target, place).await
            }
            Order::RestoreFile(target) => files::restore(&self.files, target, place).await,
        }
    }
}

/// The thread that should have done it ended in the middle of it.
fn unfinished() -> Failure {
    "broke off: whether it was done is not known".to_owned()
}

/// A process chooses its name, and names stand in results.
fn bounded(result: String) -> String {
    if result.len() <= RESULT_CHARS_MAX {
        return result;
    }
    result.chars().take(RESULT_CHARS_MAX).collect()
}
