//! All indicators, compiled: one look-up per name, path level, network size or domain label.

mod command_line;
mod process_names;

use process_names::ProcessNames;

use crate::Indicator;
use crate::indicator::{AddressRange, Parsed, address_of_text, normal_path};
use ringwall_event::{Activity, Connection, Event, Process};
use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

type Index<K> = HashMap<K, u32, foldhash::fast::RandomState>;

/// Indicators compiled for matching; made once and shared.
#[derive(Debug, Default)]
pub struct IndicatorSet {
    indicators: Vec<Indicator>,
    names: Index<Box<str>>,
    /// Names longer than the kernel keeps, by what it keeps of them.
    cut_names: HashMap<Box<str>, Vec<u32>, foldhash::fast::RandomState>,
    paths: Index<Box<str>>,
    hashes: Index<Box<str>>,
    ranges: Index<AddressRange>,
    /// The sizes of networks that occur, each once.
    range_sizes: Vec<AddressRange>,
    domains: Index<Box<str>>,
}

/// One indicator that something matched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndicatorMatch<'a> {
    /// The indicator.
    pub indicator: &'a Indicator,
    /// What of the observation matched it.
    pub on: MatchedOn,
}

/// What of an observation matched an indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MatchedOn {
    /// The short name of the process.
    Name,
    /// The first 15 bytes of a name of which the kernel keeps no more, and nothing tells the rest.
    CutName,
    /// The file name or path of the program.
    Executable,
    /// The file name or path of the script that an interpreter runs.
    Script,
    /// The digest of the program file.
    Digest,
    /// The other side of a connection.
    RemoteAddress,
    /// An address or domain among the arguments.
    CommandLine,
}

impl MatchedOn {
    /// Whether the match is sure enough to end a process for it. A name cut to 15 bytes may be
    /// another program's, and naming a host on the command line is not yet speaking with it.
    pub const fn is_certain(self) -> bool {
        !matches!(self, Self::CutName | Self::CommandLine)
    }
}

impl IndicatorSet {
    /// Compiles a list; of two with the same kind and value the later one counts.
    pub fn new(indicators: Vec<Indicator>) -> Self {
        let mut by_id: HashMap<Box<str>, usize> = HashMap::with_capacity(indicators.len());
        let mut unique: Vec<Indicator> = Vec::with_capacity(indicators.len());
        for indicator in indicators {
            match by_id.get(indicator.id()).and_then(|position| unique.get_mut(*position)) {
                Some(earlier) => *earlier = indicator,
                None => {
                    by_id.insert(indicator.id().into(), unique.len());
                    unique.push(indicator);
                }
            }
        }
        let mut set = Self::default();
        for (position, indicator) in (0u32..).zip(&unique) {
            set.index(position, indicator.value().parsed());
        }
        set.indicators = unique;
        set
    }

    fn index(&mut self, position: u32, value: &Parsed) {
        match value {
            Parsed::Process(name) => {
                self.names.insert(name.clone(), position);
                if let Some(cut) = process_names::cut(name) {
                    self.cut_names.entry(cut.into()).or_default().push(position);
                }
            }
            Parsed::Path(path) => {
                self.paths.insert(path.clone(), position);
            }
            Parsed::Hash(digest) => {
                self.hashes.insert(digest.clone(), position);
            }
            Parsed::Address(range) => {
                self.ranges.insert(*range, position);
                let size = |one: &AddressRange| (one.family(), one.prefix());
                if !self.range_sizes.iter().any(|known| size(known) == size(range)) {
                    self.range_sizes.push(*range);
                }
            }
            Parsed::Domain(domain) => {
                self.domains.insert(domain.clone(), position);
            }
        }
    }

    /// Every indicator, in the order of the list.
    pub fn indicators(&self) -> &[Indicator] {
        &self.indicators
    }

