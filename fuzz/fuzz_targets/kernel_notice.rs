//! Netlink messages of the process connector, and the user database.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_host_probes::process_connector::parse_notice;
use ringwall_host_probes::user_names::parse_passwd;

fuzz_target!(|bytes: &[u8]| {
    parse_notice(bytes);
    parse_passwd(bytes).count();
});
