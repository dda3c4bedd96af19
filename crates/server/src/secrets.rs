//! The master key, and what is sealed or derived with it.

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use ringwall_lifecycle::private_file::{self, PrivateFileError};
use ringwall_signing::{Secret, SigningKey, mac};
use std::io::ErrorKind;
use std::path::Path;
use zeroize::Zeroizing;

/// Keys of this server. All come from one file of 32 random bytes, mode 0600, so that one file is
/// to be guarded and one is to be restored.
pub(crate) struct Secrets {
    sealing: XChaCha20Poly1305,
    signing_key: SigningKey,
    cursor_key: Secret,
    session_key: Secret,
}

const NONCE_BYTES: usize = 24;
const PRIVATE_BYTES_MAX: u64 = 64 << 10;

impl Secrets {
    /// Reads the master key, or makes it where the file is missing.
    ///
    /// # Errors
    /// Where the file cannot be read or written, has the wrong size, or others may read it.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let master = match read_private(path)? {
            Some(bytes) => bytes,
            None => {
                let fresh = Zeroizing::new(random_bytes::<32>()?.to_vec());
                private_file::write(path, &fresh)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                fresh
            }
        };
        if master.len() != 32 {
            bail!("{}: the master key has {} bytes, expected 32", path.display(), master.len());
        }
        let master = Secret::from(master.as_slice());
        let derive = |purpose: &str| mac(&master, purpose.as_bytes());
        Ok(Self {
            sealing: XChaCha20Poly1305::new(&Key::from(derive("ringwall sealing v1"))),
            signing_key: SigningKey::from_seed(&derive("ringwall command signing v1")),
            cursor_key: Secret::from(derive("ringwall cursors v1").as_slice()),
            session_key: Secret::from(derive("ringwall sessions v1").as_slice()),
        })
    }

    /// Encrypts a secret for rest; `purpose` must be given again to open it, so that sealed texts
    /// cannot change places.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn seal(&self, purpose: &str, plain: &[u8]) -> anyhow::Result<String> {
        let nonce = random_bytes::<NONCE_BYTES>()?;
        let sealed = self
            .sealing
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: purpose.as_bytes() })
            .map_err(|_| anyhow::anyhow!("cannot seal"))?;
        Ok(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what [`Secrets::seal`] made.
    ///
    /// # Errors
    /// Where the text was altered, or sealed for another purpose or under another master key.
    pub(crate) fn open(&self, purpose: &str, sealed: &str) -> anyhow::Result<Secret> {
        let bytes = STANDARD.decode(sealed).context("sealed secret is not base64")?;
        let (nonce, sealed) =
            bytes.split_first_chunk::<NONCE_BYTES>().context("sealed secret is too short")?;
        let plain = self
            .sealing
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: purpose.as_bytes() })
            .map_err(|_| {
                anyhow::anyhow!("sealed secret cannot be opened: is this the right master key?")
            })?;
        Ok(Secret::from(Zeroizing::new(plain).as_slice()))
    }

    /// The key that signs commands.
    pub(crate) fn signing_key(&self) -> &SigningKey {
        &self.signing_key
    }

    /// The key of cursors.
    pub(crate) fn cursor_key(&self) -> &Secret {
        &self.cursor_key
    }

    /// The key of sessions and their CSRF values.
    pub(crate) fn session_key(&self) -> &Secret {
        &self.session_key
    }
}

/// Bytes from the system's generator.
///
/// # Errors
/// Where the system gives none.
pub(crate) fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}

/// Reads a file that only its owner may read; none where it does not exist.
///
/// # Errors
/// Where it cannot be read, or where group or others have access.
pub(crate) fn read_private(path: &Path) -> anyhow::Result<Option<Zeroizing<Vec<u8>>>> {
    match private_file::read(path, PRIVATE_BYTES_MAX) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(PrivateFileError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let folder = std::env::temp_dir().join(format!("ringwall-secrets-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("master.key");
        let secrets = Secrets::load(&path).unwrap();
        let sealed = secrets.seal("key/sysscore/agent-1", b"secret-key-1").unwrap();
        let again = Secrets::load(&path).unwrap();
        assert_eq!(again.open("key/sysscore/agent-1", &sealed).unwrap().expose(), b"secret-key-1");
        assert!(again.open("key/sysscore/agent-2", &sealed).is_err());
        assert!(!sealed.contains("secret"));
        let mut permissions = std::fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
        std::fs::set_permissions(&path, permissions).unwrap();
        assert!(Secrets::load(&path).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
