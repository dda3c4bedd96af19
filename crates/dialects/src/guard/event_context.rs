use super::{Event, EventClass, LeftOut};
use ringwall_event::{
    Activity, AppGuardEvent, Event as SecurityEvent, EventId, Severity, Source, Timestamp,
};
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// What the events of one batch have in common.
#[derive(Clone, Debug)]
pub struct EventContext<'a> {
    source: Source,
    install_id: Option<&'a str>,
    now: Timestamp,
}

/// The type of the event that tells which items of a batch could not be read.
pub const SET_ASIDE: &str = "guard_items_set_aside";

impl<'a> EventContext<'a> {
    /// Events of this project's guards, taken now, from the installation with this id.
    pub fn new(project: &str, install_id: Option<&'a str>, now: Timestamp) -> Self {
        Self { source: Source::new(Source::GUARD, project), install_id, now }
    }

    /// The event as the server keeps it; the whole of what was sent stands beside it.
    pub fn event(&self, event: &Event) -> SecurityEvent {
        let metadata = &event.metadata;
        let in_metadata = |name: &str| text(metadata, name);
        let severity = event.severity();
        let seen = AppGuardEvent {
            event_type: event.event_type.clone(),
            is_finding: is_finding(event.class(), severity),
            action: event.action_taken.clone(),
            reason: event.reason.clone(),
            client_address: client_address(&event.ip_address),
            country: event.country.clone(),
            user_agent: event.user_agent.clone(),
            method: event.method.clone(),
            path: event.endpoint.clone(),
            status: event.status_code,
            duration_ms: event.response_time.map(|seconds| seconds * 1000.0),
            category: category(event),
            pattern: event.pattern_matched.clone().or_else(|| in_metadata("pattern")),
            decorator: event.decorator_type.clone().or_else(|| in_metadata("decorator_type")),
            rule: event.rule_type.clone().or_else(|| in_metadata("rule_type")),
            handler: event.handler_name.clone(),
            install_id: self.install_id.map(Into::into),
        };
        self.made(event.timestamp, severity, seen, Some(Value::from(event)))
    }

    /// The event that tells which items could not be read, where there are any: nothing vanishes.
    pub fn set_aside(&self, left_out: &LeftOut) -> Option<SecurityEvent> {
        let first = left_out.items.first()?;
        let reason = format!(
            "{} items could not be read, the first: {} {}: {}",
            left_out.items_total, first.kind, first.position, first.reason
        );
        let items: Vec<Value> = left_out
            .items
            .iter()
            .map(|item| {
                json!({
                    "kind": item.kind.to_string(),
                    "position": item.position,
                    "reason": item.reason.to_string(),
                    "excerpt": item.excerpt,
                })
            })
            .collect();
        let seen = AppGuardEvent {
            event_type: SET_ASIDE.into(),
            action: "set_aside".into(),
            reason: reason.into(),
            install_id: self.install_id.map(Into::into),
            ..AppGuardEvent::default()
        };
        let original =
            json!({ "metadata": { "items": items, "items_total": left_out.items_total } });
        Some(self.made(self.now, Severity::Low, seen, Some(original)))
    }

    fn made(
        &self,
        time: Timestamp,
        severity: Severity,
        seen: AppGuardEvent,
        original: Option<Value>,
    ) -> SecurityEvent {
        let mut activity = Activity::AppGuard(Box::new(seen));
        activity.shorten_texts();
        SecurityEvent {
            id: EventId::default(),
            time,
            received: self.now,
            source: self.source.clone(),
            host: self.source.name.clone(),
            severity,
            activity,
            original: original.map(|original| original.to_string().into()),
        }
    }
}

/// A block of what is plainly forbidden is a request like others; what speaks of intent is a finding.
const fn is_finding(class: EventClass, severity: Severity) -> bool {
    match class {
        EventClass::Detection | EventClass::Behaviour | EventClass::Ban => {
            severity as u8 > Severity::Informational as u8
        }
        _ => severity as u8 >= Severity::High as u8,
    }
}

/// The address in its shortest form, so that it is found however it was written; none for events
/// without a client.
fn client_address(text: &str) -> Option<Box<str>> {
    let text = text.trim();
    match text.parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical().to_string().into()),
        Err(_) if text.is_empty() || text == "system" => None,
        Err(_) => Some(text.into()),
    }
}

