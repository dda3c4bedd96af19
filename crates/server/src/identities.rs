//! The identities of host agents: whose signature is whose, and whether it still counts.

mod clones;
mod enrol;

pub(crate) use clones::CloneEvidence;
pub(crate) use enrol::EnrolError;

use crate::engine::{Engine, TakeError, Writing, accepted_up_to};
use crate::secrets::random_bytes;
use parking_lot::{Mutex, RwLock};
use ringwall_access::{
    AuditEntry, EnrolmentFailures, Freshness, IdentityRecord, IdentityState, KeyStanding, Outcome,
    ReplayError, ReplayWindow, RunWatch,
};
use ringwall_event::{CommandState, Source, Timestamp};
use ringwall_signing::request_signature::Genuine;
use ringwall_signing::{PublicKey, SigningKey};
use ringwall_store::{Database, StateStore, StoreError};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The kind under which identities are kept, by name.
const IDENTITIES: &str = "identity";
/// Which identity a machine enrolled as last, by the digest of the machine.
const MACHINES: &str = "identity-machine";
/// Up to which second the requests of an agent whose clock is ahead may have been accepted, by name.
const HORIZONS: &str = "identity-horizon";
/// The kind under which leave to enrol is kept, by id.
pub(crate) const ENROLMENTS: &str = "enrolment";
/// Where the shared secrets of host agents were kept before each had a key of its own.
const SHARED_SECRETS: &str = "key/host-agent";

/// By so much may a clock be ahead for what was signed before a change to seem signed after it.
const UNDER_WAY_SECONDS: i64 = 5;
const HOST_AGENTS_MAX: usize = 20_000;
/// In ten minutes: more than forty requests a second.
const NONCES_MAX: usize = 25_000;
const FAILING_ADDRESSES_MAX: usize = 10_000;

type Held = Arc<RwLock<HashMap<Box<str>, HeldIdentity>>>;

struct HeldIdentity {
    record: Arc<IdentityRecord>,
    last_used: Option<Timestamp>,
    address: Option<IpAddr>,
    runs: RunWatch,
    /// When somebody was last told that this identity is used twice.
    told: Option<Timestamp>,
}

impl HeldIdentity {
    fn new(record: IdentityRecord) -> Self {
        Self {
            record: Arc::new(record),
            last_used: None,
            address: None,
            runs: RunWatch::default(),
            told: None,
        }
    }
}

/// Which host agents have an identity, as of now: shares the memory of [`Identities`].
///
/// In whatever state it is: what an unauthenticated client claims of a host does not gain weight by the
/// host's own agent being shut out.
#[derive(Clone, Default)]
pub(crate) struct Enrolled(Held);

