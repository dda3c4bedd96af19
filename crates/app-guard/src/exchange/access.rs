//! The checks that look at the request alone and at what its route demands.

use super::{Exchange, Flow, Stage};
use crate::event::EventType;
use crate::question::{Answer, Credential, Question};
use crate::route_rules::Bypass;
use ringwall_inspection::{BodySize, Moment, Reply, Scheme};
use std::sync::Arc;

impl Exchange {
    pub(super) fn address_is_known(&mut self, now: Moment) -> Flow {
        // Told now and then: each request of a proxy that somebody forgot to trust looks like this.
        let client = self.group;
        if self.client.spoofing
            && self.guard.tells(EventType::SuspiciousRequest, &client.to_string(), now)
        {
            let reason = "forwarding headers from a peer that is no trusted proxy";
            let event = self.event(EventType::SuspiciousRequest, "spoofing_detected", reason, now);
            let mut event = event.by("ip_extraction");
            event.metadata.clear();
            self.tell(event);
        }
        if self.client.address.is_some() || !self.active.fail_secure {
            return Flow::Next;
        }
        let reason = "the client's address cannot be told";
        let event = self
            .event(EventType::IpBlocked, "request_blocked", reason, now)
            .with("filter_type", "no_address");
        self.refuse(Reply::new(403, "Client address could not be determined"), event)
    }

    /// Routes that skip everything, and paths that skip almost everything.
    pub(super) fn bypasses_all(&mut self, now: Moment) -> Flow {
        let locked = self.active.emergency.as_ref().is_some_and(|state| state.whitelist_only);
        if locked {
            self.excluded = false;
            return Flow::Next;
        }
        if self.bypasses(Bypass::All) {
            let endpoint = self.endpoint.to_string();
            if self.guard.tells(EventType::SecurityBypass, &endpoint, now) {
                let event = self.route_event(
                    EventType::SecurityBypass,
                    "all_checks_bypassed",
                    "the route skips all checks",
                    ("advanced", "bypass"),
                    now,
                );
                self.tell(event.with("bypassed_checks", vec!["all"]).with("endpoint", endpoint));
            }
            return Flow::Go(Stage::Preflight);
        }
        if self.excluded {
            let subtree = self.active.excluded_paths.find(self.head.path()).unwrap_or_default();
            if self.guard.tells(EventType::PathExcluded, subtree, now) {
                let reason = "the path is excluded from the checks";
                let event =
                    self.event(EventType::PathExcluded, "security_checks_bypassed", reason, now);
                let all: Vec<&str> = self.active.excluded_paths.iter().collect();
                let event = event.with("excluded_path", subtree).with("configured_exclusions", all);
                self.tell(event);
            }
            return Flow::Go(Stage::Ban);
        }
        Flow::Next
    }

    pub(super) fn emergency(&mut self, now: Moment) -> Flow {
        let Some(emergency) = &self.active.emergency else { return Flow::Next };
        if emergency.whitelist.contains(self.address) {
            return Flow::Next;
        }
        let body = match &emergency.message {
            Some(message) => message.to_string().into(),
            None => std::borrow::Cow::Borrowed("Service temporarily unavailable"),
        };
        let count = emergency.whitelist.len();
        let event = self
            .event(EventType::EmergencyModeBlock, "request_blocked", "emergency mode", now)
            .with("emergency_whitelist_count", count)
            .with("emergency_active", true);
        self.refuse(Reply::new(503, body), event)
    }

    pub(super) fn https(&mut self, now: Moment) -> Flow {
        let by_route = self.route.as_ref().is_some_and(|route| route.require_https);
        if (!by_route && !self.active.enforce_https) || self.came_by_https() {
            return Flow::Next;
        }
        let Some(location) = self.https_location() else {
            // Without a host there is nowhere to send the client.
            let event = self.event(
                EventType::HttpsEnforced,
                "request_blocked",
                "plain HTTP, and no host to redirect to",
                now,
            );
            return self.refuse(Reply::new(400, "Bad request"), event);
        };
        let scheme = "http";
        let event = if by_route {
            self.route_event(
                EventType::DecoratorViolation,
                "https_redirect",
                "the route wants HTTPS",
                ("authentication", "require_https"),
                now,
            )
        } else {
            self.event(EventType::HttpsEnforced, "https_redirect", "HTTPS is enforced", now)
        };
        let event = event
            .with("original_scheme", scheme)
            .with("redirect_url", crate::event::kept(&location));
        let flow = self.refuse(Reply::new(301, "").header("location", location), event);
        // Sending somebody to the same page over TLS is no refusal.
        self.refused = false;
        flow
    }

