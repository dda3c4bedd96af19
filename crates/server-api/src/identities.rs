use crate::SecretText;
use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Leave for host agents to enrol, without its token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Enrolment)]
pub struct EnrolmentRow {
    /// Names it in paths; stands in the token, too.
    #[schema(example = "5f2c9d1e4b7a8c30")]
    pub id: String,
    /// The name that the host gets; none lets it choose.
    pub name: Option<String>,
    /// The host whose name another machine may take over.
    pub replaces: Option<String>,
    /// Who gave leave.
    #[schema(example = "user:admin")]
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// From this moment it is void.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// How many more hosts it enrols.
    pub uses_left: u32,
    /// The hosts that it enrolled: the latest hundred.
    pub used_by: Vec<String>,
}

/// An enrolment to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRequest {
    /// The name that the host gets: 1 to 128 of `A-Z a-z 0-9 . _ -`, a letter or a digit first. Where it is
    /// absent, the host keeps the name that it had, or gets that of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128, example = "web-1")]
    pub name: Option<String>,
    /// How many hosts it enrols, 1 to 10,000; 1 where it is absent. One with a name enrols one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub uses: Option<u32>,
    /// After how many seconds it is void, 60 to 604,800; an hour where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 604_800)]
    pub expires_in_seconds: Option<u32>,
    /// The host whose name another machine may take over: its machine was replaced or set up anew, or it
    /// was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128)]
    pub replaces: Option<String>,
}

/// An enrolment that was made. The token is told this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrolmentCreated {
    /// Names it in paths.
    #[schema(example = "5f2c9d1e4b7a8c30")]
    pub id: String,
    /// What the host shows once; begins with `rwe_`.
    pub token: SecretText,
    /// From this moment it is void.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// What to run on the host, on one line, the token included.
    pub command: SecretText,
    /// The id of the key that the server signs commands with: the host tells the same once it enrolled.
    pub server_fingerprint: Option<String>,
}

/// A host agent that enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Identity)]
pub struct IdentityRow {
    /// The name of the host agent.
    #[schema(example = "web-1")]
    pub name: String,
    /// The id of the key that it signs with.
    #[schema(example = "56475aa75463474c")]
    pub key_id: String,
    /// What tells its machine from others, shortened; none where it has nothing of the kind.
    pub machine: Option<String>,
    /// The name that the machine gave itself when it enrolled.
    pub hostname: String,
    /// Whether its requests are accepted.
    pub state: IdentityState,
    /// When it enrolled last.
    #[schema(value_type = String, format = DateTime)]
    pub enrolled: Timestamp,
    /// By which enrolment.
    pub enrolled_by: String,
    /// When it last replaced its key by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub rotated: Option<Timestamp>,
    /// When it last signed something that was accepted, since the server started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Timestamp>,
    /// From where.
    pub address: Option<String>,
    /// The version of the agent when it enrolled.
    pub version: String,
    /// Why somebody should look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// What a host says of its agent's identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostIdentity {
    /// Whether its requests are accepted.
    pub state: IdentityState,
    /// The id of the key that it signs with.
    pub key_id: String,
    /// When it enrolled last.
    #[schema(value_type = String, format = DateTime)]
    pub enrolled: Timestamp,
}

/// Whether the requests of a host agent are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdentityState {
    /// They are.
    Active,
    /// They are not, since somebody said so.
    Revoked,
    /// They are not, since two machines used it.
    Suspended,
}

impl IdentityState {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Suspended => "suspended",
        }
    }
}

/// Why something is done to an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityReason {
    /// One line, for the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// What a machine says when it enrols. The request is signed with the key that it brings, under the name
/// `-`; the token is sent as `Authorization: Bearer rwe_…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentEnrolRequest {
    /// Base64 of the 32 bytes of the Ed25519 public key that it will sign with.
    pub public_key: String,
    /// The name that it wants in so many words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128)]
    pub name: Option<String>,
    /// What tells it from other machines: 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub machine: Option<String>,
    /// The name that it gives itself.
    #[schema(min_length = 1, max_length = 255)]
    pub hostname: String,
    /// The version of the agent.
    #[schema(max_length = 64)]
    pub version: String,
}

/// What an enrolled agent needs from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentEnrolled {
    /// Its name: what it signs as.
    pub name: String,
    /// The id of its key.
    pub key_id: String,
    /// What the server signs commands with: base64 of the 32 bytes of an Ed25519 public key. The agent
    /// believes no other from now on.
    pub server_public_key: String,
    /// The certificate of the server's own authority, in PEM, where it speaks TLS with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
}

/// An agent replaces its key: the request is signed with the present one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentRotateRequest {
    /// Base64 of the 32 bytes of the new Ed25519 public key.
    pub public_key: String,
}

/// The new key is known; until it is first used the present one is accepted, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentRotated {
    /// The id of the new key.
    pub key_id: String,
}
