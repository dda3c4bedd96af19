use crate::ObservedProcess;
use std::collections::HashMap;

/// Linux shows at most this many bytes of a process name (`TASK_COMM_LEN` without its end mark).
const COMM_BYTES: usize = 15;

/// Without these a machine stops, locks its owner out, or is guarded no more.
///
/// Of the kernel's threads only the parent is listed: the others cannot be killed by a signal
/// anyway, and to protect every name like `kworker/0:1` would offer malware a place to hide.
const DEFAULT: &[&str] = &[
    // Linux
    "init",
    "systemd",
    "systemd-journald",
    "systemd-logind",
    "systemd-networkd",
    "systemd-resolved",
    "systemd-udevd",
    "dbus-daemon",
    "dbus-broker",
    "dbus-broker-launch",
    "kthreadd",
    "openrc-init",
    "runit",
    "s6-svscan",
    "tini",
    "dumb-init",
    "sshd",
    "sshd-session",
    "sshd-auth",
    "auditd",
    "agetty",
    "NetworkManager",
    "containerd",
    "containerd-shim",
    "containerd-shim-runc-v2",
    "dockerd",
    "kubelet",
    // macOS
    "launchd",
    "kernel_task",
    "loginwindow",
    "WindowServer",
    "opendirectoryd",
    "securityd",
    // Windows
    "System",
    "smss.exe",
    "csrss.exe",
    "wininit.exe",
    "winlogon.exe",
    "services.exe",
    "lsass.exe",
    // ours
    "ringwall",
    "ringwall-host-agent",
];

/// The users that programs of the list run as, beside root: services that gave root up.
const SERVICE_USERS: [&str; 8] = [
    "dbus",
    "messagebus",
    "sshd",
    "systemd-network",
    "systemd-networkd",
    "systemd-resolve",
    "systemd-resolved",
    "root",
];
/// Programs of the list that run a file of another name.
const OTHER_FILES: [(&str, &str); 1] = [("systemd-udevd", "udevadm")];

/// Names of processes that are never killed, compared without regard to case.
///
/// A process chooses its name. So the built-in list means the system's own, as far as the host's own agent
/// has shown who bears the name; that agent looks again before it acts, and closer. A list of the
/// configuration is believed as it stands: a name, or `name@user` for that user's only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProtectedNames {
    /// For each name the users it is protected for; none for whoever bears it.
    names: HashMap<String, Vec<Option<String>>>,
    is_built_in: bool,
}

impl ProtectedNames {
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all: HashMap<String, Vec<Option<String>>> = HashMap::new();
        for entry in names {
            let (name, user) = match entry.rsplit_once('@') {
                Some((name, user)) if !name.is_empty() && !user.is_empty() => {
                    (normal(name), Some(user.to_owned()))
                }
                _ => (normal(entry), None),
            };
            if name.is_empty() {
                continue;
            }
            // `ringwall-host-agent` is reported as `ringwall-host-a`.
            if let Some(short) = name.get(..name.floor_char_boundary(COMM_BYTES))
                && short != name
            {
                all.entry(short.to_owned()).or_default().push(user.clone());
            }
            all.entry(name).or_default().push(user);
        }
        Self { names: all, is_built_in: false }
    }

    /// Whether the name is protected, as borne by this process. Without a trustworthy word on who bears it,
    /// whoever bears it is protected.
    pub(crate) fn protects(&self, name: &str, observed: Option<&ObservedProcess>) -> bool {
        let name = normal(name);
        let Some(users) = self.names.get(&name) else { return false };
        let Some(observed) = observed else { return true };
        if self.is_built_in {
            return observed.may_be_the_systems(&name);
        }
        users.iter().any(|wanted| match (wanted, &observed.user) {
            (Some(wanted), Some(user)) => *wanted == **user,
            _ => true,
        })
    }
}

