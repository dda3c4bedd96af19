use crate::{AbsolutePath, Network, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What is ordered, together with what it is done to: an action and a target that do not belong
/// together cannot be written down.
///
/// The JSON face is two fields, `{"action": "kill_process", "target": {"pid": 42, …}}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "action", content = "target", rename_all = "snake_case")]
pub enum Order {
    /// End a process: SIGTERM, then SIGKILL after a grace.
    KillProcess(ProcessTarget),
    /// End a process and all that descend from it, frozen first so that none gets away.
    KillTree(ProcessTarget),
    /// Halt a process; it keeps its memory and its place.
    StopProcess(ProcessTarget),
    /// Let a halted process go on.
    ContinueProcess(ProcessTarget),
    /// Bring a copy of a file to the server.
    CollectFile(FileTarget),
    /// Let no traffic with an address pass, for a time.
    BlockAddress(BlockTarget),
    /// Let traffic with an address pass again.
    UnblockAddress(UnblockTarget),
    /// Put a file where nobody runs or reads it, so that it can be put back.
    QuarantineFile(FileTarget),
    /// Put a quarantined file back.
    RestoreFile(QuarantineTarget),
}

/// What can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandAction {
    /// End a process.
    KillProcess,
    /// End a process and all that descend from it.
    KillTree,
    /// Halt a process.
    StopProcess,
    /// Let a halted process go on.
    ContinueProcess,
    /// Bring a copy of a file to the server.
    CollectFile,
    /// Let no traffic with an address pass.
    BlockAddress,
    /// Let traffic with an address pass again.
    UnblockAddress,
    /// Put a file away.
    QuarantineFile,
    /// Put a quarantined file back.
    RestoreFile,
}

/// The one process that an order is about.
///
/// All that is given must agree before anything is done: a reused pid is never hit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessTarget {
    /// The process id, 2 or greater.
    pub pid: i64,
    /// When the process started; none only where the client cannot say (Watcher).
    pub start_time: Option<Timestamp>,
    /// The short name of the program.
    pub name: Box<str>,
}

/// The one file that an order is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTarget {
    /// Where it is.
    pub path: AbsolutePath,
}

/// The quarantined file that an order is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantineTarget {
    /// The id of the command that quarantined it.
    pub quarantine_id: CommandId,
}

/// The addresses that are to be blocked, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockTarget {
    /// Whom nobody on the host shall talk to.
    pub address: Network,
    /// After so many seconds the block ends by itself.
    pub seconds: u64,
}

/// The addresses that are not to be blocked any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnblockTarget {
    /// As they were blocked.
    pub address: Network,
}

/// The id of a command, in a form that can name a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(Box<str>);

/// Why a text is not the id of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {} of the characters `A-Z a-z 0-9 - _`", CommandId::BYTES_MAX)]
pub struct CommandIdError;

impl Order {
    /// What is to be done.
    pub const fn action(&self) -> CommandAction {
        match self {
            Self::KillProcess(_) => CommandAction::KillProcess,
            Self::KillTree(_) => CommandAction::KillTree,
            Self::StopProcess(_) => CommandAction::StopProcess,
            Self::ContinueProcess(_) => CommandAction::ContinueProcess,
            Self::CollectFile(_) => CommandAction::CollectFile,
            Self::BlockAddress(_) => CommandAction::BlockAddress,
            Self::UnblockAddress(_) => CommandAction::UnblockAddress,
            Self::QuarantineFile(_) => CommandAction::QuarantineFile,
            Self::RestoreFile(_) => CommandAction::RestoreFile,
        }
    }

    /// The process that it is about, where it is about one.
    pub const fn process(&self) -> Option<&ProcessTarget> {
        match self {
            Self::KillProcess(target)
            | Self::KillTree(target)
            | Self::StopProcess(target)
            | Self::ContinueProcess(target) => Some(target),
            _ => None,
        }
    }

    /// The file that it is about, where it is about one by its path.
    pub const fn path(&self) -> Option<&AbsolutePath> {
        match self {
            Self::CollectFile(target) | Self::QuarantineFile(target) => Some(&target.path),
            _ => None,
        }
    }

    /// What it is done to, as audit entries name it: `pid 42 evil.sh`, `/tmp/evil.sh`, `192.0.2.7`.
    pub fn done_to(&self) -> String {
        match self {
            Self::KillProcess(target)
            | Self::KillTree(target)
            | Self::StopProcess(target)
            | Self::ContinueProcess(target) => format!("pid {} {}", target.pid, target.name),
            Self::CollectFile(target) | Self::QuarantineFile(target) => target.path.to_string(),
            Self::RestoreFile(target) => target.quarantine_id.to_string(),
            Self::BlockAddress(target) => format!("{} for {} s", target.address, target.seconds),
            Self::UnblockAddress(target) => target.address.to_string(),
        }
    }
}

