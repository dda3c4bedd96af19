use crate::{Indicator, IndicatorKind, IndicatorOrigin, IndicatorValue};
use ringwall_event::{Severity, Timestamp};

/// Names that the original Watcher server lists; for its clients each orders the kill
/// (`watcher.md` section 5).
pub const WATCHER_NAMES: [&str; 5] = ["nc.exe", "mimikatz.exe", "evil.sh", "netcat", "ncat"];

/// Programs that honest people run too, in lower case and sorted. As indicators they alert and
/// offer the kill unless whoever adds them asks for it: a list that ends every shell is worse than
/// what it guards against.
pub const DUAL_USE_NAMES: [&str; 35] = [
    "ash",
    "bash",
    "busybox",
    "curl",
    "dash",
    "dig",
    "docker",
    "fish",
    "gdb",
    "java",
    "ksh",
    "nc",
    "ncat",
    "netcat",
    "nmap",
    "node",
    "openssl",
    "perl",
    "php",
    "powershell",
    "psexec",
    "pwsh",
    "python",
    "python3",
    "rsync",
    "ruby",
    "scp",
    "sh",
    "socat",
    "ssh",
    "strace",
    "tcpdump",
    "tmux",
    "wget",
    "zsh",
];

/// The list that a new installation begins with: few names, each of them unambiguous, and the
/// netcat family as what it is, a tool of administrators and intruders alike.
pub fn default_indicators() -> Vec<Indicator> {
    let kill = [
        ("evil.sh", "the guides' example of a malicious script"),
        ("mimikatz", "reads credentials from memory; no other program bears the name"),
        ("mimikatz.exe", "reads credentials from memory; no other program bears the name"),
        ("nc.exe", "netcat on Windows, where no system brings it along"),
    ];
    let alert = ["nc", "ncat", "netcat"]
        .map(|name| (name, "administrators use it, and so do intruders for remote shells"));
    let mut list = Vec::with_capacity(kill.len() + alert.len());
    for (name, note) in kill.into_iter().chain(alert) {
        // A name that cannot be listed is left out; the test below counts them.
        if let Ok(value) = IndicatorValue::parse(IndicatorKind::Process, name) {
            let indicator = Indicator::new(value, IndicatorOrigin::Default, Timestamp::default());
            list.push(indicator.with_note(note));
        }
    }
    list
}

/// The severity that a match for a Watcher client has at least where the kill is ordered.
pub(crate) const ORDERED_SEVERITY_MIN: Severity = Severity::High;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IndicatorAction;

    #[test]
    fn dual_use_alerts_and_unambiguous_names_order_the_kill() {
        let list = default_indicators();
        let of = |action| {
            let mut names: Vec<_> = list
                .iter()
                .filter(|indicator| indicator.action == action)
                .map(|indicator| indicator.value().to_string())
                .collect();
            names.sort();
            names
        };
        assert_eq!(of(IndicatorAction::Kill), ["evil.sh", "mimikatz", "mimikatz.exe", "nc.exe"]);
        assert_eq!(of(IndicatorAction::Alert), ["nc", "ncat", "netcat"]);
    }

    #[test]
    fn the_list_of_the_contract_is_covered() {
        let list = default_indicators();
        for name in WATCHER_NAMES {
            assert!(list.iter().any(|one| one.value().to_string() == name), "{name}");
        }
        assert!(DUAL_USE_NAMES.is_sorted());
    }
}
