//! Hosts that are inside, in all the ways an address can be written.

use crate::payload::text::{at, contains, slice};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    /// The metadata service of a cloud.
    Metadata,
    /// This machine, plainly written.
    Loopback,
    /// A private network, plainly written.
    Private,
    /// Any of them, in another notation or through a name that resolves to it.
    Disguised,
    /// A name that resolves in an inner network only.
    Named,
}

/// Where this host is; nothing where it is outside or a name like any other.
pub(super) fn inside(host: &[u8]) -> Option<Inside> {
    // One trailing dot is the root of names.
    let host = host.strip_suffix(b".").unwrap_or(host);
    if host.is_empty() || host.len() > 253 {
        return None;
    }
    if matches!(
        host,
        b"metadata.google.internal"
            | b"metadata"
            | b"metadata.goog"
            | b"instance-data"
            | b"metadata.azure.com"
            | b"metadata.azure.internal"
            | b"metadata.tencentyun.com"
            | b"metadata.packet.net"
            | b"metadata.platformequinix.com"
    ) {
        return Some(Inside::Metadata);
    }
    if host == b"localhost" || host == b"localhost.localdomain" || host == b"ip6-localhost" {
        return Some(Inside::Loopback);
    }
    if host == b"kubernetes.default.svc"
        || host == b"host.docker.internal"
        || host == b"kubernetes.default"
        || host.ends_with(b".svc.cluster.local")
    {
        return Some(Inside::Disguised);
    }
    if at(host, 0) == b'[' {
        return six(slice(host, 1, host.len().saturating_sub(1)));
    }
    if let Some((address, plain)) = four(host) {
        return judge(address, plain);
    }
    by_name(host)
}

fn judge(address: Ipv4Addr, plain: bool) -> Option<Inside> {
    let octets = address.octets();
    let metadata = octets == [169, 254, 169, 254]
        || octets == [100, 100, 100, 200]
        || octets == [169, 254, 170, 2]
        || octets == [192, 0, 0, 192]
        || octets == [168, 63, 129, 16];
    if metadata {
        return Some(Inside::Metadata);
    }
    let inner = if address.is_loopback() || octets == [0, 0, 0, 0] {
        Inside::Loopback
    } else if address.is_private()
        || address.is_link_local()
        || octets[0] == 0
        || octets[0] == 100 && (64..128).contains(&octets[1])
    {
        Inside::Private
    } else {
        return None;
    };
    let usual = octets == [127, 0, 0, 1] || inner == Inside::Private || octets == [0, 0, 0, 0];
    Some(if plain && usual { inner } else { Inside::Disguised })
}

fn six(text: &[u8]) -> Option<Inside> {
    let text = slice(text, 0, text.iter().position(|&byte| byte == b'%').unwrap_or(text.len()));
    let address: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    if let Some(four) = address.to_ipv4_mapped() {
        return judge(four, false);
    }
    if address.is_loopback() {
        return Some(Inside::Loopback);
    }
    let segments = address.segments();
    // The metadata service of AWS over IPv6.
    if segments == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] {
        return Some(Inside::Metadata);
    }
    // Compatible, 6to4 and NAT64 forms carry an address of version 4.
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        judge(Ipv4Addr::new(a, b, c, d), false)
    };
    if address.is_unspecified() {
        return Some(Inside::Loopback);
    }
    match segments {
        [0, 0, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => four(high, low),
        [first, ..] if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80 => {
            Some(Inside::Private)
        }
        _ => None,
    }
}

/// An address of version 4 in any notation that resolvers take, and whether it is the plain one.
fn four(host: &[u8]) -> Option<(Ipv4Addr, bool)> {
    if !at(host, 0).is_ascii_digit() {
        return None;
    }
    let mut values = [0u64; 4];
    let mut count = 0;
    let mut plain = true;
    for part in host.split(|&byte| byte == b'.') {
        let (value, is_plain) = number(part)?;
        *values.get_mut(count)? = value;
        count += 1;
        plain &= is_plain;
    }
    plain &= count == 4;
    // The last part fills what is left; values beyond an octet wrap around in some.
    let mut address: u64 = 0;
    for (index, value) in values.iter().take(count.checked_sub(1)?).enumerate() {
        address |= (value & 0xff) << (24 - 8 * index);
        plain &= *value <= 0xff;
    }
    let last = *values.get(count - 1)?;
    let bits = 8 * (5 - count);
    plain &= last < (1 << bits);
    address |= last & ((1u64 << bits) - 1);
    Some((Ipv4Addr::from(u32::try_from(address & 0xffff_ffff).ok()?), plain))
}

