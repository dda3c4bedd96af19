//! What telemetry can be told, by the names that guard agents know, and the check of it.

use super::on_error::OnError;
use ringwall_dialects::guard::{EncryptionKey, EncryptionKeyError};
use ringwall_server_client::{HttpClient, Trust, TrustError};
use ringwall_signing::Secret;
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// No interval is longer than a day.
const SECONDS_MAX: f64 = 86_400.0;

/// No server has anything shorter for a key.
const API_KEY_CHARS_MIN: usize = 10;

/// No spool may take more, in bytes.
const SPOOL_BYTES_MAX: u64 = 1 << 40;

/// How telemetry is sent. The fields up to `on_error` have the names, meanings and bounds that the guard
/// agents of the 3.x line document; those behind it are Ringwall's own. Times are in seconds.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryOptions {
    /// The project's key, at least 10 characters. Required.
    pub api_key: String,
    /// Where the server is. What comes after the host is kept, but for one `/api/v1` at its end.
    pub endpoint: String,
    /// Named to the server in a header. The key decides what it may write to.
    pub project_id: Option<String>,
    /// So many events, or metrics, times `high_watermark_ratio`, are sent before `flush_interval` is
    /// over. It bounds nothing: what does not fit any more is told by `spool_bytes_max`.
    pub buffer_size: u32,
    /// What waits is sent after so long at the latest.
    pub flush_interval: f64,
    /// How often rules are asked for, at least 60: more often where the rules' own `ttl` says so, and
    /// not at all where the server streams them.
    pub dynamic_rule_interval: f64,
    /// How often the agent says how it is, at least 60.
    pub status_interval: f64,
    /// See `buffer_size`. Above 0, at most 1.
    pub high_watermark_ratio: f64,
    /// There is always one flush for events and one for metrics; more would only mix up their order.
    pub max_concurrent_flushes: u32,
    /// What happens where there is no room.
    pub buffer_overflow_policy: OverflowPolicy,
    /// Whether events are sent.
    pub enable_events: bool,
    /// Whether metrics are sent.
    pub enable_metrics: bool,
    /// The wait between attempts doubles so many times. There is no last attempt: what was not
    /// acknowledged is kept.
    pub retry_attempts: u32,
    /// How long a whole answer may take.
    pub timeout: f64,
    /// The longest wait after the first failure; drawn by chance below it, so that a fleet does not come
    /// back in step.
    pub backoff_factor: f64,
    /// Names whose values never leave, whatever else is redacted.
    pub sensitive_headers: Vec<String>,
    /// No text of an event is longer, in bytes.
    pub max_payload_size: usize,
    /// 32 bytes in URL-safe base64: what is sent is encrypted with it.
    pub project_encryption_key: Option<String>,
    /// Named to the server.
    pub guard_version: Option<String>,
    /// Named to the server.
    pub guard_core_version: Option<String>,
    /// Whether bodies are packed with gzip.
    pub compression_enabled: bool,
    /// Bodies below so many bytes are not packed.
    pub compression_threshold: usize,
    /// Names this installation; otherwise the one in `install_id_file` does.
    pub install_id: Option<String>,
    /// What is sent is signed with it, and rules are believed only where they are.
    pub payload_signing_secret: Option<String>,
    /// Told of every failure that somebody should know of.
    #[serde(skip)]
    pub on_error: Option<OnError>,

    /// Whether rules are asked for at all.
    pub enable_dynamic_rules: bool,
    /// Where items wait until they are acknowledged: in memory, where neither this nor `spool_redis` is
    /// set. Each process with the same folder takes a part of its own.
    pub spool_folder: Option<PathBuf>,
    /// As `spool_folder`, but in Redis, as in `redis://127.0.0.1:6379`.
    pub spool_redis: Option<String>,
    /// The name of the spool in Redis. Each process needs one of its own: of two with the same one the second
    /// keeps its events in memory, and complains, until the first has ended.
    pub spool_name: String,
    /// So many bytes of events, and a quarter of it of metrics; beyond it the oldest go, and are counted.
    pub spool_bytes_max: u64,
    /// No more requests in a minute, all kinds together.
    pub requests_per_minute: u32,
    /// How long a server is left alone that refuses: wrong key, wrong address, body not understood.
    pub refusal_wait: f64,
    /// How long a server is left alone after five failures in a row.
    pub breaker_wait: f64,
    /// How long a stop takes at most.
    pub stop_timeout: f64,
    /// A file of authorities in PEM form to trust, instead of those of this machine.
    pub ca_file: Option<PathBuf>,
    /// Where the install id is kept; `~/.guard-agent/install-id` where nothing is said.
    pub install_id_file: Option<PathBuf>,
}

