//! How much all hosts of the dialect together may occupy: names cost nothing here.

use super::is_watcher;
use crate::server::Server;
use parking_lot::Mutex;
use ringwall_event::Source;
use std::collections::HashMap;

/// How many hosts may report within [`HOSTS_WITHIN_SECONDS`]. Without a bound, hosts of other dialects
/// would be forgotten to make room for made-up ones.
const HOSTS_MAX: usize = 5000;
const HOSTS_WITHIN_SECONDS: i64 = 3600;

/// How large the latest payloads of all hosts together may be: what is in them stays in memory.
const BYTES_MAX: usize = 1 << 30;

/// What a client is told to wait when there is no room.
pub(super) const NO_ROOM_SECONDS: u64 = 60;

/// The sizes of the latest payloads.
#[derive(Default)]
pub(super) struct Room(Mutex<Sizes>);

#[derive(Default)]
struct Sizes {
    by_host: HashMap<Source, usize>,
    total: usize,
}

impl Room {
    /// Makes room for a payload of this host; whether there is any.
    pub(super) fn take(&self, server: &Server, source: &Source, bytes: usize) -> bool {
        let hosts_max = HOSTS_MAX.min(server.config.limits.hosts_max / 2);
        let derived = server.engine.derived();
        if !derived.hosts.contains_key(source) {
            let since = server.now().plus_seconds(-HOSTS_WITHIN_SECONDS);
            let of_late = derived
                .hosts
                .iter()
                .filter(|(source, host)| is_watcher(source) && host.last_seen >= since);
            if of_late.count() >= hosts_max {
                return false;
            }
        }
        let mut sizes = self.0.lock();
        if sizes.by_host.len() > 2 * HOSTS_MAX {
            sizes.by_host.retain(|source, _| derived.hosts.contains_key(source));
            sizes.total = sizes.by_host.values().sum();
        }
        sizes.take(source, bytes)
    }
}

impl Sizes {
    /// A host that sends no more than before is always let in.
    fn take(&mut self, source: &Source, bytes: usize) -> bool {
        let before = self.by_host.get(source).copied().unwrap_or_default();
        let total = self.total.saturating_sub(before).saturating_add(bytes);
        if bytes > before && total > BYTES_MAX {
            return false;
        }
        self.by_host.insert(source.clone(), bytes);
        self.total = total;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_payloads_together_are_bounded() {
        let mut sizes = Sizes::default();
        let host = |number: usize| Source::new(Source::WATCHER, &number.to_string());
        let large = BYTES_MAX / 64;
        assert!((0..64).all(|number| sizes.take(&host(number), large)));
        assert!(!sizes.take(&host(64), 1));
        assert!(!sizes.take(&host(0), large + 1));
        // Who is there may stay, and what one gives up another may take.
        assert!(sizes.take(&host(0), large - 100));
        assert!(sizes.take(&host(64), 100));
        assert!(!sizes.take(&host(65), 1));
        assert_eq!(sizes.total, BYTES_MAX);
    }
}
