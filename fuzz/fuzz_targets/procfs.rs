//! What the kernel shows of processes, whose names and arguments anybody chooses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_host_probes::cgroup_path::container_path;
use ringwall_host_probes::procfs::{self, NetLine, ProcessStat};
use ringwall_host_probes::secret_mask::mask_command_line;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(stat) = ProcessStat::parse(bytes) {
        procfs::short_name(stat.name, bytes);
    }
    if let Some(line) = NetLine::parse(bytes) {
        line.peer();
    }
    procfs::real_user(bytes);
    procfs::user_ids(bytes);
    procfs::boot_seconds(bytes);
    procfs::processors(bytes);
    procfs::memory(bytes);
    procfs::last_pid(bytes);
    procfs::pretty_name(bytes);
    container_path(bytes);
    mask_command_line(bytes);
});
