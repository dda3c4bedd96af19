//! The identity of a host agent: its keys, its machine, and what may become of them.

use crate::EnrolmentRecord;
use ringwall_event::Timestamp;
use ringwall_signing::PublicKey;
use ringwall_signing::request_signature::is_agent_name;
use serde::{Deserialize, Serialize};

/// A host agent that enrolled, as it is kept under its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRecord {
    /// A digest that tells its machine from others; none where the machine has no id.
    pub machine: Option<String>,
    /// The name that the machine gave itself when it enrolled.
    pub hostname: String,
    /// The version of the program that enrolled.
    pub version: String,
    /// Whether its requests are accepted.
    pub state: IdentityState,
    /// What it signs with.
    pub key: PublicKey,
    /// What it will sign with: until its first use both keys are accepted.
    pub next_key: Option<PublicKey>,
    /// What it signed with before the last rotation. Never accepted: whoever still has it is a copy.
    pub retired_key: Option<PublicKey>,
    /// When it enrolled last.
    pub enrolled: Timestamp,
    /// By which enrolment.
    pub enrolled_by: String,
    /// When its key was last replaced by itself.
    pub rotated: Option<Timestamp>,
    /// Why somebody should look at it.
    pub warning: Option<String>,
}

/// Whether the requests of a host agent are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityState {
    /// They are.
    Active,
    /// They are not, since somebody said so.
    Revoked,
    /// They are not, since two machines used it.
    Suspended,
}

impl IdentityState {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Suspended => "suspended",
        }
    }
}

/// Which of an identity's keys signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStanding {
    /// The one in use.
    Current,
    /// The one that takes over with its first use.
    Next,
    /// The one before: only a copy of the host's state still has it.
    Retired,
}

impl IdentityRecord {
    /// The key with this id, and how it stands.
    pub fn find_key(&self, id: &str) -> Option<(PublicKey, KeyStanding)> {
        [
            (Some(self.key), KeyStanding::Current),
            (self.next_key, KeyStanding::Next),
            (self.retired_key, KeyStanding::Retired),
        ]
        .into_iter()
        .find_map(|(key, standing)| key.filter(|key| key.id() == id).map(|key| (key, standing)))
    }

    /// Prepares the change to a new key, which the present one asked for. Asked again it changes nothing;
    /// asked for another key, the later one counts: until its first use nothing is lost.
    pub fn prepare_rotation(&mut self, key: PublicKey) {
        if key != self.key {
            self.next_key = Some(key);
        }
    }

    /// The next key was used: from now on it is the only one. Whether that was new.
    pub fn finish_rotation(&mut self, used: &str, now: Timestamp) -> bool {
        let Some(next) = self.next_key.filter(|key| key.id() == used) else { return false };
        self.retired_key = Some(std::mem::replace(&mut self.key, next));
        self.next_key = None;
        self.rotated = Some(now);
        true
    }
}

/// What a machine says when it wants to enrol; that it holds the private key was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentClaim {
    /// The key it will sign with.
    pub key: PublicKey,
    /// The name it asks for in so many words.
    pub name: Option<String>,
    /// A digest that tells it from other machines.
    pub machine: Option<String>,
    /// The name it gives itself.
    pub hostname: String,
    /// The version of its program.
    pub version: String,
}

/// How an enrolment came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A name that nobody had.
    New,
    /// The same machine again, as after a reinstallation.
    SameMachine,
    /// Another machine takes a name over, as the enrolment allows.
    Replaced,
    /// The same request again, whose answer was lost: nothing changes.
    Repeated,
}

impl Admission {
    /// In words, for the audit log.
    pub const fn words(self) -> &'static str {
        match self {
            Self::New => "a new host",
            Self::SameMachine => "the same machine again: it keeps its name",
            Self::Replaced => "another machine takes the name over",
            Self::Repeated => "asked again",
        }
    }
}

/// Why a machine with a valid token was not enrolled. It may know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolmentRefusal {
    /// The name cannot be one.
    #[error(
        "`{0}` cannot name a host agent: 1 to 128 of `A-Z a-z 0-9 . _ -`, a letter or digit first"
    )]
    BadName(String),
    /// The enrolment is for another name.
    #[error("this enrolment is for a host agent called `{0}`")]
    OtherName(String),
    /// Another machine has the name.
    #[error("another machine is enrolled as `{0}`")]
    NameTaken(String),
    /// The identity was revoked or suspended.
    #[error("`{0}` is {state}", state = .1.name())]
    NotActive(String, IdentityState),
}

/// Under which name a machine enrols: the one that the enrolment gives, the one that it asks for, the one
/// that it has already (`known_as`), or that of the host, in this order.
///
/// # Errors
/// Where the name asked for is another than the enrolment gives, or cannot be one.
pub fn enrolment_name(
    enrolment: &EnrolmentRecord,
    claim: &EnrolmentClaim,
    known_as: Option<&str>,
) -> Result<String, EnrolmentRefusal> {
    let given = enrolment.name.as_ref().or(enrolment.replaces.as_ref());
    if let (Some(given), Some(asked)) = (given, &claim.name)
        && given != asked
    {
        return Err(EnrolmentRefusal::OtherName(given.clone()));
    }
    let name = match (given, &claim.name, known_as) {
        (Some(given), _, _) => given.clone(),
        (None, Some(asked), _) => asked.clone(),
        (None, None, Some(known_as)) => known_as.to_owned(),
        (None, None, None) => host_name(&claim.hostname),
    };
    if is_agent_name(&name) { Ok(name) } else { Err(EnrolmentRefusal::BadName(name)) }
}

/// A host's own name as that of an agent: without what such a name cannot hold.
fn host_name(hostname: &str) -> String {
    let name: String = hostname
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(ringwall_signing::request_signature::AGENT_CHARS_MAX)
        .collect();
    if name.is_empty() { "host".to_owned() } else { name }
}

/// Whether a machine may have the name that `holder` has now.
///
/// # Errors
/// Where it may not.
pub fn admit(
    enrolment: &EnrolmentRecord,
    claim: &EnrolmentClaim,
    name: &str,
    holder: Option<&IdentityRecord>,
) -> Result<Admission, EnrolmentRefusal> {
    let Some(holder) = holder else { return Ok(Admission::New) };
    if holder.key == claim.key && holder.enrolled_by == enrolment.id {
        return Ok(Admission::Repeated);
    }
    if enrolment.replaces.as_deref() == Some(name) {
        return Ok(Admission::Replaced);
    }
    // Before the machine is compared: whoever was shut out does not come back by a reinstallation.
    if holder.state != IdentityState::Active {
        return Err(EnrolmentRefusal::NotActive(name.to_owned(), holder.state));
    }
    if claim.machine.is_some() && claim.machine == holder.machine {
        return Ok(Admission::SameMachine);
    }
    Err(EnrolmentRefusal::NameTaken(name.to_owned()))
}

#[cfg(test)]
mod tests;
