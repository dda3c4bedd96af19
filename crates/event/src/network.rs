use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One address, or a network of them, as in `192.0.2.7`, `192.0.2.0/24` and `2001:db8::/32`.
///
/// Always in one spelling: bits beyond the prefix are zero, and an IPv4 address within IPv6
/// (`::ffff:192.0.2.7`) is an IPv4 address. The JSON face is the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address or network: `{0}`")]
pub struct NetworkError(String);

/// No network is written longer; an error repeats no more than this.
const TEXT_CHARS_MAX: usize = 64;

impl Network {
    /// The network of this address and so many leading bits; none where the family has fewer.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let (address, prefix) = match address {
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => (IpAddr::V4(v4), prefix.checked_sub(96)?),
                None => (address, prefix),
            },
            IpAddr::V4(_) => (address, prefix),
        };
        let given = Self { address, prefix };
        if u32::from(prefix) > given.width() {
            return None;
        }
        let address = match address {
            IpAddr::V4(v4) => {
                IpAddr::V4(u32::try_from(given.leading(u32::from(v4).into())).ok()?.into())
            }
            IpAddr::V6(v6) => IpAddr::V6(given.leading(v6.into()).into()),
        };
        Some(Self { address, prefix })
    }

    /// The one address and nothing beside it.
    pub fn single(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Its first address.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits all its addresses share.
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether it is one address only.
    pub fn is_single(self) -> bool {
        u32::from(self.prefix) == self.width()
    }

    /// Whether this address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        self.overlaps(Self::single(address))
    }

    /// Whether any address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        let bits = Self { prefix: self.prefix.min(other.prefix), ..self };
        match (self.address, other.address) {
            (IpAddr::V4(one), IpAddr::V4(two)) => {
                bits.leading(u32::from(one).into()) == bits.leading(u32::from(two).into())
            }
            (IpAddr::V6(one), IpAddr::V6(two)) => {
                bits.leading(one.into()) == bits.leading(two.into())
            }
            _ => false,
        }
    }

    /// How many bits an address of its family has.
    const fn width(self) -> u32 {
        match self.address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }

    /// The number with all bits beyond the prefix at zero.
    fn leading(self, number: u128) -> u128 {
        let beyond = self.width().saturating_sub(u32::from(self.prefix));
        number.checked_shr(beyond).and_then(|n| n.checked_shl(beyond)).unwrap_or(0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let read = || -> Option<Self> {
            let Some((address, prefix)) = text.split_once('/') else {
                return Some(Self::single(text.parse().ok()?));
            };
            let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
            Self::new(address.parse().ok()?, prefix.parse().ok().filter(|_| digits)?)
        };
        read().ok_or_else(|| NetworkError(text.chars().take(TEXT_CHARS_MAX).collect()))
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self::single(address)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_one_spelling() {
        check("192.0.2.7", Some("192.0.2.7"));
        check("192.0.2.7/32", Some("192.0.2.7"));
        check("192.0.2.7/24", Some("192.0.2.0/24"));
        check("10.0.0.0/0", Some("0.0.0.0/0"));
        check("2001:DB8::1/32", Some("2001:db8::/32"));
        check("::/0", Some("::/0"));
        check("::1", Some("::1"));
        check("::ffff:192.0.2.7", Some("192.0.2.7"));
        check("::ffff:192.0.2.7/120", Some("192.0.2.0/24"));
        for text in
            ["", "/", "192.0.2", "192.0.2.7/33", "::/129", "::ffff:1.2.3.4/64", "1.2.3.4/+8"]
        {
            check(text, None);
        }
        check("1.2.3.4; flush ruleset", None);
        check("192.0.2.7/24 ", None);
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let read = text.parse::<Network>().ok();
        assert_eq!(read.map(|network| network.to_string()).as_deref(), expected, "{text:?}");
    }

    #[test]
    fn networks_overlap_where_one_is_in_the_other() {
        let overlap = |one: &str, two: &str, expected: bool| {
            let (one, two): (Network, Network) = (one.parse().unwrap(), two.parse().unwrap());
            assert_eq!(one.overlaps(two), expected, "{one} {two}");
            assert_eq!(two.overlaps(one), expected, "{two} {one}");
        };
        overlap("192.0.2.0/24", "192.0.2.7", true);
        overlap("192.0.2.0/24", "192.0.3.7", false);
        overlap("0.0.0.0/0", "192.0.3.7", true);
        overlap("0.0.0.0/0", "::1", false);
        overlap("2001:db8::/32", "2001:db8:1::/48", true);
        overlap("10.0.0.0/8", "10.1.0.0/16", true);
        overlap("127.0.0.0/8", "::ffff:127.0.0.1", true);
    }
}
