//! Who speaks to whom.

use crate::hosts::Role;
use crate::random::Random;
use crate::text::{Peer, push_ipv4};
use ringwall_event::Connection;

/// A connection, as small as it can be kept until it is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) protocol: &'static str,
    pub(crate) local_port: u16,
    pub(crate) peer: Peer,
    pub(crate) remote_port: u16,
    pub(crate) pid: u32,
    pub(crate) name: &'static str,
    pub(crate) lasts_ms: u64,
}

/// Which way a kind of connection goes.
#[derive(Clone, Copy)]
enum Way {
    /// From a host of ours to the port of the daemon.
    InFromHosts,
    /// From the outside to the port of the daemon.
    InFromOutside,
    /// From the daemon to the port of a host of ours.
    OutToHosts,
    /// From the daemon to the port on the outside.
    OutToOutside,
    /// From whatever started last to the port on the outside.
    OutOfRecent,
}

/// A kind of connection: daemon, way, protocol, port, the shortest and the longest it lasts, and how
/// often it is made.
type Habit = (&'static str, Way, &'static str, u16, (u64, u64), u64);

#[rustfmt::skip]
const fn habits(role: Role) -> &'static [Habit] {
    use Way::{InFromHosts, InFromOutside, OutOfRecent, OutToHosts, OutToOutside};
    match role {
        Role::Web => &[
            ("nginx", InFromOutside, "tcp", 443, (20, 75_000), 60), ("nginx", InFromOutside, "tcp", 80, (10, 900), 6),
            ("php-fpm8.2", OutToHosts, "tcp", 5432, (3, 9000), 18), ("php-fpm8.2", OutToHosts, "tcp", 6379, (2, 700), 14),
            ("node", OutToOutside, "tcp", 443, (60, 20_000), 6), ("systemd", OutToHosts, "udp", 53, (1, 40), 8),
            ("node_exporter", InFromHosts, "tcp", 9100, (900, 9000), 2), ("sshd", InFromHosts, "tcp", 22, (2000, 900_000), 1),
            ("", OutOfRecent, "tcp", 443, (60, 9000), 3),
        ],
        Role::Database => &[
            ("postgres", InFromHosts, "tcp", 5432, (3, 600_000), 60), ("redis-server", InFromHosts, "tcp", 6379, (2, 60_000), 30),
            ("pgbouncer", InFromHosts, "tcp", 6432, (900, 900_000), 8), ("node_exporter", InFromHosts, "tcp", 9100, (900, 9000), 3),
            ("systemd", OutToHosts, "udp", 53, (1, 40), 3), ("", OutOfRecent, "tcp", 443, (60, 9000), 1),
        ],
        Role::Bastion => &[
            ("sshd", InFromOutside, "tcp", 22, (400, 30_000), 60), ("sshd", OutToHosts, "tcp", 22, (2000, 900_000), 20),
            ("chronyd", OutToOutside, "udp", 123, (10, 200), 6), ("systemd", OutToHosts, "udp", 53, (1, 40), 6),
            ("", OutOfRecent, "tcp", 22, (900, 90_000), 8),
        ],
        Role::Workstation => &[
            ("chrome", OutToOutside, "tcp", 443, (200, 180_000), 50), ("chrome", OutToOutside, "udp", 443, (200, 60_000), 25),
            ("slack", OutToOutside, "tcp", 443, (9000, 900_000), 5), ("code", OutToOutside, "tcp", 443, (300, 30_000), 8),
            ("systemd", OutToHosts, "udp", 53, (1, 40), 30), ("cupsd", OutToHosts, "tcp", 631, (50, 3000), 1),
            ("", OutOfRecent, "tcp", 443, (60, 20_000), 10),
        ],
        Role::Build => &[
            ("gitlab-runner", OutToHosts, "tcp", 443, (100, 50_000), 30), ("dockerd", OutToOutside, "tcp", 443, (200, 60_000), 20),
            ("containerd", OutToHosts, "tcp", 5000, (90, 20_000), 10), ("systemd", OutToHosts, "udp", 53, (1, 40), 20),
            ("node_exporter", InFromHosts, "tcp", 9100, (900, 9000), 3), ("", OutOfRecent, "tcp", 443, (60, 20_000), 25),
        ],
    }
}

/// A connection that is made. `daemon` finds the process of a name; `recent` is one that started
/// lately.
pub(crate) fn made(
    role: Role,
    hosts: u32,
    random: &mut Random,
    daemon: impl Fn(&str) -> (&'static str, u32),
    recent: Option<(&'static str, u32)>,
) -> Link {
    let habits = habits(role);
    let at = random.weighted(habits.iter().map(|habit| habit.5));
    let (name, way, protocol, port, (shortest, longest), _) =
        habits.get(at).copied().unwrap_or(("", Way::OutOfRecent, "tcp", 443, (60, 9000), 1));
    let (name, pid) = match (way, recent) {
        (Way::OutOfRecent, Some(recent)) => recent,
        (Way::OutOfRecent, None) => daemon("systemd"),
        _ => daemon(name),
    };
    let other_port = 32_768 + random.below(28_232) as u16;
    let peer = match way {
        // Few hosts serve many.
        Way::InFromHosts | Way::OutToHosts => {
            Peer::Host(random.zipf(32 - hosts.leading_zeros()) % hosts.max(1))
        }
        Way::InFromOutside | Way::OutToOutside | Way::OutOfRecent => Peer::Outside(random.zipf(16)),
    };
    let (local_port, remote_port) = match way {
        Way::InFromHosts | Way::InFromOutside => (port, other_port),
        Way::OutToHosts | Way::OutToOutside | Way::OutOfRecent => (other_port, port),
    };
    let lasts_ms = random.scale(shortest, longest);
    Link { protocol, local_port, peer, remote_port, pid, name, lasts_ms }
}

impl Link {
    pub(crate) fn connection(
        self,
        local: u32,
        status: &str,
        seed: u64,
        buffer: &mut String,
    ) -> Connection {
        buffer.clear();
        push_ipv4(buffer, local);
        let local_address = buffer.as_str().into();
        Connection {
            protocol: self.protocol.into(),
            local_address,
            local_port: self.local_port,
            remote_address: Some(self.peer.text(buffer, seed)),
            remote_port: Some(self.remote_port),
            status: status.into(),
            pid: Some(self.pid.into()),
            process_name: Some(self.name.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_are_of_daemons_that_the_role_has() {
        for role in [Role::Web, Role::Database, Role::Bastion, Role::Workstation, Role::Build] {
            for (name, ..) in habits(role) {
                assert!(name.is_empty() || role.daemons().contains(name), "{name}");
            }
        }
    }
}
