//! What readers get: waiting commands, counts, alerts, payloads.

use ringwall_event::{Alert, Command, Event, Finding, Order, Severity, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

/// The body of `GET /commands`: every waiting command in order of creation.
pub fn write_commands(commands: &[Command]) -> String {
    let rows: Vec<Value> = commands
        .iter()
        .filter_map(|command| {
            // These clients know kills and nothing else.
            let Order::KillProcess(target) = &command.order else { return None };
            // The only reason that the original knows; people's orders get one of their own.
            let by_rule = command.ordered_by.starts_with("rule:");
            Some(json!({
                "command_id": command.id,
                "action": command.order.action().name(),
                "target": target.pid.to_string(),
                "parameters": {
                    "process_name": target.name,
                    "reason": if by_rule { "threat_intel_match" } else { "operator_order" },
                },
            }))
        })
        .collect();
    Value::Array(rows).to_string()
}

/// The body of `GET /dashboard/stats`. Unlike the original's, the counts are of all that is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StatsRow {
    /// Payloads stored.
    pub event_count: u64,
    /// Alerts that nobody resolved.
    pub alert_count: u64,
    /// Hosts that report.
    pub unique_hosts: u64,
    /// Hosts with at least one waiting command.
    pub pending_command_hosts: u64,
    /// The same alerts by severity.
    pub alert_severity_breakdown: SeverityBreakdown,
}

/// Alerts by the three severities that the original knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct SeverityBreakdown {
    /// High and above.
    pub high: u64,
    /// Medium.
    pub medium: u64,
    /// Low and below.
    pub low: u64,
}

impl SeverityBreakdown {
    /// Counts further alerts of this severity.
    pub fn add(&mut self, severity: Severity, alerts: u64) {
        let count = match severity_name(severity) {
            "HIGH" => &mut self.high,
            "MEDIUM" => &mut self.medium,
            _ => &mut self.low,
        };
        *count = count.saturating_add(alerts);
    }

    /// All of them.
    pub const fn total(&self) -> u64 {
        self.high.saturating_add(self.medium).saturating_add(self.low)
    }
}

/// One element of `GET /alerts`; `count` and `last_seen` are ours, for further sightings raise a
/// count instead of another alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertRow<'a> {
    finding_type: &'static str,
    severity: &'static str,
    timestamp: String,
    details: String,
    host: &'a str,
    process_pid: Option<i64>,
    process_name: Option<&'a str>,
    count: u64,
    last_seen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_event: Option<Value>,
}

impl<'a> AlertRow<'a> {
    /// The row of an alert in the original's words.
    pub fn new(alert: &'a Alert) -> Self {
        let name = alert.process.as_ref().map(|process| &*process.name);
        let shown = name.unwrap_or_default();
        let (finding_type, details) = match &alert.finding {
            Finding::NewProcess => {
                ("anomaly_new_process", format!("New/unusual process '{shown}' detected."))
            }
            Finding::IndicatorMatch { indicator, .. }
                if name.is_some() && matches!(indicator.as_str(), "process" | "path" | "hash") =>
            {
                ("threat_intel_match_process", format!("Known bad process '{shown}' detected."))
            }
            Finding::IndicatorMatch { .. } => {
                ("threat_intel_match_connection", sentence(&alert.title))
            }
            finding => (finding.kind(), sentence(&alert.title)),
        };
        Self {
            finding_type,
            severity: severity_name(alert.severity),
            timestamp: iso(alert.first_seen),
            details,
            host: &alert.host,
            process_pid: alert.process.as_ref().map(|process| process.pid),
            process_name: name,
            count: alert.count,
            last_seen: iso(alert.last_seen),
            original_event: None,
        }
    }

    /// With an extract of the payload that led to it.
    #[must_use]
    pub fn with_original_event(mut self, extract: Option<Value>) -> Self {
        self.original_event = extract;
        self
    }
}

/// How many connections an extract holds.
const EXTRACT_CONNECTIONS_MAX: usize = 20;

/// The payload of an alert without all that the alert is not about: the whole payload of a hundred
/// alerts would be megabytes. None where the event holds no payload.
pub fn original_event_extract(event: &Event, pid: Option<i64>) -> Option<Value> {
    let mut payload: Value = serde_json::from_str(event.original.as_deref()?).ok()?;
    let fields = payload.as_object_mut()?;
    let about = |item: &Value| pid.is_some() && item.get("pid").and_then(Value::as_i64) == pid;
    for (field, items_max) in [("processes", 1), ("connections", EXTRACT_CONNECTIONS_MAX)] {
        if let Some(Value::Array(items)) = fields.get_mut(field) {
            items.retain(about);
            items.truncate(items_max);
        }
    }
    fields.remove("system_info");
    Some(payload)
}

/// The body of `GET /events`: stored payloads, each with the time of its receipt. Events that hold no
/// payload are left out.
pub fn write_events(events: &[Event]) -> String {
    let mut out = String::from("[");
    for event in events {
        let Some(payload) = event.original.as_deref().and_then(|text| text.strip_suffix('}'))
        else {
            continue;
        };
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(payload);
        out.push_str(",\"received_at\":\"");
        out.push_str(&iso(event.received));
        out.push_str("\"}");
    }
    out.push(']');
    out
}

/// ISO 8601 with microseconds, as the original writes it, and with the offset that it lacks: readers
/// need not guess the server's time zone.
pub(super) fn iso(moment: Timestamp) -> String {
    format!("{}+00:00", moment.to_naive_iso())
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::High | Severity::Critical => "HIGH",
        Severity::Medium => "MEDIUM",
        Severity::Informational | Severity::Low => "LOW",
    }
}

/// A title as a sentence.
fn sentence(title: &str) -> String {
    let mut letters = title.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
