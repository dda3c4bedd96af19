//! The forms in which clouds publish their addresses.

use ringwall_app_guard::{CloudProvider, CloudRange, Network};
use serde::Deserialize;
use std::borrow::Cow;

/// The real ones have up to 100,000 entries.
const ENTRIES_MAX: usize = 1_000_000;
/// A region has a short name.
const REGION_BYTES_MAX: usize = 100;

/// Why a published list could not be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// It is not the JSON that this provider publishes.
    #[error("not a list of this provider: {0}")]
    Json(String),
    /// It is not text.
    #[error("not UTF-8")]
    NotText,
    /// A line or entry holds no network.
    #[error("entry {0} holds no network")]
    BadNetwork(usize),
    /// More entries than any real list.
    #[error("more than {ENTRIES_MAX} entries")]
    TooMany,
    /// Nobody knows how this provider publishes its addresses.
    #[error("this provider's lists are not known")]
    UnknownForm,
    /// Nothing in it.
    #[error("no entries")]
    Empty,
}

/// An entry of a list.
pub type Entry = (Network, CloudRange);

/// Reads a list in the form in which this provider publishes it.
///
/// # Errors
/// Where it has another form, more entries than any real list, or none at all: a list that is suddenly empty
/// is a mistake of its publisher, and would switch the rule off.
pub fn parse(provider: CloudProvider, list: &[u8]) -> Result<Vec<Entry>, ListError> {
    let mut gathered = Gathered { provider, entries: Vec::new() };
    match provider {
        CloudProvider::Aws => aws(list, &mut gathered)?,
        CloudProvider::Gcp => gcp(list, &mut gathered)?,
        CloudProvider::Azure => azure(list, &mut gathered)?,
        CloudProvider::DigitalOcean | CloudProvider::Linode | CloudProvider::Vultr => {
            geofeed(list, &mut gathered)?;
        }
        _ => return Err(ListError::UnknownForm),
    }
    if gathered.entries.is_empty() { Err(ListError::Empty) } else { Ok(gathered.entries) }
}

/// What is gathered of a list.
struct Gathered {
    provider: CloudProvider,
    entries: Vec<Entry>,
}

impl Gathered {
    fn add(&mut self, network: &str, region: &str) -> Result<(), ListError> {
        if self.entries.len() >= ENTRIES_MAX {
            return Err(ListError::TooMany);
        }
        let bad = |_| ListError::BadNetwork(self.entries.len() + 1);
        let network: Network = network.parse().map_err(bad)?;
        let region = region.get(..region.floor_char_boundary(REGION_BYTES_MAX)).unwrap_or("");
        self.entries.push((network, CloudRange { provider: self.provider, region: region.into() }));
        Ok(())
    }
}

fn json<'a, T: Deserialize<'a>>(list: &'a [u8]) -> Result<T, ListError> {
    serde_json::from_slice(list).map_err(|error| ListError::Json(error.to_string()))
}

/// `ip-ranges.json`: both families, and of its services the one that names all addresses.
fn aws(list: &[u8], gathered: &mut Gathered) -> Result<(), ListError> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow, default)]
        prefixes: Vec<Line<'a>>,
        #[serde(borrow, default)]
        ipv6_prefixes: Vec<Line<'a>>,
    }
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow, alias = "ip_prefix", alias = "ipv6_prefix")]
        network: Cow<'a, str>,
        #[serde(borrow, default)]
        region: Cow<'a, str>,
        #[serde(borrow, default)]
        service: Cow<'a, str>,
    }
    let list: List<'_> = json(list)?;
    for entry in list.prefixes.iter().chain(&list.ipv6_prefixes) {
        if entry.service == "AMAZON" {
            gathered.add(&entry.network, &entry.region)?;
        }
    }
    Ok(())
}

/// `cloud.json`.
fn gcp(list: &[u8], gathered: &mut Gathered) -> Result<(), ListError> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        prefixes: Vec<Line<'a>>,
    }
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow, rename = "ipv4Prefix")]
        v4: Option<Cow<'a, str>>,
        #[serde(borrow, rename = "ipv6Prefix")]
        v6: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        scope: Cow<'a, str>,
    }
    let list: List<'_> = json(list)?;
    for entry in &list.prefixes {
        for network in [&entry.v4, &entry.v6].into_iter().flatten() {
            gathered.add(network, &entry.scope)?;
        }
    }
    Ok(())
}

