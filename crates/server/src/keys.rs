//! The keys of SysScore agents: whose signature is whose.

use crate::engine::{Engine, TakeError, Writing};
use crate::secrets::{Secrets, random_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::RwLock;
use ringwall_event::Timestamp;
use ringwall_signing::Secret;
use ringwall_store::{Database, StateStore, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Which family a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyKind {
    /// Signs bodies of the SysScore dialect.
    #[serde(rename = "sysscore")]
    SysScore,
}

impl KeyKind {
    /// The name on the command line and in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SysScore => "sysscore",
        }
    }

    /// The kind of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::SysScore].into_iter().find(|kind| kind.name() == name)
    }
}

/// What may be told of a key.
#[derive(Clone, Debug)]
pub(crate) struct KeyFacts {
    /// Its family.
    pub kind: KeyKind,
    /// The agent's name.
    pub name: String,
    /// When it was made; none for keys from the environment.
    pub created: Option<Timestamp>,
    /// When it last signed something that was accepted, since the server started.
    pub last_used: Option<Timestamp>,
    /// Whether it came from `AGENT_KEYS` instead of the database.
    pub from_environment: bool,
}

/// Why a key was not made or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum KeyError {
    /// There is one already.
    #[error("there is a {kind} key for `{name}` already", kind = .0.name(), name = .1)]
    Exists(KeyKind, String),
    /// There is none.
    #[error("there is no {kind} key for `{name}`", kind = .0.name(), name = .1)]
    Missing(KeyKind, String),
    /// It stands in the environment and can only be changed there.
    #[error("the key for `{0}` comes from the environment (AGENT_KEYS); change it there")]
    FromEnvironment(String),
    /// Names have 1 to 128 visible characters.
    #[error("an agent's name has 1 to 128 visible characters")]
    BadName,
    /// Secrets have 8 to 1,024 bytes.
    #[error("a secret has 8 to 1,024 bytes")]
    BadSecret,
    /// Nothing was changed.
    #[error(transparent)]
    Take(#[from] TakeError),
    /// The secret could not be sealed.
    #[error("{0}")]
    Sealing(String),
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    sealed: String,
    created: Timestamp,
}

struct HeldKey {
    secret: Arc<Secret>,
    created: Option<Timestamp>,
    last_used: Option<Timestamp>,
    from_environment: bool,
}

type Held = Arc<RwLock<HashMap<(KeyKind, String), HeldKey>>>;

/// All keys, in memory and sealed in the database.
pub(crate) struct KeyRing {
    held: Held,
    /// Checked in place of an unknown agent's, so that both refusals take the same work.
    nobody: Arc<Secret>,
}

const SECRET_BYTES_MIN: usize = 8;
const SECRET_BYTES_MAX: usize = 1024;
const NAME_CHARS_MAX: usize = 128;

impl KeyRing {
    /// Opens the stored keys; those of `environment` stand before stored ones of the same name.
    ///
    /// # Errors
    /// Where the database cannot be read or a key cannot be opened.
    pub(crate) fn load(
        database: &Database,
        secrets: &Secrets,
        environment: &BTreeMap<String, Secret>,
    ) -> anyhow::Result<Self> {
        let mut held = HashMap::new();
        for kind in [KeyKind::SysScore] {
            let stored: Vec<(String, StoredKey)> =
                database.read(|session| session.documents(&document_kind(kind)))?;
            for (name, key) in stored {
                let secret = Arc::new(secrets.open(&purpose(kind, &name), &key.sealed)?);
                let key = HeldKey {
                    secret,
                    created: Some(key.created),
                    last_used: None,
                    from_environment: false,
                };
                held.insert((kind, name), key);
            }
        }
        for (name, secret) in environment {
            let key = HeldKey {
                secret: Arc::new(secret.clone()),
                created: None,
                last_used: None,
                from_environment: true,
            };
            held.insert((KeyKind::SysScore, name.clone()), key);
        }
        let nobody = Arc::new(Secret::from(random_bytes::<32>()?.as_slice()));
        Ok(Self { held: Arc::new(RwLock::new(held)), nobody })
    }

    /// The secret to check a signature of `name` with, and whether the name is known. For an
    /// unknown name it is a secret that signs nothing: check, then refuse either way.
    pub(crate) fn secret(&self, kind: KeyKind, name: &str) -> (Arc<Secret>, bool) {
        match self.held.read().get(&(kind, name.to_owned())) {
            Some(key) => (Arc::clone(&key.secret), true),
            None => (Arc::clone(&self.nobody), false),
        }
    }

