use ringwall_event::{EventId, Network, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The shortest ban, in seconds.
pub const BAN_SECONDS_MIN: u32 = 60;
/// The longest ban, in seconds: a year.
pub const BAN_SECONDS_MAX: u32 = 31_536_000;

/// An address that applications do not let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GuardBan)]
pub struct GuardBanRow {
    /// Names it in paths.
    #[schema(example = "ban_0192f3b4c5d67e8f8a1b2c3d")]
    pub id: String,
    /// Who is not let in: an address or a network.
    #[schema(value_type = String, example = "203.0.113.7")]
    pub address: Network,
    /// In which project; none: in all.
    pub project: Option<String>,
    /// Why.
    pub reason: String,
    /// What led to it.
    pub origin: GuardBanOrigin,
    /// Whether hosts were told to block the address, too.
    pub hosts: bool,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// Who ordered it: `user:admin`, `rule:ban/probes`.
    pub created_by: String,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended: Option<Timestamp>,
    /// Who ended it; `server` where its time was over.
    pub ended_by: Option<String>,
    /// The alert that led to it.
    #[schema(value_type = Option<String>)]
    pub alert: Option<EventId>,
    /// The country of the address, where an application told it.
    pub country: Option<String>,
}

/// What led to a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GuardBanOrigin {
    /// A person, or a program with a token.
    Person,
    /// An automatic rule, by an alert or by events.
    Alert,
    /// An application that banned the address itself.
    App,
}

impl GuardBanOrigin {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Alert => "alert",
            Self::App => "app",
        }
    }
}

/// Which bans are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GuardBanState {
    /// Those in force.
    #[default]
    Active,
    /// Those that ended.
    Ended,
    /// All of them.
    All,
}

/// Which bans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GuardBanQuery {
    /// `active`, `ended` or `all`; `active` where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<GuardBanState>,
    /// Those that hold in this project, those of all projects included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// How many rows, 1 to 1000; 100 where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A ban to be put into force. Where the address is banned in the same project already, that ban is
/// made to last as long, if it would end earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardBanRequest {
    /// An address, or a network in CIDR notation.
    #[schema(example = "203.0.113.7")]
    pub address: String,
    /// How long, 60 to 31536000.
    #[schema(minimum = 60, maximum = 31_536_000)]
    pub seconds: u32,
    /// In which project; in all where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Why, 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// Whether all enrolled hosts shall block the address, too.
    #[serde(default)]
    pub hosts: bool,
}

/// Why a ban shall end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardLiftRequest {
    /// Why, 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}
