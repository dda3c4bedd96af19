//! The SysScore form's settings, under the names that its documents give them.

use anyhow::{Context, bail};
use ringwall_signing::Secret;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the environment says of webhooks in the SysScore form (SysScore contract, section 12).
#[derive(Clone)]
pub(crate) struct SysScoreSettings {
    /// `HMAC_SECRET_KEY`: signs for every receiver that has no secret of its own.
    pub(crate) shared_secret: Option<Secret>,
    /// `WEBHOOK_TIMEOUT`, in seconds: how long an attempt may take.
    pub(crate) timeout: Duration,
    /// `WEBHOOK_MAX_RETRIES`: how many attempts in all.
    pub(crate) attempts_max: u32,
    /// `WEBHOOK_BACKOFF_BASE`: to the power of the attempts made, the seconds until the next.
    pub(crate) backoff_base: f64,
}

impl Default for SysScoreSettings {
    fn default() -> Self {
        Self {
            shared_secret: None,
            timeout: Duration::from_secs(5),
            attempts_max: 3,
            backoff_base: 2.0,
        }
    }
}

/// The original's public default.
const PUBLIC_DEFAULT: &str = "change-me-in-production";
const SECRET_BYTES_MIN: usize = 8;
const TIMEOUT_SECONDS_MAX: f64 = 120.0;
const ATTEMPTS_MAX: u32 = 100;
const BACKOFF_BASE_MAX: f64 = 60.0;

impl SysScoreSettings {
    /// # Errors
    /// Where a value makes no sense, or the secret is one that everybody knows.
    pub(crate) fn read(env: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let given =
            |name: &str| env.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        let number = |name: &str, range: std::ops::RangeInclusive<f64>| match given(name) {
            None => Ok(None),
            Some(text) => match text.parse::<f64>() {
                Ok(number) if range.contains(&number) => Ok(Some(number)),
                _ => {
                    let (low, high) = (range.start(), range.end());
                    bail!("{name}: expected a number from {low} to {high}, not `{text}`")
                }
            },
        };
        let mut settings = Self::default();
        match given("HMAC_SECRET_KEY") {
            None => {}
            Some(PUBLIC_DEFAULT) => {
                bail!("HMAC_SECRET_KEY: `{PUBLIC_DEFAULT}` is known to everybody; set another")
            }
            Some(text) if text.len() < SECRET_BYTES_MIN => {
                bail!("HMAC_SECRET_KEY: must have at least {SECRET_BYTES_MIN} bytes")
            }
            Some(text) => settings.shared_secret = Some(Secret::from(text)),
        }
        if let Some(seconds) = number("WEBHOOK_TIMEOUT", 0.1..=TIMEOUT_SECONDS_MAX)? {
            settings.timeout = Duration::from_secs_f64(seconds);
        }
        if let Some(base) = number("WEBHOOK_BACKOFF_BASE", 1.0..=BACKOFF_BASE_MAX)? {
            settings.backoff_base = base;
        }
        if let Some(text) = given("WEBHOOK_MAX_RETRIES") {
            settings.attempts_max = text
                .parse()
                .ok()
                .filter(|attempts| (1..=ATTEMPTS_MAX).contains(attempts))
                .with_context(|| {
                    format!(
                        "WEBHOOK_MAX_RETRIES: expected a number from 1 to {ATTEMPTS_MAX}, not `{text}`"
                    )
                })?;
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> anyhow::Result<SysScoreSettings> {
        let env = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        SysScoreSettings::read(&env.collect())
    }

    #[test]
    fn the_documents_names_take_effect() {
        let plain = read(&[]).unwrap();
        assert_eq!((plain.timeout, plain.attempts_max), (Duration::from_secs(5), 3));
        assert!(plain.shared_secret.is_none());
        let set = read(&[
            ("HMAC_SECRET_KEY", "a-good-secret"),
            ("WEBHOOK_TIMEOUT", "2.5"),
            ("WEBHOOK_MAX_RETRIES", "4"),
            ("WEBHOOK_BACKOFF_BASE", "3.0"),
        ])
        .unwrap();
        assert_eq!(set.shared_secret.unwrap().expose(), b"a-good-secret");
        assert_eq!((set.timeout, set.attempts_max), (Duration::from_millis(2500), 4));
        assert_eq!(set.backoff_base, 3.0);
    }

    #[test]
    fn what_makes_no_sense_or_is_known_to_everybody_stops_the_start() {
        for (name, value) in [
            ("HMAC_SECRET_KEY", PUBLIC_DEFAULT),
            ("HMAC_SECRET_KEY", "short"),
            ("WEBHOOK_TIMEOUT", "0"),
            ("WEBHOOK_TIMEOUT", "nan"),
            ("WEBHOOK_TIMEOUT", "soon"),
            ("WEBHOOK_MAX_RETRIES", "0"),
            ("WEBHOOK_MAX_RETRIES", "2.5"),
            ("WEBHOOK_BACKOFF_BASE", "0.5"),
            ("WEBHOOK_BACKOFF_BASE", "inf"),
        ] {
            let error = read(&[(name, value)]).err().unwrap().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
