//! What an application's guard reported, as rules and previews look at it.

use ringwall_event::{Event, Source};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::net::IpAddr;

/// One event of an application's guard.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Observed {
    /// Its type, as the guard named it.
    pub(crate) event_type: String,
    /// The client, where there was one.
    pub(crate) address: Option<IpAddr>,
    /// The client's country, where the guard knew it.
    pub(crate) country: Option<String>,
    /// What the client called itself.
    pub(crate) user_agent: Option<String>,
    /// How it asked.
    pub(crate) method: Option<String>,
    /// For what.
    pub(crate) endpoint: Option<String>,
    /// Why the guard did what it did.
    pub(crate) reason: String,
    /// How long the guard bans the client.
    pub(crate) ban_seconds: Option<u32>,
    /// The cloud provider of the client, where the guard knew it.
    pub(crate) cloud_provider: Option<String>,
    /// The part of the request in which the guard found something.
    pub(crate) preview: Option<String>,
}

/// As the guard wrote it (guard contract, section 2.2).
#[derive(Deserialize)]
struct Written {
    event_type: String,
    #[serde(default)]
    ip_address: Option<String>,
    #[serde(default)]
    country: Option<String>,
    #[serde(default)]
    user_agent: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    endpoint: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// The event as its guard wrote it; none where it is no guard's.
pub(crate) fn observed(event: &Event) -> Option<Observed> {
    if &*event.source.dialect != Source::GUARD {
        return None;
    }
    let written: Written = serde_json::from_str(event.original.as_deref()?).ok()?;
    let text = |name: &str| written.metadata.get(name).and_then(Value::as_str).map(str::to_owned);
    let seconds = written.metadata.get("duration").and_then(Value::as_f64);
    Some(Observed {
        address: written.ip_address.as_deref().and_then(client),
        country: written.country.filter(|country| !country.is_empty()),
        user_agent: written.user_agent,
        method: written.method,
        endpoint: written.endpoint,
        reason: written.reason.unwrap_or_default(),
        ban_seconds: seconds.map(whole_seconds),
        cloud_provider: text("cloud_provider"),
        preview: text("content_preview"),
        event_type: written.event_type,
    })
}

impl Observed {
    /// Whether an application did this because we told it to.
    pub(crate) fn follows_our_rules(&self) -> bool {
        matches!(&*self.event_type, "ip_banned" | "ip_unbanned")
            && self.reason.starts_with("dynamic_rule")
    }
}

/// The client's address. What runs beside the application asks it by loopback, and is never banned.
fn client(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.trim().parse().ok()?;
    let address = address.to_canonical();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is clamped to the range before"
)]
fn whole_seconds(seconds: f64) -> u32 {
    seconds.clamp(0.0, f64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_event::{Activity, EventId, Severity, Timestamp};

    #[test]
    fn what_guards_write_is_read() {
        let found = read(
            "guard",
            r#"{"event_type":"ip_banned","ip_address":"::ffff:203.0.113.9","country":"NL",
                "user_agent":"sqlmap","method":"GET","endpoint":"/a","reason":"rate_limit_exceeded",
                "metadata":{"duration":3600.5,"cloud_provider":"AWS"},"more":1}"#,
        );
        let found = found.unwrap();
        assert_eq!(found.address, Some("203.0.113.9".parse().unwrap()));
        assert_eq!(found.ban_seconds, Some(3600));
        assert_eq!(found.cloud_provider.as_deref(), Some("AWS"));
        assert!(!found.follows_our_rules());
    }

    #[test]
    fn what_has_no_client_or_is_nobodys_is_told_apart() {
        for address in ["system", "", "127.0.0.1", "::1", "0.0.0.0"] {
            let text = format!(r#"{{"event_type":"x","ip_address":"{address}"}}"#);
            assert_eq!(read("guard", &text).unwrap().address, None, "{address}");
        }
        assert_eq!(read("watcher", r#"{"event_type":"x"}"#), None);
        assert_eq!(read("guard", "[]"), None);
        let ours = r#"{"event_type":"ip_banned","ip_address":"192.0.2.1","reason":"dynamic_rule"}"#;
        assert!(read("guard", ours).unwrap().follows_our_rules());
    }

    fn read(dialect: &str, original: &str) -> Option<Observed> {
        observed(&Event {
            id: EventId::default(),
            time: Timestamp::default(),
            received: Timestamp::default(),
            source: Source::new(dialect, "shop"),
            host: "shop".into(),
            severity: Severity::Low,
            activity: Activity::HttpRequest(Box::default()),
            original: Some(original.into()),
        })
    }
}
