use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address or a network, such as `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`.
///
/// Always in its plainest form: bits behind the prefix are zero, and an IPv4 network written as IPv6
/// (`::ffff:192.0.2.0/120`) is the IPv4 network, so that two spellings of one network are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no address and no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The part before the slash is not an address.
    #[error("`{0}` is not an IP address")]
    NotAnAddress(String),
    /// The part behind the slash is not a prefix of this family.
    #[error("`{text}` has no prefix between 0 and {max}")]
    Prefix {
        /// What was written.
        text: String,
        /// The longest prefix of this family.
        max: u8,
    },
}

impl Network {
    /// The network of this address and prefix; `None` where the family has no such prefix.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        match address {
            IpAddr::V4(v4) => {
                let mask = mask_v4(prefix)?;
                let address = IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask));
                Some(Self { address, prefix })
            }
            IpAddr::V6(v6) => {
                if let (Some(v4), 96..) = (v6.to_ipv4_mapped(), prefix) {
                    return Self::new(IpAddr::V4(v4), prefix - 96);
                }
                let mask = mask_v6(prefix)?;
                let address = IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask));
                Some(Self { address, prefix })
            }
        }
    }

    /// The network that holds this address alone.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// The first address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits are fixed.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether it is one address.
    #[must_use]
    pub const fn is_host(self) -> bool {
        self.prefix == if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// Whether the address is in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let (first, last) = self.bits();
        let (v4, bits) = family_bits(address.to_canonical());
        v4 == self.address.is_ipv4() && (first..=last).contains(&bits)
    }

    /// Whether all of the other network is in it.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    /// Whether the two share an address.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The group that an address is counted under: an IPv4 address alone, an IPv6 address with all of its
    /// network of this prefix, because whoever has one address of it has all of them.
    #[must_use]
    pub fn group(address: IpAddr, ipv6_prefix: u8) -> Self {
        let address = address.to_canonical();
        match address {
            IpAddr::V4(_) => Self::host(address),
            IpAddr::V6(_) => {
                Self::new(address, ipv6_prefix.min(128)).unwrap_or_else(|| Self::host(address))
            }
        }
    }

    /// The first and the last address as numbers of the family's width.
    pub(super) fn bits(self) -> (u128, u128) {
        let (v4, first) = family_bits(self.address);
        let width: u32 = if v4 { 32 } else { 128 };
        let free = width - u32::from(self.prefix);
        let span = if free >= 128 { u128::MAX } else { (1_u128 << free) - 1 };
        (first, first | span)
    }
}

/// Whether it is IPv4, and its bits.
pub(super) fn family_bits(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(v4) => (true, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => (false, v6.to_bits()),
    }
}

fn mask_v4(prefix: u8) -> Option<u32> {
    match prefix {
        0 => Some(0),
        1..=32 => Some(u32::MAX << (32 - prefix)),
        _ => None,
    }
}

fn mask_v6(prefix: u8) -> Option<u128> {
    match prefix {
        0 => Some(0),
        1..=128 => Some(u128::MAX << (128 - prefix)),
        _ => None,
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let text = text.trim();
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let parsed: IpAddr =
            address.parse().map_err(|_| NetworkError::NotAnAddress(text.to_owned()))?;
        let Some(prefix) = prefix else {
            return Ok(Self::host(parsed));
        };
        let max = if parsed.is_ipv4() { 32 } else { 128 };
        let wrong = || NetworkError::Prefix { text: text.to_owned(), max };
        // `u8::from_str` takes a plus sign, which no one else reads as a prefix.
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        Self::new(parsed, prefix).ok_or_else(wrong)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self::host(address)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
