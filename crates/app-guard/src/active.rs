use crate::address::{BlockedClouds, Network, NetworkSet, TrustedProxies};
use crate::behaviour::{BehaviourError, CompiledRule, Counted};
use crate::path::ExcludedPaths;
use crate::patterns::PatternSet;
use crate::payload::{Category, CategorySet, Detector, DetectorSettings};
use crate::route_rules::{
    CompiledLists, categories, countries, lower, networks, number, patterns, rate, value,
};
use crate::routes::Routes;
use crate::settings::{Cors, GuardSettings, SecurityHeaders, SettingsError};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

/// Settings, and the rules on top of them, checked and ready for requests.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) passive: bool,
    pub(crate) fail_secure: bool,
    pub(crate) state_fail_open: bool,
    pub(crate) proxies: TrustedProxies,
    pub(crate) believe_proto: bool,
    pub(crate) ipv6_prefix: u8,
    pub(crate) lists: CompiledLists,
    pub(crate) exempt: NetworkSet,
    /// Those that the rules let in.
    pub(crate) let_in: NetworkSet,
    pub(crate) geo_fail_open: bool,
    pub(crate) clouds: BlockedClouds,
    pub(crate) cloud_fail_open: bool,
    pub(crate) user_agents: PatternSet,
    pub(crate) rate: Option<(u32, Duration)>,
    pub(crate) endpoint_rates: BTreeMap<Box<str>, (u32, Duration)>,
    /// Whether the limits of endpoints come from rules, for the words of an event.
    pub(crate) endpoint_rates_are_dynamic: bool,
    pub(crate) refusals_ban: bool,
    pub(crate) banning: Option<Banning>,
    pub(crate) detection: bool,
    pub(crate) scan_bodies: bool,
    pub(crate) hold_bytes: usize,
    pub(crate) allow_encoded_bodies: bool,
    pub(crate) detector: Arc<Detector>,
    pub(crate) excluded: crate::route_rules::Exclusion,
    pub(crate) enforce_https: bool,
    pub(crate) headers: SecurityHeaders,
    pub(crate) cors: Option<Cors>,
    pub(crate) excluded_paths: ExcludedPaths,
    pub(crate) emergency: Option<Emergency>,
    pub(crate) bodies: HashMap<u16, Arc<str>>,
    pub(crate) check: Option<Arc<str>>,
    pub(crate) behaviour: Vec<CompiledRule>,
    pub(crate) inspect_answers: bool,
    pub(crate) correlate: bool,
    pub(crate) routes: Routes,
    pub(crate) events_max: usize,
    /// Patterns that the rules add to the detection.
    pub(crate) added_patterns: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Banning {
    pub(crate) threshold: u32,
    pub(crate) time: Duration,
    pub(crate) window: Duration,
    pub(crate) categories: Vec<(Category, u32, Duration)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Emergency {
    pub(crate) whitelist: NetworkSet,
    pub(crate) whitelist_only: bool,
    pub(crate) message: Option<Arc<str>>,
}

/// What rules add that no setting says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Additions {
    pub(crate) let_in: Vec<Network>,
    pub(crate) patterns: Vec<String>,
    pub(crate) endpoint_rates_are_dynamic: bool,
    pub(crate) emergency_whitelist_only: bool,
    pub(crate) message: Option<String>,
}

/// How many bytes of a body may be held back.
const HOLD_BYTES_MAX: usize = 16 << 20;

