//! What the configuration says of webhooks.

use super::post::read_roots;
use super::{SysScoreSettings, TargetUrl, WebhookSettings};
use crate::config::{Config, WebhooksSection};
use anyhow::Context;
use ringwall_event::Network;
use ringwall_lifecycle::config::{ConfigError, Loaded};
use std::time::Duration;

const TIMEOUT_SECONDS_MAX: u64 = 120;
const CONCURRENT_MAX: usize = 4;
const DAY_SECONDS: i64 = 86_400;

impl WebhooksSection {
    /// Whether the values make sense.
    pub(crate) fn check(&self, loaded: &Loaded<Config>) -> Result<(), ConfigError> {
        for network in &self.allow_networks {
            if network.parse::<Network>().is_err() {
                return Err(loaded
                    .error("webhooks.allow_networks", format!("not a network: `{network}`"))
                    .hint("as in \"10.1.0.0/16\" or \"127.0.0.1\" or \"fd00::/8\""));
            }
        }
        if let Some(url) = &self.dashboard_url
            && (TargetUrl::parse(url).is_err() || url.contains(['?', '#', '@']))
        {
            return Err(loaded
                .error("webhooks.dashboard_url", "not an address")
                .hint("as in \"https://ringwall.example.com\""));
        }
        for (field, value, min, max) in [
            ("webhooks.timeout_seconds", self.timeout_seconds, 1, TIMEOUT_SECONDS_MAX),
            ("webhooks.attempts_max", self.attempts_max.into(), 1, 100),
            ("webhooks.retry_first_seconds", self.retry_first_seconds, 1, 3600),
            ("webhooks.retry_longest_seconds", self.retry_longest_seconds, 1, 86_400),
            ("webhooks.waiting_max", self.waiting_max, 1, 1_000_000),
            ("webhooks.history_days", self.history_days.into(), 1, 3650),
            ("webhooks.history_max", self.history_max, 1, 10_000_000),
            ("webhooks.rotation_hours", self.rotation_hours.into(), 0, 8760),
            (
                "webhooks.concurrent_max",
                u64::try_from(self.concurrent_max).unwrap_or(u64::MAX),
                1,
                u64::try_from(CONCURRENT_MAX).unwrap_or(u64::MAX),
            ),
        ] {
            if !(min..=max).contains(&value) {
                return Err(loaded.error(field, format!("not within {min} and {max}")));
            }
        }
        Ok(())
    }

    /// The bounds and times; [`WebhooksSection::complete`] adds what stands elsewhere.
    pub(crate) fn settings(&self) -> WebhookSettings {
        WebhookSettings {
            waiting_max: self.waiting_max,
            concurrent_max: self.concurrent_max,
            timeout: Duration::from_secs(self.timeout_seconds),
            attempts_max: self.attempts_max,
            retry_first: Duration::from_secs(self.retry_first_seconds),
            retry_longest: Duration::from_secs(self.retry_longest_seconds),
            history_seconds: i64::from(self.history_days) * DAY_SECONDS,
            history_max: self.history_max,
            rotation_seconds: i64::from(self.rotation_hours) * 3600,
            allowed: self.allow_networks.iter().filter_map(|text| text.parse().ok()).collect(),
            extra_roots: Vec::new(),
            dashboard_url: self
                .dashboard_url
                .as_deref()
                .unwrap_or_default()
                .trim_end_matches('/')
                .to_owned(),
            sysscore: SysScoreSettings::default(),
        }
    }

    /// The settings with the file of certificates, what the environment says, and the server's own
    /// address where nothing else is said.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(crate) fn complete(
        &self,
        sysscore: SysScoreSettings,
        own_url: &str,
    ) -> anyhow::Result<WebhookSettings> {
        let mut settings = WebhookSettings { sysscore, ..self.settings() };
        if settings.dashboard_url.is_empty() {
            own_url.trim_end_matches('/').clone_into(&mut settings.dashboard_url);
        }
        if let Some(path) = &self.ca_file {
            settings.extra_roots = read_roots(path)
                .with_context(|| format!("{} (webhooks.ca_file)", path.display()))?;
        }
        Ok(settings)
    }
}
