//! The first person and the first token.

use crate::engine::now;
use crate::secrets::{random_bytes, read_private};
use anyhow::Context;
use ringwall_access::{Role, TokenRecord, hash_password};
use ringwall_event::Timestamp;
use ringwall_lifecycle::private_file;
use ringwall_signing::Secret;
use ringwall_store::{Database, StateStore};
use serde::{Deserialize, Serialize};
use std::path::Path;
use zeroize::Zeroizing;

/// The kind under which users are kept.
pub(crate) const USERS: &str = "user";
/// The kind under which tokens are kept, by their public id.
pub(crate) const TOKENS: &str = "token";
/// The first person's name.
pub(crate) const ADMIN: &str = "admin";

/// A person as they are kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct UserRecord {
    /// What they may do.
    pub(crate) role: Role,
    /// A PHC string of argon2id.
    pub(crate) password_hash: String,
    /// When they were added.
    pub(crate) created: Timestamp,
}

/// What the first administrator signs in with.
pub(crate) struct FirstCredentials {
    /// For programs.
    pub(crate) admin_token: Secret,
    /// For people; none where the file that held it was removed.
    pub(crate) admin_password: Option<Secret>,
}

#[derive(Serialize, Deserialize)]
struct CredentialsFile {
    admin_token: String,
    admin_password: Option<String>,
}

impl FirstCredentials {
    /// Reads the credentials file in the data directory (mode 0600). Where it is missing it is made:
    /// with a new token, and, as long as there is no administrator, with the first password.
    ///
    /// # Errors
    /// Where the file or the database cannot be read or written.
    pub(crate) fn load(database: &Database, path: &Path) -> anyhow::Result<Self> {
        let admin: Option<UserRecord> = database.read(|session| session.document(USERS, ADMIN))?;
        let file: Option<CredentialsFile> = match read_private(path)? {
            // Written, and then the power went before the database had it: begin again.
            Some(_) if admin.is_none() => None,
            None => None,
            Some(bytes) => Some(
                serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is damaged", path.display()))?,
            ),
        };
        let file = match file {
            Some(file) => file,
            None => make(database, path, admin.is_none())?,
        };
        Ok(Self {
            admin_token: Secret::from(file.admin_token),
            admin_password: file.admin_password.map(Secret::from),
        })
    }
}

fn make(database: &Database, path: &Path, with_user: bool) -> anyhow::Result<CredentialsFile> {
    let random = random_bytes::<40>()?;
    let token = TokenRecord::create("first administrator", Role::Admin, None, None, &random, now());
    let password = if with_user { Some(readable_password()?) } else { None };
    let user = match &password {
        None => None,
        Some(password) => Some(UserRecord {
            role: Role::Admin,
            password_hash: hash_password(&Secret::from(password.as_str()), &random_bytes::<16>()?)?,
            created: now(),
        }),
    };
    let file = CredentialsFile {
        admin_token: String::from_utf8(token.text.expose().to_vec())?,
        admin_password: password,
    };
    // The file first: were the database first and the power gone, nobody could sign in.
    let bytes = Zeroizing::new(serde_json::to_vec(&file)?);
    private_file::write(path, &bytes)
        .with_context(|| format!("cannot write {}", path.display()))?;
    database.write_now(|session| {
        if let Some(user) = &user {
            session.put_document(USERS, ADMIN, user)?;
        }
        session.put_document(TOKENS, &token.record.id, &token.record)
    })?;
    Ok(file)
}

/// Four groups of five letters and digits that nobody confuses: 96 bits and more.
fn readable_password() -> anyhow::Result<String> {
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