/// What happens where there is no room for an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverflowPolicy {
    /// The oldest go, and are counted.
    #[default]
    Drop,
    /// [`Telemetry::send_event_or_wait`](super::Telemetry::send_event_or_wait) waits; what must not wait
    /// is refused.
    Block,
    /// The new one is refused, and its sender told.
    Raise,
}

/// Why telemetry does not start.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// Too short, or with characters that no header has.
    #[error("`api_key`: at least {API_KEY_CHARS_MIN} printable characters")]
    ApiKey,
    /// Not an address.
    #[error("`endpoint`: {0}")]
    Endpoint(String),
    /// Beyond its bounds.
    #[error("`{option}`: {value} is not {expected}")]
    Number {
        /// Which option.
        option: &'static str,
        /// Its value.
        value: f64,
        /// What it should be.
        expected: &'static str,
    },
    /// Cannot stand in a header.
    #[error("`{0}`: not a text that can stand in a header")]
    HeaderText(&'static str),
    /// A wrong key must not mean that everything goes unencrypted.
    #[error("`project_encryption_key`: {0}")]
    EncryptionKey(EncryptionKeyError),
    /// An empty secret signs nothing.
    #[error("`payload_signing_secret`: empty")]
    SigningSecret,
    /// Authorities that cannot be used.
    #[error("`ca_file`: {0}")]
    Authorities(String),
    /// Both a folder and Redis.
    #[error("`spool_folder` and `spool_redis` are both set")]
    TwoSpools,
}

impl Default for TelemetryOptions {
    fn default() -> Self {
        Self {
            api_key: String::new(),
            endpoint: "http://127.0.0.1:7400/dialects/guard".to_owned(),
            project_id: None,
            buffer_size: 100,
            flush_interval: 30.0,
            dynamic_rule_interval: 300.0,
            status_interval: 300.0,
            high_watermark_ratio: 0.8,
            max_concurrent_flushes: 1,
            buffer_overflow_policy: OverflowPolicy::Drop,
            enable_events: true,
            enable_metrics: true,
            retry_attempts: 3,
            timeout: 30.0,
            backoff_factor: 1.0,
            sensitive_headers: ["authorization", "proxy-authorization", "cookie", "x-api-key"]
                .map(str::to_owned)
                .to_vec(),
            max_payload_size: 1024,
            project_encryption_key: None,
            guard_version: None,
            guard_core_version: None,
            compression_enabled: true,
            compression_threshold: 1024,
            install_id: None,
            payload_signing_secret: None,
            on_error: None,
            enable_dynamic_rules: true,
            spool_folder: None,
            spool_redis: None,
            spool_name: "ringwall-guard".to_owned(),
            spool_bytes_max: 64 << 20,
            requests_per_minute: 100,
            refusal_wait: 60.0,
            breaker_wait: 60.0,
            stop_timeout: 5.0,
            ca_file: None,
            install_id_file: None,
        }
    }
}

