//! Which commands were seen, over restarts, so that none is carried out twice.

use parking_lot::Mutex;
use ringwall_event::Timestamp;
use ringwall_lifecycle::private_file;
use ringwall_server_api::{CommandOutcome, CommandResult};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Remembers commands until they are void anyway. Clones share what they know.
#[derive(Clone, Debug)]
pub(crate) struct SingleUse {
    known: Arc<Mutex<Known>>,
    /// One writer at a time: what is on the disk is the latest.
    file: Arc<tokio::sync::Mutex<PathBuf>>,
}

/// What is known of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing: it is to be carried out.
    Never,
    /// It is being carried out.
    UnderWay,
    /// It was carried out, and this came of it, which the server may not have heard.
    Done(CommandResult),
    /// It was carried out, and the server took the result: whoever hands it out again is not the server,
    /// or is made to.
    Replayed,
    /// More commands are under way than any server orders.
    NoRoom,
}

#[derive(Debug, Default)]
struct Known {
    started: Timestamp,
    commands: HashMap<String, Command>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Command {
    id: String,
    expires: Timestamp,
    result: Option<CommandResult>,
    /// When the server took the result.
    told: Option<Timestamp>,
}

/// Commands are void after a day, and one server has at most 500 open for one agent.
const COMMANDS_MAX: usize = 4096;
/// A clock that is set back a little must not make a void command good again.
const KEPT_SECONDS: i64 = 3600;
/// While the result was on its way the server may have handed the command out again.
const IN_FLIGHT_SECONDS: i64 = 10;
const FILE: &str = "commands.json";
const FILE_BYTES_MAX: u64 = 64 << 20;

impl SingleUse {
    /// What an agent with this state directory knows. What was under way when it was stopped is done, with
    /// a result that nobody knows.
    pub(crate) async fn load(state_dir: &Path, now: Timestamp) -> Self {
        let file = state_dir.join(FILE);
        let path = file.clone();
        let read = tokio::task::spawn_blocking(move || read(&path)).await.unwrap_or_default();
        let commands = read.into_iter().map(|command| (command.id.clone(), command)).collect();
        let known = Known { started: now, commands };
        Self { known: Arc::new(Mutex::new(known)), file: Arc::new(tokio::sync::Mutex::new(file)) }
    }

    /// What is known of the command.
    pub(crate) fn recall(&self, id: &str, now: Timestamp) -> Seen {
        self.known.lock().recall(id, now)
    }

    /// What is known of the command; from now on it is known to be under way. [`SingleUse::keep`] before
    /// it is carried out.
    pub(crate) fn begin(&self, id: &str, expires: Timestamp, now: Timestamp) -> Seen {
        self.known.lock().begin(id, expires, now)
    }

    /// Notes what became of a command.
    pub(crate) fn finish(&self, id: &str, result: CommandResult) {
        if let Some(command) = self.known.lock().commands.get_mut(id) {
            command.result = Some(result);
        }
    }

    /// Notes that the server has the result.
    pub(crate) fn told(&self, id: &str, now: Timestamp) {
        if let Some(command) = self.known.lock().commands.get_mut(id) {
            command.told.get_or_insert(now);
        }
    }

    /// Writes down what is known. A full disk must not disarm the agent, so whoever fills it gains no
    /// more than that a command could be repeated after a restart and before it expires.
    pub(crate) async fn keep(&self) {
        let file = self.file.lock().await;
        let commands: Vec<Command> = self.known.lock().commands.values().cloned().collect();
        let path = file.clone();
        let written = tokio::task::spawn_blocking(move || {
            let text = serde_json::to_vec(&commands).map_err(std::io::Error::other)?;
            private_file::write(&path, &text)
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "seen commands cannot be written down"),
            Err(error) => tracing::error!(%error, "seen commands were not written down"),
        }
    }
}

impl Known {
    fn recall(&self, id: &str, now: Timestamp) -> Seen {
        let Some(command) = self.commands.get(id) else { return Seen::Never };
        let in_flight =
            |told: Timestamp| told >= self.started && now <= told.plus_seconds(IN_FLIGHT_SECONDS);
        match (&command.result, command.told) {
            (None, _) => Seen::UnderWay,
            (Some(_), Some(told)) if !in_flight(told) => Seen::Replayed,
            (Some(result), _) => Seen::Done(result.clone()),
        }
    }

