//! Netlink messages of the kernel's list of sockets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_host_probes::sock_diag::parse_part;

fuzz_target!(|input: (u32, &[u8])| {
    let (sequence, bytes) = input;
    // A refusal is an answer as well.
    parse_part(bytes, sequence, |_| {}).ok();
});
