use super::network::family_bits;
use super::{Network, NetworkError};
use std::net::IpAddr;

/// Values by network, asked which of its networks hold an address; built once, then only read.
///
/// Networks are either apart or one inside the other, so sorted by their first address each has at most one
/// narrowest network around it. Looking up is one binary search and then a walk outwards, at most as long as
/// networks are nested.
#[derive(Clone, Debug)]
pub struct NetworkMap<V> {
    v4: Vec<Node<V>>,
    v6: Vec<Node<V>>,
}

#[derive(Clone, Debug)]
struct Node<V> {
    first: u128,
    last: u128,
    network: Network,
    /// The narrowest network around this one.
    outer: Option<u32>,
    value: V,
}

impl<V> NetworkMap<V> {
    /// A map of these; the same network may come more than once, with a value each.
    pub fn new(entries: impl IntoIterator<Item = (Network, V)>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (network, value) in entries {
            let (first, last) = network.bits();
            let side = if network.address().is_ipv4() { &mut v4 } else { &mut v6 };
            side.push(Node { first, last, network, outer: None, value });
        }
        Self { v4: nested(v4), v6: nested(v6) }
    }

    /// The entries whose network holds the address, narrowest first.
    pub fn matches(&self, address: IpAddr) -> impl Iterator<Item = (Network, &V)> {
        let (v4, bits) = family_bits(address.to_canonical());
        let nodes = if v4 { &self.v4 } else { &self.v6 };
        let after = nodes.partition_point(|node| node.first <= bits);
        let mut next = after.checked_sub(1);
        std::iter::from_fn(move || {
            loop {
                let node = nodes.get(next?)?;
                next = node.outer.map(|outer| outer as usize);
                if node.last >= bits {
                    return Some((node.network, &node.value));
                }
            }
        })
    }

    /// The narrowest entry that holds the address.
    #[must_use]
    pub fn narrowest(&self, address: IpAddr) -> Option<(Network, &V)> {
        self.matches(address).next()
    }

    /// Every entry, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (Network, &V)> {
        self.v4.iter().chain(&self.v6).map(|node| (node.network, &node.value))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<V> Default for NetworkMap<V> {
    fn default() -> Self {
        Self { v4: Vec::new(), v6: Vec::new() }
    }
}

/// Sorts the nodes and tells each which one is around it.
fn nested<V>(mut nodes: Vec<Node<V>>) -> Vec<Node<V>> {
    // Of two with the same first address the wider one comes first, so that it is around the other.
    nodes.sort_by(|a, b| a.first.cmp(&b.first).then(b.last.cmp(&a.last)));
    let mut around: Vec<(u128, u32)> = Vec::new();
    for (index, node) in nodes.iter_mut().enumerate() {
        while around.last().is_some_and(|(last, _)| *last < node.first) {
            around.pop();
        }
        node.outer = around.last().map(|(_, index)| *index);
        // More entries than fit into 32 bits would be 300 GB of them.
        around.push((node.last, u32::try_from(index).unwrap_or(u32::MAX)));
    }
    nodes
}

/// A list of networks, asked whether it holds an address.
#[derive(Clone, Debug, Default)]
pub struct NetworkSet {
    map: NetworkMap<()>,
}

impl NetworkSet {
    /// The set of these.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self { map: NetworkMap::new(networks.into_iter().map(|network| (network, ()))) }
    }

    /// The set of what these texts say.
    ///
    /// # Errors
    /// The first text that is no network.
    pub fn parse(texts: &[String]) -> Result<Self, NetworkError> {
        let networks: Result<Vec<Network>, _> = texts.iter().map(|text| text.parse()).collect();
        Ok(Self::new(networks?))
    }

    /// Whether one of its networks holds the address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.map.narrowest(address).is_some()
    }

    /// The narrowest of its networks that holds the address.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<Network> {
        self.map.narrowest(address).map(|(network, ())| network)
    }

    /// Whether it holds no network.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// How many networks it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Its networks, sorted.
    pub fn iter(&self) -> impl Iterator<Item = Network> {
        self.map.iter().map(|(network, ())| network)
    }
}
