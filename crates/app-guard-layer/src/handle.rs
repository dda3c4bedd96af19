//! What the application does with its guard while it runs.

use crate::carrier::{Carrier, now};
use crate::sink::Subscription;
use crate::time_zone;
use ringwall_app_guard::Metric;
use ringwall_app_guard::{Ban, BanOrder};
use ringwall_app_guard::{Guard, GuardSettings, SettingsError};
use ringwall_app_guard::{Network, NetworkError};
use ringwall_app_guard::{RuleSet, RulesApplied, RulesRefused};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Bans, rules, settings and events of a running guard. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GuardHandle {
    carrier: Arc<Carrier>,
}

/// Why a ban was not made or lifted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BanError {
    /// Not an address or a network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Loopback and trusted proxies are never banned: that would shut everybody out.
    #[error("`{0}` holds loopback or a trusted proxy, which is never banned")]
    Protected(Network),
    /// It is so here; Redis did not take it, so that other workers do not know of it yet.
    #[cfg(feature = "redis")]
    #[error("not shared with other workers")]
    NotShared(#[source] crate::state::redis::RedisStateError),
}

impl GuardHandle {
    pub(crate) fn new(carrier: Arc<Carrier>) -> Self {
        Self { carrier }
    }

    /// Bans an address or a network, here and, with Redis, at all workers.
    ///
    /// # Errors
    /// Where it is no network, may not be banned, or could not be shared; in the last case it holds here, and is
    /// shared when Redis is back.
    pub async fn ban(&self, network: &str, time: Duration, reason: &str) -> Result<(), BanError> {
        let network: Network = network.parse()?;
        let now = now();
        let order =
            BanOrder { network, address: network.address(), time, reason: Arc::from(reason) };
        if !self.carrier.ban_here(&order, now) {
            return Err(BanError::Protected(network));
        }
        #[cfg(feature = "redis")]
        if let Some(shared) = &self.carrier.shared {
            shared.ban(&order, now).await.map_err(BanError::NotShared)?;
        }
        Ok(())
    }

    /// Lifts the ban of an address or a network, here and, with Redis, at all workers within a second. Says
    /// whether there was one. An IPv6 address is banned with its network, and so is freed with it.
    ///
    /// # Errors
    /// Where it is no network, or other workers could not be told: it is lifted here all the same, and they are
    /// told when Redis is back.
    pub async fn unban(&self, network: &str) -> Result<bool, BanError> {
        let network: Network = network.parse()?;
        let now = now();
        let prefix = self.carrier.settings.lock().ipv6_prefix;
        let mut was_banned = false;
        #[cfg(feature = "redis")]
        let mut failure = None;
        let group = Network::group(network.address(), prefix);
        let lifted = [Some(network), (network.is_host() && group != network).then_some(group)];
        for network in lifted.into_iter().flatten() {
            was_banned |= self.carrier.unban_here(network, now);
            #[cfg(feature = "redis")]
            if let Some(shared) = &self.carrier.shared {
                // The ban may stand on the other one: each of them is lifted, here and later there.
                match shared.unban(network).await {
                    Ok(lifted) => was_banned |= lifted,
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
        }
        if was_banned {
            self.carrier.tell_unbanned(network, now);
        }
        #[cfg(feature = "redis")]
        if let Some(error) = failure {
            return Err(BanError::NotShared(error));
        }
        Ok(was_banned)
    }

    /// The bans that this worker knows of by itself.
    #[must_use]
    pub fn bans(&self) -> Vec<Ban> {
        self.carrier.local.bans(now())
    }

    /// Whether an address is banned, as the next request from it would find out.
    pub async fn is_banned(&self, address: IpAddr) -> bool {
        let now = now();
        #[cfg(feature = "redis")]
        if let Some(shared) = &self.carrier.shared
            && !shared.holds_here(address, &self.carrier.local, now)
            && let Ok(ban) = shared.redis().banned(address).await
        {
            return ban.is_some();
        }
        self.bans()
            .iter()
            .any(|ban| ban.network.contains(address.to_canonical()) && ban.remaining(now).is_some())
    }

    /// Puts rules in force that came from outside, with the bans that they make and lift.
    ///
    /// # Errors
    /// Why they were not taken; then what held before still holds.
    pub async fn apply_rules(&self, rules: &RuleSet) -> Result<RulesApplied, RulesRefused> {
        let now = now();
        let applied = self.carrier.guard.apply_rules(rules, now)?;
        self.carrier.carry_out(&applied, now).await;
        Ok(applied)
    }

    /// Id and version of the rules that hold.
    #[must_use]
    pub fn rules(&self) -> Option<(String, i64)> {
        self.carrier.guard.rules()
    }

    /// Replaces the settings; rules that hold go on holding on top of them.
    ///
    /// # Errors
    /// What is wrong with them, among it a verifier or check that nobody registered; then the old ones still
    /// hold.
    pub fn reload(&self, mut settings: GuardSettings) -> Result<(), SettingsError> {
        for route in &mut settings.routes {
            route.rules.resolve_zone(time_zone::look_up);
        }
        // Made once for what it asks of the application, before anything is replaced.
        let names = Guard::new(settings.clone())?.names_needed();
        self.carrier.check_names(names.iter().map(String::as_str))?;
        let mut held = self.carrier.settings.lock();
        self.carrier.guard.replace_settings(self.carrier.with_patterns(&settings))?;
        *held = settings;
        self.carrier.prepare_headers();
        Ok(())
    }

    /// The events from now on, in a channel for so many of them; what does not fit is dropped and counted.
    #[must_use]
    pub fn subscribe(&self, events_max: usize) -> Subscription {
        self.carrier.sinks.subscribe(events_max)
    }

    /// The figures of all exchanges since the last call.
    #[must_use]
    pub fn take_metrics(&self) -> Vec<Metric> {
        self.carrier.guard.take_metrics()
    }

    /// Replaces the patterns that all workers look for beside those of their settings.
    ///
    /// # Errors
    /// Where one is no good, so that nobody would look for it, or Redis did not take them.
    #[cfg(feature = "redis")]
    pub async fn share_patterns(
        &self,
        patterns: &std::collections::BTreeSet<String>,
    ) -> Result<(), crate::state::redis::RedisStateError> {
        let Some(shared) = &self.carrier.shared else {
            return Err(crate::state::redis::RedisStateError::Away);
        };
        for pattern in patterns {
            ringwall_app_guard::payload::check_pattern(pattern).map_err(|error| {
                crate::state::redis::RedisStateError::BadPattern(error.to_string())
            })?;
        }
        shared.redis().store_patterns(patterns).await?;
        self.carrier.take_patterns(patterns);
        Ok(())
    }

    /// Ends what goes on in the background, within this time. Requests are guarded as before, with the lists
    /// and databases that were read last.
    pub async fn stop(&self, within: Duration) {
        self.carrier.background.stop(within).await;
    }
}
