use crate::boot_clock::BootClock;
use crate::probe::{Capabilities, ConnectionSource, ProcessChanges};
use crate::procfs::{ProcReader, may_see_all, memory, pretty_name, processors};
use ringwall_event::SystemInfo;

/// What this host is.
pub(super) fn info(reader: &mut ProcReader, clock: &BootClock) -> SystemInfo {
    let uname = rustix::system::uname();
    let text = |text: &std::ffi::CStr| Some(text.to_string_lossy().into());
    let os_release = ["/etc/os-release", "/usr/lib/os-release"];
    let os_release = os_release.iter().find_map(|path| std::fs::read(path).ok());
    SystemInfo {
        platform: text(uname.sysname()),
        os: os_release.and_then(|text| pretty_name(&text)),
        kernel: text(uname.release()),
        architecture: text(uname.machine()),
        cpu_count: reader.read("stat", 1 << 20).ok().and_then(processors),
        memory_total: reader.read("meminfo", 8192).ok().and_then(memory).map(|memory| memory.0),
        memory_available: None,
        boot_time: Some(clock.boot_time()),
        agent_version: Some(env!("CARGO_PKG_VERSION").into()),
    }
}

/// What this program may see, before it is known how changes are learned.
pub(super) fn capabilities(reader: &mut ProcReader, connections: ConnectionSource) -> Capabilities {
    Capabilities {
        process_changes: ProcessChanges::Scan("not started yet".to_owned()),
        other_users: reader.read("self/status", 8192).is_ok_and(may_see_all),
        connections,
    }
}
