use crate::{EventId, ProcessRef, Severity, Source, Timestamp};
use serde::{Deserialize, Serialize};

/// What was concluded, one per entity with a count: OCSF detection finding 2004.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Sorts by the time of the first sighting.
    pub id: EventId,
    /// Which kind of conclusion.
    pub finding: Finding,
    /// How bad it is.
    pub severity: Severity,
    /// What people have done about it.
    pub state: AlertState,
    /// Whose events led to it.
    pub source: Source,
    /// The host it is about.
    pub host: Box<str>,
    /// The process it is about, where there is one.
    pub process: Option<ProcessRef>,
    /// One line for people: `known bad process 'evil.sh'`.
    pub title: String,
    /// Why, one sentence a reason.
    pub reasons: Vec<String>,
    /// How many sightings.
    pub count: u64,
    /// The first sighting.
    pub first_seen: Timestamp,
    /// The latest sighting.
    pub last_seen: Timestamp,
    /// The events behind it: the first few.
    pub events: Vec<EventId>,
    /// Whether killing the process is offered to people, as the rules did not order it.
    pub kill_offered: bool,
    /// A note that somebody left, at most 2,000 characters.
    pub note: Option<String>,
}

/// The kinds of conclusion.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// Something on the list of known bad things was seen.
    IndicatorMatch {
        /// `process`, `path`, `hash`, `address` or `domain`.
        indicator: String,
        /// The listed value that matched.
        value: String,
    },
    /// A program that this host never ran before.
    NewProcess,
    /// The risk of a process rose to the configured threshold.
    RiskThreshold,
    /// A host agent was handed commands that it did not believe.
    CommandRefused {
        /// Why: `altered`, `other_host`, `replayed` and their like.
        reason: String,
    },
    /// Two machines use the identity of one host agent.
    ClonedIdentity,
    /// The guard of an application found an attack in requests of one client.
    AppAttack {
        /// The client's address; empty where it is not known.
        address: String,
        /// `sqli`, `xss`, …, or `unknown`.
        category: String,
    },
    /// The guard of an application banned a client, or could not.
    AppBan {
        /// The client's address; empty where it is not known.
        address: String,
        /// Why, in the guard's words.
        reason: String,
    },
    /// A client of an application behaves unlike a client should.
    AppAbuse {
        /// The client's address; empty where it is not known.
        address: String,
        /// The guard's name for it: `behavioral_violation`, `suspicious_request`.
        kind: String,
    },
    /// An application lets nobody in but those on a list.
    AppEmergency,
    /// The key of one application is used by many installations.
    GuardKeyShared,
    /// What came under the right key was signed or encrypted with a wrong one.
    GuardUnreadable {
        /// `signature` or `encryption`.
        what: String,
    },
}

impl Finding {
    /// The names of all kinds.
    pub const KINDS: [&str; 11] = [
        "indicator_match",
        "new_process",
        "risk_threshold",
        "command_refused",
        "cloned_identity",
        "app_attack",
        "app_ban",
        "app_abuse",
        "app_emergency",
        "guard_key_shared",
        "guard_unreadable",
    ];

    /// The lower-case name of the kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::IndicatorMatch { .. } => "indicator_match",
            Self::NewProcess => "new_process",
            Self::RiskThreshold => "risk_threshold",
            Self::CommandRefused { .. } => "command_refused",
            Self::ClonedIdentity => "cloned_identity",
            Self::AppAttack { .. } => "app_attack",
            Self::AppBan { .. } => "app_ban",
            Self::AppAbuse { .. } => "app_abuse",
            Self::AppEmergency => "app_emergency",
            Self::GuardKeyShared => "guard_key_shared",
            Self::GuardUnreadable { .. } => "guard_unreadable",
        }
    }

    /// The address of the client of an application that it is about, where there is one.
    pub fn client_address(&self) -> Option<&str> {
        match self {
            Self::AppAttack { address, .. }
            | Self::AppBan { address, .. }
            | Self::AppAbuse { address, .. } => Some(address).filter(|it| !it.is_empty()),
            _ => None,
        }
        .map(String::as_str)
    }
}

/// What people have done about an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Nobody looked yet.
    #[default]
    Open,
    /// Somebody has it.
    Acknowledged,
    /// Dealt with; a new sighting opens a new alert.
    Resolved,
}

impl AlertState {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    /// The state of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Acknowledged, Self::Resolved].into_iter().find(|s| s.name() == name)
    }
}
