//! The hosts, what they are for, and what always runs on them.

use crate::Settings;
use crate::random::{Random, mix};
use crate::text::push_number;
use ringwall_event::{Source, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Web,
    Database,
    Bastion,
    Workstation,
    Build,
}

/// One host.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) role: Role,
    pub(crate) source: Source,
    pub(crate) address: u32,
    /// Its share of all events.
    pub(crate) weight: u64,
    /// What was started with it and runs on, in the order of [`Role::daemons`].
    pub(crate) daemons: Vec<Daemon>,
    /// Which versions of programs it has.
    pub(crate) versions: u64,
}

/// A process that was there before and stays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Daemon {
    pub(crate) name: &'static str,
    pub(crate) pid: u32,
    pub(crate) started: Timestamp,
}

/// Who does what in twenty hosts.
const ROLES: [Role; 20] = {
    use Role::{Bastion, Build, Database, Web, Workstation};
    [
        Web,
        Database,
        Workstation,
        Web,
        Build,
        Workstation,
        Bastion,
        Web,
        Workstation,
        Web,
        Database,
        Workstation,
        Web,
        Workstation,
        Build,
        Web,
        Workstation,
        Database,
        Web,
        Workstation,
    ]
};

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Database => "db",
            Self::Bastion => "bastion",
            Self::Workstation => "ws",
            Self::Build => "build",
        }
    }

    const fn weight(self) -> u64 {
        match self {
            Self::Web => 190,
            Self::Database => 80,
            Self::Bastion => 150,
            Self::Workstation => 60,
            Self::Build => 110,
        }
    }

    /// What always runs on such a host; the first started all others.
    pub(crate) const fn daemons(self) -> &'static [&'static str] {
        match self {
            Self::Web => &[
                "systemd",
                "systemd-journal",
                "cron",
                "sshd",
                "nginx",
                "php-fpm8.2",
                "node",
                "containerd",
                "node_exporter",
                "unattended-upgr",
            ],
            Self::Database => &[
                "systemd",
                "systemd-journal",
                "cron",
                "sshd",
                "postgres",
                "redis-server",
                "pgbouncer",
                "node_exporter",
            ],
            Self::Bastion => {
                &["systemd", "systemd-journal", "cron", "sshd", "fail2ban-server", "chronyd"]
            }
            Self::Workstation => &[
                "systemd",
                "systemd-journal",
                "cron",
                "sshd",
                "gnome-shell",
                "chrome",
                "code",
                "slack",
                "pipewire",
                "cupsd",
            ],
            Self::Build => &[
                "systemd",
                "systemd-journal",
                "cron",
                "sshd",
                "dockerd",
                "containerd",
                "gitlab-runner",
                "node_exporter",
            ],
        }
    }
}

impl Host {
    /// The daemon of this name; the first of all where the role has none such.
    pub(crate) fn daemon(&self, name: &str) -> Daemon {
        let found = self.daemons.iter().find(|daemon| daemon.name == name);
        found.or_else(|| self.daemons.first()).copied().unwrap_or(Daemon {
            name: "systemd",
            pid: 1,
            started: Timestamp::default(),
        })
    }
}

/// All hosts of these settings.
pub(crate) fn all(settings: &Settings) -> Vec<Host> {
    (0..settings.hosts).map(|number| host(settings, number)).collect()
}

fn host(settings: &Settings, number: u32) -> Host {
    let role = ROLES.get(number as usize % ROLES.len()).copied().unwrap_or(Role::Web);
    let before = ROLES.iter().take(number as usize % ROLES.len()).filter(|one| **one == role);
    let per_round = ROLES.iter().filter(|one| **one == role).count() as u32;
    let ordinal = number / ROLES.len() as u32 * per_round + before.count() as u32 + 1;
    let mut name = format!("{}{}-", settings.host_prefix, role.name());
    if ordinal < 10 {
        name.push('0');
    }
    push_number(&mut name, ordinal.into());

    let mut random = Random::of(&[settings.seed, 0x0000_686f_7374, number.into()]);
    let up_since = settings.start.plus_seconds(-random.between(3600, 90 * 86_400));
    let mut pid = 1;
    let daemons = role
        .daemons()
        .iter()
        .map(|name| {
            let daemon = Daemon {
                name,
                pid,
                started: up_since.plus_micros(random.between(0, 9_000_000) * i64::from(pid > 1)),
            };
            pid += 180 + random.below(90) as u32;
            daemon
        })
        .collect();
    Host {
        role,
        source: Source::new(Source::HOST_AGENT, &name),
        address: internal_address(number),
        weight: role.weight() * (50 + random.below(100)),
        daemons,
        versions: mix(settings.seed ^ random.below(3)),
    }
}

/// 10.20.0.10 and on.
pub(crate) const fn internal_address(host: u32) -> u32 {
    0x0a14_000a + (host / 200) * 256 + host % 200
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn hosts_have_names_and_addresses_of_their_own() {
        let settings = Settings {
            seed: 1,
            hosts: 1000,
            events: 0,
            start: Timestamp::from_micros(1_792_368_000_000_000),
            end: Timestamp::from_micros(1_792_454_400_000_000),
            host_prefix: "lab-".into(),
        };
        let hosts = all(&settings);
        let names: HashSet<_> = hosts.iter().map(|host| &host.source.name).collect();
        let addresses: HashSet<_> = hosts.iter().map(|host| host.address).collect();
        assert_eq!((names.len(), addresses.len()), (1000, 1000));
        assert_eq!(&*hosts[0].source.name, "lab-web-01");
        assert_eq!(&*hosts[3].source.name, "lab-web-02");
        for host in &hosts {
            let pids: HashSet<_> = host.daemons.iter().map(|daemon| daemon.pid).collect();
            assert_eq!(pids.len(), host.daemons.len());
            assert!(host.daemons.iter().all(|daemon| daemon.started < settings.start));
        }
    }
}
