use super::Exchange;
use crate::event::{EventType, GuardEvent, kept};
use ringwall_inspection::Moment;
use std::borrow::Cow;

impl Exchange {
    /// An event about this request.
    pub(super) fn event(
        &self,
        event_type: EventType,
        action: &'static str,
        reason: impl Into<Cow<'static, str>>,
        now: Moment,
    ) -> GuardEvent {
        let mut event = GuardEvent::new(event_type, action, reason, now).by("middleware");
        event.ip_address = match self.client.address {
            Some(address) => address.to_string().into(),
            None => Cow::Borrowed(""),
        };
        event.country = self.country.flatten().map(|country| country.to_string());
        event.user_agent = self
            .head
            .header("user-agent")
            .map(|value| kept(&String::from_utf8_lossy(value)).to_owned());
        event.endpoint = Some(kept(self.head.path()).to_owned());
        event.method = Some(kept(self.head.method()).to_owned());
        event.response_time = Some(now.instant.saturating_duration_since(self.began.instant));
        for name in ["traceparent", "tracestate"] {
            if let Some(value) = self.head.header_text(name) {
                event.metadata.insert(name.to_owned(), kept(value).into());
            }
        }
        event
    }

    /// An event about a rule of the route.
    pub(super) fn route_event(
        &self,
        event_type: EventType,
        action: &'static str,
        reason: impl Into<Cow<'static, str>>,
        (decorator, violation): (&'static str, &'static str),
        now: Moment,
    ) -> GuardEvent {
        let mut event = self.event(event_type, action, reason, now);
        event.decorator_type = Some(decorator);
        event.with("decorator_type", decorator).with("violation_type", violation)
    }

    /// That a question found no answer.
    pub(super) fn failure_event(
        &self,
        is_state: bool,
        what: &'static str,
        pass: bool,
        now: Moment,
    ) -> GuardEvent {
        let event_type =
            if is_state { EventType::RedisError } else { EventType::SecurityCheckFailed };
        let action = if pass { "check_skipped" } else { "request_blocked" };
        self.event(event_type, action, format!("could not be checked: {what}"), now)
            .with("function_name", what)
            .with("error_type", if is_state { "state_unreachable" } else { "check_failed" })
    }

    /// Keeps an event, up to the bound of one exchange.
    pub(super) fn tell(&mut self, event: GuardEvent) {
        if self.events.len() < self.active.events_max {
            self.events.push(event);
        }
    }
}