    fn begin(&mut self, id: &str, expires: Timestamp, now: Timestamp) -> Seen {
        match self.recall(id, now) {
            Seen::Never => {}
            known => return known,
        }
        self.commands.retain(|_, command| now <= command.expires.plus_seconds(KEPT_SECONDS));
        if self.commands.len() >= COMMANDS_MAX {
            return Seen::NoRoom;
        }
        let command = Command { id: id.to_owned(), expires, result: None, told: None };
        self.commands.insert(id.to_owned(), command);
        Seen::Never
    }
}

fn read(path: &Path) -> Vec<Command> {
    let bytes = match private_file::read(path, FILE_BYTES_MAX) {
        Err(private_file::PrivateFileError::Io { error, .. })
            if error.kind() == std::io::ErrorKind::NotFound =>
        {
            return Vec::new();
        }
        Err(error) => {
            tracing::error!(%error, "which commands were seen is not known any more");
            return Vec::new();
        }
        Ok(bytes) => bytes,
    };
    let mut commands: Vec<Command> = serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        tracing::error!(%error, "which commands were seen is not known any more");
        Vec::new()
    });
    commands.truncate(COMMANDS_MAX);
    for command in &mut commands {
        command.result.get_or_insert_with(|| CommandResult {
            state: CommandOutcome::Failed,
            result: "the agent was restarted meanwhile: whether it was done is not known"
                .to_owned(),
        });
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn done() -> CommandResult {
        CommandResult { state: CommandOutcome::Succeeded, result: "done".to_owned() }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("ringwall-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[tokio::test]
    async fn a_command_is_used_once_also_after_a_restart() {
        let folder = folder("single-use");
        let memory = SingleUse::load(&folder, at(0)).await;
        assert_eq!(memory.begin("a", at(600), at(1)), Seen::Never);
        assert_eq!(memory.begin("a", at(600), at(1)), Seen::UnderWay);
        assert_eq!(memory.begin("b", at(600), at(1)), Seen::Never);
        assert_eq!(memory.begin("c", at(600), at(1)), Seen::Never);
        memory.finish("a", done());
        memory.finish("b", done());
        assert_eq!(memory.begin("a", at(600), at(2)), Seen::Done(done()));
        memory.told("a", at(2));
        // Handed out again while the result was on its way, and long after.
        assert_eq!(memory.begin("a", at(600), at(12)), Seen::Done(done()));
        assert_eq!(memory.begin("a", at(600), at(13)), Seen::Replayed);
        memory.keep().await;

        let memory = SingleUse::load(&folder, at(5)).await;
        assert_eq!(memory.begin("a", at(600), at(5)), Seen::Replayed);
        assert_eq!(memory.begin("b", at(600), at(5)), Seen::Done(done()));
        let Seen::Done(unknown) = memory.begin("c", at(600), at(5)) else { panic!("c") };
        assert_eq!(unknown.state, CommandOutcome::Failed);
        assert!(unknown.result.contains("restarted"), "{}", unknown.result);
        assert_eq!(memory.begin("d", at(600), at(5)), Seen::Never);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test]
    async fn what_is_void_is_forgotten_and_nothing_else() {
        let folder = folder("void");
        let memory = SingleUse::load(&folder, at(0)).await;
        for number in 0..COMMANDS_MAX {
            let seen = memory.begin(&format!("{number}"), at(600), at(1));
            assert_eq!(seen, Seen::Never);
        }
        assert_eq!(memory.begin("more", at(600), at(600)), Seen::NoRoom);
        assert_eq!(memory.begin("0", at(600), at(600)), Seen::UnderWay);
        assert_eq!(memory.begin("more", at(9000), at(601 + KEPT_SECONDS)), Seen::Never);
        std::fs::write(folder.join(FILE), "no JSON").unwrap();
        assert!(SingleUse::load(&folder, at(0)).await.known.lock().commands.is_empty());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
