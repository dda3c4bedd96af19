use ringwall_event::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whom a host must be able to talk to, and how much may be blocked at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProtectedNetworks {
    pub(crate) configured: Vec<Network>,
    pub(crate) of_the_server: Vec<IpAddr>,
    /// The shortest prefix of a network that may be blocked: IPv4, IPv6.
    pub(crate) prefix_min: (u8, u8),
}

/// These are not addresses of anybody: a host needs them to talk to itself, to find its neighbours
/// and its router.
const SPECIAL: [(IpAddr, u8, &str); 8] = [
    (IpAddr::V4(Ipv4Addr::new(0, 0, 0, 0)), 8, "this host on this network"),
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8, "loopback"),
    (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 4, "multicast"),
    (IpAddr::V4(Ipv4Addr::new(255, 255, 255, 255)), 32, "broadcast"),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 128, "this host on this network"),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128, "loopback"),
    (IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8, "multicast"),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10, "link-local"),
];

impl ProtectedNetworks {
    /// Why this must not be blocked, where it must not.
    pub(crate) fn protects(&self, network: Network) -> Option<String> {
        let special = SPECIAL.iter().find(|(address, prefix, _)| {
            Network::new(*address, *prefix).is_some_and(|special| special.overlaps(network))
        });
        if let Some((_, _, what)) = special {
            return Some((*what).to_owned());
        }
        if let Some(own) = self.of_the_server.iter().find(|own| network.contains(**own)) {
            return Some(format!("{own} is the server's own"));
        }
        let listed = self.configured.iter().find(|listed| listed.overlaps(network));
        listed.map(|listed| format!("{listed} is on the protected list"))
    }

    /// The prefix that this network should at least have, where it has a shorter one.
    pub(crate) fn too_wide(&self, network: Network) -> Option<u8> {
        let (v4, v6) = self.prefix_min;
        let min = if network.address().is_ipv4() { v4 } else { v6 };
        (network.prefix() < min).then_some(min)
    }
}

impl Default for ProtectedNetworks {
    fn default() -> Self {
        Self { configured: Vec::new(), of_the_server: Vec::new(), prefix_min: (24, 48) }
    }
}
