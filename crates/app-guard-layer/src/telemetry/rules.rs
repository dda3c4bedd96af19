//! Rules from the server: streamed where it can, polled where it cannot.

use super::door::{Door, SIGNATURE};
use super::on_error::Stage;
use super::record::micros;
use ringwall_dialects::guard::{DynamicRules, RulesAnswer, verify};
use ringwall_event::Timestamp;
use ringwall_resilience::{Backoff, BackoffPolicy};
use ringwall_server_client::{ClientError, ServerSentEvent, ServerSentStream, StreamAnswer};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use tokio::time::sleep;

/// A server that does not stream is asked again after so long: it may have been replaced by a newer one.
const STREAM_ASKED_AGAIN: Duration = Duration::from_secs(3600);

/// The rules' own `ttl` makes nobody ask more often.
const POLL_LEAST: Duration = Duration::from_secs(1);

/// The rules in force, none where only the guard's own settings are.
pub(super) type Current = watch::Sender<Option<Arc<DynamicRules>>>;

/// Keeps the rules up to date.
pub(super) struct RulesKeeper {
    pub(super) door: Arc<Door>,
    pub(super) current: Current,
    pub(super) interval: Duration,
}

/// How a stream ended.
enum Ended {
    /// The server has none.
    Unsupported,
    /// It may come back.
    Broken,
}

impl RulesKeeper {
    /// Until `stop` turns true, or nobody is left who could turn it.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.keep() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn keep(&self) {
        let policy = BackoffPolicy::new(Duration::from_secs(2), Duration::from_secs(60));
        let mut backoff = Backoff::new(policy);
        let mut stream_at = Instant::now();
        loop {
            self.drop_expired();
            if let Err(error) = self.poll().await {
                tracing::debug!(error, "no rules");
            }
            if stream_at <= Instant::now() {
                match self.follow().await {
                    Ok(()) => backoff.succeeded(),
                    Err(Ended::Unsupported) => stream_at = Instant::now() + STREAM_ASKED_AGAIN,
                    Err(Ended::Broken) => {}
                }
            }
            let streams = stream_at <= Instant::now();
            let wait = if streams { backoff.failed(chance(), None) } else { self.poll_wait() };
            sleep(self.until_expiry(wait)).await;
        }
    }

    /// Follows the stream; comes back when it ended after having told something.
    async fn follow(&self) -> Result<(), Ended> {
        let mut stream = match self.door.rules_stream().await {
            Ok(StreamAnswer::Events(stream)) => stream,
            // Nobody streams there, or what stands in between does not let it through.
            Ok(StreamAnswer::Other(answer)) if !answer.status.is_server_error() => {
                return Err(Ended::Unsupported);
            }
            Ok(StreamAnswer::Other(_)) | Err(_) => return Err(Ended::Broken),
        };
        let mut was_useful = false;
        loop {
            let wait = self.until_expiry(Duration::from_secs(3600));
            let event = tokio::select! {
                event = stream_event(&mut stream) => event,
                () = sleep(wait) => {
                    self.drop_expired();
                    continue;
                }
            };
            match event {
                Ok(Some(event)) if event.name == "rules" => match self.take_streamed(&event) {
                    Ok(()) => was_useful = true,
                    Err(error) => self.refuse(&error),
                },
                Ok(Some(_)) => {}
                Ok(None) | Err(_) if was_useful => return Ok(()),
                Ok(None) | Err(_) => return Err(Ended::Broken),
            }
        }
    }

    fn take_streamed(&self, event: &ServerSentEvent) -> Result<(), String> {
        let data: Map<String, Value> =
            serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
        let text = data.get("rules").and_then(Value::as_str).ok_or("no `rules` in the message")?;
        let signature = data.get("signature").and_then(Value::as_str);
        self.take(text.as_bytes(), signature)
    }

    async fn poll(&self) -> Result<(), String> {
        let answer = self.door.rules().await.map_err(|error| error.to_string())?;
        if answer.status != http::StatusCode::OK {
            return Err(format!("the server answers {}", answer.status));
        }
        let signature = answer.headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
        self.take(&answer.body, signature).inspect_err(|error| self.refuse(error))
    }

    /// Believes rules that are signed, where that can be checked, and that are rules at all. An error
    /// with status 200 must not pass for rules that ask for nothing.
    fn take(&self, text: &[u8], signature: Option<&str>) -> Result<(), String> {
        if let Some(secret) = &self.door.signing_secret
            && !signature.is_some_and(|signature| verify(secret, text, signature))
        {
            return Err("the rules have no right signature".to_owned());
        }
        let rules = match RulesAnswer::read(text).map_err(|error| error.to_string())? {
            RulesAnswer::Unchanged => return Ok(()),
            RulesAnswer::Rules(rules) => rules,
        };
        if rules.has_expired(now()) {
            return Ok(());
        }
        let current = self.current.borrow().clone();
        if !rules.follows(current.as_deref()) {
            return Ok(());
        }
        tracing::info!(rule_id = &*rules.rule_id, version = rules.version, "new rules");
        self.current.send_replace(Some(Arc::from(rules)));
        Ok(())
    }

    fn refuse(&self, error: &str) {
        tracing::error!(error, "the server's rules are not believed: nothing changes");
        self.door.tell(Stage::Rules, error);
    }

    fn drop_expired(&self) {
        self.current.send_if_modified(|current| {
            let has_expired = current.as_ref().is_some_and(|rules| rules.has_expired(now()));
            if has_expired {
                tracing::info!("the rules have expired: the guard's own settings hold again");
                *current = None;
            }
            has_expired
        });
    }

    fn poll_wait(&self) -> Duration {
        let ttl = self.current.borrow().as_ref().map(|rules| rules.ttl);
        let ttl = ttl.map_or(self.interval, |ttl| Duration::from_secs(ttl.into()));
        jittered(ttl.min(self.interval).max(POLL_LEAST))
    }

    /// No longer than until the rules expire.
    fn until_expiry(&self, wait: Duration) -> Duration {
        let expiry = self.current.borrow().as_ref().and_then(|rules| rules.expires_at);
        let Some(expiry) = expiry else { return wait };
        let left = u64::try_from(expiry.micros_since(now())).unwrap_or(0);
        wait.min(Duration::from_micros(left) + Duration::from_millis(1))
    }
}

async fn stream_event(
    stream: &mut ServerSentStream,
) -> Result<Option<ServerSentEvent>, ClientError> {
    stream.next().await
}

/// Spread over a tenth to either side, so that a fleet does not ask in step.
pub(super) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.9 + 0.2 * f64::from(chance()) / f64::from(u32::MAX))
}

fn chance() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

fn now() -> Timestamp {
    Timestamp::from_micros(micros(SystemTime::now()))
}
