use crate::SecretText;
use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long a project's earlier key and secrets stay good after a rotation, in seconds, where the
/// request does not say: a day.
pub const GRACE_SECONDS_DEFAULT: u32 = 86_400;
/// How long they may stay good at most: a week.
pub const GRACE_SECONDS_MAX: u32 = 604_800;

/// An application whose guards report, without its key and secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GuardProject)]
pub struct GuardProjectRow {
    /// Its name, as guards send it in `X-Project-ID`.
    #[schema(example = "shop")]
    pub name: String,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// Who added it.
    #[schema(example = "user:admin")]
    pub created_by: String,
    /// Whether its guards can encrypt what they send.
    pub encrypted: bool,
    /// Whether its guards can sign what they send.
    pub signed: bool,
    /// Whether batches without a signature are refused. Guards before 2.5 cannot sign.
    pub require_signature: bool,
    /// Until when the key and the secrets before the latest rotation are good; null where they are not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub previous_until: Option<Timestamp>,
    /// How many guards are known.
    pub agents: u64,
    /// When a guard last sent anything.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Timestamp>,
    /// How many events of the last 24 hours came.
    pub events_24h: u64,
    /// How many of them tell of a request that was blocked.
    pub blocked_24h: u64,
    /// The version of its rules; 0 where it has none.
    pub rules_version: u64,
    /// What somebody should look at; null where all is well.
    pub warning: Option<String>,
}

/// An application whose guards shall report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardProjectRequest {
    /// Its name: 1 to 64 of `A-Z a-z 0-9 - _ .`, a letter or digit first.
    #[schema(min_length = 1, max_length = 64, example = "shop")]
    pub name: String,
    /// Whether to make an encryption key.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub encryption: bool,
    /// Whether to make a signing secret.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub signing: bool,
    /// Whether to refuse batches without a signature; needs `signing`.
    #[serde(default)]
    #[schema(default = false)]
    pub require_signature: bool,
}

/// What of a project shall be other than it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardProjectChange {
    /// Whether to refuse batches without a signature from now on; needs a project that signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_signature: Option<bool>,
}

/// What a project's guards are to be configured with. Told this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardProjectKeys {
    /// The name of the project.
    #[schema(example = "shop")]
    pub project: String,
    /// Authenticates its guards; begins with `rwg_`.
    pub key: SecretText,
    /// Signs what they send, and what is sent to them; null where the project does not sign.
    pub signing_secret: Option<SecretText>,
    /// Encrypts what they send: 32 bytes as padded URL-safe base64; null where the project does not
    /// encrypt.
    pub encryption_key: Option<SecretText>,
}

/// Wants another key and other secrets for a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardRotateRequest {
    /// How long the present ones stay good, in seconds; a day where it is absent. 0 voids them at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 604_800, default = 86_400)]
    pub grace_seconds: Option<u32>,
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_enough() {
        let request: GuardProjectRequest = serde_json::from_str(r#"{"name":"shop"}"#).unwrap();
        assert!(request.encryption && request.signing && !request.require_signature);
        assert!(
            serde_json::from_str::<GuardProjectRequest>(r#"{"name":"shop","sign":true}"#).is_err()
        );
    }
}
