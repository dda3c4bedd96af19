/// The weight of a call in the risk score, 1 to 10, as the SysScore platform has it (contract §11).
pub fn platform_weight(call: &str) -> u8 {
    match call {
        "ptrace" => 10,
        "setuid" | "setgid" => 8,
        "execve" => 5,
        "mount" => 4,
        "chmod" => 3,
        "fork" => 2,
        "open" | "read" | "write" => 1,
        _ => 2,
    }
}

/// The weight of a call in the evidence score, 6 to 10; none for a call that is no evidence.
///
/// The heavy calls of the SysScore agent (contract §14.2), and those newer forms of them that the
/// agent leaves at its default weight (contract §15, flaw 22).
pub fn evidence_weight(call: &str) -> Option<u8> {
    match call {
        "ptrace" | "reboot" | "create_module" | "init_module" | "finit_module"
        | "delete_module" | "kexec_load" | "kexec_file_load" | "process_vm_writev" => Some(10),
        "setuid" | "setgid" | "setreuid" | "setregid" | "setresuid" | "setresgid" | "capset"
        | "chroot" | "pivot_root" | "setns" | "iopl" | "ioperm" | "bpf" => Some(8),
        "sethostname" | "setdomainname" | "unshare" | "process_vm_readv" => Some(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_weights_are_the_contracts() {
        for (call, weight) in [
            ("ptrace", 10),
            ("setuid", 8),
            ("setgid", 8),
            ("execve", 5),
            ("mount", 4),
            ("chmod", 3),
            ("fork", 2),
            ("open", 1),
            ("read", 1),
            ("write", 1),
            ("openat", 2),
            ("futex", 2),
            ("", 2),
            ("PTRACE", 2),
        ] {
            assert_eq!(platform_weight(call), weight, "call {call:?}");
        }
    }

    #[test]
    fn flaw_22_newer_forms_of_heavy_calls_are_evidence_too() {
        for call in
            ["finit_module", "setns", "unshare", "bpf", "process_vm_writev", "setresuid", "capset"]
        {
            assert!(evidence_weight(call).is_some_and(|weight| weight > 5), "call {call}");
        }
        for call in ["read", "openat", "execve", "fork", ""] {
            assert_eq!(evidence_weight(call), None, "call {call:?}");
        }
    }
}
