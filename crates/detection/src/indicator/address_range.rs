use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: the addresses that share its first bits. IPv4 within IPv6 is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AddressRange {
    family: Family,
    /// The bits of the network, at the low end for IPv4; the rest is zero.
    network: u128,
    prefix: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

impl AddressRange {
    /// The network of the first `prefix` bits of `address`; none where it has fewer bits.
    pub(crate) fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let (family, number) = split(address);
        // A prefix over an IPv4 address written as IPv6 counts the 96 bits before it.
        let prefix = match address {
            IpAddr::V6(_) if family == Family::V4 => prefix.checked_sub(96)?,
            _ => prefix,
        };
        (prefix <= family.bits()).then(|| Self {
            family,
            network: number & mask(family, prefix),
            prefix,
        })
    }

    /// The one address alone.
    pub(crate) fn single(address: IpAddr) -> Self {
        let (family, network) = split(address);
        Self { family, network, prefix: family.bits() }
    }

    /// The network of the first `prefix` bits around this one.
    pub(crate) fn widened(self, prefix: u8) -> Self {
        Self { network: self.network & mask(self.family, prefix), prefix, ..self }
    }

    pub(crate) const fn family(self) -> Family {
        self.family
    }

    pub(crate) const fn prefix(self) -> u8 {
        self.prefix
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            // The network of an IPv4 range lies within 32 bits by construction.
            Family::V4 => write!(f, "{}", Ipv4Addr::from(self.network as u32))?,
            Family::V6 => write!(f, "{}", Ipv6Addr::from(self.network))?,
        }
        if self.prefix < self.family.bits() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

fn split(address: IpAddr) -> (Family, u128) {
    match address.to_canonical() {
        IpAddr::V4(address) => (Family::V4, u128::from(u32::from(address))),
        IpAddr::V6(address) => (Family::V6, u128::from(address)),
    }
}

const fn mask(family: Family, prefix: u8) -> u128 {
    let host_bits = family.bits().saturating_sub(prefix);
    match u128::MAX.checked_shl(host_bits as u32) {
        Some(mask) => mask,
        None => 0,
    }
}