    /// Every indicator that the event matches, each once, over all its processes and connections.
    pub fn matches(&self, event: &Event) -> Vec<IndicatorMatch<'_>> {
        let mut found = Matches::default();
        match &event.activity {
            Activity::ProcessStarted(process) => self.find_process(process, &mut found),
            Activity::ProcessEnded { process, .. } | Activity::SystemCall { process, .. } => {
                self.find_name(&process.name, MatchedOn::Name, &mut found);
            }
            Activity::ConnectionOpened(connection) | Activity::ConnectionClosed(connection) => {
                self.find_connection(connection, &mut found);
            }
            Activity::Inventory(inventory) => {
                for process in &inventory.processes {
                    self.find_process(process, &mut found);
                }
                for connection in &inventory.connections {
                    self.find_connection(connection, &mut found);
                }
            }
            Activity::AppGuard(seen) => {
                if let Some(address) = &seen.client_address {
                    self.find_host(address, MatchedOn::RemoteAddress, &mut found);
                }
            }
            _ => {}
        }
        self.resolve(found)
    }

    /// Every indicator that the process matches, each once.
    pub fn match_process(&self, process: &Process) -> Vec<IndicatorMatch<'_>> {
        let mut found = Matches::default();
        self.find_process(process, &mut found);
        self.resolve(found)
    }

    /// Every indicator that a bare process name matches.
    pub fn match_name(&self, name: &str) -> Vec<IndicatorMatch<'_>> {
        let mut found = Matches::default();
        self.find_name(name, MatchedOn::Name, &mut found);
        self.resolve(found)
    }

    /// Every indicator that the connection matches by its other side, each once.
    pub fn match_connection(&self, connection: &Connection) -> Vec<IndicatorMatch<'_>> {
        let mut found = Matches::default();
        self.find_connection(connection, &mut found);
        self.resolve(found)
    }

    /// Every indicator that the address of a client matches, each once.
    pub fn match_address(&self, address: &str) -> Vec<IndicatorMatch<'_>> {
        let mut found = Matches::default();
        self.find_host(address, MatchedOn::RemoteAddress, &mut found);
        self.resolve(found)
    }

    fn find_process(&self, process: &Process, found: &mut Matches) {
        let names = ProcessNames::of(process);
        if !self.names.is_empty() {
            self.find_name(names.short, MatchedOn::Name, found);
            if let Some(name) = names.executable {
                self.find_name(name, MatchedOn::Executable, found);
            }
            if let Some(name) = names.script_name() {
                self.find_name(name, MatchedOn::Script, found);
            }
            if let Some(name) = names.full {
                self.find_name(name, MatchedOn::Name, found);
            } else if names.is_cut() {
                let positions = self.cut_names.get(lower_case(names.short).as_ref());
                for position in positions.into_iter().flatten() {
                    found.add(*position, MatchedOn::CutName);
                }
            }
        }
        if !self.paths.is_empty() {
            if let Some(path) = names.executable_path {
                self.find_path(path, MatchedOn::Executable, found);
            }
            if let Some(path) = names.script {
                self.find_path(path, MatchedOn::Script, found);
            }
        }
        if let Some(digest) = &process.executable_sha256
            && !self.hashes.is_empty()
            && let Some(position) = self.hashes.get(lower_case(digest).as_ref())
        {
            found.add(*position, MatchedOn::Digest);
        }
        if !(self.ranges.is_empty() && self.domains.is_empty())
            && let Some(line) = &process.command_line
        {
            for host in command_line::hosts_named(line) {
                self.find_host(host, MatchedOn::CommandLine, found);
            }
        }
    }

    fn find_name(&self, name: &str, on: MatchedOn, found: &mut Matches) {
        if let Some(position) = self.names.get(lower_case(name).as_ref()) {
            found.add(*position, on);
        }
    }

    /// The path itself, and each folder above it.
    fn find_path(&self, path: &str, on: MatchedOn, found: &mut Matches) {
        let normal = normal_path(path);
        let mut rest: &str = &normal;
        while !rest.is_empty() {
            if let Some(position) = self.paths.get(rest) {
                found.add(*position, on);
            }
            rest = rest.rsplit_once('/').map_or("", |(folder, _)| folder);
        }
    }

    fn find_connection(&self, connection: &Connection, found: &mut Matches) {
        if let Some(remote) = &connection.remote_address {
            self.find_host(remote, MatchedOn::RemoteAddress, found);
        }
    }

    fn find_host(&self, host: &str, on: MatchedOn, found: &mut Matches) {
        match address_of_text(host) {
            Some(address) => self.find_address(address, on, found),
            None => self.find_domain(host, on, found),
        }
    }

    fn find_address(&self, address: IpAddr, on: MatchedOn, found: &mut Matches) {
        let address = AddressRange::single(address);
        for size in &self.range_sizes {
            if size.family() == address.family()
                && let Some(position) = self.ranges.get(&address.widened(size.prefix()))
            {
                found.add(*position, on);
            }
        }
    }

    /// The domain itself, and each one above it.
    fn find_domain(&self, host: &str, on: MatchedOn, found: &mut Matches) {
        if self.domains.is_empty() || host.len() > 254 {
            return;
        }
        let lower = lower_case(host.strip_suffix('.').unwrap_or(host));
        let mut rest: &str = &lower;
        while !rest.is_empty() {
            if let Some(position) = self.domains.get(rest) {
                found.add(*position, on);
            }
            rest = rest.split_once('.').map_or("", |(_, above)| above);
        }
    }

    fn resolve(&self, found: Matches) -> Vec<IndicatorMatch<'_>> {
        found
            .0
            .into_iter()
            .filter_map(|(position, on)| {
                let indicator = self.indicators.get(position as usize)?;
                Some(IndicatorMatch { indicator, on })
            })
            .collect()
    }
}

/// Positions of indicators, each once; of several ways to match, a certain one is kept.
#[derive(Default)]
struct Matches(Vec<(u32, MatchedOn)>);

impl Matches {
    fn add(&mut self, position: u32, on: MatchedOn) {
        match self.0.iter_mut().find(|(known, _)| *known == position) {
            Some((_, known)) if !known.is_certain() => *known = on,
            Some(_) => {}
            None => self.0.push((position, on)),
        }
    }
}

/// Lower case by the rules of Unicode, as the original compares; what is lower case is not copied.
fn lower_case(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

#[cfg(test)]
mod tests;
