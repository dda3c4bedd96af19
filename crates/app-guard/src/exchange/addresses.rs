//! The checks of who asks: bans, lists, countries, clouds, user agents.

use super::{Exchange, Flow};
use crate::event::{EventType, GuardEvent};
use crate::question::{Answer, Country, Question};
use crate::route_rules::{Bypass, CompiledLists};
use ringwall_inspection::{Moment, Reply};

/// How much of a user agent is searched, in characters.
const USER_AGENT_CHARS: usize = 512;

impl Exchange {
    pub(super) fn ban(&mut self, answer: Option<Answer>, now: Moment) -> Flow {
        if self.active.banning.is_none() || self.bypasses(Bypass::IpBan) {
            return Flow::Next;
        }
        match answer {
            None if self.address.is_loopback() || self.active.proxies.contains(self.address) => {
                Flow::Next
            }
            None => Flow::Ask(Question::Banned { address: self.address }),
            Some(Answer::Banned(found)) => {
                self.lookups += 1;
                let let_in = self.active.let_in.contains(self.address);
                let Some(ban) = found.filter(|_| !let_in) else { return Flow::Next };
                self.lookups_found += 1;
                let event = self
                    .event(EventType::IpBlocked, "request_blocked", "the address is banned", now)
                    .with("ip_address", self.address.to_string())
                    .with("filter_type", "banned")
                    .with("network", ban.network.to_string());
                self.refuse(Reply::new(403, "IP address banned"), event)
            }
            other => self.misfit(other, "bans", now),
        }
    }

    pub(super) fn lists(&mut self, now: Moment) -> Flow {
        if self.bypasses(Bypass::Ip) || self.active.let_in.contains(self.address) {
            return Flow::Next;
        }
        let route = self.route.clone().filter(|_| !self.excluded);
        if let Some(route) = route {
            let lists = &route.lists;
            let reason = if lists.deny.contains(self.address) {
                Some("the address is on the route's list of those refused")
            } else if !lists.allow.is_empty() && !lists.allow.contains(self.address) {
                Some("the address is not on the route's list of those let in")
            } else {
                None
            };
            if let Some(reason) = reason {
                let violation = ("access_control", "ip_restriction");
                let event = self.route_event(
                    EventType::DecoratorViolation,
                    "request_blocked",
                    reason,
                    violation,
                    now,
                );
                return self.refuse(Reply::new(403, "Forbidden"), event);
            }
        }
        let lists = &self.active.lists;
        let reason = if self.standing.whitelisted {
            return Flow::Next;
        } else if !lists.allow.is_empty() {
            "the address is not on the whitelist"
        } else if lists.deny.contains(self.address) {
            "the address is on the blacklist"
        } else {
            return Flow::Next;
        };
        let event = self
            .event(EventType::IpBlocked, "request_blocked", reason, now)
            .with("ip_address", self.address.to_string())
            .with("filter_type", "global");
        self.refuse(Reply::new(403, "Forbidden"), event)
    }

    pub(super) fn countries(&mut self, answer: Option<Answer>, now: Moment) -> Flow {
        let route = self.route.clone().filter(|_| !self.excluded);
        let of_route = route.as_ref().is_some_and(|route| route.lists.asks_country());
        let asked = of_route || self.active.lists.asks_country();
        if !asked || self.trusts_client() || self.address.is_loopback() || self.bypasses(Bypass::Ip)
        {
            return Flow::Next;
        }
        let country = match self.known_country(answer, now) {
            Ok(country) => country,
            Err(flow) => return flow,
        };
        let of_route = route.as_ref().and_then(|route| against(&route.lists, country));
        let found = match of_route {
            Some(found) => Some((found, true)),
            None => against(&self.active.lists, country).map(|found| (found, false)),
        };
        let Some((rule, by_route)) = found else { return Flow::Next };
        let reason = match country {
            Some(country) => format!("requests from {country} are not let in"),
            None => "the country is not known, and only some are let in".to_owned(),
        };
        let mut event = self.event(EventType::CountryBlocked, "request_blocked", reason, now);
        event.rule_type = Some(rule);
        event.decorator_type = by_route.then_some("access_control");
        let event = event.with("rule_type", rule);
        self.refuse(Reply::new(403, "Forbidden"), event)
    }

    /// The country of the client, asked for once; or what is to be done first or instead.
    pub(super) fn known_country(
        &mut self,
        answer: Option<Answer>,
        now: Moment,
    ) -> Result<Option<Country>, Flow> {
        if let Some(country) = self.country {
            return Ok(country);
        }
        match answer {
            None => Err(Flow::Ask(Question::Country { address: self.address })),
            Some(Answer::Country(country)) => {
                self.lookups += 1;
                self.lookups_found += u32::from(country.is_some());
                self.country = Some(country);
                Ok(country)
            }
            Some(_) => {
                let reason = "the country could not be looked up";
                if self.active.geo_fail_open {
                    let event =
                        self.event(EventType::GeoLookupFailed, "check_skipped", reason, now);
                    self.tell(event);
                    return Err(Flow::Next);
                }
                let event = self.event(EventType::GeoLookupFailed, "request_blocked", reason, now);
                Err(self.refuse(Reply::new(403, "Forbidden"), event))
            }
        }
    }