/// The kind of attack, wherever the guard wrote it.
fn category(event: &Event) -> Option<Box<str>> {
    let metadata = &event.metadata;
    let first = || match metadata.get("threat_categories") {
        Some(Value::Array(categories)) => categories.first()?.as_str().map(Into::into),
        _ => None,
    };
    let of_ban = || match event.class() {
        // `penetration_attempt:sqli`
        EventClass::Ban => event.reason.split_once(':').map(|(_, category)| category.trim().into()),
        _ => None,
    };
    text(metadata, "category")
        .or_else(|| text(metadata, "violation_category"))
        .or_else(first)
        .or_else(of_ban)
}

fn text(metadata: &Map<String, Value>, name: &str) -> Option<Box<str>> {
    metadata.get(name)?.as_str().filter(|text| !text.is_empty()).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::read_batch;

    fn read(item: &str) -> SecurityEvent {
        let body = format!(r#"{{"events":[{item}],"metrics":[]}}"#);
        let batch = read_batch(body.as_bytes()).unwrap();
        let context = EventContext::new("shop", Some("id-1"), Timestamp::default());
        context.event(&batch.events[0])
    }

    fn seen(event: &SecurityEvent) -> &AppGuardEvent {
        match &event.activity {
            Activity::AppGuard(seen) => seen,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_middleware_found_keeps_all_its_fields() {
        let event = read(
            r#"{"idempotency_key":"k","timestamp":"2026-11-20 20:16:39.5","event_type":"pattern_detected",
            "ip_address":"::ffff:203.0.113.9","country":"NZ","user_agent":"curl","action_taken":"threat_detected",
            "reason":"found","endpoint":"/x","method":"GET","status_code":400,"response_time":0.0125,
            "decorator_type":null,"rule_type":null,"pattern_matched":"union select","handler_name":"sus_patterns",
            "metadata":{"category":"sqli","context":"query_param:q"},"extra_field":1}"#,
        );
        let seen = seen(&event);
        assert_eq!(seen.client_address.as_deref(), Some("203.0.113.9"));
        assert_eq!(
            (seen.category.as_deref(), seen.pattern.as_deref()),
            (Some("sqli"), Some("union select"))
        );
        assert_eq!((seen.status, seen.duration_ms), (Some(400), Some(12.5)));
        assert_eq!((seen.is_finding, event.severity), (true, Severity::Medium));
        assert_eq!(event.source.to_string(), "guard:shop");
        assert_eq!(event.time.to_string(), "2026-11-20T20:16:39.500000Z");
        let original: Value = serde_json::from_str(event.original.as_deref().unwrap()).unwrap();
        assert_eq!(original["metadata"]["context"], "query_param:q");
        assert_eq!(
            (&original["extra_field"], &original["idempotency_key"]),
            (&json!(1), &json!("k"))
        );
    }

    #[test]
    fn categories_are_found_wherever_they_stand() {
        check(
            r#""event_type":"penetration_attempt","metadata":{"violation_category":"xss"}"#,
            Some("xss"),
        );
        check(
            r#""event_type":"pattern_detected","metadata":{"threat_categories":["ssrf","xml"]}"#,
            Some("ssrf"),
        );
        check(r#""event_type":"ip_banned","reason":"penetration_attempt:sqli""#, Some("sqli"));
        check(r#""event_type":"rate_limited","reason":"limit: 10""#, None);
        check(r#""event_type":"pattern_detected","metadata":{"category":7}"#, None);
    }

    #[track_caller]
    fn check(fields: &str, expected: Option<&str>) {
        let event = read(&format!(r#"{{"timestamp":"2026-11-20 20:16:39",{fields}}}"#));
        assert_eq!(seen(&event).category.as_deref(), expected, "{fields}");
    }

    #[test]
    fn events_without_a_client_have_no_address() {
        for (text, expected) in
            [("system", None), ("", None), ("2001:DB8::1", Some("2001:db8::1")), ("?", Some("?"))]
        {
            assert_eq!(client_address(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_told() {
        let batch = read_batch(br#"{"events":[7],"metrics":[{"timestamp":"2026-11-20 20:16:39","metric_type":"x","value":NaN}]}"#).unwrap();
        let context = EventContext::new("shop", None, Timestamp::default());
        let event = context.set_aside(&batch.left_out).unwrap();
        assert_eq!(seen(&event).event_type.as_ref(), SET_ASIDE);
        assert!(event.original.unwrap().contains("not a finite number"));
        assert!(context.set_aside(&LeftOut::default()).is_none());
    }
}
