//! The addresses of the machine that a program runs on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Every address of this machine, those of loopback included; what cannot be read is left out.
pub fn local_addresses() -> Vec<IpAddr> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (v4, v6) = (read("/proc/net/fib_trie"), read("/proc/net/if_inet6"));
    let v4 = of_fib_trie(&v4).map(IpAddr::V4);
    let mut all: Vec<IpAddr> = v4.chain(of_if_inet6(&v6).map(IpAddr::V6)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The kernel's routing table: an address of the machine is a line `|-- ADDRESS`, followed by one that says
/// `/32 host LOCAL`.
fn of_fib_trie(text: &str) -> impl Iterator<Item = Ipv4Addr> + '_ {
    let mut last = None;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some((_, address)) = line.split_once("|-- ") {
            last = address.parse().ok();
            return None;
        }
        (line == "/32 host LOCAL").then(|| last.take()).flatten()
    })
}

/// One line an address, which begins with its 32 hexadecimal digits.
fn of_if_inet6(text: &str) -> impl Iterator<Item = Ipv6Addr> + '_ {
    text.lines().filter_map(|line| {
        let digits = line.split_whitespace().next().filter(|digits| digits.len() == 32)?;
        u128::from_str_radix(digits, 16).ok().map(Ipv6Addr::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_the_kernels_tables() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     \
                    +-- 127.0.0.0/8 2 0 2\n        |-- 127.0.0.1\n           /32 host LOCAL\n        \
                    |-- 127.255.255.255\n           /32 link BROADCAST\n     |-- 192.0.2.7\n        \
                    /32 host LOCAL\n     |-- bad\n        /32 host LOCAL\n";
        let found: Vec<Ipv4Addr> = of_fib_trie(trie).collect();
        assert_eq!(found, [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 7)]);
        let inet6 = "00000000000000000000000000000001 01 80 10 80       lo\nbad\n";
        assert_eq!(of_if_inet6(inet6).collect::<Vec<_>>(), [Ipv6Addr::LOCALHOST]);
        assert!(local_addresses().contains(&Ipv4Addr::LOCALHOST.into()));
    }
}
