//! Under which names and addresses clients may know this server.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// More addresses than any machine needs a certificate for.
const ADDRESSES_MAX: usize = 64;
/// The longest name in DNS (RFC 1035 §2.3.4), with a dot at its end.
const NAME_CHARS_MAX: usize = 253;
const LABEL_CHARS_MAX: usize = 63;

/// Names and addresses, without repetition and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Names {
    /// Names in DNS, lower case.
    pub(crate) dns: BTreeSet<String>,
    pub(crate) addresses: BTreeSet<IpAddr>,
}

impl Names {
    /// Those of loopback, of this machine, of the addresses that are listened on, and those that the
    /// configuration adds.
    pub(crate) fn of_server(configured: &[String], hostname: &str, bound: &[SocketAddr]) -> Self {
        let mut names = Self::default();
        for name in configured.iter().map(String::as_str).chain([hostname, "localhost"]) {
            names.add(name);
        }
        for address in bound.iter().map(|address| address.ip().to_canonical()) {
            if address.is_unspecified() {
                names.addresses.extend(of_this_machine(Path::new("/proc/net")));
            } else {
                names.addresses.insert(address);
            }
        }
        names.addresses.insert(Ipv4Addr::LOCALHOST.into());
        names.addresses.insert(Ipv6Addr::LOCALHOST.into());
        names
    }

    /// What can be neither a name nor an address is left out: `ring_wall` is a hostname to Linux, and
    /// to nobody else.
    fn add(&mut self, name: &str) {
        let name = name.trim().trim_end_matches('.').to_ascii_lowercase();
        if let Ok(address) = name.trim_matches(['[', ']']).parse() {
            self.addresses.insert(address);
        } else if is_dns_name(&name) {
            self.dns.insert(name);
        }
    }
}

/// Letters, digits and hyphens in labels between dots (RFC 1123 §2.1).
fn is_dns_name(name: &str) -> bool {
    name.len() <= NAME_CHARS_MAX
        && name.split('.').all(|label| {
            (1..=LABEL_CHARS_MAX).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// The addresses of the machine's interfaces, as the kernel lists them; none where it does not.
fn of_this_machine(proc_net: &Path) -> BTreeSet<IpAddr> {
    let v4 = std::fs::read_to_string(proc_net.join("fib_trie")).unwrap_or_default();
    let v6 = std::fs::read_to_string(proc_net.join("if_inet6")).unwrap_or_default();
    let v4 = local_v4(&v4).map(IpAddr::V4);
    let v6 = local_v6(&v6).map(IpAddr::V6);
    v4.chain(v6).take(ADDRESSES_MAX).collect()
}

/// In the routing trie, the addresses of this machine are leaves of the type LOCAL with all bits.
fn local_v4(fib_trie: &str) -> impl Iterator<Item = Ipv4Addr> {
    let mut leaf = None;
    fib_trie.lines().filter_map(move |line| match line.trim().split_once(' ') {
        Some(("|--", address)) => {
            leaf = address.parse().ok();
            None
        }
        Some(("/32", "host LOCAL")) => leaf,
        _ => None,
    })
}

/// One address a line, in 32 digits without colons. Those that only mean something together with an
/// interface (`fe80::`) cannot stand in a certificate.
fn local_v6(if_inet6: &str) -> impl Iterator<Item = Ipv6Addr> {
    if_inet6
        .lines()
        .filter_map(|line| u128::from_str_radix(line.split(' ').next()?, 16).ok())
        .map(Ipv6Addr::from)
        .filter(|address| !address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_can_be_looked_up() {
        let names = |configured: &[&str], hostname: &str, bound: &str| {
            let configured: Vec<String> = configured.iter().map(|name| (*name).into()).collect();
            let names = Names::of_server(&configured, hostname, &[bound.parse().unwrap()]);
            let addresses = names.addresses.iter().map(IpAddr::to_string);
            names.dns.into_iter().chain(addresses).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(&[], "Web-1", "127.0.0.1:1"), "localhost web-1 127.0.0.1 ::1");
        assert_eq!(
            names(&["Guard.Example.", "192.0.2.7", "[2001:db8::1]"], "", "192.0.2.9:1"),
            "guard.example localhost 127.0.0.1 192.0.2.7 192.0.2.9 ::1 2001:db8::1"
        );
        let bad = ["a b", "-a", "a..b", "ring_wall", "*.example", "ä.example", ""];
        assert_eq!(
            names(&bad, "a\n", "[::ffff:192.0.2.1]:1"),
            "a localhost 127.0.0.1 192.0.2.1 ::1"
        );
    }

    #[test]
    fn the_kernel_lists_our_addresses() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 192.0.2.0\n        /24 link UNICAST\n     \
                    |-- 192.0.2.7\n        /32 host LOCAL\n     |-- 192.0.2.255\n        \
                    /32 link BROADCAST\n";
        assert_eq!(local_v4(trie).collect::<Vec<_>>(), [Ipv4Addr::new(192, 0, 2, 7)]);
        let lines = "20010db8000000000000000000000001 02 40 00 00 eth0\n\
                     fe800000000000000000000000000001 02 40 20 80 eth0\nx\n";
        let expected: Ipv6Addr = "2001:db8::1".parse().unwrap();
        assert_eq!(local_v6(lines).collect::<Vec<_>>(), [expected]);
        let here = of_this_machine(Path::new("/proc/net"));
        assert!(here.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{here:?}");
    }
}