/// What it does, for people: `kill evil.sh (pid 42)`, `collect /tmp/evil.sh`.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillProcess(target) => write!(f, "kill {target}"),
            Self::KillTree(target) => write!(f, "kill the tree of {target}"),
            Self::StopProcess(target) => write!(f, "stop {target}"),
            Self::ContinueProcess(target) => write!(f, "continue {target}"),
            Self::CollectFile(target) => write!(f, "collect {}", target.path),
            Self::BlockAddress(target) => {
                write!(f, "block {} for {} s", target.address, target.seconds)
            }
            Self::UnblockAddress(target) => write!(f, "unblock {}", target.address),
            Self::QuarantineFile(target) => write!(f, "quarantine {}", target.path),
            Self::RestoreFile(target) => write!(f, "restore {}", target.quarantine_id),
        }
    }
}

impl fmt::Display for ProcessTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

impl CommandAction {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::KillProcess,
        Self::KillTree,
        Self::StopProcess,
        Self::ContinueProcess,
        Self::CollectFile,
        Self::BlockAddress,
        Self::UnblockAddress,
        Self::QuarantineFile,
        Self::RestoreFile,
    ];

    /// The lower-case name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillProcess => "kill_process",
            Self::KillTree => "kill_tree",
            Self::StopProcess => "stop_process",
            Self::ContinueProcess => "continue_process",
            Self::CollectFile => "collect_file",
            Self::BlockAddress => "block_address",
            Self::UnblockAddress => "unblock_address",
            Self::QuarantineFile => "quarantine_file",
            Self::RestoreFile => "restore_file",
        }
    }
}

impl CommandId {
    /// No id is longer.
    pub const BYTES_MAX: usize = 64;

    /// Reads an id.
    ///
    /// # Errors
    /// Where it has other characters than an id has, too many or none.
    pub fn parse(text: &str) -> Result<Self, CommandIdError> {
        let is_id = (1..=Self::BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if is_id { Ok(Self(text.into())) } else { Err(CommandIdError) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for CommandId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CommandId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn process() -> ProcessTarget {
        ProcessTarget { pid: 42, start_time: None, name: "evil.sh".into() }
    }

    #[test]
    fn orders_are_two_fields() {
        let seven: Network = "192.0.2.7".parse().unwrap();
        let file = || FileTarget { path: AbsolutePath::parse("/tmp/x").unwrap() };
        let id = CommandId::parse("cmd_1").unwrap();
        let pid = json!({"pid": 42, "start_time": null, "name": "evil.sh"});
        let all = [
            (Order::KillProcess(process()), pid.clone()),
            (Order::KillTree(process()), pid.clone()),
            (Order::StopProcess(process()), pid.clone()),
            (Order::ContinueProcess(process()), pid),
            (Order::CollectFile(file()), json!({"path": "/tmp/x"})),
            (
                Order::BlockAddress(BlockTarget { address: seven, seconds: 60 }),
                json!({"address": "192.0.2.7", "seconds": 60}),
            ),
            (
                Order::UnblockAddress(UnblockTarget { address: seven }),
                json!({"address": "192.0.2.7"}),
            ),
            (Order::QuarantineFile(file()), json!({"path": "/tmp/x"})),
            (
                Order::RestoreFile(QuarantineTarget { quarantine_id: id }),
                json!({"quarantine_id": "cmd_1"}),
            ),
        ];
        assert_eq!(all.each_ref().map(|(order, _)| order.action()), CommandAction::ALL);
        for (order, target) in all {
            let action = order.action();
            let expected = json!({"action": action.name(), "target": target});
            assert_eq!(serde_json::to_value(&order).unwrap(), expected);
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
            assert_eq!(serde_json::from_value::<Order>(expected).unwrap(), order);
        }
    }

    #[test]
    fn what_does_not_belong_together_is_no_order() {
        let check = |value: Value| {
            assert!(serde_json::from_value::<Order>(value.clone()).is_err(), "{value}");
        };
        check(json!({"action": "kill_process", "target": {"path": "/tmp/x"}}));
        check(json!({"action": "collect_file", "target": {"path": "tmp/x"}}));
        check(json!({"action": "collect_file", "target": {"pid": 4, "name": "x"}}));
        check(json!({"action": "block_address", "target": {"address": "192.0.2.7"}}));
        check(json!({"action": "block_address", "target": {"address": "x", "seconds": 1}}));
        check(json!({"action": "restore_file", "target": {"quarantine_id": "../x"}}));
        check(json!({"action": "format_disk", "target": {}}));
        check(json!({"action": "kill_process"}));
        // A condition that this version does not know must not be left out.
        let newer = json!({"pid": 4, "name": "x", "start_time": null, "only_if": "idle"});
        check(json!({"action": "kill_process", "target": newer}));
    }
}