impl TelemetryOptions {
    /// The defaults, with the two that everybody has to say.
    pub fn new(endpoint: impl Into<String>, api_key: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), api_key: api_key.into(), ..Self::default() }
    }

    /// Checks every option.
    pub(super) fn check(self) -> Result<Checked, OptionError> {
        let key_chars = self.api_key.trim().chars().count();
        if key_chars < API_KEY_CHARS_MIN || !is_header_text(&self.api_key) {
            return Err(OptionError::ApiKey);
        }
        let whole =
            |option, value: f64| number(option, value, 1.0, f64::from(u32::MAX), "at least 1");
        whole("buffer_size", self.buffer_size.into())?;
        whole("max_concurrent_flushes", self.max_concurrent_flushes.into())?;
        whole("requests_per_minute", self.requests_per_minute.into())?;
        let ratio = self.high_watermark_ratio;
        number("high_watermark_ratio", ratio, f64::MIN_POSITIVE, 1.0, "above 0 and at most 1")?;
        #[expect(clippy::cast_precision_loss, reason = "only compared with powers of two")]
        let (payload, spool) = (self.max_payload_size as f64, self.spool_bytes_max as f64);
        number("max_payload_size", payload, 16.0, 65_536.0, "from 16 to 65536")?;
        number("spool_bytes_max", spool, 262_144.0, SPOOL_BYTES_MAX as f64, "at least 262144")?;
        for (name, text) in [
            ("project_id", &self.project_id),
            ("install_id", &self.install_id),
            ("guard_version", &self.guard_version),
            ("guard_core_version", &self.guard_core_version),
        ] {
            if text.as_ref().is_some_and(|text| !is_header_text(text)) {
                return Err(OptionError::HeaderText(name));
            }
        }
        if self.spool_folder.is_some() && self.spool_redis.is_some() {
            return Err(OptionError::TwoSpools);
        }
        let key = self.project_encryption_key.as_deref().map(EncryptionKey::parse).transpose();
        let encryption_key = key.map_err(OptionError::EncryptionKey)?;
        if self.payload_signing_secret.as_ref().is_some_and(String::is_empty) {
            return Err(OptionError::SigningSecret);
        }
        let timeout = positive("timeout", self.timeout)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a positive number of 32 bits"
        )]
        let flush_count = (f64::from(self.buffer_size) * ratio).ceil().max(1.0) as usize;
        Ok(Checked {
            http: self.http(timeout)?,
            flush_count,
            flush_interval: positive("flush_interval", self.flush_interval)?,
            rule_interval: minute_or_more("dynamic_rule_interval", self.dynamic_rule_interval)?,
            status_interval: minute_or_more("status_interval", self.status_interval)?,
            backoff_first: positive("backoff_factor", self.backoff_factor)?,
            refusal_wait: positive("refusal_wait", self.refusal_wait)?,
            breaker_wait: positive("breaker_wait", self.breaker_wait)?,
            stop_timeout: positive("stop_timeout", self.stop_timeout)?,
            signing_secret: self.payload_signing_secret.as_deref().map(Secret::from),
            encryption_key,
            options: self,
        })
    }

    fn http(&self, timeout: Duration) -> Result<HttpClient, OptionError> {
        let endpoint = self.endpoint.trim().trim_end_matches('/');
        let endpoint = endpoint.strip_suffix("/api/v1").unwrap_or(endpoint);
        let trust = self.trust(endpoint.starts_with("https://"))?;
        HttpClient::trusting(endpoint, timeout, &trust)
            .map(|http| http.with_answer_bytes_max(super::door::ANSWER_BYTES_MAX))
            .map_err(|error| OptionError::Endpoint(error.to_string()))
    }

    fn trust(&self, is_https: bool) -> Result<Trust, OptionError> {
        let unusable = |error: TrustError| OptionError::Authorities(error.to_string());
        match &self.ca_file {
            _ if !is_https => Ok(Trust::default()),
            Some(path) => {
                let pem = std::fs::read(path).map_err(|error| {
                    OptionError::Authorities(format!("{}: {error}", path.display()))
                })?;
                Trust::authorities(&pem).map_err(unusable)
            }
            None => Trust::system().map_err(unusable),
        }
    }
}

impl fmt::Debug for TelemetryOptions {
    /// Prints no secret, and nothing that may hold one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetryOptions")
            .field("endpoint", &self.endpoint)
            .field("project_id", &self.project_id)
            .field("flush_interval", &self.flush_interval)
            .field("spool_folder", &self.spool_folder)
            .field("encrypted", &self.project_encryption_key.is_some())
            .field("signed", &self.payload_signing_secret.is_some())
            .finish_non_exhaustive()
    }
}

/// Options that are right.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) http: HttpClient,
    pub(super) flush_count: usize,
    pub(super) flush_interval: Duration,
    pub(super) rule_interval: Duration,
    pub(super) status_interval: Duration,
    pub(super) backoff_first: Duration,
    pub(super) refusal_wait: Duration,
    pub(super) breaker_wait: Duration,
    pub(super) stop_timeout: Duration,
    pub(super) signing_secret: Option<Secret>,
    pub(super) encryption_key: Option<EncryptionKey>,
    pub(super) options: TelemetryOptions,
}

fn number(
    option: &'static str,
    value: f64,
    min: f64,
    max: f64,
    expected: &'static str,
) -> Result<(), OptionError> {
    let is_within = (min..=max).contains(&value);
    if is_within { Ok(()) } else { Err(OptionError::Number { option, value, expected }) }
}

