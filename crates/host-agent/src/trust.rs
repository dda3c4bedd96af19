//! Who may vouch for the server over https.

use ringwall_lifecycle::Failure;
use ringwall_server_client::{Fingerprint, Trust};

/// No file of authorities is longer.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// What was said by `--ca`: a file of certificates, or the fingerprint of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Authority {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// The certificates of a file, in PEM.
    Pem(String),
    /// The fingerprint of one.
    Fingerprint(Fingerprint),
}

impl Authority {
    /// Reads `sha256:…` or the file of that name.
    ///
    /// # Errors
    /// Where it is neither.
    pub(crate) fn read(given: Option<&str>) -> Result<Self, Failure> {
        let Some(given) = given else { return Ok(Self::Unsaid) };
        match given.parse::<Fingerprint>() {
            Ok(fingerprint) => Ok(Self::Fingerprint(fingerprint)),
            Err(error) if given.starts_with("sha256:") => Err(Failure::new(error.to_string())),
            Err(_) => read_file(given).map(Self::Pem),
        }
    }

    /// Whom to believe, where `kept` is the certificate that the identity holds.
    ///
    /// # Errors
    /// Where a certificate or the name cannot be used.
    pub(crate) fn trust(&self, kept: Option<&str>, name: Option<&str>) -> Result<Trust, Failure> {
        let unusable = |error: ringwall_server_client::TrustError| Failure::new(error.to_string());
        let trust = match (self, kept) {
            (Self::Fingerprint(fingerprint), _) => Trust::fingerprint(*fingerprint),
            (Self::Pem(pem), _) => Trust::authorities(pem.as_bytes()).map_err(unusable)?,
            (Self::Unsaid, Some(pem)) => Trust::authorities(pem.as_bytes()).map_err(unusable)?,
            (Self::Unsaid, None) => return Ok(Trust::default()),
        };
        match name {
            Some(name) => trust.with_server_name(name).map_err(unusable),
            None => Ok(trust),
        }
    }

    /// The certificates that were given, to be kept with the identity.
    pub(crate) fn into_pem(self) -> Option<String> {
        match self {
            Self::Pem(pem) => Some(pem),
            Self::Unsaid | Self::Fingerprint(_) => None,
        }
    }
}

fn read_file(path: &str) -> Result<String, Failure> {
    use std::io::Read;
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::new(format!("cannot read {path}: {error}"))
            .hint("`ringwall ca > FILE` writes it on the server")
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
    let mut pem = String::new();
    file.take(PEM_BYTES_MAX).read_to_string(&mut pem).map_err(|error| unreadable(&error))?;
    Ok(pem)
}
