//! A guarded application as it is kept: the hash of its key, and its secrets sealed.

use crate::secrets::{Secrets, random_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use ringwall_event::Timestamp;
use ringwall_signing::{Secret, sha256, sha256_hex};
use serde::{Deserialize, Serialize};

/// The kind of document that projects are kept as, by their name.
pub(super) const PROJECTS: &str = "guard_project";
/// What every key begins with, so that one that leaked is recognised.
const KEY_PREFIX: &str = "rwg_";

/// What somebody wants a project to be like.
#[derive(Clone, Debug)]
pub(crate) struct ProjectWanted {
    /// Whether its guards can encrypt.
    pub(crate) encryption: bool,
    /// Whether its guards can sign.
    pub(crate) signing: bool,
    /// Whether what is not signed is refused.
    pub(crate) require_signature: bool,
    /// When it is added.
    pub(crate) created: Timestamp,
    /// By whom.
    pub(crate) created_by: String,
}

/// A key and secrets in the clear, on their way to whoever asked for them: told this once.
pub(crate) struct ProjectKeys {
    /// Authenticates the project's guards.
    pub(crate) key: Secret,
    /// Signs what they send.
    pub(crate) signing_secret: Option<Secret>,
    /// Encrypts it: 32 bytes as padded URL-safe base64, the form that all guards read.
    pub(crate) encryption_key: Option<Secret>,
}

impl ProjectKeys {
    fn fresh(encryption: bool, signing: bool) -> anyhow::Result<Self> {
        let random = || anyhow::Ok(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?));
        Ok(Self {
            key: Secret::from(format!("{KEY_PREFIX}{}", random()?)),
            signing_secret: signing.then(random).transpose()?.map(Secret::from),
            encryption_key: encryption
                .then(|| anyhow::Ok(URL_SAFE.encode(random_bytes::<32>()?)))
                .transpose()?
                .map(Secret::from),
        })
    }
}

/// A project as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StoredProject {
    /// Drawn when it was added: another project of the same name later is another one.
    pub(crate) id: String,
    /// When it was added.
    pub(crate) created: Timestamp,
    /// By whom.
    pub(crate) created_by: String,
    /// Whether what is not signed is refused.
    pub(crate) require_signature: bool,
    current: SealedKeys,
    /// Those before the latest rotation, while they are good.
    previous: Option<PreviousKeys>,
}

#[derive(Clone, Serialize, Deserialize)]
struct PreviousKeys {
    keys: SealedKeys,
    until: Timestamp,
}

#[derive(Clone, Serialize, Deserialize)]
struct SealedKeys {
    /// SHA-256 of the key. The key has 256 random bits: nothing slower is needed.
    key_sha256: String,
    signing: Option<String>,
    encryption: Option<String>,
}

/// Keys as requests are checked with them.
pub(super) struct OpenedKeys {
    pub(super) key_sha256: [u8; 32],
    pub(super) signing: Option<Secret>,
    pub(super) encryption: Option<Secret>,
}

impl StoredProject {
    /// A new project, and its keys in the clear.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn new(
        secrets: &Secrets,
        wanted: ProjectWanted,
    ) -> anyhow::Result<(Self, ProjectKeys)> {
        let id = format!("{:032x}", u128::from_be_bytes(random_bytes::<16>()?));
        let keys = ProjectKeys::fresh(wanted.encryption, wanted.signing)?;
        let stored = Self {
            current: SealedKeys::seal(secrets, &id, &keys)?,
            id,
            created: wanted.created,
            created_by: wanted.created_by,
            require_signature: wanted.require_signature,
            previous: None,
        };
        Ok((stored, keys))
    }

    /// Makes another key and other secrets. Those of now are good until `until`, those before them no more.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn rotate(
        &mut self,
        secrets: &Secrets,
        now: Timestamp,
        until: Timestamp,
    ) -> anyhow::Result<ProjectKeys> {
        let keys = ProjectKeys::fresh(self.encrypts(), self.signs())?;
        let sealed = SealedKeys::seal(secrets, &self.id, &keys)?;
        let before = std::mem::replace(&mut self.current, sealed);
        self.previous = (until > now).then_some(PreviousKeys { keys: before, until });
        Ok(keys)
    }

    /// Whether its guards can encrypt.
    pub(crate) const fn encrypts(&self) -> bool {
        self.current.encryption.is_some()
    }

    /// Whether its guards can sign.
    pub(crate) const fn signs(&self) -> bool {
        self.current.signing.is_some()
    }

    /// Until when the keys before the latest rotation are good.
    pub(crate) fn previous_until(&self) -> Option<Timestamp> {
        self.previous.as_ref().map(|previous| previous.until)
    }

    /// The hashes of the keys that its guards may show; with those that are good for a time only, for
    /// how long.
    pub(super) fn key_digests(&self) -> Vec<([u8; 32], Option<Timestamp>)> {
        let previous =
            self.previous.as_ref().map(|previous| (&previous.keys, Some(previous.until)));
        [(&self.current, None)]
            .into_iter()
            .chain(previous)
            .filter_map(|(keys, until)| Some((digest(&keys.key_sha256)?, until)))
            .collect()
    }

    /// Opens the secrets of now.
    ///
    /// # Errors
    /// Where they were altered, or sealed under another master key.
    pub(super) fn open(&self, secrets: &Secrets) -> anyhow::Result<OpenedKeys> {
        self.current.open(secrets, &self.id)
    }

    /// Opens the secrets of before the latest rotation, where there are some.
    ///
    /// # Errors
    /// As [`open`](Self::open). A rotation is what heals a project whose secrets cannot be opened, so this
    /// keeps nobody from using those of now.
    pub(super) fn open_previous(&self, secrets: &Secrets) -> anyhow::Result<Option<OpenedKeys>> {
        self.previous.as_ref().map(|previous| previous.keys.open(secrets, &self.id)).transpose()
    }
}

impl SealedKeys {
    fn seal(secrets: &Secrets, id: &str, keys: &ProjectKeys) -> anyhow::Result<Self> {
        let seal = |purpose: &str, secret: &Option<Secret>| {
            let sealed =
                secret.as_ref().map(|it| secrets.seal(&in_project(id, purpose), it.expose()));
            sealed.transpose()
        };
        Ok(Self {
            key_sha256: sha256_hex(keys.key.expose()),
            signing: seal(SIGNING, &keys.signing_secret)?,
            encryption: seal(ENCRYPTION, &keys.encryption_key)?,
        })
    }

    fn open(&self, secrets: &Secrets, id: &str) -> anyhow::Result<OpenedKeys> {
        let open = |purpose: &str, sealed: &Option<String>| {
            let secret = sealed.as_ref().map(|it| secrets.open(&in_project(id, purpose), it));
            secret.transpose()
        };
        Ok(OpenedKeys {
            key_sha256: digest(&self.key_sha256)
                .ok_or_else(|| anyhow::anyhow!("the hash of a key is damaged"))?,
            signing: open(SIGNING, &self.signing)?,
            encryption: open(ENCRYPTION, &self.encryption)?,
        })
    }
}

const SIGNING: &str = "signing";
const ENCRYPTION: &str = "encryption";

fn in_project(id: &str, purpose: &str) -> String {
    format!("guard_project/{id}/{purpose}")
}

/// What a key is looked up by.
pub(super) fn key_digest(key: &[u8]) -> [u8; 32] {
    sha256(key)
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    (text.len() == 64).then_some(())?;
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_back() {
        assert_eq!(digest(&sha256_hex(b"key")), Some(sha256(b"key")));
        for wrong in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(digest(wrong), None, "{wrong:?}");
        }
    }
}
