//! To which addresses anything is sent at all.

use ringwall_event::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses a webhook may lead to: those of the public internet, and those that the
/// configuration allows.
///
/// Whoever can name a URL could otherwise have the server speak to what only the server reaches: its
/// own ports, the neighbours in its network, the metadata service of its cloud.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressRules {
    allowed: Vec<Network>,
}

impl AddressRules {
    /// Allows these networks beside the public internet.
    pub(crate) fn new(allowed: Vec<Network>) -> Self {
        Self { allowed }
    }

    /// What stands against this address; none where it may be spoken to.
    pub(crate) fn refusal(&self, address: IpAddr) -> Option<&'static str> {
        let kind = kind(address)?;
        let is_allowed = self.allowed.iter().any(|network| network.contains(address));
        (!is_allowed).then_some(kind)
    }
}

/// What an address is that is not a host of the public internet (IANA's registries of special-purpose
/// addresses, RFC 6890).
fn kind(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> Option<&'static str> {
    let kind = match address.octets() {
        [0, ..] => "unspecified",
        [127, ..] => "loopback",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private",
        [100, 64..=127, ..] => "private (carrier-grade NAT)",
        [169, 254, ..] => "link-local",
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "reserved",
        [192, 88, 99, _] | [198, 18 | 19, ..] => "reserved",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved",
        _ => return None,
    };
    Some(kind)
}

fn kind_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => return Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => return Some("loopback"),
        // NAT64 (RFC 6052): an IPv4 address at the end, which a translator will speak to.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            return kind_v4(Ipv4Addr::new(a, b, c, d));
        }
        _ => {}
    }
    match segments[0] {
        0xfc00..=0xfdff => Some("private"),
        0xfe80..=0xfebf => Some("link-local"),
        0xfec0..=0xfeff => Some("private"),
        0xff00..=0xffff => Some("multicast"),
        // Teredo, 6to4: tunnels to IPv4 addresses of anybody's choice.
        0x2002 => Some("a tunnel"),
        0x2001 if segments[1] == 0 => Some("a tunnel"),
        0x2001 if segments[1] < 0x200 || segments[1] == 0xdb8 => Some("reserved"),
        0x3fff if segments[1] < 0x1000 => Some("reserved"),
        // Only this part is given out to hosts of the public internet.
        0x2000..=0x3fff => None,
        _ => Some("reserved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_the_public_internet_are_spoken_to() {
        for refused in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(
                AddressRules::default().refusal(refused.parse().unwrap()).is_some(),
                "{refused}"
            );
        }
        for fine in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "223.255.255.254",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(AddressRules::default().refusal(fine.parse().unwrap()), None, "{fine}");
        }
    }

    #[test]
    fn what_the_configuration_allows_is_spoken_to() {
        let rules = AddressRules::new(vec!["10.1.0.0/16".parse().unwrap(), "::1".parse().unwrap()]);
        for (address, expected) in [
            ("10.1.2.3", None),
            ("::ffff:10.1.2.3", None),
            ("::1", None),
            ("10.2.0.1", Some("private")),
            ("127.0.0.1", Some("loopback")),
        ] {
            assert_eq!(rules.refusal(address.parse().unwrap()), expected, "{address}");
        }
    }
}