    pub(super) fn clouds(&mut self, now: Moment) -> Flow {
        if self.active.clouds.is_empty() || self.skips_clouds() {
            return Flow::Next;
        }
        let ranges = self.guard.clouds();
        if let Some(flow) = self.clouds_unknown(self.active.clouds.unknown(&ranges), now) {
            return flow;
        }
        let Some((network, range)) = self.active.clouds.shut_out(self.address, &ranges) else {
            return Flow::Next;
        };
        let reason = format!("requests from {} are not let in", range.provider);
        let event = self
            .event(EventType::CloudBlocked, "request_blocked", reason, now)
            .with("cloud_provider", range.provider.name())
            .with("network", network.to_string());
        self.refuse(Reply::new(403, "Forbidden"), event)
    }

    pub(super) fn route_clouds(&mut self, now: Moment) -> Flow {
        let Some(route) = self.route.clone() else { return Flow::Next };
        if self.excluded || route.clouds.is_empty() || self.skips_clouds() {
            return Flow::Next;
        }
        let ranges = self.guard.clouds();
        if let Some(flow) = self.clouds_unknown(route.clouds.unknown(&ranges), now) {
            return flow;
        }
        let Some((network, range)) = route.clouds.shut_out(self.address, &ranges) else {
            return Flow::Next;
        };
        let reason = format!("the route lets in nobody from {}", range.provider);
        let providers: Vec<&str> = route.clouds.providers().map(|known| known.name()).collect();
        let mut event = self.event(EventType::CloudBlocked, "request_blocked", reason, now);
        event.decorator_type = Some("access_control");
        let event = event
            .by("cloud")
            .with("cloud_provider", range.provider.name())
            .with("network", network.to_string())
            .with("blocked_providers", providers);
        self.refuse(Reply::new(403, "Cloud provider IP not allowed"), event)
    }

    /// Where no range of a blocked provider is known: nobody can tell who comes from there, so the request
    /// waits for the ranges unless settings let it pass.
    fn clouds_unknown(
        &mut self,
        unknown: Option<crate::CloudProvider>,
        now: Moment,
    ) -> Option<Flow> {
        let provider = unknown?;
        let telling = self.guard.tells(EventType::CloudBlocked, provider.name(), now);
        let reason = format!("no address ranges of {provider} are loaded");
        if self.active.cloud_fail_open {
            if telling {
                let event = self.event(EventType::CloudBlocked, "check_skipped", reason, now);
                self.tell(event.with("cloud_provider", provider.name()));
            }
            return None;
        }
        let event = self
            .event(EventType::CloudBlocked, "request_blocked", reason, now)
            .with("cloud_provider", provider.name());
        let reply = Reply::new(503, "Service temporarily unavailable").header("retry-after", "5");
        match self.refuse(reply, event) {
            Flow::Next => None,
            flow => Some(flow),
        }
    }

    fn skips_clouds(&self) -> bool {
        self.trusts_client() || self.standing.exempt || self.bypasses(Bypass::Clouds)
    }

    pub(super) fn user_agent(&mut self, now: Moment) -> Flow {
        if self.excluded || self.trusts_client() || self.standing.exempt {
            return Flow::Next;
        }
        let of_route = self.route.as_ref().filter(|route| !route.user_agents.is_empty());
        if of_route.is_none() && self.active.user_agents.is_empty() {
            return Flow::Next;
        }
        let Some(value) = self.head.header("user-agent") else { return Flow::Next };
        let searched = first_chars(value, USER_AGENT_CHARS);
        let by_route = of_route.and_then(|route| route.user_agents.find(searched));
        let found = by_route.or_else(|| self.active.user_agents.find(searched));
        let Some(pattern) = found.map(str::to_owned) else { return Flow::Next };
        let filter = if by_route.is_some() { "route" } else { "global" };
        let reason = "the user agent is not let in";
        let event = self.event(EventType::UserAgentBlocked, "request_blocked", reason, now);
        let agent = event.user_agent.clone();
        let mut event = event.with("user_agent", agent).with("filter_type", filter);
        event.pattern_matched = Some(pattern);
        self.refuse(Reply::new(403, "User-Agent not allowed"), event)
    }

    /// That a ban which was due could not be made.
    pub(super) fn ban_failed(&self, reason: &'static str, now: Moment) -> GuardEvent {
        self.event(EventType::IpBanFailed, "ban_not_applied", reason, now)
            .with("ip_address", self.address.to_string())
    }
}

/// The list that shuts a country out.
fn against(lists: &CompiledLists, country: Option<Country>) -> Option<&'static str> {
    if !lists.countries_allowed.is_empty() {
        let allowed = country.is_some_and(|country| lists.countries_allowed.contains(&country));
        return (!allowed).then_some("country_whitelist");
    }
    let blocked = country.is_some_and(|country| lists.countries_blocked.contains(&country));
    blocked.then_some("country_blacklist")
}

/// The first so many characters; a byte that begins no character counts as one.
fn first_chars(value: &[u8], max: usize) -> &[u8] {
    if value.len() <= max {
        return value;
    }
    let begins = value.iter().enumerate().filter(|(_, byte)| **byte & 0xc0 != 0x80);
    match begins.map(|(at, _)| at).nth(max) {
        Some(end) => value.get(..end).unwrap_or(value),
        None => value,
    }
}
