use std::collections::HashSet;

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

/// Names of processes that are never killed, compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProtectedNames(HashSet<String>);

impl ProtectedNames {
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = HashSet::new();
        for name in names {
            let name = normal(name);
            if name.is_empty() {
                continue;
            }
            // `ringwall-host-agent` is reported as `ringwall-host-a`.
            if let Some(short) = name.get(..name.floor_char_boundary(COMM_BYTES)) {
                all.insert(short.to_owned());
            }
            all.insert(name);
        }
        Self(all)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains(&normal(name))
    }
}

impl Default for ProtectedNames {
    fn default() -> Self {
        Self::new(DEFAULT.iter().copied())
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
            assert_eq!(names.contains(name), expected, "name {name:?}");
        }
    }

    #[test]
    fn a_long_name_of_wide_letters_is_cut_between_them() {
        let long = "ééééééééééé";
        let names = ProtectedNames::new([long, ""]);
        assert!(names.contains(long));
        assert!(names.contains("ééééééé"));
        assert!(!names.contains(""));
    }
}