    /// Whether there is a key of this kind and name.
    pub(crate) fn knows(&self, kind: KeyKind, name: &str) -> bool {
        self.held.read().contains_key(&(kind, name.to_owned()))
    }

    /// Notes that a key signed something that was accepted.
    pub(crate) fn used(&self, kind: KeyKind, name: &str, now: Timestamp) {
        // Once a second is fine enough, and keeps the lock shared nearly always.
        let recent =
            |key: &HeldKey| key.last_used.is_some_and(|at| now.micros_since(at) < 1_000_000);
        let key = (kind, name.to_owned());
        if self.held.read().get(&key).is_none_or(recent) {
            return;
        }
        if let Some(held) = self.held.write().get_mut(&key) {
            held.last_used = Some(now);
        }
    }

    /// All keys by kind and name, without their secrets.
    pub(crate) fn list(&self) -> Vec<KeyFacts> {
        let mut facts: Vec<KeyFacts> = self
            .held
            .read()
            .iter()
            .map(|((kind, name), key)| KeyFacts {
                kind: *kind,
                name: name.clone(),
                created: key.created,
                last_used: key.last_used,
                from_environment: key.from_environment,
            })
            .collect();
        facts.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        facts
    }

    /// Makes a key, with the given secret or a random one, and returns the secret.
    ///
    /// # Errors
    /// Where the name is taken or unfit, the secret is unfit, or nothing can be stored.
    pub(crate) async fn create(
        &self,
        engine: &Engine,
        secrets: &Secrets,
        kind: KeyKind,
        name: &str,
        secret: Option<Secret>,
        audit: impl FnOnce(&mut Writing<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<Arc<Secret>, KeyError> {
        if !is_name(name) {
            return Err(KeyError::BadName);
        }
        if self.knows(kind, name) {
            return Err(KeyError::Exists(kind, name.to_owned()));
        }
        let secret = match secret {
            Some(secret) => secret,
            None => fresh_secret().map_err(|error| KeyError::Sealing(error.to_string()))?,
        };
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
            return Err(KeyError::BadSecret);
        }
        let sealed = secrets
            .seal(&purpose(kind, name), secret.expose())
            .map_err(|error| KeyError::Sealing(error.to_string()))?;
        let secret = Arc::new(secret);
        let (key, held, given) = (name.to_owned(), Arc::clone(&self.held), Arc::clone(&secret));
        let is_new = engine
            .write(move |writing| {
                let documents = document_kind(kind);
                if writing.session.document::<StoredKey>(&documents, &key)?.is_some() {
                    return Ok(false);
                }
                audit(writing)?;
                let created = writing.now;
                writing.session.put_document(&documents, &key, &StoredKey { sealed, created })?;
                writing.after_commit(move || {
                    let entry = HeldKey {
                        secret: given,
                        created: Some(created),
                        last_used: None,
                        from_environment: false,
                    };
                    held.write().insert((kind, key), entry);
                });
                Ok(true)
            })
            .await?;
        if !is_new {
            return Err(KeyError::Exists(kind, name.to_owned()));
        }
        Ok(secret)
    }

    /// Removes a key: what it signs is refused from now on.
    ///
    /// # Errors
    /// Where there is none, or it comes from the environment, or nothing can be stored.
    pub(crate) async fn delete(
        &self,
        engine: &Engine,
        kind: KeyKind,
        name: &str,
        audit: impl FnOnce(&mut Writing<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), KeyError> {
        let key = (kind, name.to_owned());
        match self.held.read().get(&key) {
            None => return Err(KeyError::Missing(kind, name.to_owned())),
            Some(held) if held.from_environment => {
                return Err(KeyError::FromEnvironment(name.to_owned()));
            }
            Some(_) => {}
        }
        let held = Arc::clone(&self.held);
        engine
            .write(move |writing| {
                audit(writing)?;
                writing.session.delete_document(&document_kind(kind), &key.1)?;
                writing.after_commit(move || drop(held.write().remove(&key)));
                Ok(())
            })
            .await?;
        Ok(())
    }
}

fn fresh_secret() -> anyhow::Result<Secret> {
    Ok(Secret::from(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?).as_str()))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn document_kind(kind: KeyKind) -> String {
    format!("key/{}", kind.name())
}

fn purpose(kind: KeyKind, name: &str) -> String {
    format!("key/{}/{name}", kind.name())
}
