//! Replacing the key that this agent signs with, so that whatever step it breaks off at, a key is left that
//! the server accepts.
//!
//! 1. The new key is on the disk, beside the present one.
//! 2. The server hears of it, by a request that the present key signs. From now on it accepts both.
//! 3. The new key takes the place of the present one on the disk.
//! 4. With its first use the server forgets the old one.
//!
//! Broken off before 2, the present key goes on, and the next attempt brings the same new key. Broken off
//! before 3, the same: the server hears again of what it knows. Broken off before 4, the new key is used,
//! which the server knows.

use crate::identity::{self, Identity, KeySeed};
use anyhow::Result;
use ringwall_event::Timestamp;
use ringwall_lifecycle::Failure;
use ringwall_server_client::AgentClient;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How often the agent looks whether its key is old, or somebody replaced it.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After an attempt that failed.
const PAUSE: Duration = Duration::from_secs(600);

/// Keeps the key of a running agent young, and takes over one that `rotate-key` made.
pub(crate) struct Rotation {
    pub(crate) client: AgentClient,
    pub(crate) state_dir: PathBuf,
    /// How old a key may become; zero for any age.
    pub(crate) every: Duration,
}

impl Rotation {
    pub(crate) async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut pause = LOOK_EVERY;
        loop {
            tokio::select! {
                () = sleep(pause) => {}
                _ = shutdown.wait_for(|asked| *asked) => return,
            }
            pause = LOOK_EVERY;
            let identity = match Identity::load(&self.state_dir) {
                Ok(Some(identity)) => identity,
                // Run without an identity of its own, or somebody is just enrolling again.
                Ok(None) => continue,
                Err(error) => {
                    tracing::debug!(%error, "the identity cannot be read");
                    continue;
                }
            };
            if identity.name != self.client.name() {
                tracing::debug!(name = identity.name, "enrolled anew under another name");
                continue;
            }
            if let Ok(key) = identity.signing_key()
                && key.public_key().id() != self.client.key_id()
            {
                tracing::info!(key = key.public_key().id(), "the key was replaced");
                self.client.use_key(key);
            }
            if !is_old(identity.key_made, self.every, crate::now()) {
                continue;
            }
            if let Err(error) = rotate(&self.client, &self.state_dir).await {
                tracing::warn!(error = %format!("{error:#}"), "the key was not replaced");
                pause = PAUSE;
            }
        }
    }
}

fn is_old(made: Timestamp, every: Duration, now: Timestamp) -> bool {
    let age = u64::try_from(now.micros_since(made)).unwrap_or(0);
    !every.is_zero() && Duration::from_micros(age) >= every
}

/// Replaces the key. The client signs with the new one from then on.
///
/// # Errors
/// Where the server cannot be reached or refuses, or the state directory cannot be written. The present
/// key goes on then.
pub(crate) async fn rotate(client: &AgentClient, state_dir: &Path) -> Result<Identity> {
    let next = prepare(client, state_dir).await?;
    let key = next.signing_key()?;
    tracing::info!(key = key.public_key().id(), "the key was replaced");
    client.use_key(key);
    Ok(next)
}

/// Steps 1 to 3: leaves the first use of the new key to whoever runs with this identity.
///
/// # Errors
/// As [`rotate`].
pub(crate) async fn prepare(client: &AgentClient, state_dir: &Path) -> Result<Identity> {
    let dir = state_dir.to_owned();
    let (_held, mut identity) = tokio::task::spawn_blocking(move || {
        let held = identity::lock(&dir)?;
        let identity = Identity::load(&dir)?.ok_or_else(not_enrolled)?;
        Ok::<_, anyhow::Error>((held, identity))
    })
    .await??;
    let seed = match identity.next_key.clone() {
        Some(seed) if seed.key().is_ok() => seed,
        _ => {
            let seed = KeySeed::draw()?;
            identity.next_key = Some(seed.clone());
            identity.store(state_dir)?;
            seed
        }
    };
    // Somebody may have replaced the key since this program read it.
    client.use_key(identity.signing_key()?);
    client.rotate(&seed.key()?.public_key()).await?;
    let identity = Identity { key: seed, key_made: crate::now(), next_key: None, ..identity };
    identity.store(state_dir)?;
    Ok(identity)
}

pub(crate) fn not_enrolled() -> Failure {
    Failure::new("this host is not enrolled")
        .hint("run `ringwall hosts enrol` where the server is, and what it prints here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_old_after_its_time() {
        let made = Timestamp::from_micros(1_000_000);
        let day = Duration::from_secs(86_400);
        for (every, seconds, expected) in [
            (day, 0, false),
            (day, 86_399, false),
            (day, 86_400, true),
            (day, -5, false),
            (Duration::ZERO, 1 << 40, false),
        ] {
            assert_eq!(is_old(made, every, made.plus_seconds(seconds)), expected, "{seconds} s");
        }
    }
}
