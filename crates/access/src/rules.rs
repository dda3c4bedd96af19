use crate::protected_names::ProtectedNames;
use crate::protected_networks::ProtectedNetworks;
use crate::protected_paths::ProtectedPaths;
use crate::{ObservedProcess, Subject};
use ringwall_event::Network;
use std::collections::HashSet;
use std::net::IpAddr;

/// What [`authorise`](crate::authorise) decides by: today a few lists, later the policy daemon.
///
/// By default the well-known vital processes are protected, and the rule of the indicators may
/// kill by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    protected: ProtectedNames,
    networks: ProtectedNetworks,
    paths: ProtectedPaths,
    block_seconds_max: u64,
    automatic: HashSet<(String, String)>,
    never_banned: Vec<Network>,
    banning: HashSet<(String, String)>,
    own_hosts: HashSet<String>,
    own_pids: HashSet<i64>,
}

impl Rules {
    /// Protects these names in place of the default list, without regard to case, `name@user` for that
    /// user's only; our own programs are protected by their pids whatever the list says.
    #[must_use]
    pub fn with_protected_names<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.protected = ProtectedNames::new(names);
        self
    }

    /// Protects these files and folders from quarantine in place of the default list.
    #[must_use]
    pub fn with_protected_paths<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        self.paths = ProtectedPaths::new(paths);
        self
    }

    /// Lets nobody block these addresses, nor a network that any of them is in.
    #[must_use]
    pub fn with_protected_networks(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.networks.configured = networks.into_iter().collect();
        self
    }

    /// Says where hosts reach this server: nobody blocks that either.
    #[must_use]
    pub fn with_own_addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.networks.of_the_server = addresses.into_iter().collect();
        self
    }

    /// Bounds a block: the shortest prefix of an IPv4 and an IPv6 network, and the longest time in
    /// seconds.
    #[must_use]
    pub const fn with_block_bounds(mut self, v4: u8, v6: u8, seconds_max: u64) -> Self {
        self.networks.prefix_min = (v4, v6);
        self.block_seconds_max = seconds_max;
        self
    }

    /// Lets our own rules do these things, and nothing else, by themselves: pairs of a rule's name
    /// and an action's name, as in `("indicator", "kill_process")`.
    #[must_use]
    pub fn with_automatic_actions<'a>(
        mut self,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        self.automatic =
            pairs.into_iter().map(|(rule, action)| (rule.into(), action.into())).collect();
        self
    }

    /// Says whom nobody bans from guarded applications, besides whom nobody blocks, and what the rules
    /// that ban may do by themselves: pairs of a rule's name and an action's name. Both replace what was
    /// said before.
    #[must_use]
    pub fn with_bans<'a>(
        mut self,
        never_banned: impl IntoIterator<Item = Network>,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        self.never_banned = never_banned.into_iter().collect();
        self.banning =
            pairs.into_iter().map(|(rule, action)| (rule.into(), action.into())).collect();
        self
    }

    /// Why this is never banned, where it is not.
    pub fn never_banned(&self, network: Network) -> Option<String> {
        self.networks.protects(network).or_else(|| {
            let listed = self.never_banned.iter().find(|listed| listed.overlaps(network));
            listed.map(|listed| format!("{listed} is on the list of those never banned"))
        })
    }

    /// Says which processes are our own, and by which names hosts report the machine they run on.
    ///
    /// The names are compared with those of the sources of every dialect and of the hosts they report,
    /// without regard to case and up to the first dot.
    #[must_use]
    pub fn with_own_processes<'a>(
        mut self,
        hosts: impl IntoIterator<Item = &'a str>,
        pids: impl IntoIterator<Item = i64>,
    ) -> Self {
        self.own_hosts = hosts.into_iter().map(first_label).collect();
        self.own_pids = pids.into_iter().collect();
        self
    }

    pub(crate) fn protects(&self, name: &str, observed: Option<&ObservedProcess>) -> bool {
        self.protected.protects(name, observed)
    }

    pub(crate) const fn networks(&self) -> &ProtectedNetworks {
        &self.networks
    }

    pub(crate) const fn paths(&self) -> &ProtectedPaths {
        &self.paths
    }

    /// The longest time that a host blocks an address, in seconds.
    pub const fn block_seconds_max(&self) -> u64 {
        self.block_seconds_max
    }

    pub(crate) fn is_automatic(&self, subject: &Subject, action: &str) -> bool {
        let Subject::Rule { name } = subject else { return false };
        let pair = (name.clone(), action.to_owned());
        self.automatic.contains(&pair) || self.banning.contains(&pair)
    }

    pub(crate) fn is_own_process(&self, host_names: [&str; 2], pid: i64) -> bool {
        self.own_pids.contains(&pid)
            && host_names.iter().any(|name| self.own_hosts.contains(&first_label(name)))
    }
}

/// A host is reported by its short name here and its full name there.
fn first_label(name: &str) -> String {
    name.split('.').next().unwrap_or_default().to_lowercase()
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            protected: ProtectedNames::default(),
            networks: ProtectedNetworks::default(),
            paths: ProtectedPaths::default(),
            block_seconds_max: 30 * 86_400,
            automatic: [("indicator".to_owned(), "kill_process".to_owned())].into(),
            never_banned: Vec::new(),
            banning: HashSet::new(),
            own_hosts: HashSet::new(),
            own_pids: HashSet::new(),
        }
    }
}
