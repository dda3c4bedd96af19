//! Fetches commands, believes or refuses them, and has them carried out.

use crate::dialect::ringwall::{RETRY, is_final, wait_after};
use crate::execution::Executor;
use crate::refusals::Refusals;
use crate::single_use::{Seen, SingleUse};
use crate::verified_command::{Verifier, claimed_id};
use ringwall_resilience::Backoff;
use ringwall_server_api::{CommandOutcome, CommandResult, RefusedBecause, SignedCommand};
use ringwall_server_client::{AgentClient, Presence};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long the server may hold a request for commands.
const COMMAND_WAIT: Duration = Duration::from_secs(25);
/// Commands of one answer that are looked at; the server hands the others out again.
const COMMANDS_AT_ONCE: usize = 256;
/// A result that the server would not take in this time is of no use to it any more.
const RESULT_PATIENCE: Duration = Duration::from_secs(600);

/// Fetches commands and carries them out.
pub(crate) struct Commands {
    client: AgentClient,
    presence: Presence,
    verifier: Verifier,
    executor: Executor,
    memory: SingleUse,
    refusals: Refusals,
}

impl Commands {
    /// Commands of an agent with this state directory, where it remembers what it saw.
    pub(crate) async fn new(
        client: AgentClient,
        presence: Presence,
        verifier: Verifier,
        executor: Executor,
        state_dir: &Path,
    ) -> Self {
        let memory = SingleUse::load(state_dir, crate::now()).await;
        Self { client, presence, verifier, executor, memory, refusals: Refusals::default() }
    }

    /// Runs until asked to stop, and then until what is under way is done.
    pub(crate) async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut backoff = Backoff::new(RETRY);
        let telling = self.refusals.clone().run(self.client.clone(), shutdown.clone());
        let telling = tokio::spawn(telling);
        let mut under_way = JoinSet::new();
        loop {
            let asked = Instant::now();
            let answer = tokio::select! {
                answer = self.client.commands(COMMAND_WAIT, Some(&self.presence)) => answer,
                _ = shutdown.wait_for(|asked| *asked) => break,
            };
            while under_way.try_join_next().is_some() {}
            let wait = match answer {
                Ok(answer) => {
                    backoff.succeeded();
                    let mut began_any = false;
                    for command in answer.commands.iter().take(COMMANDS_AT_ONCE) {
                        began_any |= self.take(command, &mut under_way);
                    }
                    // Who answers at once with nothing new must not be asked without end.
                    let hasty = !began_any && asked.elapsed() < Duration::from_secs(1);
                    if hasty { Duration::from_secs(1) } else { Duration::ZERO }
                }
                Err(error) => {
                    if backoff.failures() == 0 {
                        tracing::debug!(%error, "commands cannot be fetched");
                    }
                    wait_after(&error, &mut backoff)
                }
            };
            tokio::select! {
                () = sleep(wait) => {}
                _ = shutdown.wait_for(|asked| *asked) => break,
            }
        }
        while under_way.join_next().await.is_some() {}
        if let Err(error) = telling.await {
            tracing::error!(%error, "refused commands were not told");
        }
    }

    /// Begins what a command orders; whether it was a new one.
    fn take(&self, command: &SignedCommand, under_way: &mut JoinSet<()>) -> bool {
        let signed = command;
        let command = match self.verifier.verify(signed) {
            Ok(command) => command,
            Err(error) => {
                tracing::error!(%error, "a command is not believed");
                self.refusals.note(error.because(), claimed_id(signed), &error.to_string());
                return false;
            }
        };
        let id = command.id().to_owned();
        let now = crate::now();
        // The memory is asked first: a command that was carried out and comes again when it has expired is
        // a replay, and what became of it is not overwritten by a refusal.
        let refused = match self.memory.recall(&id, now) {
            Seen::Never => command.order(now).err(),
            _ => None,
        };
        if let Some(refused) = refused {
            tracing::error!(command = id, %refused, "a command is refused");
            self.refusals.note(refused.because(), Some(id.clone()), &refused.to_string());
            self.report(under_way, id, failed(refused.to_string()));
            return false;
        }
        match self.memory.begin(&id, command.expires(), now) {
            Seen::UnderWay => false,
            Seen::Done(result) => {
                // The server did not hear of the result.
                self.report(under_way, id, result);
                false
            }
            Seen::Replayed => {
                tracing::error!(command = id, "a command that was carried out came again");
                let detail = "it was carried out, and its result was taken";
                self.refusals.note(RefusedBecause::Replayed, Some(id), detail);
                false
            }
            Seen::NoRoom => {
                self.report(under_way, id, failed("too many commands are under way".to_owned()));
                false
            }
            Seen::Never => {
                let (executor, memory) = (self.executor.clone(), self.memory.clone());
                let client = self.client.clone();
                under_way.spawn(async move {
                    // First on the disk, then done: a kill in between does nothing twice.
                    memory.keep().await;
                    let result = executor.carry_out(&command).await;
                    memory.finish(&id, result.clone());
                    memory.keep().await;
                    report_result(&client, &memory, &id, &result).await;
                });
                true
            }
        }
    }

    /// Tells a result that is known already. Whoever repeats a command without end must not fill the
    /// memory with answers to it.
    fn report(&self, under_way: &mut JoinSet<()>, id: String, result: CommandResult) {
        if under_way.len() < COMMANDS_AT_ONCE {
            let (client, memory) = (self.client.clone(), self.memory.clone());
            under_way.spawn(async move { report_result(&client, &memory, &id, &result).await });
        }
    }
}

