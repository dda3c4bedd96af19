//! A certificate that somebody else makes and renews, in files.

use super::TlsSection;
use anyhow::{Context, bail};
use ringwall_lifecycle::private_file;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longer than any chain.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The files, and which state of them was read.
pub(super) struct OwnFiles {
    certificate: PathBuf,
    key: PathBuf,
    authority: Option<PathBuf>,
    read: Option<Vec<FileState>>,
    authority_pem: Option<String>,
}

/// Changes whenever a file is written or replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileState {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl OwnFiles {
    /// None where the configuration names no files.
    pub(super) fn named_in(section: &TlsSection) -> Option<Self> {
        let (certificate, key) = section.certificate.clone().zip(section.key.clone())?;
        let authority = section.authority.clone();
        Some(Self { certificate, key, authority, read: None, authority_pem: None })
    }

    /// The certificate of the authority, where the files hold it.
    pub(super) fn authority_pem(&self) -> Option<String> {
        self.authority_pem.clone()
    }

    /// Reads all of them.
    ///
    /// # Errors
    /// Where one cannot be read, or they do not belong together.
    pub(super) fn read(&mut self) -> anyhow::Result<CertifiedKey> {
        self.read = Some(self.states()?);
        let certificate = text(&self.certificate)?;
        let chain = certificates(&certificate, &self.certificate)?;
        let key = Zeroizing::new(private_file::read(&self.key, FILE_BYTES_MAX)?);
        let key = PrivateKeyDer::from_pem_slice(&key)
            .with_context(|| format!("{}: no private key", self.key.display()))?;
        let authority_pem = match &self.authority {
            Some(path) => {
                let pem = text(path)?;
                certificates(&pem, path)?;
                Some(pem)
            }
            // The last one of a chain is the authority, or stands for it; one alone is the server's.
            None if chain.len() > 1 => last_certificate(&certificate),
            None => None,
        };
        let provider = rustls::crypto::ring::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider).with_context(|| {
            format!("{} does not fit {}", self.key.display(), self.certificate.display())
        })?;
        self.authority_pem = authority_pem;
        Ok(certified)
    }

    /// Reads them where one has changed since. A state that could not be read is not tried again.
    ///
    /// # Errors
    /// As for [`OwnFiles::read`].
    pub(super) fn read_if_changed(&mut self) -> anyhow::Result<Option<CertifiedKey>> {
        let states = self.states().ok();
        // Missing for an instant, while they are replaced: the next look finds them.
        if states.is_none() || states == self.read {
            return Ok(None);
        }
        self.read().map(Some)
    }

    fn states(&self) -> anyhow::Result<Vec<FileState>> {
        [Some(&self.certificate), Some(&self.key), self.authority.as_ref()]
            .into_iter()
            .flatten()
            .map(|path| {
                let about = std::fs::metadata(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                Ok(FileState {
                    inode: about.ino(),
                    length: about.len(),
                    modified: (about.mtime(), about.mtime_nsec()),
                })
            })
            .collect()
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    use std::io::Read;
    let cannot = || format!("cannot read {}", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(cannot)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).with_context(cannot)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        bail!("{}: more than {FILE_BYTES_MAX} bytes", path.display());
    }
    Ok(text)
}

fn certificates(pem: &str, path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .with_context(|| format!("{}: not PEM", path.display()))?;
    if chain.is_empty() {
        bail!("{}: no certificate", path.display());
    }
    Ok(chain)
}

fn last_certificate(pem: &str) -> Option<String> {
    let begin = pem.rfind("-----BEGIN CERTIFICATE-----")?;
    pem.get(begin..).map(|last| format!("{}\n", last.trim_end()))
}
