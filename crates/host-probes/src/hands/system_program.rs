//! Whether a process really is one of the system's programs, and not somebody who passes for one.
//!
//! What is protected is a hiding place for whoever can pass for it. A process chooses its name; anybody
//! may run `/usr/sbin/sshd`, with `LD_PRELOAD` as well, and root of a container owns the files in it. What
//! an attacker without root on the host cannot choose: the users a process runs as, the namespaces it is
//! in, and, under systemd, the unit it belongs to. So all of these are asked, and a process of which they
//! cannot be read is not the system's: an agent that may not read them may not end root's processes either.

use crate::cgroup_path::container_path;
use crate::procfs::ProcReader;
use crate::program_file::Mounts;
use crate::user_names::UserNames;

/// What tells the system's own process from one that passes for it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Evidence<'a> {
    /// The short name, which the process may have chosen.
    name: &'a str,
    /// The file name of its program.
    file: &'a [u8],
    /// Whether that file belongs to root, and only root can write it.
    is_file_roots: bool,
    /// Whether it is in the pid and user namespaces, and in the container if any, that this agent is in.
    is_of_this_host: bool,
    /// Real, effective, saved and file system user.
    users: [u32; 4],
    /// The unit of systemd it belongs to, where it is one of the system's.
    unit: Option<&'a str>,
    /// Whether processes of this host belong to units at all.
    has_units: bool,
    /// The name of its user.
    user: &'a str,
}

/// Programs that run a file of another name: the program, its file.
const OTHER_FILES: [(&str, &str); 1] = [("systemd-udevd", "udevadm")];
/// Services of programs that run as a user of their own and are not named like their unit.
const OTHER_UNITS: [(&str, &str); 4] = [
    ("dbus-daemon", "dbus.service"),
    ("dbus-daemon", "messagebus.service"),
    ("dbus-broker", "dbus.service"),
    ("dbus-broker-launch", "dbus-broker.service"),
];
/// The users of such programs, where no unit tells them from others.
const OTHER_USERS: [(&str, &str); 2] = [("dbus-daemon", "messagebus"), ("dbus-daemon", "dbus")];
/// Below it users are the system's (`SYS_UID_MAX` of login.defs(5)).
const ORDINARY_USERS: u32 = 1000;
/// systemd's `DynamicUser` takes users from here (`systemd --version` knows them as fixed).
const DYNAMIC_USERS: std::ops::RangeInclusive<u32> = 61_184..=65_519;

/// Whether the process is the system's own instance of the program that it is named for.
pub(super) fn is_of_the_system(
    reader: &mut ProcReader,
    pid: u32,
    name: &str,
    users: Option<[u32; 4]>,
) -> bool {
    let Some(users) = users else { return false };
    let link = reader.link_of(pid, "exe").unwrap_or_default();
    let file = file_of(link).to_vec();
    // Most processes are through here.
    if !is_file_of(&file, name) {
        return false;
    }
    let is_file_roots =
        Mounts::default().program_file(reader, pid).is_some_and(|file| file.is_roots);
    let own = std::process::id();
    let is_of_this_host = ["ns/pid", "ns/user"].into_iter().all(|namespace| {
        let of_this_agent = reader.link_of(own, namespace).map(<[u8]>::to_vec);
        of_this_agent.is_some() && reader.link_of(pid, namespace) == of_this_agent.as_deref()
    });
    let groups = |reader: &mut ProcReader, pid| {
        reader.read_of(pid, "cgroup", CGROUP_BYTES_MAX).map(<[u8]>::to_vec).unwrap_or_default()
    };
    let (its, ours) = (groups(reader, pid), groups(reader, own));
    let first = groups(reader, 1);
    let evidence = Evidence {
        name,
        file: &file,
        is_file_roots,
        is_of_this_host: is_of_this_host && container_path(&its) == container_path(&ours),
        users,
        unit: unit_of(&its),
        has_units: is_keeper_of_units(&first),
        user: &UserNames::new().name(users[0]),
    };
    evidence.is_the_systems()
}

