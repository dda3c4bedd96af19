//! What an enrolled agent knows of itself and its server, as it stands in its state directory.

use crate::trust::Authority;
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringwall_event::Timestamp;
use ringwall_lifecycle::Failure;
use ringwall_lifecycle::private_file::{self, PrivateFileError};
use ringwall_server_client::Trust;
use ringwall_signing::request_signature::is_agent_name;
use ringwall_signing::{PublicKey, SigningKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The file of the identity in the state directory.
const FILE: &str = "identity.json";
/// The file that whoever changes the identity holds locked.
const LOCK: &str = "identity.lock";
/// No identity is longer.
const BYTES_MAX: u64 = 64 << 10;

/// A private key as it is kept: the 32 bytes of its seed, in base64. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct KeySeed(String);

impl KeySeed {
    /// A fresh one.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn draw() -> anyhow::Result<Self> {
        let mut seed = [0u8; 32];
        getrandom::fill(&mut seed).context("no randomness")?;
        Ok(Self(STANDARD.encode(seed)))
    }

    /// The key.
    ///
    /// # Errors
    /// Where the text is no seed.
    pub(crate) fn key(&self) -> Result<SigningKey, Failure> {
        let bytes =
            STANDARD.decode(&self.0).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let damaged = || Failure::new("a key in the state directory is damaged");
        Ok(SigningKey::from_seed(&bytes.ok_or_else(damaged)?))
    }
}

impl fmt::Debug for KeySeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySeed")
    }
}

/// The identity of an enrolled host agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The name that it signs as.
    pub name: String,
    /// The server that it enrolled at.
    pub server: String,
    /// What that server signs commands with; no other is believed.
    pub server_public_key: PublicKey,
    /// The certificate of the server's own authority, in PEM, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
    /// The name that the server's certificate is for, where that is not in the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_name: Option<String>,
    /// What it signs with.
    pub key: KeySeed,
    /// When that key was made.
    pub key_made: Timestamp,
    /// The key that follows, from before the server hears of it until it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<KeySeed>,
}

impl Identity {
    /// The identity in this state directory; none where nobody enrolled.
    ///
    /// # Errors
    /// Where it cannot be read, others may read it, or it is damaged.
    pub fn load(state_dir: &Path) -> Result<Option<Self>, Failure> {
        let path = path(state_dir);
        let bytes = match private_file::read(&path, BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(PrivateFileError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error @ PrivateFileError::Exposed { .. }) => {
                let hint = format!("chmod 600 {}", path.display());
                return Err(Failure::new(error.to_string()).hint(hint));
            }
            Err(error) => return Err(Failure::new(error.to_string())),
        };
        // The error of the parser could repeat a part of the key.
        let damaged = |what: &str| {
            Failure::new(format!("{}: {what}", path.display()))
                .hint("enrol again: `ringwall-host-agent enrol --again`")
        };
        let identity: Self = serde_json::from_slice(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            damaged(&format!("not an identity, at line {line}, column {column}"))
        })?;
        if !is_agent_name(&identity.name) {
            return Err(damaged("the name cannot be that of a host agent"));
        }
        identity.key.key().map_err(|error| damaged(&error.message))?;
        Ok(Some(identity))
    }

    /// Writes it down, whole and private; when this returns it is on the disk.
    ///
    /// # Errors
    /// Where the system refuses; then the one before stands.
    pub(crate) fn store(&self, state_dir: &Path) -> anyhow::Result<()> {
        let path = path(state_dir);
        let text = serde_json::to_vec_pretty(self)?;
        private_file::write(&path, &text)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Who may vouch for the server over https.
    ///
    /// # Errors
    /// Where the certificate that is kept cannot be used.
    pub fn trust(&self) -> Result<Trust, Failure> {
        Authority::Unsaid.trust(self.ca_certificate.as_deref(), self.tls_name.as_deref())
    }

    /// The key that it signs with.
    ///
    /// # Errors
    /// Where it is damaged.
    pub fn signing_key(&self) -> Result<SigningKey, Failure> {
        self.key.key()
    }
}

/// Where the identity stands.
pub(crate) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

/// Keeps others from changing the identity for as long as the value lives: an enrolment and a rotation, or
/// two rotations, must not overtake each other.
///
/// # Errors
/// Where the state directory cannot be used.
pub(crate) fn lock(state_dir: &Path) -> anyhow::Result<File> {
    let path = state_dir.join(LOCK);
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("cannot create {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_kept_whole_and_private() {
        let folder = std::env::temp_dir().join(format!("ringwall-identity-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(Identity::load(&folder), Ok(None));
        let seed = KeySeed::draw().unwrap();
        let identity = Identity {
            name: "web-1".into(),
            server: "http://127.0.0.1:7400".into(),
            server_public_key: SigningKey::from_seed(&[1; 32]).public_key(),
            ca_certificate: None,
            tls_name: None,
            key: seed.clone(),
            key_made: Timestamp::from_micros(5),
            next_key: None,
        };
        let held = lock(&folder).unwrap();
        identity.store(&folder).unwrap();
        drop(held);
        assert_eq!(Identity::load(&folder), Ok(Some(identity.clone())));
        assert!(!format!("{identity:?}").contains(&seed.0));
        for name in [FILE, LOCK] {
            let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }

        let text = std::fs::read_to_string(path(&folder)).unwrap();
        for damaged in [
            text.replace(&seed.0, "AAAA"),
            text.replace(&seed.0, &format!("{}\"{}", &seed.0[..4], &seed.0[4..])),
            text.replace("web-1", "web 1"),
            String::new(),
        ] {
            private_file::write(&path(&folder), damaged.as_bytes()).unwrap();
            let failure = Identity::load(&folder).unwrap_err();
            assert!(!failure.message.contains(&seed.0[4..]), "{}", failure.message);
            assert!(failure.hint.unwrap().contains("--again"));
        }
        identity.store(&folder).unwrap();
        std::fs::set_permissions(path(&folder), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Identity::load(&folder).unwrap_err().hint.unwrap().starts_with("chmod 600"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