impl Enrolled {
    /// Whether the host agent of this name has an identity.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.read().contains_key(name)
    }

    /// The names of all that have one, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.read().keys().map(ToString::to_string).collect();
        names.sort_unstable();
        names
    }

    /// The same, whatever the case of the letters: as hosts are named.
    pub(crate) fn contains_host(&self, hostname: &str) -> bool {
        self.0.read().keys().any(|name| name.eq_ignore_ascii_case(hostname))
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
impl Enrolled {
    /// For tests without a server: this one agent is enrolled.
    pub(crate) fn of(name: &str) -> Self {
        let enrolled = Self::default();
        let record = tests::record(SigningKey::from_seed(&[1; 32]).public_key());
        enrolled.0.write().insert(name.into(), HeldIdentity::new(record));
        enrolled
    }
}

/// What may be told of an identity.
#[derive(Clone, Debug)]
pub(crate) struct IdentityFacts {
    pub(crate) name: String,
    pub(crate) record: Arc<IdentityRecord>,
    /// When it last signed something that was accepted, since the server started.
    pub(crate) last_used: Option<Timestamp>,
    /// From where.
    pub(crate) address: Option<IpAddr>,
}

/// Why a request with a right signature is not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAccepted {
    /// Sent again, stale, or from the future.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Signed with a key that was replaced.
    #[error("signed with a key that was replaced")]
    RetiredKey,
    /// The identity is gone, or has other keys now.
    #[error("the identity is gone")]
    Gone,
    /// Somebody said so.
    #[error("the identity is revoked")]
    Revoked,
    /// Two machines used it.
    #[error("the identity is suspended")]
    Suspended,
    /// What must be on the disk first is not.
    #[error(transparent)]
    Take(#[from] TakeError),
}

/// All identities, in memory and in the database.
pub(crate) struct Identities {
    held: Held,
    replays: Mutex<ReplayWindow>,
    pub(crate) failures: Mutex<EnrolmentFailures>,
    /// Checked in place of an unknown agent's key, so that both refusals take the same work.
    nobody: PublicKey,
    /// Whether an identity that two machines use is suspended.
    suspends_clones: bool,
}

impl Identities {
    /// Reads the stored identities. Shared secrets of earlier versions are removed: they open nothing.
    ///
    /// # Errors
    /// Where the database cannot be read or written.
    pub(crate) fn load(
        database: &Database,
        suspends_clones: bool,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let stored: Vec<(String, IdentityRecord)> =
            database.read(|session| session.documents(IDENTITIES))?;
        let horizons: Vec<(String, i64)> = database.read(|session| session.documents(HORIZONS))?;
        let held = stored
            .into_iter()
            .map(|(name, record)| (name.into_boxed_str(), HeldIdentity::new(record)))
            .collect();
        remove_shared_secrets(database)?;
        let began = began(now, accepted_up_to(database)?);
        let replays = ReplayWindow::new(HOST_AGENTS_MAX, NONCES_MAX, began, horizons);
        Ok(Self {
            held: Arc::new(RwLock::new(held)),
            replays: Mutex::new(replays),
            failures: Mutex::new(EnrolmentFailures::new(FAILING_ADDRESSES_MAX)),
            nobody: SigningKey::from_seed(&random_bytes::<32>()?).public_key(),
            suspends_clones,
        })
    }

    /// Which host agents have an identity.
    pub(crate) fn enrolled(&self) -> Enrolled {
        Enrolled(Arc::clone(&self.held))
    }

    /// The key to check a signature with, and how it stands; for an unknown agent or key one that signed
    /// nothing: check, then refuse either way.
    pub(crate) fn key(&self, agent: &str, key_id: &str) -> (PublicKey, Option<KeyStanding>) {
        let found = self.held.read().get(agent).and_then(|held| held.record.find_key(key_id));
        match found {
            Some((key, standing)) => (key, Some(standing)),
            None => (self.nobody, None),
        }
    }

    /// Accepts a request whose signature holds: fresh, and of an identity that counts. The first use of a
    /// next key finishes a rotation, on the disk, before anything else is done.
    ///
    /// # Errors
    /// Where it is not accepted.
    pub(crate) async fn accept(
        &self,
        engine: &Engine,
        genuine: &Genuine,
        standing: KeyStanding,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), NotAccepted> {
        let agent = genuine.agent();
        let fresh = self.replays.lock().accept(agent, genuine.created(), genuine.nonce(), now)?;
        if let Freshness::WriteHorizon(horizon) = fresh {
            write_horizon(engine, agent, horizon).await?;
            self.replays.lock().horizon_written(agent, horizon);
        }
        // What is signed for the future has its own horizon, and one agent's clock is not everybody's.
        engine.note_accepted(genuine.created().min(now.as_seconds()));
        if standing == KeyStanding::Retired {
            return Err(NotAccepted::RetiredKey);
        }
        self.check(agent, genuine.key_id())?;
        if standing == KeyStanding::Next {
            self.finish_rotation(engine, agent, genuine.key_id()).await?;
        }
        self.used(agent, address, now);
        Ok(())
    }

    /// Whether an agent that was accepted before still is: for answers that take long.
    ///
    /// # Errors
    /// Where it is not.
    pub(crate) fn check(&self, agent: &str, key_id: &str) -> Result<(), NotAccepted> {
        let held = self.held.read();
        let record = &held.get(agent).ok_or(NotAccepted::Gone)?.record;
        match record.find_key(key_id) {
            Some((_, KeyStanding::Current | KeyStanding::Next)) => {}
            Some((_, KeyStanding::Retired)) => return Err(NotAccepted::RetiredKey),
            None => return Err(NotAccepted::Gone),
        }
        match record.state {
            IdentityState::Active => Ok(()),
            IdentityState::Revoked => Err(NotAccepted::Revoked),
            IdentityState::Suspended => Err(NotAccepted::Suspended),
        }
    }

    /// An agent's wish to replace its key.
    ///
    /// # Errors
    /// Where nothing can be stored; whether the identity is still there.
    pub(crate) async fn prepare_rotation(
        &self,
        engine: &Engine,
        agent: &str,
        key: PublicKey,
    ) -> Result<bool, TakeError> {
        self.change(engine, agent, move |record, _| {
            record.prepare_rotation(key);
            Ok(())
        })
        .await
    }

    async fn finish_rotation(
        &self,
        engine: &Engine,
        agent: &str,
        key_id: &str,
    ) -> Result<(), TakeError> {
        let key_id = key_id.to_owned();
        let actor = Source::new(Source::HOST_AGENT, agent).to_string();
        self.change(engine, agent, move |record, writing| {
            if !record.finish_rotation(&key_id, writing.now) {
                return Ok(());
            }
            let reason = format!("it signs with key {key_id} now");
            let permitted = Outcome::Permitted;
            let entry =
                AuditEntry::new(writing.now, &actor, "rotate_key", &actor, permitted, &reason);
            writing.audit(&entry)
        })
        .await?;
        Ok(())
    }

    /// Changes the state of an identity; whether there is one. Requests that its agent holds open end.
    ///
    /// # Errors
    /// Where nothing can be stored.
    pub(crate) async fn set_state(
        &self,
        engine: &Engine,
        name: &str,
        state: IdentityState,
        warning: Option<String>,
        audit: impl FnOnce(&mut Writing<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<bool, TakeError> {
        self.change(engine, name, move |record, writing| {
            record.state = state;
            record.warning = warning;
            audit(writing)
        })
        .await
    }

    /// Forgets an identity; whether there was one. The name is free again.
    ///
    /// # Errors
    /// Where nothing can be stored.
    pub(crate) async fn remove(
        &self,
        engine: &Engine,
        name: &str,
        audit: impl FnOnce(&mut Writing<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<bool, TakeError> {
        let (held, key) = (Arc::clone(&self.held), name.to_owned());
        let removed = engine
            .write(move |writing| {
                let known: Option<IdentityRecord> = writing.session.document(IDENTITIES, &key)?;
                let Some(known) = known else { return Ok(false) };
                audit(writing)?;
                writing.session.delete_document(IDENTITIES, &key)?;
                writing.session.delete_document(HORIZONS, &key)?;
                if let Some(machine) = &known.machine
                    && writing.session.document::<String>(MACHINES, machine)?.as_ref() == Some(&key)
                {
                    writing.session.delete_document(MACHINES, machine)?;
                }
                withdraw_commands(writing, &key, "the host was forgotten")?;
                let source = Source::new(Source::HOST_AGENT, &key);
                writing.after_commit(move || drop(held.write().remove(key.as_str())));
                writing.ring(source);
                Ok(true)
            })
            .await?;
        if removed {
            self.replays.lock().forget(name);
        }
        Ok(removed)
    }

    /// Whether something was signed in this second well after the identity got the key that it has.
    pub(crate) fn was_signed_after_change(&self, name: &str, created: i64) -> bool {
        self.held.read().get(name).is_some_and(|held| {
            let record = &held.record;
            let changed = record.rotated.unwrap_or(record.enrolled).max(record.enrolled);
            created.saturating_mul(1_000_000) > changed.plus_seconds(UNDER_WAY_SECONDS).as_micros()
        })
    }

    /// All identities by name.
    pub(crate) fn list(&self) -> Vec<IdentityFacts> {
        let mut facts: Vec<IdentityFacts> =
            self.held.read().iter().map(|(name, held)| facts(name, held)).collect();
        facts.sort_by(|a, b| a.name.cmp(&b.name));
        facts
    }

    /// One identity.
    pub(crate) fn find(&self, name: &str) -> Option<IdentityFacts> {
        self.held.read().get_key_value(name).map(|(name, held)| facts(name, held))
    }

    fn used(&self, name: &str, address: IpAddr, now: Timestamp) {
        // Once a second is fine enough, and keeps the lock shared nearly always.
        let recent = |held: &HeldIdentity| {
            held.address == Some(address)
                && held.last_used.is_some_and(|at| now.micros_since(at) < 1_000_000)
        };
        if self.held.read().get(name).is_none_or(recent) {
            return;
        }
        if let Some(held) = self.held.write().get_mut(name) {
            held.last_used = Some(now);
            held.address = Some(address);
        }
    }

    /// Changes an identity on the disk, then in memory; whether there is one.
    async fn change(
        &self,
        engine: &Engine,
        name: &str,
        change: impl FnOnce(&mut IdentityRecord, &mut Writing<'_>) -> Result<(), StoreError>
        + Send
        + 'static,
    ) -> Result<bool, TakeError> {
        let (held, name) = (Arc::clone(&self.held), name.to_owned());
        engine
            .write(move |writing| {
                let known: Option<IdentityRecord> = writing.session.document(IDENTITIES, &name)?;
                let Some(mut record) = known else { return Ok(false) };
                change(&mut record, writing)?;
                put(writing, &held, name, record)?;
                Ok(true)
            })
            .await
    }
}

/// Writes an identity down; with the commit it is the one in force, and requests that its agent holds open
/// look at it again.
fn put(
    writing: &mut Writing<'_>,
    held: &Held,
    name: String,
    record: IdentityRecord,
) -> Result<(), StoreError> {
    writing.session.put_document(IDENTITIES, &name, &record)?;
    let source = Source::new(Source::HOST_AGENT, &name);
    let held = Arc::clone(held);
    writing.after_commit(move || match held.write().entry(name.into_boxed_str()) {
        std::collections::hash_map::Entry::Occupied(mut entry) => {
            let held = entry.get_mut();
            let is_settled = held.record.warning.is_some() && record.warning.is_none();
            let is_same = held.record.enrolled == record.enrolled
                && held.record.state == record.state
                && !is_settled;
            if is_same {
                held.record = Arc::new(record);
            } else {
                held.begin_anew(record);
            }
        }
        std::collections::hash_map::Entry::Vacant(entry) => {
            entry.insert(HeldIdentity::new(record));
        }
    });
    writing.ring(source);
    Ok(())
}

/// Takes back what waits for a host: it was meant for the machine that had the name.
fn withdraw_commands(writing: &mut Writing<'_>, name: &str, why: &str) -> Result<(), StoreError> {
    let source = Source::new(Source::HOST_AGENT, name);
    for command in writing.open_commands(&source)? {
        let state = CommandState::Withdrawn;
        writing.finish_command(Some(&source), &command.id, state, why, "rule:identity")?;
    }
    Ok(())
}

fn facts(name: &str, held: &HeldIdentity) -> IdentityFacts {
    IdentityFacts {
        name: name.to_owned(),
        record: Arc::clone(&held.record),
        last_used: held.last_used,
        address: held.address,
    }
}

/// From when on requests are accepted: from the start, but not from before what an earlier run accepted, as
/// where the clock was set back in between.
fn began(now: Timestamp, accepted: Option<i64>) -> Timestamp {
    let accepted = Timestamp::from_micros(accepted.unwrap_or(i64::MIN).saturating_mul(1_000_000));
    if accepted > now.plus_seconds(1) {
        tracing::warn!(
            seconds = accepted.micros_since(now) / 1_000_000,
            "the clock was set back: host agents are refused until it is where it was, as what they sign \
             cannot be told from what was recorded then"
        );
    }
    now.max(accepted)
}

async fn write_horizon(engine: &Engine, agent: &str, horizon: i64) -> Result<(), TakeError> {
    let agent = agent.to_owned();
    engine
        .write(move |writing| {
            // Requests of one agent may be written in another order than they were looked at.
            let known: Option<i64> = writing.session.document(HORIZONS, &agent)?;
            if known.is_none_or(|known| known < horizon) {
                writing.session.put_document(HORIZONS, &agent, &horizon)?;
            }
            Ok(())
        })
        .await
}

fn remove_shared_secrets(database: &Database) -> anyhow::Result<()> {
    let stored: Vec<(String, serde_json::Value)> =
        database.read(|session| session.documents(SHARED_SECRETS))?;
    if stored.is_empty() {
        return Ok(());
    }
    database.write_now(|session| {
        for (name, _) in &stored {
            session.delete_document(SHARED_SECRETS, name)?;
        }
        Ok(())
    })?;
    tracing::warn!(
        host_agents = stored.len(),
        hint = "`ringwall hosts enrol` prints what to run on each host; names and history stay",
        "host agents signed with a shared secret, which is not accepted any more: they must enrol anew"
    );
    Ok(())
}