/// A file has a line for each hierarchy of version 1: there are fewer than 20.
const CGROUP_BYTES_MAX: usize = 16 << 10;

impl Evidence<'_> {
    fn is_the_systems(&self) -> bool {
        let [real, others @ ..] = self.users;
        // One who has taken on a user's rights in part acts for that user.
        let is_one_user = others.iter().all(|other| *other == real);
        is_file_of(self.file, self.name)
            && self.is_file_roots
            && self.is_of_this_host
            && is_one_user
            && (real == 0 || self.is_a_service_of_its_own(real))
    }

    /// A program that gave root up for a user of its own. That user is not enough: another service of the
    /// same user may be in the attacker's hands, and it can start what it likes, but in its own unit only.
    fn is_a_service_of_its_own(&self, user: u32) -> bool {
        if user >= ORDINARY_USERS && !DYNAMIC_USERS.contains(&user) {
            return false;
        }
        if self.has_units {
            return self.unit.is_some_and(|unit| {
                unit.strip_suffix(".service") == Some(self.name)
                    || OTHER_UNITS.contains(&(self.name, unit))
            });
        }
        OTHER_USERS.contains(&(self.name, self.user))
    }
}

/// The file name at the end of an `exe` link; an upgrade may have put another file in the place of the one
/// that the process runs.
fn file_of(link: &[u8]) -> &[u8] {
    let path = link.strip_suffix(b" (deleted)").unwrap_or(link);
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Whether a program of this name runs a file of that name.
fn is_file_of(file: &[u8], name: &str) -> bool {
    file == name.as_bytes()
        || OTHER_FILES.iter().any(|(program, other)| *program == name && other.as_bytes() == file)
}

/// The unit right below `system.slice`: a user's units are elsewhere, and only root moves a process from
/// one to the other.
fn unit_of(cgroup: &[u8]) -> Option<&str> {
    cgroup.split(|byte| *byte == b'\n').find_map(|line| {
        let path = line.splitn(3, |byte| *byte == b':').nth(2)?;
        let below = std::str::from_utf8(path).ok()?.strip_prefix("/system.slice/")?;
        below.split('/').find(|segment| segment.ends_with(".service"))
    })
}

/// Whether the first process keeps units, from its own groups.
fn is_keeper_of_units(cgroup: &[u8]) -> bool {
    cgroup.split(|byte| *byte == b'\n').any(|line| line.ends_with(b":/init.scope"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: [u32; 4] = [0; 4];

    fn sshd() -> Evidence<'static> {
        Evidence {
            name: "sshd",
            file: b"sshd",
            is_file_roots: true,
            is_of_this_host: true,
            users: ROOT,
            unit: Some("ssh.service"),
            has_units: true,
            user: "root",
        }
    }

    fn dbus() -> Evidence<'static> {
        Evidence {
            name: "dbus-daemon",
            file: b"dbus-daemon",
            users: [104; 4],
            unit: Some("dbus.service"),
            user: "messagebus",
            ..sshd()
        }
    }

    #[track_caller]
    fn check(evidence: &Evidence<'_>, expected: bool) {
        assert_eq!(evidence.is_the_systems(), expected, "{evidence:?}");
    }

    #[test]
    fn the_systems_own_are_known() {
        check(&sshd(), true);
        // Run by hand, or where nothing keeps units.
        check(&Evidence { unit: None, ..sshd() }, true);
        check(&Evidence { unit: None, has_units: false, ..sshd() }, true);
        check(&Evidence { name: "systemd-udevd", file: b"udevadm", ..sshd() }, true);
        check(&dbus(), true);
        check(&Evidence { unit: None, has_units: false, ..dbus() }, true);
        let resolved = Evidence {
            name: "systemd-resolved",
            file: b"systemd-resolved",
            users: [990; 4],
            unit: Some("systemd-resolved.service"),
            user: "systemd-resolve",
            ..sshd()
        };
        check(&resolved, true);
        let server = Evidence {
            name: "ringwall",
            file: b"ringwall",
            users: [61_200; 4],
            unit: Some("ringwall.service"),
            user: "61200",
            ..sshd()
        };
        check(&server, true);
    }

    #[test]
    fn who_passes_for_them_is_not_protected() {
        // `prctl(PR_SET_NAME)`, and the file of somebody else under the name.
        check(&Evidence { file: b"python3", ..sshd() }, false);
        check(&Evidence { name: "sshd", file: b"udevadm", ..sshd() }, false);
        check(&Evidence { is_file_roots: false, ..sshd() }, false);
        // A user who starts the real program, with a library of their own in it.
        check(&Evidence { users: [1000; 4], user: "joe", ..sshd() }, false);
        check(&Evidence { users: [1000, 0, 0, 0], ..sshd() }, false);
        check(&Evidence { users: [0, 1000, 0, 1000], ..sshd() }, false);
        check(&Evidence { users: [65_534; 4], user: "nobody", ..sshd() }, false);
        // A web server that was broken into, as its own user and as that of another service.
        let web = Some("apache2.service");
        check(&Evidence { users: [33; 4], unit: web, user: "www-data", ..sshd() }, false);
        check(&Evidence { unit: web, ..dbus() }, false);
        check(&Evidence { unit: None, ..dbus() }, false);
        let user = Evidence { users: [33; 4], user: "www-data", has_units: false, ..dbus() };
        check(&Evidence { unit: None, ..user }, false);
        // Root of a container, with a file of its root.
        check(&Evidence { is_of_this_host: false, ..sshd() }, false);
        // A session's own bus.
        check(&Evidence { users: [1000; 4], unit: None, user: "joe", ..dbus() }, false);
    }

    #[test]
    fn units_are_the_systems_only() {
        check_unit("0::/system.slice/dbus.service", Some("dbus.service"));
        check_unit(
            "0::/system.slice/system-getty.slice/getty@tty1.service",
            Some("getty@tty1.service"),
        );
        check_unit("0::/system.slice/dbus.service/sub.service", Some("dbus.service"));
        check_unit("2:pids:/x\n1:name=systemd:/system.slice/a.service\n", Some("a.service"));
        // A user may name units of their own as they like.
        check_unit(
            "0::/user.slice/user-1000.slice/user@1000.service/system.slice/dbus.service",
            None,
        );
        check_unit("0::/init.scope", None);
        check_unit("", None);
        assert!(is_keeper_of_units(b"12:pids:/init.scope\n0::/init.scope\n"));
        assert!(!is_keeper_of_units(b"0::/\n"));
    }

    #[track_caller]
    fn check_unit(cgroup: &str, expected: Option<&str>) {
        assert_eq!(unit_of(cgroup.as_bytes()), expected, "{cgroup}");
    }

    #[test]
    fn a_program_is_known_by_its_file() {
        check_file("/usr/sbin/sshd", "sshd", true);
        check_file("/usr/sbin/sshd (deleted)", "sshd", true);
        check_file("/usr/bin/udevadm", "systemd-udevd", true);
        check_file("/usr/bin/udevadm (deleted)", "systemd-udevd", true);
        check_file("/usr/bin/udevadm", "sshd", false);
        check_file("/usr/bin/systemd-udevd", "udevadm", false);
        check_file("/usr/bin/python3", "sshd", false);
        check_file("/tmp/sshd/x", "sshd", false);
        check_file("", "sshd", false);
    }

    #[track_caller]
    fn check_file(link: &str, name: &str, expected: bool) {
        assert_eq!(is_file_of(file_of(link.as_bytes()), name), expected, "{link:?} {name:?}");
    }
}