/// `ServiceTags_Public_*.json`: of its tags those for the whole cloud or one region of it.
fn azure(list: &[u8], gathered: &mut Gathered) -> Result<(), ListError> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        values: Vec<Tag<'a>>,
    }
    #[derive(Deserialize)]
    struct Tag<'a> {
        #[serde(borrow, default)]
        name: Cow<'a, str>,
        #[serde(borrow)]
        properties: Properties<'a>,
    }
    #[derive(Deserialize)]
    struct Properties<'a> {
        #[serde(borrow, default)]
        region: Cow<'a, str>,
        #[serde(borrow, default, rename = "addressPrefixes")]
        networks: Vec<Cow<'a, str>>,
    }
    let list: List<'_> = json(list)?;
    // The regions first: of two entries for one network the first is kept, and it should say where.
    for is_regional in [true, false] {
        for tag in &list.values {
            let name: &str = &tag.name;
            if (is_regional && name.starts_with("AzureCloud."))
                || (!is_regional && name == "AzureCloud")
            {
                for network in &tag.properties.networks {
                    gathered.add(network, &tag.properties.region)?;
                }
            }
        }
    }
    Ok(())
}

/// Geofeeds (RFC 8805): `network,country,region,city,…`, a `#` begins a comment.
fn geofeed(list: &[u8], gathered: &mut Gathered) -> Result<(), ListError> {
    let text = std::str::from_utf8(list).map_err(|_| ListError::NotText)?;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        let mut fields = line.split(',').map(|field| field.trim().trim_matches('"'));
        let network = fields.next().unwrap_or("");
        // A heading, as some mirrors write.
        if gathered.entries.is_empty()
            && matches!(network, "ip_prefix" | "prefix" | "network" | "cidr")
        {
            continue;
        }
        let country = fields.next().unwrap_or("");
        gathered
            .add(network, fields.next().filter(|region| !region.is_empty()).unwrap_or(country))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn aws_gives_both_families_and_counts_each_address_once() {
        let list = r#"{"syncToken": "1", "prefixes": [
            {"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "AMAZON"},
            {"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "S3"}],
            "ipv6_prefixes": [{"ipv6_prefix": "2600:1ff2:4000::/40", "region": "us-west-2", "service": "AMAZON"}]}"#;
        check(
            CloudProvider::Aws,
            list,
            &["3.5.140.0/22|ap-northeast-2", "2600:1ff2:4000::/40|us-west-2"],
        );
    }

    #[test]
    fn gcp_gives_both_families() {
        let list = r#"{"prefixes": [
            {"ipv4Prefix": "34.1.208.0/20", "service": "Google Cloud", "scope": "africa-south1"},
            {"ipv6Prefix": "2600:1900:8000::/44", "scope": "global"}]}"#;
        check(
            CloudProvider::Gcp,
            list,
            &["34.1.208.0/20|africa-south1", "2600:1900:8000::/44|global"],
        );
    }

    #[test]
    fn azure_prefers_the_tag_of_a_region() {
        let list = r#"{"changeNumber": 1, "cloud": "Public", "values": [
            {"name": "AzureCloud", "properties": {"region": "", "addressPrefixes": ["4.144.0.0/12"]}},
            {"name": "AzureCloud.westeurope", "properties": {"region": "westeurope", "addressPrefixes": ["4.175.0.0/16", "2603:1020::/47"]}},
            {"name": "Sql", "properties": {"region": "", "addressPrefixes": ["4.150.0.0/24"]}}]}"#;
        check(
            CloudProvider::Azure,
            list,
            &["4.175.0.0/16|westeurope", "2603:1020::/47|westeurope", "4.144.0.0/12|"],
        );
    }

    #[test]
    fn geofeeds_have_comments_and_gaps() {
        let list = "\u{feff}# of today\n5.101.96.0/21,NL,NL-NH,Amsterdam,\n\n2400:6180::/48,SG,,Singapore,\r\n";
        for provider in [CloudProvider::DigitalOcean, CloudProvider::Linode, CloudProvider::Vultr] {
            check(provider, list, &["5.101.96.0/21|NL-NH", "2400:6180::/48|SG"]);
        }
    }

    #[track_caller]
    fn check(provider: CloudProvider, list: &str, expected: &[&str]) {
        let ranges = parse(provider, list.as_bytes()).unwrap();
        let ranges: Vec<String> =
            ranges.iter().map(|(network, range)| format!("{network}|{}", range.region)).collect();
        assert_eq!(ranges, expected);
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        for provider in CloudProvider::ALL {
            for list in ["", "{}", "[]", "<html>", "{\"prefixes\": []}", "{\"values\": []}"] {
                assert!(parse(provider, list.as_bytes()).is_err(), "{provider:?} takes {list:?}");
            }
        }
        let bad = parse(CloudProvider::Vultr, b"1.2.3.0/24,US\nnothing,US\n");
        assert_eq!(bad, Err(ListError::BadNetwork(2)));
    }

    proptest! {
        #[test]
        fn nothing_panics(list in any::<Vec<u8>>(), text in ".{0,200}") {
            for provider in CloudProvider::ALL {
                prop_assert!(parse(provider, &list).map_or(true, |ranges| !ranges.is_empty()));
                prop_assert!(parse(provider, text.as_bytes()).map_or(true, |ranges| !ranges.is_empty()));
            }
        }
    }
}
