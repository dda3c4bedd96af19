use crate::Permission;
use ringwall_event::{EventId, Source, Target};

/// Everything that changes something, with what it is done to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// End a process on a host.
    KillProcess {
        /// The client that shall carry it out.
        source: Source,
        /// The one process that is meant.
        target: Target,
    },
    /// Take a command back before it is carried out.
    WithdrawCommand {
        /// The command's id.
        command: String,
    },
    /// Say that somebody deals with an alert.
    AcknowledgeAlert {
        /// The alert's id.
        alert: EventId,
    },
    /// Say that an alert is dealt with.
    ResolveAlert {
        /// The alert's id.
        alert: EventId,
    },
    /// Put something on the list of known bad things.
    AddIndicator {
        /// `process`, `path`, `hash`, `address` or `domain`.
        kind: String,
        /// What is listed.
        value: String,
    },
    /// Put many things on the list at once.
    ImportIndicators {
        /// How many.
        count: usize,
    },
    /// Take something off the list.
    RemoveIndicator {
        /// The indicator's id.
        indicator: String,
    },
    /// Give an agent a key.
    CreateKey {
        /// `sysscore` or `host-agent`.
        kind: String,
        /// The agent's name.
        name: String,
    },
    /// Take an agent's key away.
    DeleteKey {
        /// `sysscore` or `host-agent`.
        kind: String,
        /// The agent's name.
        name: String,
    },
    /// Give a program a token.
    CreateToken {
        /// The token's name.
        name: String,
    },
    /// Take a token away.
    DeleteToken {
        /// The token's id.
        token: String,
    },
}

impl Action {
    /// The lower-case name: `kill_process`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::KillProcess { .. } => "kill_process",
            Self::WithdrawCommand { .. } => "withdraw_command",
            Self::AcknowledgeAlert { .. } => "acknowledge_alert",
            Self::ResolveAlert { .. } => "resolve_alert",
            Self::AddIndicator { .. } => "add_indicator",
            Self::ImportIndicators { .. } => "import_indicators",
            Self::RemoveIndicator { .. } => "remove_indicator",
            Self::CreateKey { .. } => "create_key",
            Self::DeleteKey { .. } => "delete_key",
            Self::CreateToken { .. } => "create_token",
            Self::DeleteToken { .. } => "delete_token",
        }
    }

    /// What a person or program must be allowed to do.
    pub const fn permission(&self) -> Permission {
        match self {
            Self::KillProcess { .. } | Self::WithdrawCommand { .. } => Permission::OrderCommands,
            Self::AcknowledgeAlert { .. } | Self::ResolveAlert { .. } => Permission::HandleAlerts,
            Self::AddIndicator { .. }
            | Self::ImportIndicators { .. }
            | Self::RemoveIndicator { .. } => Permission::ChangeIndicators,
            Self::CreateKey { .. } | Self::DeleteKey { .. } => Permission::ChangeKeys,
            Self::CreateToken { .. } | Self::DeleteToken { .. } => Permission::ChangeTokens,
        }
    }

    /// To what it is done, one line for people: `host-agent:web-1 pid 42 evil.sh`.
    pub fn done_to(&self) -> String {
        match self {
            Self::KillProcess { source, target } => {
                format!("{source} pid {} {}", target.pid, target.name)
            }
            Self::WithdrawCommand { command } => command.clone(),
            Self::AcknowledgeAlert { alert } | Self::ResolveAlert { alert } => {
                format!("alert {alert}")
            }
            Self::AddIndicator { kind, value } => format!("{kind} {value}"),
            Self::ImportIndicators { count } => format!("{count} indicators"),
            Self::RemoveIndicator { indicator } => format!("indicator {indicator}"),
            Self::CreateKey { kind, name } | Self::DeleteKey { kind, name } => {
                format!("{kind} {name}")
            }
            Self::CreateToken { name } => format!("token {name}"),
            Self::DeleteToken { token } => format!("token {token}"),
        }
    }
}