fn positive(option: &'static str, value: f64) -> Result<Duration, OptionError> {
    number(option, value, 1e-3, SECONDS_MAX, "from 0.001 to 86400 seconds")?;
    Ok(Duration::from_secs_f64(value))
}

fn minute_or_more(option: &'static str, value: f64) -> Result<Duration, OptionError> {
    number(option, value, 60.0, SECONDS_MAX, "from 60 to 86400 seconds")?;
    Ok(Duration::from_secs_f64(value))
}

fn is_header_text(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> TelemetryOptions {
        TelemetryOptions::new("http://127.0.0.1:7400/dialects/guard/", "0123456789")
    }

    #[test]
    fn the_defaults_are_those_that_are_documented() {
        let checked = options().check().unwrap();
        assert_eq!(checked.flush_count, 80);
        assert_eq!(checked.flush_interval, Duration::from_secs(30));
        assert_eq!(checked.rule_interval, Duration::from_secs(300));
        assert!(checked.encryption_key.is_none());
    }

    #[test]
    fn options_beyond_their_bounds_refuse_the_start() {
        check("`api_key`: at least 10 printable characters", |options| {
            options.api_key = "123456789".into();
        });
        check("`api_key`: at least 10 printable characters", |options| {
            options.api_key = "0123456789\n".into();
        });
        check("`endpoint`: `ftp://h`: expected http://HOST:PORT or https://HOST:PORT", |options| {
            options.endpoint = "ftp://h".into();
        });
        check("`endpoint`: `http://h/?a=b`: a query does not belong here", |options| {
            options.endpoint = "http://h/?a=b".into();
        });
        check("`buffer_size`: 0 is not at least 1", |options| options.buffer_size = 0);
        check("`flush_interval`: 0 is not from 0.001 to 86400 seconds", |options| {
            options.flush_interval = 0.0;
        });
        check("`timeout`: NaN is not from 0.001 to 86400 seconds", |options| {
            options.timeout = f64::NAN;
        });
        check("`status_interval`: 59 is not from 60 to 86400 seconds", |options| {
            options.status_interval = 59.0;
        });
        check("`high_watermark_ratio`: 1.1 is not above 0 and at most 1", |options| {
            options.high_watermark_ratio = 1.1;
        });
        check("`project_id`: not a text that can stand in a header", |options| {
            options.project_id = Some("a\r\nb".into());
        });
        check("`payload_signing_secret`: empty", |options| {
            options.payload_signing_secret = Some(String::new());
        });
        check("`spool_folder` and `spool_redis` are both set", |options| {
            options.spool_folder = Some("a".into());
            options.spool_redis = Some("b".into());
        });
    }

    /// Flaw 14: in early agents a bad key meant plaintext, with one line in the log.
    #[test]
    fn flaw_14_a_bad_encryption_key_refuses_the_start() {
        check("`project_encryption_key`: 3 bytes, expected 32", |options| {
            options.project_encryption_key = Some("AAEC".into());
        });
        check("`project_encryption_key`: not URL-safe base64", |options| {
            options.project_encryption_key = Some("not a key".into());
        });
    }

    #[track_caller]
    fn check(expected: &str, change: impl FnOnce(&mut TelemetryOptions)) {
        let mut options = options();
        change(&mut options);
        assert_eq!(options.check().map(drop).unwrap_err().to_string(), expected);
    }

    #[test]
    fn no_secret_prints() {
        let options = TelemetryOptions {
            payload_signing_secret: Some("hush".into()),
            spool_redis: Some("redis://:hush@h".into()),
            ..TelemetryOptions::new("http://h", "hush-hush-hush")
        };
        assert!(!format!("{options:?}").contains("hush"));
        assert!(!format!("{:?}", options.check().unwrap()).contains("hush"));
    }

    #[test]
    fn options_are_read_by_their_names_and_unknown_ones_are_refused() {
        let read = |text: &str| serde_json::from_str::<TelemetryOptions>(text);
        let options =
            read(r#"{"api_key":"0123456789","flush_interval":5,"buffer_overflow_policy":"raise"}"#);
        let options = options.unwrap();
        assert_eq!(options.buffer_overflow_policy, OverflowPolicy::Raise);
        assert_eq!(options.check().unwrap().flush_interval, Duration::from_secs(5));
        assert!(read(r#"{"flush_intervall":5}"#).is_err());
    }
}
