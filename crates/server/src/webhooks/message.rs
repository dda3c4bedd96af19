//! What a receiver is told, and the headers that prove who tells it.

use super::{Webhook, WebhookFormat};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ringwall_detection::RiskRise;
use ringwall_dialects::sysscore::process_id;
use ringwall_event::{Alert, EventId, Finding, ProcessRef, Severity, Source, Timestamp};
use ringwall_signing::{Secret, mac, mac_base64};
use ringwall_store::Delivery;
use serde::Serialize;

/// An alert is new.
pub(crate) const ALERT_RAISED: &str = "alert.raised";
/// An alert became more severe.
pub(crate) const ALERT_ESCALATED: &str = "alert.escalated";
/// The risk of a process rose to the threshold: the name in the SysScore contract.
pub(crate) const RISK_THRESHOLD_CROSSED: &str = "risk_threshold_crossed";
/// Somebody tries a webhook.
pub(crate) const TEST: &str = "test";

const USER_AGENT: &str = concat!("Ringwall/", env!("CARGO_PKG_VERSION"));

/// Standard Webhooks: `{type, timestamp, data}`.
#[derive(Serialize)]
struct StandardBody<T> {
    #[serde(rename = "type")]
    event_type: &'static str,
    timestamp: Timestamp,
    data: T,
}

/// The alert as it was when it was told, in the words of our API.
#[derive(Serialize)]
struct AlertData<'a> {
    id: EventId,
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_severity: Option<Severity>,
    finding: &'a Finding,
    title: &'a str,
    /// `dialect:name`.
    source: String,
    host: &'a str,
    process: Option<&'a ProcessRef>,
    reasons: &'a [String],
    count: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    events: &'a [EventId],
    links: Links,
}

#[derive(Serialize)]
struct Links {
    dashboard: String,
    api: String,
}

/// The body of an alert in the standard form. `base` is where people reach the dashboard.
pub(super) fn alert_body(
    event_type: &'static str,
    alert: &Alert,
    previous_severity: Option<Severity>,
    base: &str,
    now: Timestamp,
) -> Result<Vec<u8>, serde_json::Error> {
    let links = Links {
        dashboard: format!("{base}/alerts/{}", alert.id),
        api: format!("{base}/api/v1/alerts/{}", alert.id),
    };
    let data = AlertData {
        id: alert.id,
        severity: alert.severity,
        previous_severity,
        finding: &alert.finding,
        title: &alert.title,
        source: alert.source.to_string(),
        host: &alert.host,
        process: alert.process.as_ref(),
        reasons: &alert.reasons,
        count: alert.count,
        first_seen: alert.first_seen,
        last_seen: alert.last_seen,
        events: &alert.events,
        links,
    };
    serde_json::to_vec(&StandardBody { event_type, timestamp: now, data })
}

/// The body of the SysScore contract, section 10.
#[derive(Serialize)]
struct SysScoreBody<'a> {
    event_type: &'a str,
    process_id: String,
    risk_score: f64,
    threshold: f64,
    timestamp: String,
}

/// The body of a crossing in the SysScore form.
pub(super) fn crossing_body(
    source: &Source,
    process: &ProcessRef,
    rise: RiskRise,
    now: Timestamp,
) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&SysScoreBody {
        event_type: RISK_THRESHOLD_CROSSED,
        process_id: process_id(&source.name, process.pid),
        risk_score: rise.score,
        threshold: rise.threshold,
        timestamp: now.to_naive_iso(),
    })
}

#[derive(Serialize)]
struct TestData<'a> {
    webhook: &'a str,
    name: &'a str,
    message: &'static str,
}

/// The body with which somebody tries a webhook.
pub(crate) fn test_body(webhook: &Webhook, now: Timestamp) -> Result<Vec<u8>, serde_json::Error> {
    match webhook.format() {
        WebhookFormat::Standard => {
            let data = TestData {
                webhook: &webhook.id,
                name: &webhook.stored.name,
                message: "Ringwall reaches you, and you can check its signature.",
            };
            serde_json::to_vec(&StandardBody { event_type: TEST, timestamp: now, data })
        }
        WebhookFormat::SysScore => serde_json::to_vec(&SysScoreBody {
            event_type: TEST,
            process_id: "test:0".to_owned(),
            risk_score: 0.0,
            threshold: 0.0,
            timestamp: now.to_naive_iso(),
        }),
    }
}

/// Why a delivery cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignError {
    /// The shared secret is meant, and there is none.
    #[error("HMAC_SECRET_KEY is not set, and nothing is sent unsigned")]
    NoSecret,
    /// A value does not fit into a header.
    #[error("a header cannot be made")]
    Header,
}

/// The headers of an attempt: its kind, its id, and signatures over exactly the bytes that are sent.
pub(super) fn headers(
    webhook: &Webhook,
    delivery: &Delivery,
    body: &[u8],
    now: Timestamp,
) -> Result<HeaderMap, SignError> {
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &str| -> Result<(), SignError> {
        let value = HeaderValue::from_str(value).map_err(|_| SignError::Header)?;
        headers.insert(HeaderName::from_static(name), value);
        Ok(())
    };
    put("content-type", "application/json")?;
    put("user-agent", USER_AGENT)?;
    let mut secrets = webhook.secrets(now).peekable();
    let newest = *secrets.peek().ok_or(SignError::NoSecret)?;
    match webhook.format() {
        WebhookFormat::Standard => {
            let seconds = now.as_seconds();
            let signatures: Vec<String> =
                secrets.map(|secret| signature(secret, &delivery.id, seconds, body)).collect();
            put("webhook-id", &delivery.id)?;
            put("webhook-timestamp", &seconds.to_string())?;
            put("webhook-signature", &signatures.join(" "))?;
        }
        WebhookFormat::SysScore => {
            // The original's ids collide within a second: ours go on with one that does not.
            let id = format!(
                "{}:{}:{}",
                delivery.event_type,
                delivery.created.as_seconds(),
                delivery.id
            );
            put("x-event-type", &delivery.event_type)?;
            put("x-delivery-id", &id)?;
            put("x-signature", &mac_base64(newest, body))?;
        }
    }
    if let Some(authorization) = webhook.url.authorization() {
        let mut value =
            HeaderValue::from_bytes(authorization.expose()).map_err(|_| SignError::Header)?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}

/// `v1,` and the padded base64 of HMAC-SHA256 over `id.timestamp.body` (Standard Webhooks 1.0).
fn signature(secret: &Secret, id: &str, seconds: i64, body: &[u8]) -> String {
    let mut signed = format!("{id}.{seconds}.").into_bytes();
    signed.extend_from_slice(body);
    format!("v1,{}", STANDARD.encode(mac(secret, &signed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks libraries.
    #[test]
    fn the_standards_vector_holds() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = signature(
            &Secret::from(key),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
