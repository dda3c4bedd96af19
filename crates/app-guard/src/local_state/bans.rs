use crate::address::Network;
use crate::question::{Ban, BanOrder};
use crate::settings::GuardLimits;
use foldhash::fast::RandomState;
use parking_lot::RwLock;
use ringwall_inspection::Moment;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Into how many parts the banned addresses are divided.
const PARTS: usize = 32;

/// Who is banned: single addresses by hash, networks by hash for each length of prefix in use.
#[derive(Debug)]
pub(super) struct Bans {
    hosts: Vec<RwLock<Part>>,
    networks: RwLock<Networks>,
    hasher: RandomState,
    /// So that nobody takes a lock while nobody is banned.
    hosts_len: AtomicUsize,
    networks_len: AtomicUsize,
}

#[derive(Debug, Default)]
struct Part {
    bans: HashMap<Network, Entry, RandomState>,
    /// The same, by end: who makes room when it is full.
    ends: BTreeSet<(u64, Network)>,
    max: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    expires_unix_ms: u64,
    reason: Option<Arc<str>>,
}

#[derive(Debug, Default)]
struct Networks {
    part: Part,
    /// How many networks there are of each length of prefix.
    lengths_v4: HashMap<u8, usize, RandomState>,
    lengths_v6: HashMap<u8, usize, RandomState>,
}

impl Bans {
    pub(super) fn new(limits: GuardLimits) -> Self {
        let max = limits.bans.div_ceil(PARTS);
        let part = || RwLock::new(Part { max, ..Part::default() });
        let mut networks = Networks::default();
        networks.part.max = limits.banned_networks;
        Self {
            hosts: std::iter::repeat_with(part).take(PARTS).collect(),
            networks: RwLock::new(networks),
            hasher: RandomState::default(),
            hosts_len: AtomicUsize::new(0),
            networks_len: AtomicUsize::new(0),
        }
    }

    /// The ban that holds the address: its own, or the one of the narrowest network around it.
    pub(super) fn find(&self, address: IpAddr, now: Moment) -> Option<Ban> {
        let host = Network::host(address);
        if self.hosts_len.load(Ordering::Relaxed) > 0 {
            let found = self.part(host)?.read().find(host, now);
            if found.is_some() {
                return found;
            }
        }
        if self.networks_len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.networks.read().find(host.address(), now)
    }

    pub(super) fn ban(&self, order: &BanOrder, now: Moment) -> bool {
        let ms = u64::try_from(order.time.as_millis()).unwrap_or(u64::MAX);
        let entry = Entry {
            expires_unix_ms: now.unix_ms.saturating_add(ms),
            reason: Some(Arc::clone(&order.reason)),
        };
        self.insert(order.network, entry, now)
    }

    pub(super) fn learn(&self, ban: &Ban, now: Moment) {
        if ban.remaining(now).is_some() {
            let entry = Entry { expires_unix_ms: ban.expires_unix_ms, reason: ban.reason.clone() };
            self.insert(ban.network, entry, now);
        }
    }

    pub(super) fn unban(&self, network: Network, now: Moment) -> bool {
        let removed = if network.is_host() {
            let Some(part) = self.part(network) else { return false };
            let mut part = part.write();
            let before = part.bans.len();
            let removed = part.remove(network);
            self.changed(&self.hosts_len, before, part.bans.len());
            removed
        } else {
            let mut networks = self.networks.write();
            let removed = networks.remove(network);
            self.networks_len.store(networks.part.bans.len(), Ordering::Relaxed);
            removed
        };
        removed.is_some_and(|entry| entry.expires_unix_ms > now.unix_ms)
    }

    pub(super) fn all(&self, now: Moment) -> Vec<Ban> {
        let mut all: Vec<Ban> = Vec::new();
        for part in &self.hosts {
            all.extend(part.read().all(now));
        }
        all.extend(self.networks.read().part.all(now));
        all.sort_by_key(|ban| ban.network);
        all
    }

    pub(super) fn clear(&self) {
        for part in &self.hosts {
            let mut part = part.write();
            let before = part.bans.len();
            part.bans.clear();
            part.ends.clear();
            self.changed(&self.hosts_len, before, 0);
        }
        let mut networks = self.networks.write();
        let max = networks.part.max;
        *networks = Networks::default();
        networks.part.max = max;
        self.networks_len.store(0, Ordering::Relaxed);
    }