fn number(part: &[u8]) -> Option<(u64, bool)> {
    let text = std::str::from_utf8(part).ok()?;
    if text.len() > 24 {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return Some((
            u64::from_str_radix(if digits.is_empty() { "0" } else { digits }, 16).ok()?,
            false,
        ));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Some((u64::from_str_radix(text, 8).ok()?, false));
    }
    Some((text.parse().ok()?, true))
}

/// Names that resolve to the address that is written in them, or to this machine.
fn by_name(host: &[u8]) -> Option<Inside> {
    const WILDCARDS: [&[u8]; 10] = [
        b".nip.io",
        b".sslip.io",
        b".xip.io",
        b".localtest.me",
        b".lvh.me",
        b".vcap.me",
        b".lacolhost.com",
        b".rbndr.us",
        b".1u.ms",
        b".traefik.me",
    ];
    const THIS_MACHINE: [&[u8]; 9] = [
        b"localtest.me",
        b"lvh.me",
        b"vcap.me",
        b"lacolhost.com",
        b"yoogle.com",
        b"spoofed.burpcollaborator.net",
        b"customer1.app.localhost.my.company.127.0.0.1.nip.io",
        b"bugbounty.dod.network",
        b"readme.localtest.me",
    ];
    if THIS_MACHINE.contains(&host) {
        return Some(Inside::Disguised);
    }
    if host.ends_with(b".localhost") || WILDCARDS.iter().any(|end| host.ends_with(end)) {
        let names_inner = [
            &b"127"[..],
            b"10",
            b"192",
            b"172",
            b"169",
            b"7f0",
            b"a9fe",
            b"0a",
            b"c0a8",
            b"localhost",
            b"localtest",
            b"lvh",
            b"rbndr",
            b"1u.ms",
            b"vcap",
            b"lacol",
        ]
        .iter()
        .any(|start| contains(host, start));
        return names_inner.then_some(Inside::Disguised);
    }
    // `http://jenkins/`, `http://vault.internal/`: no public name has one label, or ends in one of these.
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let inner_end =
        [&b".internal"[..], b".intranet", b".corp", b".lan", b".local", b".localdomain"]
            .iter()
            .any(|end| host.ends_with(end));
    let one_label = !host.contains(&b'.') && host.len() >= 2 && at(host, 0).is_ascii_alphabetic();
    ((inner_end || one_label) && host.iter().all(is_name)).then_some(Inside::Named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, expected: Option<Inside>) {
        assert_eq!(inside(host.as_bytes()), expected, "host {host:?}");
    }

    #[test]
    fn every_notation_of_an_inner_address_is_seen() {
        check("127.0.0.1", Some(Inside::Loopback));
        check("localhost", Some(Inside::Loopback));
        check("[::1]", Some(Inside::Loopback));
        check("10.1.2.3", Some(Inside::Private));
        check("192.168.0.1", Some(Inside::Private));
        for disguised in [
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "127.0.1",
            "0x7f.1",
            "[::ffff:127.0.0.1]",
            "127.0.0.1.nip.io",
            "127.1.1.1",
            "017700000001",
            "[::ffff:a00:1]",
            "[::127.0.0.1]",
            "app.localhost.localtest.me",
        ] {
            check(disguised, Some(Inside::Disguised));
        }
        for metadata in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "[::ffff:169.254.169.254]",
            "metadata.google.internal",
            "0251.0376.0251.0376",
            "169.254.43518",
            "[fd00:ec2::254]",
            "metadata.google.internal.",
        ] {
            check(metadata, Some(Inside::Metadata));
        }
        for named in ["jenkins", "vault.internal", "db-1.corp"] {
            check(named, Some(Inside::Named));
        }
        for outside in ["8.8.8.8", "example.com", "[2001:db8::1]", "1.1", "127", "10.example.com"] {
            let expected = match outside {
                // One number is an address of 32 bits: 0.0.0.127.
                "127" => Some(Inside::Disguised),
                _ => None,
            };
            check(outside, expected);
        }
    }
}