    pub(super) fn size(&mut self, now: Moment) -> Flow {
        let announced = match self.head.body {
            BodySize::Exact(bytes) => Some(bytes),
            BodySize::Empty | BodySize::Unknown => None,
        };
        if let Some(text) = self.head.header("content-length") {
            let text = std::str::from_utf8(text).unwrap_or_default().trim();
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number || text.parse::<u64>().is_err() {
                let reason = "Content-Length is no number";
                let event = self.content_event(reason, "max_request_size", now);
                return self.refuse(Reply::new(400, "Invalid Content-Length"), event);
            }
        }
        let max = self.route.as_ref().and_then(|route| route.size_max);
        match (announced, max) {
            (Some(bytes), Some(max)) if bytes > max => self.too_large(max, now),
            _ => Flow::Next,
        }
    }

    pub(super) fn too_large(&mut self, max: u64, now: Moment) -> Flow {
        let reason = format!("the body is larger than {max} bytes");
        let event = self.content_event(reason, "max_request_size", now).with("limit", max);
        self.refuse(Reply::new(413, "Request too large"), event)
    }

    pub(super) fn content_type(&mut self, now: Moment) -> Flow {
        let Some(route) = self.route.as_ref().filter(|route| !route.content_types.is_empty())
        else {
            return Flow::Next;
        };
        let given = self.head.header("content-type");
        if given.is_none() && self.head.body == BodySize::Empty {
            return Flow::Next;
        }
        let given = String::from_utf8_lossy(given.unwrap_or_default());
        let media_type = given.split(';').next().unwrap_or_default().trim();
        let allowed = route.content_types.iter();
        if allowed.into_iter().any(|allowed| fits_media_type(allowed, media_type)) {
            return Flow::Next;
        }
        let reason = format!("content type `{}` is not taken here", crate::event::kept(media_type));
        let event = self.content_event(reason, "content_type", now);
        self.refuse(Reply::new(415, "Unsupported content type"), event)
    }

    pub(super) fn required_headers(&mut self, now: Moment) -> Flow {
        let Some(route) = self.route.clone() else { return Flow::Next };
        for (name, value) in &route.headers {
            let given = self.head.header(name);
            let (key, reason) = match (given, value) {
                (None | Some(b""), _) => ("missing_header", format!("header `{name}` is missing")),
                (Some(given), Some(wanted)) if given != wanted.as_bytes() => {
                    ("mismatched_header", format!("header `{name}` has another value"))
                }
                _ => continue,
            };
            let violation = ("authentication", "require_headers");
            let event = self
                .route_event(EventType::AccessDenied, "blocked", reason, violation, now)
                .with(key, &**name);
            let body = if key == "missing_header" {
                format!("Missing required header: {name}")
            } else {
                format!("Header '{name}' does not match the required value")
            };
            // In passive mode one event for the check is enough.
            return self.refuse(Reply::new(400, body), event);
        }
        Flow::Next
    }

