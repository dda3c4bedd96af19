use crate::discovery::trust_of;
use anyhow::{Result, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ringwall_event::Timestamp;
use ringwall_lifecycle::ReadyFile;
use ringwall_server_api::{KeyKind, KeyRequest};
use ringwall_server_client::{Client, HttpClient};
use ringwall_signing::{Secret, mac_base64};
use serde_json::{Value, json};
use std::time::Duration;

/// A web server that a SysScore agent watches; every two minutes somebody breaks in for ten seconds.
pub(super) struct WebHost {
    http: HttpClient,
    secret: Secret,
    run: i64,
}

const NAME: &str = "demo-web-1";
const TIMEOUT: Duration = Duration::from_secs(10);

/// Pid, program, and the system calls that it makes all day.
const CALM: [(i64, &str, &[&str]); 4] = [
    (812, "nginx", &["accept", "recvfrom", "openat", "sendto", "close"]),
    (931, "php-fpm", &["read", "openat", "stat", "write"]),
    (1120, "redis-server", &["read", "write", "read"]),
    (640, "cron", &["stat"]),
];
/// What a web shell does with a process that should only write logs.
const BREAK_IN: [&str; 6] = ["execve", "setuid", "ptrace", "mount", "execve", "chmod"];
const STORY_TICKS: u64 = 60;

impl WebHost {
    /// Lets it in: with a fresh key at each start, as the secret of the last is not kept.
    pub(super) async fn enrol(ready: &ReadyFile, root: &str) -> Result<Self> {
        let trust = trust_of(ready)?;
        let client = Client::trusting(&ready.main, &ready.admin_token, &trust)?;
        match client.delete_key(KeyKind::SysScore, NAME).await {
            Ok(()) => {}
            Err(error) if error.is_status(404) => {}
            Err(error) => return Err(error.into()),
        }
        let request = KeyRequest { kind: KeyKind::SysScore, name: NAME.to_owned(), secret: None };
        let key = client.create_key(&request).await?;
        Ok(Self {
            http: HttpClient::trusting(root, TIMEOUT, &trust)?,
            secret: Secret::from(key.secret.expose()),
            run: crate::output::now().as_micros(),
        })
    }

    pub(super) async fn report(&mut self, tick: u64, now: Timestamp) -> Result<()> {
        let body = Bytes::from(batch(tick, now).to_string());
        let headers = [
            ("x-agent-id", NAME.to_owned()),
            ("x-agent-signature", mac_base64(&self.secret, &body)),
            ("idempotency-key", format!("{NAME}-{}-{tick}", self.run)),
        ];
        let headers: HeaderMap = headers
            .into_iter()
            .map(|(name, value)| Ok((HeaderName::from_static(name), HeaderValue::try_from(value)?)))
            .collect::<Result<_>>()?;
        let answer = self.http.send(Method::POST, "/api/v1/events", headers, body).await?;
        if !answer.status.is_success() {
            bail!("the server answers {}", answer.status);
        }
        Ok(())
    }
}

fn batch(tick: u64, now: Timestamp) -> Value {
    let mut events = Vec::new();
    let mut add = |pid: i64, program: &str, call: &str, risk: f64, anomaly: f64| {
        let at = now.plus_micros(i64::try_from(events.len()).unwrap_or(0));
        events.push(json!({
            "pid": pid,
            "syscall": call,
            "timestamp": at.to_naive_iso(),
            "metadata": {
                "comm": program, "risk_score": risk, "anomaly_score": anomaly, "demo": true,
            },
        }));
    };
    for (place, (pid, program, calls)) in CALM.into_iter().enumerate() {
        // Busy in waves, each program in its own.
        let wave = (tick * 7 + place as u64 * 11) % 13;
        for repeat in 0..=wave / 4 {
            for call in calls {
                add(pid, program, call, 4.0 + wave as f64, 2.0 + repeat as f64);
            }
        }
    }
    let minute = tick % STORY_TICKS;
    if (20..25).contains(&minute) {
        // Another pid each time: another process.
        let pid = 4242 + i64::try_from(tick / STORY_TICKS).unwrap_or(0);
        for call in BREAK_IN {
            add(pid, "php-fpm", call, 91.0, 88.0);
        }
    }
    json!({ "events": events })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_lively_labelled_and_not_too_much() {
        let now = Timestamp::from_micros(1_792_483_200_000_000);
        let mut broken_into = 0;
        for tick in 0..STORY_TICKS {
            let batch = batch(tick, now);
            let events = batch["events"].as_array().unwrap();
            assert!((10..100).contains(&events.len()), "{}", events.len());
            assert!(events.iter().all(|event| event["metadata"]["demo"] == true));
            broken_into += usize::from(events.iter().any(|event| event["syscall"] == "ptrace"));
        }
        assert_eq!(broken_into, 5);
    }
}
