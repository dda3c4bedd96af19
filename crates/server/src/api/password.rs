//! Passwords: hashed and compared off the threads that serve requests, a few at a time.

use super::problem::ApiError;
use crate::accounts::readable_password;
use crate::secrets::random_bytes;
use crate::server::Server;
use ringwall_access::{check_new_password, hash_password, verify_password};
use ringwall_server_api::{Problem, ProblemKind, SecretText};
use ringwall_signing::Secret;
use std::sync::Arc;
use std::time::Duration;

/// How long one waits for those before it.
const WAIT: Duration = Duration::from_secs(5);

/// Whether the password is right; it takes as long where there is no hash.
pub(super) async fn is_right(
    server: &Server,
    password: Secret,
    hash: Option<String>,
) -> Result<bool, ApiError> {
    work(server, move || verify_password(&password, hash.as_deref())).await
}

/// The hash to keep.
pub(super) async fn hash(server: &Server, password: Secret) -> Result<String, ApiError> {
    let salt = random_bytes::<16>().map_err(|error| ApiError::internal(&error))?;
    let hash = work(server, move || hash_password(&password, &salt)).await?;
    hash.map_err(|error| ApiError::internal(&error))
}

/// A new password for somebody: what was given, where it is good enough, or one that is made now and
/// told once.
pub(super) fn new(
    field: &str,
    given: Option<&SecretText>,
    user: &str,
) -> Result<(Secret, Option<SecretText>), ApiError> {
    let Some(given) = given else {
        let made = readable_password().map_err(|error| ApiError::internal(&error))?;
        return Ok((Secret::from(made.as_str()), Some(SecretText::from(made))));
    };
    let password = Secret::from(given.expose());
    check_new_password(&password, user)
        .map_err(|error| Problem::invalid_field(field, error.to_string()))?;
    Ok((password, None))
}

async fn work<T: Send + 'static>(
    server: &Server,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let places = Arc::clone(&server.sign_in.passwords);
    let place = tokio::time::timeout(WAIT, places.acquire_owned()).await;
    let Ok(Ok(place)) = place else {
        return Err(ApiError::new(ProblemKind::Busy, "too many people sign in at once").after(1));
    };
    // The place is given back when the work is done, not when nobody waits for it any more.
    let job = move || {
        let done = job();
        drop(place);
        done
    };
    tokio::task::spawn_blocking(job).await.map_err(|error| ApiError::internal(&error))
}