impl ObservedProcess {
    /// What is not known speaks for it.
    fn may_be_the_systems(&self, name: &str) -> bool {
        let is_a_service = |user: &str| SERVICE_USERS.contains(&user);
        let is_its_file = |path: &str| {
            let file = normal(path);
            let short = file.get(..file.floor_char_boundary(COMM_BYTES));
            file == name || short == Some(name) || OTHER_FILES.contains(&(name, &file))
        };
        !self.in_container
            && self.user.as_deref().is_none_or(is_a_service)
            && self.executable.as_deref().is_none_or(is_its_file)
    }
}

impl Default for ProtectedNames {
    fn default() -> Self {
        Self { is_built_in: true, ..Self::new(DEFAULT.iter().copied()) }
    }
}

/// The last part of a path, in lower case; some clients report paths as names.
fn normal(name: &str) -> String {
    let last = name.trim().rsplit(['/', '\\']).next().unwrap_or_default();
    last.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_spelling() {
        let names = ProtectedNames::default();
        for (name, expected) in [
            ("sshd", true),
            ("SSHD", true),
            (" sshd ", true),
            ("/usr/sbin/sshd", true),
            ("C:\\Windows\\System32\\lsass.exe", true),
            ("ringwall-host-a", true),
            ("ringwall-host-agent", true),
            ("containerd-shim", true),
            ("networkmanager", true),
            ("sshd2", false),
            ("ssh", false),
            ("kworker/0:1", false),
            ("evil.sh", false),
            ("", false),
        ] {
            assert_eq!(names.protects(name, None), expected, "name {name:?}");
        }
    }

    #[test]
    fn a_long_name_of_wide_letters_is_cut_between_them() {
        let long = "ééééééééééé";
        let names = ProtectedNames::new([long, ""]);
        assert!(names.protects(long, None));
        assert!(names.protects("ééééééé", None));
        assert!(!names.protects("", None));
    }

    fn observed(user: &str, executable: &str) -> ObservedProcess {
        let text = |text: &str| (!text.is_empty()).then(|| text.into());
        ObservedProcess { user: text(user), executable: text(executable), in_container: false }
    }

    #[test]
    fn who_passes_for_the_systems_own_is_not_protected() {
        let names = ProtectedNames::default();
        for (name, user, executable, expected) in [
            ("sshd", "root", "/usr/sbin/sshd", true),
            ("sshd", "", "", true),
            ("sshd", "root", "", true),
            ("sshd", "", "/usr/sbin/sshd", true),
            ("dbus-daemon", "messagebus", "/usr/bin/dbus-daemon", true),
            ("systemd-udevd", "root", "/usr/bin/udevadm", true),
            ("ringwall-host-a", "root", "/usr/bin/ringwall-host-agent", true),
            ("SSHD", "root", "/usr/sbin/sshd", true),
            // Renamed, and run by somebody else.
            ("sshd", "root", "/usr/bin/python3", false),
            ("sshd", "root", "/tmp/sshd/x", false),
            ("sshd", "joe", "/usr/sbin/sshd", false),
            ("dbus-daemon", "www-data", "/usr/bin/dbus-daemon", false),
            ("evil.sh", "root", "/tmp/evil.sh", false),
        ] {
            let found = names.protects(name, Some(&observed(user, executable)));
            assert_eq!(found, expected, "{name} {user} {executable}");
        }
        let contained =
            ObservedProcess { in_container: true, ..observed("root", "/usr/sbin/sshd") };
        assert!(!names.protects("sshd", Some(&contained)));
    }

    #[test]
    fn a_list_of_ones_own_is_believed_and_may_name_users() {
        let names = ProtectedNames::new(["backup", "postgres@postgres", "postgres@admin"]);
        let python = |user| observed(user, "/usr/bin/python3");
        assert!(names.protects("backup", Some(&python("joe"))));
        assert!(names.protects("postgres", None));
        assert!(names.protects("postgres", Some(&python(""))));
        assert!(names.protects("postgres", Some(&python("postgres"))));
        assert!(names.protects("postgres", Some(&python("admin"))));
        assert!(!names.protects("postgres", Some(&python("joe"))));
        assert!(!names.protects("sshd", None));
    }
}
