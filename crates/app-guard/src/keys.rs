//! The keys of the shared state in Redis, exactly as the original middleware writes them, so that its
//! workers and ours share bans, rates and behaviour. All without the configured prefix.

use crate::address::Network;
use crate::question::{CounterKey, CounterKind};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::net::IpAddr;

/// Patterns added while running.
pub const CUSTOM_PATTERNS: &str = "patterns:custom";

/// The rules that were applied last: `{"schema_version": 1, "rules": {…}}`.
pub const LAST_KNOWN_RULES: &str = "dynamic_rules:last_known";

/// Where the bans on networks begin.
pub const BANNED_NETWORKS: &str = "banned_networks:";

/// Where the bans on addresses begin.
pub const BANNED_ADDRESSES: &str = "banned_ips:";

/// The database of countries.
pub const COUNTRY_DATABASE: &str = "ipinfo:database";

/// `banned_ips:<ip>`: when the ban ends, in seconds since 1970, as text.
#[must_use]
pub fn banned_address(address: IpAddr) -> String {
    format!("{BANNED_ADDRESSES}{}", address.to_canonical())
}

/// `banned_networks:<cidr>`: as for addresses.
#[must_use]
pub fn banned_network(network: Network) -> String {
    format!("{BANNED_NETWORKS}{}/{}", network.address(), network.prefix())
}

/// The key of a ban on this network, which may be one address.
#[must_use]
pub fn ban(network: Network) -> String {
    if network.is_host() { banned_address(network.address()) } else { banned_network(network) }
}

/// The network that a key of a ban is about.
#[must_use]
pub fn ban_of(key: &str) -> Option<Network> {
    let text = key.strip_prefix(BANNED_ADDRESSES).or_else(|| key.strip_prefix(BANNED_NETWORKS))?;
    text.parse().ok()
}

/// `cloud_ip_v2:<provider>`: a JSON list of `cidr|region`.
#[must_use]
pub fn cloud_ranges(provider: crate::CloudProvider) -> String {
    format!("cloud_ip_v2:{provider}")
}

/// `security_headers:<part>`; the parts are `csp_config`, `hsts_config` and `custom_headers`.
#[must_use]
pub fn security_headers(part: &str) -> String {
    format!("security_headers:{part}")
}

/// The key of a counter.
///
/// Rates: `rate_limit:rate:<ip>` and `rate_limit:rate:<ip>:<sha256 of path>`. Behaviour:
/// `behavior_usage:behavior:usage:<sha256 of endpoint>:<sha256 of ip>` and
/// `behavior_returns:behavior:return:<…>:<…>:<sha256 of pattern>`. Where rules of one endpoint count the same
/// in several windows, the longest has the key of the original, and the others one that ends in their seconds.
/// The original keeps attacks, refusals and throttles in each worker; ours are shared under names of their own.
#[must_use]
pub fn counter(key: &CounterKey) -> String {
    let client = key.client;
    let endpoint = key.endpoint.as_deref();
    let detail = key.detail.as_deref();
    match key.kind {
        CounterKind::Rate => match (endpoint, detail) {
            (None, _) => format!("rate_limit:rate:{client}"),
            (Some(endpoint), None) => format!("rate_limit:rate:{client}:{}", sha256(endpoint)),
            (Some(endpoint), Some(detail)) => {
                format!("rate_limit:rate:{client}:{}:{detail}", sha256(endpoint))
            }
        },
        CounterKind::RateWebSocket => {
            // The original counts handshakes under an endpoint of the name `ws`.
            let place = sha256(&format!("ws{}", endpoint.unwrap_or_default()));
            match detail {
                None => format!("rate_limit:rate:{client}:{place}"),
                Some(detail) => format!("rate_limit:rate:{client}:{place}:{detail}"),
            }
        }
        CounterKind::Detection => {
            format!("detection:count:{client}:{}", detail.unwrap_or("all"))
        }
        CounterKind::RateRefusal => format!("detection:refused:{client}"),
        CounterKind::BehaviourUsage => {
            let (place, client) = hashed(endpoint, client);
            format!("behavior_usage:behavior:usage:{place}:{client}{}", of_window(key))
        }
        CounterKind::BehaviourReturn => {
            let (place, client) = hashed(endpoint, client);
            let pattern = sha256(detail.unwrap_or_default());
            let window = of_window(key);
            format!("behavior_returns:behavior:return:{place}:{client}:{pattern}{window}")
        }
        CounterKind::Throttle => {
            let (place, client) = hashed(endpoint, client);
            format!("behavior_throttle:{place}:{client}")
        }
    }
}

/// What a counter of a window that is not the longest ends in.
fn of_window(key: &CounterKey) -> String {
    key.window_seconds.map(|seconds| format!(":{seconds}")).unwrap_or_default()
}

fn hashed(endpoint: Option<&str>, client: Network) -> (String, String) {
    (sha256(endpoint.unwrap_or_default()), sha256(&client.to_string()))
}

/// SHA-256 in lower-case hexadecimal.
#[must_use]
pub fn sha256(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing into a string does not fail.
        write!(hex, "{byte:02x}").ok();
    }
    hex
}
