//! Reading the lists in which clouds publish their addresses.
//!
//! ```
//! use ringwall_app_guard::{CloudProvider, CloudRanges};
//! use ringwall_app_guard_layer::cloud;
//!
//! let list = br#"{"prefixes": [{"ip_prefix": "192.0.2.0/24", "region": "eu-west-1", "service": "AMAZON"}]}"#;
//! let ranges = CloudRanges::new(cloud::parse(CloudProvider::Aws, list)?);
//!
//! let (network, range) = ranges.matches("192.0.2.7".parse().unwrap()).next().unwrap();
//! assert_eq!((network.to_string().as_str(), &*range.region), ("192.0.2.0/24", "eu-west-1"));
//! # Ok::<(), cloud::ListError>(())
//! ```

mod lists;

pub use lists::{Entry, ListError, parse};

use ringwall_app_guard::CloudProvider;
use std::path::PathBuf;

/// Where a provider's list is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListSource {
    /// A file, read again when it changes.
    File(PathBuf),
    /// An address of http or https.
    Url(String),
}

impl ListSource {
    /// Where the provider publishes its list, if the list has an address that lasts. Azure's changes every
    /// week: its list is a file, or lies on a mirror of one's own.
    #[must_use]
    pub fn published(provider: CloudProvider) -> Option<Self> {
        let url = match provider {
            CloudProvider::Aws => "https://ip-ranges.amazonaws.com/ip-ranges.json",
            CloudProvider::Gcp => "https://www.gstatic.com/ipranges/cloud.json",
            CloudProvider::DigitalOcean => "https://digitalocean.com/geo/google.csv",
            CloudProvider::Linode => "https://geoip.linode.com/",
            CloudProvider::Vultr => "https://geofeed.constant.com/?text",
            _ => return None,
        };
        Some(Self::Url(url.to_owned()))
    }
}
