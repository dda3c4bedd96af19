//! Those who are told, and what is sent to them.

use super::{alert, seconds_ago};
use crate::*;
use ringwall_event::Severity;

pub(crate) fn webhook() -> WebhookRow {
    WebhookRow {
        id: "whk_5f2c9d1e0b7a4c36".into(),
        name: "on call".into(),
        url: "https://example.com/ringwall?***".into(),
        format: WebhookFormat::Standard,
        min_severity: Some(Severity::High),
        findings: Vec::new(),
        sources: Vec::new(),
        enabled: true,
        paused_because: None,
        agent: None,
        threshold: None,
        shared_secret: false,
        previous_secret_until: None,
        created: seconds_ago(86_400),
        created_by: "user:admin".into(),
        deliveries: DeliveryCounts { pending: 0, failed: 1, success: 17, dead_letter: 0 },
    }
}

pub(crate) fn delivery() -> DeliveryRow {
    DeliveryRow {
        id: "dlv_0192f3b4c5d67e8f8a1b2c3d4e5f6071".into(),
        webhook: webhook().id,
        event_type: "alert.raised".into(),
        subject: alert().id.to_string(),
        state: DeliveryState::Failed,
        attempts: 1,
        next_attempt: Some(seconds_ago(-8)),
        created: seconds_ago(2),
        finished: None,
        last_error: Some("answered 500".into()),
    }
}

pub(crate) fn delivery_detail() -> DeliveryDetail {
    let row = delivery();
    DeliveryDetail {
        id: row.id,
        webhook: row.webhook,
        event_type: row.event_type,
        subject: row.subject.clone(),
        state: row.state,
        attempts: vec![AttemptRow {
            at: seconds_ago(2),
            status: Some(500),
            error: row.last_error.clone(),
            duration_ms: 12,
            answer: "try later".into(),
        }],
        next_attempt: row.next_attempt,
        created: row.created,
        finished: row.finished,
        last_error: row.last_error,
        payload: serde_json::json!({
            "type": "alert.raised",
            "timestamp": seconds_ago(2),
            "data": { "id": row.subject, "severity": "high" },
        }),
    }
}
