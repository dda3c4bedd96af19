//! The guard around the shop: what it looks for, whom it tells, and whose rules it takes.

use ringwall_app_guard::GuardSettings;
use ringwall_app_guard_layer::telemetry::Telemetry;
use ringwall_app_guard_layer::{BuildError, GuardLayer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sensible rules for a shop: sixty requests in ten seconds, five tries to sign in a minute, a ban after
/// ten attacks. A proxy on the same machine is believed when it says who the client is.
pub(crate) fn settings() -> GuardSettings {
    GuardSettings {
        trusted_proxies: vec!["127.0.0.1".to_owned(), "::1".to_owned()],
        rate_limit: 60,
        rate_limit_window: 10,
        endpoint_rate_limits: BTreeMap::from([("/login".to_owned(), (5, 60))]),
        blocked_user_agents: ["sqlmap", "nikto", "nuclei", "masscan"].map(str::to_owned).to_vec(),
        auto_ban_threshold: 10,
        auto_ban_duration: 3600,
        exclude_paths: vec!["/health".to_owned()],
        ..GuardSettings::default()
    }
}

/// The guard, and telemetry both ways where there is some: what it does, and what it is told to do.
pub(crate) fn guard(telemetry: Option<&Telemetry>) -> Result<GuardLayer, BuildError> {
    let builder = GuardLayer::builder(settings());
    let Some(telemetry) = telemetry else { return builder.build() };
    let guard = builder.sink(Arc::new(telemetry.clone())).build()?;
    telemetry.guide(guard.handle());
    Ok(guard)
}