impl Active {
    pub(crate) fn new(settings: &GuardSettings, added: Additions) -> Result<Self, SettingsError> {
        let s = settings;
        if s.trusted_proxy_depth == 0 || s.trusted_proxy_depth > 32 {
            let depth = s.trusted_proxy_depth as u64;
            return Err(number("trusted_proxy_depth", depth, 1, 32));
        }
        if !(32..=128).contains(&s.ipv6_prefix) {
            return Err(number("ipv6_prefix", s.ipv6_prefix.into(), 32, 128));
        }
        if s.detection.body_hold_bytes > HOLD_BYTES_MAX {
            let held = s.detection.body_hold_bytes as u64;
            return Err(number("detection.body_hold_bytes", held, 0, HOLD_BYTES_MAX as u64));
        }
        let proxies = TrustedProxies::parse(&s.trusted_proxies, s.trusted_proxy_depth)
            .map_err(|error| SettingsError::Address { field: "trusted_proxies", error })?;
        let clouds = BlockedClouds::parse(&s.block_cloud_providers)
            .map_err(|error| SettingsError::Cloud { field: "block_cloud_providers", error })?;
        let endpoint_rates = s.endpoint_rate_limits.iter().map(|(path, limit)| {
            Ok((Box::from(path.as_str()), rate("endpoint_rate_limits", *limit)?))
        });
        let global = (s.rate_limit, s.rate_limit_window);
        Ok(Self {
            passive: s.passive_mode,
            fail_secure: s.fail_secure,
            state_fail_open: s.redis_fail_open,
            proxies,
            believe_proto: s.trust_x_forwarded_proto,
            ipv6_prefix: s.ipv6_prefix,
            lists: CompiledLists {
                allow: networks("whitelist", &s.whitelist)?,
                deny: networks("blacklist", &s.blacklist)?,
                countries_allowed: countries("whitelist_countries", &s.whitelist_countries)?,
                countries_blocked: countries("blocked_countries", &s.blocked_countries)?,
            },
            exempt: networks("exempt_ips", &s.exempt_ips)?,
            let_in: NetworkSet::new(added.let_in),
            geo_fail_open: s.geo_fail_open,
            clouds,
            cloud_fail_open: s.cloud_fail_open,
            user_agents: patterns("blocked_user_agents", &s.blocked_user_agents)?,
            rate: s.enable_rate_limiting.then(|| rate("rate_limit", global)).transpose()?,
            endpoint_rates: endpoint_rates.collect::<Result<_, SettingsError>>()?,
            endpoint_rates_are_dynamic: added.endpoint_rates_are_dynamic,
            refusals_ban: s.enable_rate_limit_auto_ban,
            banning: banning(s)?,
            detection: s.enable_penetration_detection,
            scan_bodies: s.detection.scan_bodies,
            hold_bytes: s.detection.body_hold_bytes,
            allow_encoded_bodies: s.detection.allow_encoded_bodies,
            detector: Arc::new(detector(s, &added.patterns)?),
            added_patterns: added.patterns,
            excluded: crate::route_rules::Exclusion {
                headers: lower(&s.detection.excluded_headers),
                parameters: lower(&s.detection.excluded_parameters),
                fields: lower(&s.detection.excluded_fields),
                categories: Vec::new(),
            },
            enforce_https: s.enforce_https,
            headers: SecurityHeaders::new(&s.security_headers)?,
            cors: s.cors.clone().map(Cors::new).transpose()?,
            excluded_paths: excluded_paths(&s.exclude_paths)?,
            emergency: s
                .emergency_mode
                .then(|| -> Result<_, SettingsError> {
                    Ok(Emergency {
                        whitelist: networks("emergency_whitelist", &s.emergency_whitelist)?,
                        whitelist_only: added.emergency_whitelist_only,
                        message: added.message.as_deref().map(Arc::from),
                    })
                })
                .transpose()?,
            bodies: bodies(&s.custom_error_responses)?,
            check: s.custom_request_check.as_deref().map(Arc::from),
            behaviour: global_behaviour(s)?,
            inspect_answers: s.inspect_response_bodies,
            correlate: s.correlate_with_detection,
            routes: routes(s)?,
            events_max: s.limits.events.max(1),
        })
    }

    /// Whether nothing protected is in the network: a ban on loopback or on a proxy would shut out
    /// everybody.
    pub(crate) fn may_ban(&self, network: Network) -> bool {
        let loopback = [
            Network::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
            Some(Network::host(IpAddr::V6(Ipv6Addr::LOCALHOST))),
        ];
        let mut protected = loopback.into_iter().flatten().chain(self.proxies.networks());
        !protected.any(|protected| protected.overlaps(network))
    }
}

fn banning(s: &GuardSettings) -> Result<Option<Banning>, SettingsError> {
    if !s.enable_ip_banning {
        return Ok(None);
    }
    let mut by_category = Vec::new();
    for (name, ban) in &s.threat_ban_config {
        let category = categories("threat_ban_config", std::slice::from_ref(name))?;
        let (threshold, time) = rate("threat_ban_config", (ban.threshold, ban.duration))?;
        by_category.extend(category.into_iter().map(|category| (category, threshold, time)));
    }
    let (threshold, time) = rate("auto_ban", (s.auto_ban_threshold, s.auto_ban_duration))?;
    let (_, window) = rate("auto_ban_window", (1, s.auto_ban_window))?;
    Ok(Some(Banning { threshold, time, window, categories: by_category }))
}

fn detector(s: &GuardSettings, added: &[String]) -> Result<Detector, SettingsError> {
    let off = categories("detection.disabled_categories", &s.detection.disabled_categories)?;
    let mut custom_patterns = s.detection.custom_patterns.clone();
    custom_patterns.extend_from_slice(added);
    Detector::new(&DetectorSettings {
        switched_off: off.into_iter().collect::<CategorySet>(),
        custom_patterns,
        ..DetectorSettings::default()
    })
    .map_err(SettingsError::Detection)
}

fn excluded_paths(paths: &[String]) -> Result<ExcludedPaths, SettingsError> {
    match paths.iter().find(|path| !path.trim().starts_with('/')) {
        Some(wrong) => Err(value("exclude_paths", format!("`{wrong}` does not begin with `/`"))),
        None => Ok(ExcludedPaths::new(paths)),
    }
}

fn bodies(given: &BTreeMap<u16, String>) -> Result<HashMap<u16, Arc<str>>, SettingsError> {
    match given.keys().find(|status| !(300..=599).contains(*status)) {
        Some(status) => Err(number("custom_error_responses", (*status).into(), 300, 599)),
        None => Ok(given.iter().map(|(status, body)| (*status, body.as_str().into())).collect()),
    }
}

fn global_behaviour(s: &GuardSettings) -> Result<Vec<CompiledRule>, SettingsError> {
    let compiled = s.behaviour_rules.iter().map(|rule| match rule.counted {
        Counted::ReturnPattern(_) => Ok(CompiledRule::new(rule)?),
        Counted::Usage | Counted::Frequency => Err(BehaviourError::NotGlobal.into()),
    });
    compiled.collect()
}

fn routes(s: &GuardSettings) -> Result<Routes, SettingsError> {
    let mut routes = Routes::new();
    for entry in &s.routes {
        let compiled = entry.rules.compile(&entry.path).map_err(|error| SettingsError::Route {
            path: entry.path.clone(),
            error: Box::new(error),
        })?;
        routes.add(&entry.path, entry.method.as_deref(), Arc::new(compiled))?;
    }
    Ok(routes)
}
