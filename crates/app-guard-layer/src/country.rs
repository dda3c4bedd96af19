//! Which country an address belongs to, from a MaxMind database file.

use maxminddb::{PathElement, Reader};
use ringwall_app_guard::Country;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

/// Tells the country of an address. [`CountryDatabase`] does; an application may bring its own.
///
/// It is asked on the path of a request: an implementation answers from memory.
pub trait CountrySource: Send + Sync {
    /// None where it is not known.
    fn country(&self, address: IpAddr) -> Option<Country>;

    /// Whether it can tell at all. While it cannot, rules about countries do what the settings say for that.
    fn is_ready(&self) -> bool {
        true
    }
}

/// A database file that was read into memory: GeoLite2 and GeoIP2 (Country, City, Enterprise), DB-IP, and
/// the ones of IPinfo.
pub struct CountryDatabase {
    reader: Reader<Vec<u8>>,
}

/// Why a country database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CountryDatabaseError {
    /// The file cannot be read.
    #[error("cannot read the country database")]
    Read(#[source] std::io::Error),
    /// It is larger than any such database.
    #[error("the country database has more than {0} bytes")]
    TooLarge(u64),
    /// It is not a MaxMind database, or a broken one.
    #[error("not a country database: {0}")]
    Format(String),
}

/// The largest ones (cities of the whole world) have about 150 MB.
const FILE_BYTES_MAX: u64 = 1 << 30;

impl CountryDatabase {
    /// Reads a file whole. It may be replaced or removed afterwards.
    ///
    /// # Errors
    /// Where the file cannot be read or is no such database.
    pub fn open(path: &Path) -> Result<Self, CountryDatabaseError> {
        let bytes = std::fs::metadata(path).map_err(CountryDatabaseError::Read)?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(CountryDatabaseError::TooLarge(FILE_BYTES_MAX));
        }
        Self::from_bytes(std::fs::read(path).map_err(CountryDatabaseError::Read)?)
    }

    /// Takes the content of a file.
    ///
    /// # Errors
    /// Where it is no such database.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, CountryDatabaseError> {
        let reader = Reader::from_source(bytes)
            .map_err(|error| CountryDatabaseError::Format(error.to_string()))?;
        Ok(Self { reader })
    }
}

/// Where the different makers put the code, the likeliest first. The country where an address is used goes
/// before the one where it is registered.
const PLACES: [&[PathElement<'static>]; 4] = [
    &[PathElement::Key("country"), PathElement::Key("iso_code")],
    &[PathElement::Key("country_code")],
    &[PathElement::Key("country")],
    &[PathElement::Key("registered_country"), PathElement::Key("iso_code")],
];

impl CountrySource for CountryDatabase {
    fn country(&self, address: IpAddr) -> Option<Country> {
        let found = self.reader.lookup(address.to_canonical()).ok()?;
        if !found.has_data() {
            return None;
        }
        PLACES.into_iter().find_map(|place| {
            let code: &str = found.decode_path(place).ok()??;
            Country::new(code)
        })
    }
}

impl fmt::Debug for CountryDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = &self.reader.metadata().database_type;
        f.debug_struct("CountryDatabase").field("kind", kind).finish_non_exhaustive()
    }
}
