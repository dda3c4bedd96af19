//! The lists in which clouds publish their addresses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_app_guard::{CloudProvider, CloudRanges};
use ringwall_app_guard_layer::cloud;

fuzz_target!(|data: &[u8]| {
    let Some((which, list)) = data.split_first() else { return };
    let provider = CloudProvider::ALL[usize::from(*which) % CloudProvider::ALL.len()];
    let Ok(entries) = cloud::parse(provider, list) else { return };
    assert!(!entries.is_empty(), "an empty list is refused");
    let ranges = CloudRanges::new(entries.iter().cloned());
    for (network, _) in entries.iter().take(8) {
        // What a list names is found.
        assert!(ranges.matches(network.address()).next().is_some(), "{network}");
    }
});
