use super::{Network, NetworkError, NetworkSet};
use ringwall_inspection::{Headers, Peer};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// How many entries of forwarding headers are looked at: a chain of proxies is short, a longer one is noise.
const ENTRIES_MAX: usize = 64;

/// Whose word about the client is taken: reverse proxies in front of the application.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: NetworkSet,
    unix: bool,
    /// How many proxies stand between client and application, at least one.
    depth: usize,
}

/// Whose request it is, and what was odd about the way of finding out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// The client; `None` where neither peer nor proxy tells.
    pub address: Option<IpAddr>,
    /// Whether the peer is a trusted proxy, so that its forwarding headers count.
    pub through_proxy: bool,
    /// Whether a peer that is not trusted sent forwarding headers, which were not believed.
    pub spoofing: bool,
}

impl TrustedProxies {
    /// Proxies from their texts: addresses, networks, and `unix` for peers on Unix sockets.
    ///
    /// # Errors
    /// The first text that is none of these.
    pub fn parse(texts: &[String], depth: usize) -> Result<Self, NetworkError> {
        let mut unix = false;
        let mut networks = Vec::new();
        for text in texts {
            if text.trim().eq_ignore_ascii_case("unix") {
                unix = true;
            } else {
                networks.push(text.parse::<Network>()?);
            }
        }
        Ok(Self { networks: NetworkSet::new(networks), unix, depth: depth.max(1) })
    }

    /// Whether the address is one of a trusted proxy.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.contains(address)
    }

    /// The networks of the proxies.
    pub fn networks(&self) -> impl Iterator<Item = Network> {
        self.networks.iter()
    }

    /// Whose request it is.
    ///
    /// Of `X-Forwarded-For` the entry `depth` places from the right counts, if everything to the right of it
    /// is a trusted proxy; otherwise the rightmost entry that is not. Entries further left are whatever the
    /// client wrote.
    #[must_use]
    pub fn client(&self, peer: Peer, headers: Headers<'_>) -> ClientAddress {
        let peer_address = peer.address();
        let trusted = match peer {
            Peer::Unix => self.unix,
            Peer::Address(_) => peer_address.is_some_and(|address| self.contains(address)),
            Peer::Unknown => false,
        };
        let forwarded = headers.get("x-forwarded-for").is_some();
        if !trusted {
            return ClientAddress {
                address: peer_address,
                through_proxy: false,
                spoofing: forwarded,
            };
        }
        let address = self.forwarded(headers).or(peer_address);
        ClientAddress { address, through_proxy: true, spoofing: false }
    }

    fn forwarded(&self, headers: Headers<'_>) -> Option<IpAddr> {
        // Several headers of the name are one list, in their order.
        let mut values: Vec<&[u8]> = headers.get_all("x-forwarded-for").collect();
        values.reverse();
        let entries = values
            .into_iter()
            .flat_map(|value| value.rsplit(|byte| *byte == b','))
            .take(ENTRIES_MAX);
        for (index, entry) in entries.enumerate() {
            // An entry that is no address ends the chain: what stands left of it nobody vouches for.
            let address = std::str::from_utf8(entry).ok().and_then(parse_entry)?;
            let place = index + 1;
            if place >= self.depth || !self.contains(address) {
                return Some(address);
            }
        }
        None
    }
}

/// An entry of a forwarding header: an address, perhaps with a port, brackets, quotes or a zone.
pub(crate) fn parse_entry(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim().trim_matches('"');
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(socket) = entry.parse::<SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    let inner = entry.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (text, behind) = inner.unwrap_or((entry, ""));
    let port = behind.strip_prefix(':');
    let port_is_fine = behind.is_empty()
        || port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    if !port_is_fine {
        return None;
    }
    let text = text.split_once('%').map_or(text, |(address, _zone)| address);
    text.parse::<Ipv6Addr>().ok().map(|address| IpAddr::V6(address).to_canonical())
}
