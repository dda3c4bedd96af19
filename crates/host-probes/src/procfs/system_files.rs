use super::digits::{decimal, hexadecimal, labelled, words};

/// The number of the real user in `/proc/PID/status`.
///
/// Not the owner of the directory `/proc/PID`: that is root for a process that must not be dumped.
pub fn real_user(status: &[u8]) -> Option<u32> {
    u32::try_from(labelled(status, b"Uid:")?).ok()
}

/// The numbers of the real, effective, saved and file system user in `/proc/PID/status`.
pub fn user_ids(status: &[u8]) -> Option<[u32; 4]> {
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    let mut numbers = words(line).map(|word| u32::try_from(decimal(word)?).ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()??])
}

/// Whether the process may look into those of all users: `CAP_SYS_PTRACE` in `/proc/PID/status`.
pub fn may_see_all(status: &[u8]) -> bool {
    const SYS_PTRACE: u64 = 1 << 19;
    let mut lines = status.split(|byte| *byte == b'\n');
    let capabilities = lines.find_map(|line| line.strip_prefix(b"CapEff:"));
    let capabilities = capabilities.and_then(|line| hexadecimal(words(line).next()?));
    capabilities.is_some_and(|capabilities| capabilities & SYS_PTRACE != 0)
}

/// Seconds since 1970 at which the host started: `btime` of `/proc/stat`.
pub fn boot_seconds(stat: &[u8]) -> Option<u64> {
    labelled(stat, b"btime ")
}

/// The number of logical processors that are on: the lines `cpu0`, `cpu1`, … of `/proc/stat`.
pub fn processors(stat: &[u8]) -> Option<u32> {
    let lines = stat.split(|byte| *byte == b'\n');
    let count = lines
        .filter_map(|line| line.strip_prefix(b"cpu"))
        .filter(|rest| rest.first().is_some_and(u8::is_ascii_digit))
        .count();
    u32::try_from(count).ok().filter(|count| *count > 0)
}

/// Memory in bytes: all of it, and what could be given out now (`/proc/meminfo`).
pub fn memory(meminfo: &[u8]) -> Option<(u64, u64)> {
    let total = labelled(meminfo, b"MemTotal:")?.checked_mul(1024)?;
    let available = labelled(meminfo, b"MemAvailable:")
        .or_else(|| labelled(meminfo, b"MemFree:"))?
        .checked_mul(1024)?;
    Some((total, available))
}

/// The id that the kernel gave out last (`/proc/loadavg`): it moves when a process or thread starts.
pub fn last_pid(loadavg: &[u8]) -> Option<u64> {
    decimal(words(loadavg).nth(4)?)
}

/// TCP's counts of connections that were asked for, that were accepted, and that are open now
/// (`/proc/net/snmp`).
pub fn tcp_counts(snmp: &[u8]) -> Option<(u64, u64, u64)> {
    let mut lines = snmp.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"Tcp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let value = |wanted: &[u8]| {
        let at = words(names).position(|name| name == wanted)?;
        decimal(words(values).nth(at)?)
    };
    Some((value(b"ActiveOpens")?, value(b"PassiveOpens")?, value(b"CurrEstab")?))
}

/// How many sockets of a protocol (`TCP:`, `UDP6:`, …) are in use (`/proc/net/sockstat{,6}`).
pub fn sockets_in_use(sockstat: &[u8], protocol: &[u8]) -> Option<u64> {
    let mut lines = sockstat.split(|byte| *byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(protocol))?;
    decimal(words(line).nth(1)?)
}

/// `PRETTY_NAME` of os-release(5), without its quotes; at most 128 characters.
pub fn pretty_name(os_release: &[u8]) -> Option<Box<str>> {
    let line = os_release
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"PRETTY_NAME="))?;
    let text = String::from_utf8_lossy(line);
    let text = text.trim().trim_matches(['"', '\'']);
    (!text.is_empty()).then(|| text.chars().take(128).collect::<String>().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_kernels_files_are_read() {
        let status = b"Name:\tUid:9\nUmask:\t0022\nPid:\t7\nUid:\t1000\t0\t0\t0\nGid:\t1\n";
        assert_eq!(real_user(status), Some(1000));
        assert!(may_see_all(b"CapPrm:\t0\nCapEff:\t0000000000080000\n"));
        assert!(!may_see_all(b"CapPrm:\t0000000000080000\nCapEff:\t0000000000000000\n"));
        let stat = b"cpu  1 2 3\ncpu0 1 2\ncpu1 3 4\nintr 5 6\nctxt 9\nbtime 1795251904\n";
        assert_eq!(boot_seconds(stat), Some(1_795_251_904));
        assert_eq!(processors(stat), Some(2));
        let meminfo = b"MemTotal:       1000 kB\nMemFree: 10 kB\nMemAvailable:    500 kB\n";
        assert_eq!(memory(meminfo), Some((1_024_000, 512_000)));
        assert_eq!(memory(b"MemTotal: 18446744073709551615 kB\nMemFree: 1 kB"), None);
        assert_eq!(last_pid(b"0.00 0.01 0.05 1/84 11397\n"), Some(11397));
    }

    #[test]
    fn counts_of_sockets_are_found_by_their_names() {
        let snmp = b"Ip: Forwarding\nIp: 1\nTcp: MaxConn ActiveOpens PassiveOpens X CurrEstab\n\
                     Tcp: -1 32116 24928 7 3\nUdp: InDatagrams\nUdp: 5\n";
        assert_eq!(tcp_counts(snmp), Some((32116, 24928, 3)));
        assert_eq!(tcp_counts(b"Tcp: ActiveOpens\nTcp: 5\n"), None);
        let sockstat = b"sockets: used 11\nTCP: inuse 1 orphan 0 tw 562\nUDP: inuse 4 mem 0\n";
        assert_eq!(sockets_in_use(sockstat, b"TCP:"), Some(1));
        assert_eq!(sockets_in_use(sockstat, b"UDP:"), Some(4));
        assert_eq!(sockets_in_use(sockstat, b"TCP6:"), None);
    }

    #[test]
    fn the_name_of_the_distribution_is_unquoted() {
        check(
            "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
            Some("Debian GNU/Linux 12 (bookworm)"),
        );
        check("PRETTY_NAME=Arch\n", Some("Arch"));
        check("PRETTY_NAME=\"\"\n", None);
        check("", None);
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(pretty_name(text.as_bytes()).as_deref(), expected, "text {text:?}");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = (real_user(&bytes), boot_seconds(&bytes), processors(&bytes));
            let _ = (tcp_counts(&bytes), sockets_in_use(&bytes, b"TCP:"));
            let _ = (may_see_all(&bytes), memory(&bytes), last_pid(&bytes), pretty_name(&bytes));
        }
    }
}
