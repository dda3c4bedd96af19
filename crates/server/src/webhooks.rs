//! Webhooks: what is concluded is told to others, over HTTP, signed.
//!
//! An alert and its deliveries are written in one transaction ([`outbox`]); the body of each is frozen
//! there. The [`sender`] has a lane for every webhook for which something waits: it posts what is due
//! ([`post`]), writes down how each attempt went, and ends when nothing waits. What was sent and not
//! yet written down when the server dies is sent again under the same id.

mod address_rules;
mod configured;
mod message;
mod outbox;
mod post;
mod record;
mod registration;
mod registry;
mod sender;
mod sysscore_settings;
mod target_url;

pub(crate) use address_rules::AddressRules;
pub(crate) use message::{TEST, test_body};
pub(crate) use outbox::News;
pub(crate) use record::{NewWebhook, StoredWebhook, Webhook, WebhookFormat, fresh_id};
pub(crate) use registration::{RegistrationError, can_be_posted_to, register_agent};
pub(crate) use registry::{WebhookSettings, Webhooks};
pub(crate) use sender::run;
pub(crate) use sysscore_settings::SysScoreSettings;
pub(crate) use target_url::TargetUrl;
