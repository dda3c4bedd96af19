//! What a worker lately heard of bans: bounded in number and in age.

use super::SharedBan;
use parking_lot::Mutex;
use ringwall_app_guard::Network;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

const SHARDS: usize = 16;
const SHARD_MAX: usize = 1024;

pub(super) struct RememberedBans {
    shards: [Mutex<HashMap<IpAddr, Heard>>; SHARDS],
    hashing: RandomState,
    memory: Duration,
}

#[derive(Clone, Copy)]
struct Heard {
    at: Instant,
    ban: Option<SharedBan>,
}

impl RememberedBans {
    pub(super) fn new(memory: Duration) -> Self {
        Self { shards: Default::default(), hashing: RandomState::new(), memory }
    }

    /// What is remembered; `Some(None)` where it is remembered that there is no ban.
    pub(super) fn recall(&self, address: IpAddr, now: Instant) -> Option<Option<SharedBan>> {
        let heard = *self.shard(address)?.lock().get(&address)?;
        let age = now.saturating_duration_since(heard.at);
        if age >= self.memory {
            return None;
        }
        let Some(ban) = heard.ban else { return Some(None) };
        let remaining = ban.remaining.checked_sub(age).filter(|left| !left.is_zero());
        Some(remaining.map(|remaining| SharedBan { remaining, ..ban }))
    }

    pub(super) fn remember(&self, address: IpAddr, ban: Option<SharedBan>, at: Instant) {
        let Some(shard) = self.shard(address) else { return };
        let mut shard = shard.lock();
        if shard.len() >= SHARD_MAX && !shard.contains_key(&address) {
            shard.retain(|_, heard| at.saturating_duration_since(heard.at) < self.memory);
            if shard.len() >= SHARD_MAX {
                // All of them can be asked for again.
                shard.clear();
            }
        }
        shard.insert(address, Heard { at, ban });
    }

    /// Forgets what is known of the addresses of a network.
    pub(super) fn forget(&self, network: Network) {
        for shard in &self.shards {
            shard.lock().retain(|address, _| !network.contains(*address));
        }
    }

    fn shard(&self, address: IpAddr) -> Option<&Mutex<HashMap<IpAddr, Heard>>> {
        let hash = self.hashing.hash_one(address);
        // The remainder is small.
        self.shards.get(usize::try_from(hash % 16).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_is_believed_for_its_time_only_and_bounded_in_number() {
        let bans = RememberedBans::new(Duration::from_secs(1));
        let start = Instant::now();
        let address = IpAddr::from([192, 0, 2, 1]);
        let network = Network::new(address, 24).unwrap();
        let ban = SharedBan { network, remaining: Duration::from_millis(700) };
        bans.remember(address, Some(ban), start);
        let at = |ms| start + Duration::from_millis(ms);
        let left = Some(Some(SharedBan { remaining: Duration::from_millis(400), ..ban }));
        assert_eq!(bans.recall(address, at(300)), left);
        assert_eq!(bans.recall(address, at(700)), Some(None), "a ban that is over");
        assert_eq!(bans.recall(address, at(1000)), None);
        bans.forget(network);
        assert_eq!(bans.recall(address, at(300)), None);

        for number in 0..100_000_u32 {
            bans.remember(IpAddr::from(number.to_be_bytes()), None, start);
        }
        let held: usize = bans.shards.iter().map(|shard| shard.lock().len()).sum();
        assert!(held <= SHARDS * SHARD_MAX, "{held}");
    }
}
