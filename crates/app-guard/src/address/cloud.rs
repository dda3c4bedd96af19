use super::{Network, NetworkMap};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A provider whose published address ranges can be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CloudProvider {
    /// Amazon Web Services
    Aws,
    /// Google Cloud
    Gcp,
    /// Microsoft Azure
    Azure,
    /// DigitalOcean
    DigitalOcean,
    /// Linode
    Linode,
    /// Vultr
    Vultr,
}

impl CloudProvider {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Aws, Self::Gcp, Self::Azure, Self::DigitalOcean, Self::Linode, Self::Vultr];

    /// The name in settings and rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Gcp => "GCP",
            Self::Azure => "Azure",
            Self::DigitalOcean => "DigitalOcean",
            Self::Linode => "Linode",
            Self::Vultr => "Vultr",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for CloudProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CloudProvider {
    type Err = CloudError;

    fn from_str(text: &str) -> Result<Self, CloudError> {
        let known =
            Self::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(text.trim()));
        known.ok_or_else(|| CloudError::Unknown(text.trim().to_owned()))
    }
}

/// Why a text names no clouds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    /// No such provider.
    #[error("unknown cloud provider `{0}`; known are AWS, GCP, Azure, DigitalOcean, Linode, Vultr")]
    Unknown(String),
    /// What follows the colon is not `!` and a region.
    #[error("`{0}`: a region that stays open is written `PROVIDER:!region`")]
    CarveOut(String),
}

/// One range of a provider's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudRange {
    /// Whose it is.
    pub provider: CloudProvider,
    /// The region as the provider writes it; empty where its list tells none.
    pub region: Box<str>,
}

/// The published ranges of all providers that were loaded, IPv4 and IPv6.
#[derive(Clone, Debug, Default)]
pub struct CloudRanges {
    map: NetworkMap<CloudRange>,
    /// Which providers have at least one range.
    loaded: u8,
}

impl CloudRanges {
    /// The ranges of these lists.
    pub fn new(ranges: impl IntoIterator<Item = (Network, CloudRange)>) -> Self {
        let map = NetworkMap::new(ranges);
        let loaded = map.iter().fold(0, |bits, (_, range)| bits | range.provider.bit());
        Self { map, loaded }
    }

    /// Whether there is at least one range of this provider. Without, nobody can tell who comes from there.
    #[must_use]
    pub const fn knows(&self, provider: CloudProvider) -> bool {
        self.loaded & provider.bit() != 0
    }

    /// The ranges that hold the address, narrowest first.
    pub fn matches(&self, address: IpAddr) -> impl Iterator<Item = (Network, &CloudRange)> {
        self.map.matches(address)
    }

    /// How many ranges there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

/// Which clouds are shut out: providers, each perhaps with regions that stay open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockedClouds {
    whole: u8,
    /// Regions that stay open, in lower case, of providers that are otherwise blocked.
    open: BTreeSet<(CloudProvider, Box<str>)>,
}

impl BlockedClouds {
    /// What these texts say: `AWS`, or `GCP:!us-central1` for all of it but a region.
    ///
    /// # Errors
    /// The first text that is neither.
    pub fn parse<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Result<Self, CloudError> {
        let mut blocked = Self::default();
        for text in texts {
            let text = text.as_ref().trim();
            let (provider, region) = match text.split_once(':') {
                Some((provider, region)) => (provider.parse::<CloudProvider>()?, Some(region)),
                None => (text.parse()?, None),
            };
            blocked.whole |= provider.bit();
            if let Some(region) = region {
                let open = region.trim().strip_prefix('!').map(str::trim);
                let open = open.filter(|open| !open.is_empty());
                let open = open.ok_or_else(|| CloudError::CarveOut(text.to_owned()))?;
                blocked.open.insert((provider, open.to_ascii_lowercase().into()));
            }
        }
        Ok(blocked)
    }

    /// Whether nothing is blocked.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.whole == 0
    }

    /// The providers that are blocked, at least in part.
    pub fn providers(&self) -> impl Iterator<Item = CloudProvider> {
        CloudProvider::ALL.into_iter().filter(|provider| self.whole & provider.bit() != 0)
    }

    /// The range for which the address is shut out.
    ///
    /// A provider's lists nest (a service inside a region's block): a region that stays open does so for
    /// whatever lies inside its ranges.
    #[must_use]
    pub fn shut_out<'r>(
        &self,
        address: IpAddr,
        ranges: &'r CloudRanges,
    ) -> Option<(Network, &'r CloudRange)> {
        if self.is_empty() {
            return None;
        }
        let blocked =
            |range: &CloudRange| self.whole & range.provider.bit() != 0 && !self.is_open(range);
        let open = ranges.matches(address).fold(0, |bits, (_, range)| {
            bits | if self.is_open(range) { range.provider.bit() } else { 0 }
        });
        ranges
            .matches(address)
            .find(|(_, range)| blocked(range) && open & range.provider.bit() == 0)
    }

    /// The first blocked provider of which no range is known.
    #[must_use]
    pub fn unknown(&self, ranges: &CloudRanges) -> Option<CloudProvider> {
        self.providers().find(|provider| !ranges.knows(*provider))
    }

    fn is_open(&self, range: &CloudRange) -> bool {
        self.open
            .iter()
            .any(|(of, region)| *of == range.provider && region.eq_ignore_ascii_case(&range.region))
    }
}