    pub(super) fn authentication(&mut self, answer: Option<Answer>, now: Moment) -> Flow {
        let Some(route) = self.route.clone() else { return Flow::Next };
        let authorization = self.head.header_text("authorization").map(str::trim);
        if route.authorization_present && authorization.is_none_or(str::is_empty) {
            return self.unauthenticated("Authorization is missing", "authorization_header", now);
        }
        let Some(check) = &route.authentication else { return Flow::Next };
        match answer {
            Some(Answer::Accepted(true)) => return Flow::Next,
            Some(Answer::Accepted(false)) => {
                return self.unauthenticated("the verifier refuses", &check.scheme, now);
            }
            Some(other) => return self.misfit(Some(other), "authentication", now),
            None => {}
        }
        let parts = authorization.and_then(|text| text.split_once(' '));
        let value = parts
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(&check.scheme))
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty());
        match (value, &check.verifier) {
            (Some(value), Some(verifier)) => Flow::Ask(Question::Credential(Credential {
                scheme: Arc::clone(&check.scheme),
                verifier: Arc::clone(verifier),
                value: value.to_owned(),
            })),
            (None, _) => self.unauthenticated("no credential of the scheme", &check.scheme, now),
            (_, None) => self.unauthenticated("no verifier is set", &check.scheme, now),
        }
    }

    pub(super) fn api_key(&mut self, answer: Option<Answer>, now: Moment) -> Flow {
        let Some(route) = self.route.clone() else { return Flow::Next };
        let Some(check) = &route.api_key else { return Flow::Next };
        match answer {
            Some(Answer::Accepted(true)) => return Flow::Next,
            Some(Answer::Accepted(false)) => {
                return self.unauthenticated("the verifier refuses the key", "api_key", now);
            }
            Some(other) => return self.misfit(Some(other), "api key", now),
            None => {}
        }
        let value = self.head.header_text(&check.header).filter(|value| !value.is_empty());
        match (value, &check.verifier) {
            (Some(value), Some(verifier)) => Flow::Ask(Question::Credential(Credential {
                scheme: Arc::from("api_key"),
                verifier: Arc::clone(verifier),
                value: value.to_owned(),
            })),
            (Some(_), None) => self.unauthenticated("no verifier is set", "api_key", now),
            (None, _) => {
                let reason = format!("header `{}` is missing", check.header);
                let event = self
                    .route_event(
                        EventType::AuthenticationFailed,
                        "blocked",
                        reason,
                        ("authentication", "api_key"),
                        now,
                    )
                    .with("auth_type", "api_key")
                    .with("missing_header", &*check.header);
                let body = format!("Missing required header: {}", check.header);
                self.refuse(Reply::new(400, body), event)
            }
        }
    }

    pub(super) fn referrer(&mut self, now: Moment) -> Flow {
        let Some(route) = self.route.clone().filter(|route| !route.referrers.is_empty()) else {
            return Flow::Next;
        };
        let referrer = self.head.header_text("referer").filter(|text| !text.is_empty());
        let (body, violation) = match referrer.map(|text| (text, host_of(text))) {
            None => ("Referrer required", "missing_referrer"),
            Some((_, Some(host))) if route.referrers.iter().any(|own| is_within(&host, own)) => {
                return Flow::Next;
            }
            Some(_) => ("Invalid referrer", "invalid_referrer"),
        };
        let domains: Vec<&str> = route.referrers.iter().map(|domain| &**domain).collect();
        let event = self
            .route_event(
                EventType::AccessDenied,
                "blocked",
                body,
                ("content_filtering", violation),
                now,
            )
            .with("referrer", referrer.map(crate::event::kept))
            .with("allowed_domains", domains);
        self.refuse(Reply::new(403, body), event)
    }

    pub(super) fn route_check(
        &mut self,
        number: usize,
        answer: Option<Answer>,
        now: Moment,
    ) -> Flow {
        let name = self.route.as_ref().and_then(|route| route.checks.get(number)).cloned();
        let Some(name) = name else { return Flow::Next };
        match self.checked(&name, answer, Some("custom_validation"), now) {
            Flow::Next => Flow::Go(Stage::RouteCheck(number + 1)),
            other => other,
        }
    }

    /// The application's check of all requests.
    pub(super) fn check(&mut self, answer: Option<Answer>, now: Moment) -> Flow {
        match self.active.check.clone() {
            Some(name) => self.checked(&name, answer, None, now),
            None => Flow::Next,
        }
    }

    fn checked(
        &mut self,
        name: &Arc<str>,
        answer: Option<Answer>,
        decorator: Option<&'static str>,
        now: Moment,
    ) -> Flow {
        match answer {
            None => Flow::Ask(Question::Check { name: Arc::clone(name) }),
            Some(Answer::Checked(None)) => Flow::Next,
            Some(Answer::Checked(Some(refusal))) => {
                let reason = format!("the check `{name}` refuses");
                let mut event =
                    self.event(EventType::CustomRuleTriggered, "request_blocked", reason, now);
                event.decorator_type = decorator;
                event.rule_type = Some("custom_check");
                let event = event.with("check", &**name);
                self.refuse(Reply::new(refusal.status, refusal.body), event)
            }
            other => self.misfit(other, "custom check", now),
        }
    }

    pub(super) fn time_window(&mut self, now: Moment) -> Flow {
        let Some(window) = self.route.as_ref().and_then(|route| route.time_window.as_ref()) else {
            return Flow::Next;
        };
        let reason = match window.is_open(now) {
            Some(true) => return Flow::Next,
            Some(false) => "outside the times at which the route is open",
            // Flaw 29 of the original: what cannot be evaluated let everybody in.
            None => "it cannot be told whether the route is open: the zone is not known",
        };
        let event = self.route_event(
            EventType::DecoratorViolation,
            "request_blocked",
            reason,
            ("advanced", "time_restriction"),
            now,
        );
        self.refuse(Reply::new(403, "Access not allowed at this time"), event)
    }

    pub(super) fn preflight(&mut self) -> Flow {
        let Some(cors) = self.active.cors.as_ref().filter(|_| self.head.method() == "OPTIONS")
        else {
            return Flow::Next;
        };
        let reply = self.head.with_headers(|headers| {
            crate::settings::Cors::is_preflight(self.head.method(), headers)
                .then(|| cors.preflight(headers))
        });
        reply.map_or(Flow::Next, Flow::Reply)
    }

    fn unauthenticated(&mut self, reason: &'static str, scheme: &str, now: Moment) -> Flow {
        let violation = ("authentication", "require_auth");
        let event = self
            .route_event(EventType::AuthenticationFailed, "blocked", reason, violation, now)
            .with("auth_type", scheme);
        let mut reply = Reply::new(401, "Authentication required");
        if scheme.eq_ignore_ascii_case("basic") || scheme.eq_ignore_ascii_case("bearer") {
            let challenge =
                if scheme.eq_ignore_ascii_case("basic") { "Basic realm=\"\"" } else { "Bearer" };
            reply = reply.header("www-authenticate", challenge);
        }
        self.refuse(reply, event)
    }

    fn content_event(
        &self,
        reason: impl Into<std::borrow::Cow<'static, str>>,
        violation: &'static str,
        now: Moment,
    ) -> crate::event::GuardEvent {
        let decorator = ("content_filtering", violation);
        self.route_event(EventType::ContentFiltered, "request_blocked", reason, decorator, now)
    }

    fn came_by_https(&self) -> bool {
        if self.head.scheme == Scheme::Https {
            return true;
        }
        if !self.active.believe_proto || !self.client.through_proxy {
            return false;
        }
        // Where several proxies wrote one after the other, the last one is the one we trust.
        let lines = self.head.headers();
        let lines = lines.filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-proto"));
        let values = lines.last().and_then(|(_, value)| std::str::from_utf8(value).ok());
        let last = values.unwrap_or_default().rsplit(',').next().unwrap_or_default().trim();
        last.eq_ignore_ascii_case("https") || last.eq_ignore_ascii_case("wss")
    }

    fn https_location(&self) -> Option<String> {
        let host = self.head.header_text("host")?;
        let of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if host.is_empty() || !host.bytes().all(of_a_host) {
            return None;
        }
        let host = host.strip_suffix(":80").unwrap_or(host);
        let query = self.head.query().map(|query| format!("?{query}")).unwrap_or_default();
        Some(format!("https://{host}{}{query}", self.head.path()))
    }
}

/// `application/json`, or `image/*`.
fn fits_media_type(allowed: &str, given: &str) -> bool {
    match allowed.strip_suffix("/*") {
        Some(family) => given
            .split_once('/')
            .is_some_and(|(own, subtype)| own.eq_ignore_ascii_case(family) && !subtype.is_empty()),
        None => allowed.eq_ignore_ascii_case(given),
    }
}

/// The host of an absolute address, in lower case.
fn host_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next()?,
        None => host.split(':').next()?,
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

/// Whether it is the domain or a subdomain of it.
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