const fn failed(result: String) -> CommandResult {
    CommandResult { state: CommandOutcome::Failed, result }
}

async fn report_result(client: &AgentClient, memory: &SingleUse, id: &str, result: &CommandResult) {
    let mut backoff = Backoff::new(RETRY);
    let start = Instant::now();
    loop {
        let Err(error) = client.command_result(id, result).await else {
            memory.told(id, crate::now());
            memory.keep().await;
            return;
        };
        let is_final = is_final(&error) || error.is_status(404);
        if is_final || start.elapsed() > RESULT_PATIENCE {
            tracing::warn!(command = id, %error, "the result of a command was not taken");
            return;
        }
        sleep(wait_after(&error, &mut backoff)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kill::Hands;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use ringwall_event::{Order, ProcessTarget};
    use ringwall_host_probes::hands::{Patience, Protected};
    use ringwall_server_api::{CommandOutcome, CommandPayload};
    use ringwall_signing::{SigningKey, canonical_json};

    /// A kill of a process that there is not, good for so long.
    fn payload(valid_micros: i64) -> CommandPayload {
        let now = crate::now();
        CommandPayload {
            id: "cmd_1".to_owned(),
            host: "web-1".to_owned(),
            order: Order::KillProcess(ProcessTarget {
                pid: i64::MAX,
                start_time: Some(now),
                name: "x".into(),
            }),
            reason: "a test".to_owned(),
            issued: now,
            expires: now.plus_micros(valid_micros),
        }
    }

    fn key() -> SigningKey {
        SigningKey::from_seed(&[3; 32])
    }

    fn signed(payload: &CommandPayload) -> SignedCommand {
        let text = canonical_json(&serde_json::to_value(payload).unwrap());
        let signature = key().sign_command(text.as_bytes());
        SignedCommand { payload: STANDARD.encode(text), signature }
    }

    /// Of a server that is not there.
    fn client() -> AgentClient {
        AgentClient::new("http://127.0.0.1:9", "web-1", SigningKey::from_seed(&[1; 32])).unwrap()
    }

    #[tokio::test]
    async fn a_command_that_was_carried_out_and_has_expired_is_a_replay_and_its_result_stays() {
        let folder = std::env::temp_dir().join(format!("ringwall-replay-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let payload = payload(-1_000_000);
        let expires = payload.expires;
        // Carried out while it was good, and its result taken, long ago.
        let done = CommandResult { state: CommandOutcome::Succeeded, result: "done".to_owned() };
        let memory = SingleUse::load(&folder, expires).await;
        assert_eq!(memory.begin("cmd_1", expires, expires.plus_seconds(-60)), Seen::Never);
        memory.finish("cmd_1", done.clone());
        memory.told("cmd_1", expires.plus_seconds(-59));
        memory.keep().await;

        let hands = Hands::new(Protected::default(), Patience::default());
        let executor = Executor::new(hands, Path::new("/nonexistent"), 0, client());
        let verifier = Verifier::new("web-1", key().public_key());
        let presence = Presence { run: "a-run".to_owned(), machine: None };
        let commands = Commands::new(client(), presence, verifier, executor, &folder).await;
        let mut under_way = JoinSet::new();
        assert!(!commands.take(&signed(&payload), &mut under_way));
        assert!(under_way.is_empty(), "the server is not told that it failed");
        let told = commands.refusals.take().unwrap().refusals;
        let told: Vec<_> = told.iter().map(|told| (told.reason, told.count)).collect();
        assert_eq!(told, [(RefusedBecause::Replayed, 1)]);
        assert_eq!(commands.memory.recall("cmd_1", crate::now()), Seen::Replayed);

        // One that was never carried out is late, and is not remembered: it fills nothing.
        let late = CommandPayload { id: "cmd_2".to_owned(), ..payload };
        assert!(!commands.take(&signed(&late), &mut under_way));
        let told = commands.refusals.take().unwrap().refusals;
        assert_eq!(told[0].reason, RefusedBecause::Expired);
        assert_eq!(under_way.len(), 1, "the server is told that it failed");
        assert_eq!(commands.memory.recall("cmd_2", crate::now()), Seen::Never);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test]
    async fn a_command_that_expires_while_it_waits_is_not_carried_out() {
        let command = signed(&payload(100_000));
        let command = Verifier::new("web-1", key().public_key()).verify(&command).unwrap();

        let hands = Hands::new(Protected::default(), Patience::default());
        let executor = Executor::new(hands.clone(), Path::new("/nonexistent"), 0, client());
        let mut places = Vec::new();
        for _ in 0..crate::kill::AT_ONCE {
            places.push(hands.place().await);
        }
        let waiting = tokio::spawn(async move { executor.carry_out(&command).await });
        sleep(Duration::from_millis(200)).await;
        assert!(!waiting.is_finished());
        drop(places);
        let result = waiting.await.unwrap();
        assert_eq!(result.state, CommandOutcome::Failed);
        assert!(result.result.contains("expired"), "{}", result.result);
    }
}