    fn insert(&self, network: Network, entry: Entry, now: Moment) -> bool {
        if holds_loopback(network) {
            return false;
        }
        if network.is_host() {
            let Some(part) = self.part(network) else { return false };
            let mut part = part.write();
            let before = part.bans.len();
            part.insert(network, entry, now, |_| ());
            self.changed(&self.hosts_len, before, part.bans.len());
            part.bans.contains_key(&network)
        } else {
            let mut networks = self.networks.write();
            networks.insert(network, entry, now);
            self.networks_len.store(networks.part.bans.len(), Ordering::Relaxed);
            networks.part.bans.contains_key(&network)
        }
    }

    fn part(&self, host: Network) -> Option<&RwLock<Part>> {
        let hash = self.hasher.hash_one(host);
        self.hosts.get(usize::try_from(hash % PARTS as u64).unwrap_or(0))
    }

    fn changed(&self, count: &AtomicUsize, before: usize, after: usize) {
        if after >= before {
            count.fetch_add(after - before, Ordering::Relaxed);
        } else {
            count.fetch_sub(before - after, Ordering::Relaxed);
        }
    }
}

/// A ban on these would cut the machine off from itself.
fn holds_loopback(network: Network) -> bool {
    let v4 = Network::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8);
    let v6 = Network::host(IpAddr::V6(Ipv6Addr::LOCALHOST));
    v4.is_some_and(|v4| v4.overlaps(network)) || v6.overlaps(network)
}

impl Part {
    fn find(&self, network: Network, now: Moment) -> Option<Ban> {
        let entry = self.bans.get(&network)?;
        (entry.expires_unix_ms > now.unix_ms).then(|| entry.ban(network))
    }

    /// Puts the ban in; first takes out what is over and, if there is no room, what ends first. One that
    /// lasts longer stays: a second offence, or a second rule, never frees anybody early.
    fn insert(
        &mut self,
        network: Network,
        entry: Entry,
        now: Moment,
        mut removed: impl FnMut(Network),
    ) {
        if self.max == 0 {
            return;
        }
        while let Some((end, first)) = self.ends.first().copied() {
            let full = self.bans.len() >= self.max && !self.bans.contains_key(&network);
            if end > now.unix_ms && !full {
                break;
            }
            self.remove(first);
            removed(first);
        }
        if let Some(old) = self.bans.get(&network) {
            if old.expires_unix_ms >= entry.expires_unix_ms {
                return;
            }
            self.ends.remove(&(old.expires_unix_ms, network));
        }
        self.ends.insert((entry.expires_unix_ms, network));
        self.bans.insert(network, entry);
    }

    fn remove(&mut self, network: Network) -> Option<Entry> {
        let entry = self.bans.remove(&network)?;
        self.ends.remove(&(entry.expires_unix_ms, network));
        Some(entry)
    }

    fn all(&self, now: Moment) -> impl Iterator<Item = Ban> {
        let in_force = move |(_, entry): &(&Network, &Entry)| entry.expires_unix_ms > now.unix_ms;
        self.bans.iter().filter(in_force).map(|(network, entry)| entry.ban(*network))
    }
}

impl Entry {
    fn ban(&self, network: Network) -> Ban {
        Ban { network, expires_unix_ms: self.expires_unix_ms, reason: self.reason.clone() }
    }
}

impl Networks {
    fn find(&self, address: IpAddr, now: Moment) -> Option<Ban> {
        let lengths = if address.is_ipv4() { &self.lengths_v4 } else { &self.lengths_v6 };
        let found = lengths.keys().filter_map(|prefix| {
            let network = Network::new(address, *prefix)?;
            self.part.find(network, now)
        });
        found.max_by_key(|ban| ban.network.prefix())
    }

    fn insert(&mut self, network: Network, entry: Entry, now: Moment) {
        let mut removed = Vec::new();
        let known = self.part.bans.contains_key(&network);
        self.part.insert(network, entry, now, |network| removed.push(network));
        let known = known && !removed.contains(&network);
        if !known && self.part.bans.contains_key(&network) {
            *self.lengths(network).entry(network.prefix()).or_default() += 1;
        }
        for network in removed {
            self.one_less(network);
        }
    }

    fn remove(&mut self, network: Network) -> Option<Entry> {
        let entry = self.part.remove(network)?;
        self.one_less(network);
        Some(entry)
    }

    fn one_less(&mut self, network: Network) {
        let lengths = self.lengths(network);
        if let Some(count) = lengths.get_mut(&network.prefix()) {
            *count -= 1;
            if *count == 0 {
                lengths.remove(&network.prefix());
            }
        }
    }

    fn lengths(&mut self, network: Network) -> &mut HashMap<u8, usize, RandomState> {
        if network.address().is_ipv4() { &mut self.lengths_v4 } else { &mut self.lengths_v6 }
    }
}
