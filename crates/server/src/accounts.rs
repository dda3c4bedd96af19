//! The people who may sign in, and the first credentials.

use crate::engine::now;
use crate::secrets::{random_bytes, read_private};
use anyhow::Context;
use ringwall_access::{Role, TokenRecord, hash_password, verify_password};
use ringwall_event::Timestamp;
use ringwall_lifecycle::{ReadyFile, ReadyFileError, private_file};
use ringwall_signing::Secret;
use ringwall_store::{Database, StateStore};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// The kind under which users are kept.
pub(crate) const USERS: &str = "user";
/// The kind under which tokens are kept, by their public id.
pub(crate) const TOKENS: &str = "token";
/// The first person's name.
pub(crate) const ADMIN: &str = "admin";

/// A person as they are kept, by name.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct UserRecord {
    /// What they may do.
    pub(crate) role: Role,
    /// A PHC string of argon2id.
    pub(crate) password_hash: String,
    /// When they were added.
    pub(crate) created: Timestamp,
    /// Whether they may not sign in.
    #[serde(default)]
    pub(crate) disabled: bool,
    /// When the password was last changed; none for the first.
    #[serde(default)]
    pub(crate) password_changed: Option<Timestamp>,
    /// When they last signed in.
    #[serde(default)]
    pub(crate) last_sign_in: Option<Timestamp>,
}

impl UserRecord {
    pub(crate) fn new(role: Role, password_hash: String, created: Timestamp) -> Self {
        Self {
            role,
            password_hash,
            created,
            disabled: false,
            password_changed: None,
            last_sign_in: None,
        }
    }

    /// Whether they could put everything right again.
    pub(crate) fn is_active_admin(&self) -> bool {
        self.role == Role::Admin && !self.disabled
    }
}

/// What the first administrator signs in with.
pub(crate) struct FirstCredentials {
    /// For programs.
    pub(crate) admin_token: Secret,
    /// For people; none where it was changed, or the file that held it was removed.
    pub(crate) admin_password: Option<Secret>,
}

#[derive(Serialize, Deserialize)]
struct CredentialsFile {
    admin_token: String,
    admin_password: Option<String>,
}

impl Drop for CredentialsFile {
    fn drop(&mut self) {
        self.admin_token.zeroize();
        self.admin_password.zeroize();
    }
}

impl FirstCredentials {
    /// Reads the credentials file in the data directory (mode 0600). Where it is missing it is made:
    /// with a new token, and, as long as nobody can sign in, with the first password. A password that
    /// does not open any more is taken out of it.
    ///
    /// # Errors
    /// Where the file or the database cannot be read or written.
    pub(crate) fn load(database: &Database, path: &Path) -> anyhow::Result<Self> {
        let users: Vec<(String, UserRecord)> = database.read(|session| session.documents(USERS))?;
        let file = match read(path)? {
            // Written, and then the power went before the database had it: begin again.
            Some(_) if users.is_empty() => None,
            other => other,
        };
        let mut file = match file {
            Some(file) => file,
            None => return Ok(Self::of(&make(database, path, users.is_empty())?)),
        };
        let admin = users.iter().find(|(name, _)| name == ADMIN).map(|(_, admin)| admin);
        let opens = |password: &str| {
            let hash = admin.map(|admin| admin.password_hash.as_str());
            verify_password(&Secret::from(password), hash)
        };
        if file.admin_password.as_deref().is_some_and(|password| !opens(password)) {
            file.admin_password.zeroize();
            file.admin_password = None;
            write(path, &file)?;
        }
        Ok(Self::of(&file))
    }

    fn of(file: &CredentialsFile) -> Self {
        Self {
            admin_token: Secret::from(file.admin_token.as_str()),
            admin_password: file.admin_password.as_deref().map(Secret::from),
        }
    }
}

/// Where the first password stands in the clear, for whoever starts the server.
#[derive(Debug, Default)]
pub(crate) struct FirstPassword {
    /// The file of the first credentials; none in tests.
    pub(crate) credentials: Option<PathBuf>,
    /// The ready files of this run.
    pub(crate) ready_files: Vec<PathBuf>,
}

impl FirstPassword {
    /// Takes it out everywhere, as it opens nothing any more.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub(crate) fn forget(&self) -> anyhow::Result<()> {
        if let Some(path) = &self.credentials
            && let Some(mut file) = read(path)?
            && file.admin_password.is_some()
        {
            file.admin_password.zeroize();
            file.admin_password = None;
            write(path, &file)?;
        }
        for path in &self.ready_files {
            let mut ready = match ReadyFile::read(path) {
                Ok(ready) => ready,
                // Removed: the server stops, or somebody tidied up.
                Err(ReadyFileError::Missing(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            if !ready.admin_password.is_empty() {
                ready.admin_password.zeroize();
                ready.write(path).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<Option<CredentialsFile>> {
    let Some(bytes) = read_private(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .with_context(|| format!("{} is damaged", path.display()))
}

fn write(path: &Path, file: &CredentialsFile) -> anyhow::Result<()> {
    let bytes = Zeroizing::new(serde_json::to_vec(file)?);
    private_file::write(path, &bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn make(database: &Database, path: &Path, with_user: bool) -> anyhow::Result<CredentialsFile> {
    let random = random_bytes::<40>()?;
    let token = TokenRecord::create("first administrator", Role::Admin, None, None, &random, now());
    let password = if with_user { Some(readable_password()?) } else { None };
    let user = match &password {
        None => None,
        Some(password) => {
            let hash = hash_password(&Secret::from(password.as_str()), &random_bytes::<16>()?)?;
            Some(UserRecord::new(Role::Admin, hash, now()))
        }
    };
    let file = CredentialsFile {
        admin_token: String::from_utf8(token.text.expose().to_vec())?,
        admin_password: password,
    };
    // The file first: were the database first and the power gone, nobody could sign in.
    write(path, &file)?;
    database.write_now(|session| {
        if let Some(user) = &user {
            session.put_document(USERS, ADMIN, user)?;
        }
        session.put_document(TOKENS, &token.record.id, &token.record)
    })?;
    Ok(file)
}

/// Four groups of five letters and digits that nobody confuses: 96 bits and more.
pub(crate) fn readable_password() -> anyhow::Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random = random_bytes::<20>()?;
    let mut password = String::with_capacity(23);
    for (position, byte) in random.iter().enumerate() {
        if position > 0 && position % 5 == 0 {
            password.push('-');
        }
        let letter = LETTERS.get(usize::from(byte & 31)).copied().unwrap_or(b'a');
        password.push(char::from(letter));
    }
    Ok(password)
}
