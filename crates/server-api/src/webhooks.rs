use crate::{SecretText, schemas, source_text};
use ringwall_event::{Severity, Source, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

/// In which form a receiver is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebhookFormat {
    /// Standard Webhooks 1.0: every alert that fits, as `{type, timestamp, data}`.
    #[default]
    Standard,
    /// The form of the SysScore platform: processes whose risk rose to the threshold.
    SysScore,
}

impl WebhookFormat {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::SysScore => "sysscore",
        }
    }

    /// The form of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Standard, Self::SysScore].into_iter().find(|format| format.name() == name)
    }
}

/// How many deliveries are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryCounts {
    /// Not tried yet.
    pub pending: u64,
    /// Tried in vain, to be tried again.
    pub failed: u64,
    /// Arrived.
    pub success: u64,
    /// Given up; they can be replayed.
    pub dead_letter: u64,
}

/// Where alerts are told, without its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookRow {
    /// Names it in paths.
    #[schema(example = "whk_5f2c9d1e0b7a4c36")]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it leads. Passwords, queries and what looks like a key in the path are left out.
    #[schema(example = "https://example.com/ringwall?***")]
    pub url: String,
    /// In which form.
    pub format: WebhookFormat,
    /// Alerts below this are not told; none: all are.
    #[schema(value_type = Option<schemas::Severity>)]
    pub min_severity: Option<Severity>,
    /// Only these kinds of finding; empty: all.
    pub findings: Vec<String>,
    /// Only alerts of these hosts, `dialect:name`; empty: all.
    #[serde(with = "source_text::list")]
    #[schema(value_type = Vec<String>)]
    pub sources: Vec<Source>,
    /// Whether anything is sent. While it is not, nothing new is written for it, and what waits
    /// goes on waiting.
    pub enabled: bool,
    /// Why it is not enabled, where the server paused it.
    pub paused_because: Option<String>,
    /// The SysScore agent whose registration named it.
    pub agent: Option<String>,
    /// The risk from which that agent's processes are told of, where its registration says so.
    pub threshold: Option<f64>,
    /// Whether `HMAC_SECRET_KEY` signs, which other receivers know, too.
    pub shared_secret: bool,
    /// Until when the secret before this one signs, too.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub previous_secret_until: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// How its deliveries are doing; old ones are forgotten.
    pub deliveries: DeliveryCounts,
}

/// A webhook to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookRequest {
    /// What people call it, 1 to 128 characters, no other has it.
    #[schema(min_length = 1, max_length = 128, example = "on call")]
    pub name: String,
    /// Where to post, at most 2048 bytes. It is stored sealed and shown in part.
    #[schema(value_type = String, example = "https://example.com/ringwall")]
    pub url: SecretText,
    /// In which form.
    #[serde(default)]
    pub format: WebhookFormat,
    /// Alerts below this are not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Severity>)]
    pub min_severity: Option<Severity>,
    /// Only these kinds of finding, at most 32; all where it is absent or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// Only alerts of these hosts, at most 1000; all where it is absent or empty.
    #[serde(default, with = "source_text::list", skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub sources: Vec<Source>,
    /// Whether to begin at once.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// What to change of a webhook; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookChange {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where to post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub url: Option<SecretText>,
    /// Alerts below this are not told; null: all are.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Severity>)]
    pub min_severity: Option<Option<Severity>>,
    /// Only these kinds of finding; empty: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<String>>,
    /// Only alerts of these hosts; empty: all.
    #[serde(default, with = "source_text::optional_list", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub sources: Option<Vec<Source>>,
    /// Whether anything is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A webhook that was made, with its secret, which is told this once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookCreated {
    /// Names it in paths.
    pub id: String,
    /// What its receiver checks signatures with; null where `HMAC_SECRET_KEY` signs.
    pub secret: Option<SecretText>,
    /// What was made.
    #[schema(value_type = WebhookRow)]
    pub webhook: WebhookRow,
}

/// A webhook's new secret, told this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookSecret {
    /// The webhook.
    pub id: String,
    /// What its receiver checks signatures with from now on.
    pub secret: SecretText,
    /// Until when the secret before signs, too; none where it does not any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub previous_until: Option<Timestamp>,
}

/// How many dead letters are sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayAnswer {
    /// How many wait to be sent now.
    pub replayed: u64,
    /// How many are left, as no more may wait at once.
    pub left: u64,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not tried yet.
    Pending,
    /// Tried in vain, to be tried again.
    Failed,
    /// Arrived.
    Success,
    /// Given up; it can be replayed.
    DeadLetter,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Failed, Self::Success, Self::DeadLetter];

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Success => "success",
            Self::DeadLetter => "dead_letter",
        }
    }

    /// The state of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it will be tried again.
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::Pending | Self::Failed)
    }
}

/// A message to one receiver, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryRow {
    /// As the receiver sees it (`webhook-id`), the same at each attempt.
    #[schema(example = "dlv_0192f3b4c5d67e8f8a1b2c3d4e5f6071")]
    pub id: String,
    /// The webhook.
    pub webhook: String,
    /// `alert.raised`, `alert.escalated`, `risk_threshold_crossed` or `test`.
    pub event_type: String,
    /// The id of the alert that it tells; the webhook's for a test.
    pub subject: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; none where it came to its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt: Option<Timestamp>,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it came to its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished: Option<Timestamp>,
    /// Why the latest attempt failed, or why it was given up.
    pub last_error: Option<String>,
}

/// One try to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub struct AttemptRow {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// Why it failed; none where it did not.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The beginning of the answer's body, at most 1 KiB.
    pub answer: String,
}

/// A delivery with its attempts and what is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryDetail {
    /// As the receiver sees it.
    pub id: String,
    /// The webhook.
    pub webhook: String,
    /// What happened.
    pub event_type: String,
    /// The id of the alert that it tells.
    pub subject: String,
    /// How far it is.
    pub state: DeliveryState,
    /// The latest attempts, oldest first, at most 50.
    #[schema(value_type = Vec<AttemptRow>)]
    pub attempts: Vec<AttemptRow>,
    /// When it is tried next.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt: Option<Timestamp>,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it came to its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished: Option<Timestamp>,
    /// Why the latest attempt failed, or why it was given up.
    pub last_error: Option<String>,
    /// The body as it is sent.
    #[schema(value_type = Object)]
    pub payload: serde_json::Value,
}

/// Which deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    /// Those of this webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// Those in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<DeliveryState>)]
    pub state: Option<DeliveryState>,
    /// Those about this: the id of an alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How many rows, 1 to 1000; 100 where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

const fn yes() -> bool {
    true
}

/// A field that is there, be it null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_told_from_absent() {
        let read = |text: &str| serde_json::from_str::<WebhookChange>(text).unwrap();
        assert_eq!(read("{}").min_severity, None);
        assert_eq!(read(r#"{"min_severity":null}"#).min_severity, Some(None));
        assert_eq!(read(r#"{"min_severity":"high"}"#).min_severity, Some(Some(Severity::High)));
        assert_eq!(read(r#"{"sources":["host-agent:web-1"]}"#).sources.map(|s| s.len()), Some(1));
        for change in [WebhookChange::default(), read(r#"{"min_severity":null,"enabled":false}"#)] {
            let text = serde_json::to_string(&change).unwrap();
            assert_eq!(read(&text), change, "{text}");
        }
    }
}
