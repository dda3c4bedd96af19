//! Carries out what a verified command orders.

use crate::kill::{self, Hands, Place};
use crate::verified_command::VerifiedCommand;
use ringwall_event::{Order, ProcessTarget};
use ringwall_host_probes::hands::{KillError, KillOrder};
use ringwall_server_api::{CommandOutcome, CommandResult};

/// The server takes no longer result, in characters.
const RESULT_CHARS_MAX: usize = 2000;

/// Carries out a command once there is a place for it, and tells how that went.
pub(crate) async fn carry_out(command: &VerifiedCommand, hands: &Hands) -> CommandResult {
    let (id, reason) = (command.id(), command.reason());
    // It may wait long for the place, and must not be carried out when it has expired by then.
    let place = hands.place().await;
    let done = match command.order(crate::now()) {
        Ok(order) => {
            tracing::info!(command = id, %order, reason, "a command is carried out");
            carry_out_order(order, place).await
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

async fn carry_out_order(order: &Order, place: Place) -> Result<String, String> {
    match order {
        Order::KillProcess(target) => kill(target, place).await,
        _ => Err(format!("this version does not carry out `{}`", order.action().name())),
    }
}

async fn kill(target: &ProcessTarget, place: Place) -> Result<String, String> {
    let order = KillOrder {
        pid: target.pid,
        start_time: target.start_time,
        name: Some(target.name.clone()),
    };
    match place.kill(order).await {
        Ok(killed) => Ok(kill::describe(&killed)),
        // What was wanted is so.
        Err(KillError::NotRunning(pid)) => Ok(format!("process {pid} is not running any more")),
        Err(error) => Err(error.to_string()),
    }
}

/// A process chooses its name, and names stand in results.
fn bounded(result: String) -> String {
    if result.len() <= RESULT_CHARS_MAX {
        return result;
    }
    result.chars().take(RESULT_CHARS_MAX).collect()
}
