//! The way to the server: every request with its headers, signed, packed, and not too many of them.

use super::answer::{Verdict, judge};
use super::on_error::{OnError, Stage};
use super::options::Checked;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use parking_lot::Mutex;
use ringwall_delivery::{Encoding, Outcome, compress};
use ringwall_dialects::guard;
use ringwall_resilience::TokenBucket;
use ringwall_server_client::{ClientError, HttpAnswer, HttpClient, StreamAnswer};
use ringwall_signing::Secret;
use std::time::{Duration, Instant, SystemTime};

/// No answer is read that is longer, in bytes: rules with every list full are a fraction of it.
pub(super) const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The server's stream says something every 15 s, if only a comment.
const SILENCE_MAX: Duration = Duration::from_secs(45);

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const PROJECT: HeaderName = HeaderName::from_static("x-project-id");
const INSTALL_ID: HeaderName = HeaderName::from_static("x-agent-install-id");
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("x-payload-signature");

/// How this agent is called.
pub(super) const AGENT: &str = concat!("ringwall-guard/", env!("CARGO_PKG_VERSION"));

/// Sends requests to one server.
#[derive(Debug)]
pub(super) struct Door {
    http: HttpClient,
    headers: HeaderMap,
    limiter: Mutex<TokenBucket>,
    pub(super) signing_secret: Option<Secret>,
    compression_threshold: Option<usize>,
    refusal_wait: Duration,
    on_error: Option<OnError>,
    alarm: Mutex<Option<String>>,
}

impl Door {
    pub(super) fn new(checked: &Checked, install_id: &str) -> Self {
        let options = &checked.options;
        let mut headers = HeaderMap::new();
        let mut insert = |name: HeaderName, text: &str| {
            // Checked with the options; one that cannot stand in a header is left out.
            if let Ok(mut value) = HeaderValue::try_from(text) {
                value.set_sensitive(name == API_KEY);
                headers.insert(name, value);
            }
        };
        insert(API_KEY, options.api_key.trim());
        insert(INSTALL_ID, install_id);
        insert(CONTENT_TYPE, "application/json");
        insert(USER_AGENT, AGENT);
        if let Some(project) = &options.project_id {
            insert(PROJECT, project);
        }
        let per_minute = options.requests_per_minute.max(1);
        let refill = Duration::from_secs(60) / per_minute;
        Self {
            http: checked.http.clone(),
            headers,
            limiter: Mutex::new(TokenBucket::new(per_minute, refill, Instant::now())),
            signing_secret: checked.signing_secret.clone(),
            compression_threshold: options
                .compression_enabled
                .then_some(options.compression_threshold),
            refusal_wait: checked.refusal_wait,
            on_error: options.on_error.clone(),
            alarm: Mutex::default(),
        }
    }

    /// Brings a body, and says what the server made of it. May be cancelled.
    pub(super) async fn post(&self, path: &str, body: &Bytes) -> Outcome {
        let mut headers = self.headers.clone();
        // Over the JSON as it is, not as it is packed.
        if let Some(secret) = &self.signing_secret
            && let Ok(value) = HeaderValue::try_from(guard::sign(secret, body))
        {
            headers.insert(SIGNATURE, value);
        }
        let (body, encoding) = self.pack(body.clone());
        if let Some(encoding) = encoding.header() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        self.take_turn().await;
        let verdict = match self.http.send(Method::POST, path, headers, body).await {
            Ok(answer) => {
                let (status, body) = (answer.status, &answer.body);
                judge(status, &answer.headers, body, SystemTime::now(), self.refusal_wait)
            }
            Err(error) => Verdict {
                is_alarming: matches!(error, ClientError::Untrusted { .. }),
                outcome: Outcome::Retry { after: None, why: error.to_string() },
            },
        };
        self.note(&verdict);
        verdict.outcome
    }

    /// Asks for the rules.
    pub(super) async fn rules(&self) -> Result<HttpAnswer, ClientError> {
        self.take_turn().await;
        self.http.send(Method::GET, "/api/v1/rules", self.headers.clone(), Bytes::new()).await
    }

    /// Asks for the rules as they change.
    pub(super) async fn rules_stream(&self) -> Result<StreamAnswer, ClientError> {
        self.take_turn().await;
        self.http.stream("/api/v1/rules/stream", self.headers.clone(), SILENCE_MAX).await
    }

    /// What is wrong that waiting does not mend.
    pub(super) fn alarm(&self) -> Option<String> {
        self.alarm.lock().clone()
    }

    /// Tells who wants to know.
    pub(super) fn tell(&self, stage: Stage, error: &str) {
        if let Some(on_error) = &self.on_error {
            on_error.tell(stage, error);
        }
    }

    /// Waits for room within the limit. A wait is no attempt.
    async fn take_turn(&self) {
        loop {
            let taken = self.limiter.lock().take(1, Instant::now());
            let Err(wait) = taken else { return };
            tokio::time::sleep(wait).await;
        }
    }

    fn pack(&self, body: Bytes) -> (Bytes, Encoding) {
        if self.compression_threshold.is_none_or(|threshold| body.len() < threshold) {
            return (body, Encoding::Identity);
        }
        compress(body.clone(), Encoding::Gzip).unwrap_or_else(|error| {
            tracing::warn!(%error, "telemetry goes uncompressed");
            (body, Encoding::Identity)
        })
    }

    /// Each trouble is told once, until something succeeds.
    fn note(&self, verdict: &Verdict) {
        let mut alarm = self.alarm.lock();
        match &verdict.outcome {
            Outcome::Delivered => *alarm = None,
            Outcome::Retry { why, .. } | Outcome::Later { why, .. } if verdict.is_alarming => {
                if alarm.as_ref() != Some(why) {
                    tracing::error!(
                        why,
                        "telemetry is not taken: it is kept, but somebody has to look"
                    );
                    *alarm = Some(why.clone());
                    drop(alarm);
                    self.tell(Stage::TransportSend, why);
                }
            }
            Outcome::Refused { why } | Outcome::TooLarge { why } => {
                drop(alarm);
                self.tell(Stage::TransportSend, why);
            }
            Outcome::Retry { .. } | Outcome::Later { .. } => {}
        }
    }
}
