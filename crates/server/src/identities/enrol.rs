//! From a token to an identity, in one transaction.

use super::{ENROLMENTS, IDENTITIES, Identities, MACHINES, put, withdraw_commands};
use crate::engine::{Engine, TakeError, Writing};
use ringwall_access::{
    Admission, AuditEntry, EnrolmentClaim, EnrolmentRecord, EnrolmentRefusal, IdentityRecord,
    IdentityState, Outcome, PresentedEnrolment, TokenError, admit, enrolment_name,
};
use ringwall_event::{Source, Timestamp};
use ringwall_store::{StateStore, StoreError};
use std::net::IpAddr;
use std::sync::Arc;

/// As whom a machine is enrolled now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Enrolled {
    /// The name of the host agent.
    pub(crate) name: String,
    /// How that came about.
    pub(crate) admission: Admission,
}

/// Why a machine was not enrolled.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum EnrolError {
    /// The token is none of ours: nothing more is told.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token is right, and its time is over.
    #[error("this enrolment expired at {0}")]
    Expired(Timestamp),
    /// The token is right, and enrolled all the hosts that it may.
    #[error("this enrolment is used up")]
    UsedUp,
    /// The token is right, and not for this machine.
    #[error(transparent)]
    Refused(#[from] EnrolmentRefusal),
    /// Nothing was stored.
    #[error(transparent)]
    Take(#[from] TakeError),
}

impl Identities {
    /// Whether there is leave to enrol with this token, before anything else of the request is read.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) async fn check_token(
        engine: &Engine,
        token: &PresentedEnrolment,
    ) -> Result<(), EnrolError> {
        let id = token.id().to_owned();
        let record: Option<EnrolmentRecord> = engine
            .read(move |session| session.document(ENROLMENTS, &id))
            .await
            .map_err(|error| TakeError::Storage(error.to_string().into()))?;
        Ok(record.ok_or(TokenError::Unknown)?.check(token)?)
    }

    /// Enrols a machine that proved that it holds its private key. Leave is looked at and used up in the
    /// transaction that makes the identity, so that of many who show one token at once only as many as it
    /// is for are let in.
    ///
    /// # Errors
    /// Where it is not enrolled; then nothing is changed.
    pub(crate) async fn enrol(
        &self,
        engine: &Engine,
        token: PresentedEnrolment,
        claim: EnrolmentClaim,
        address: IpAddr,
    ) -> Result<Enrolled, EnrolError> {
        let held = Arc::clone(&self.held);
        engine
            .write(move |writing| {
                let decided = decide(writing, &token, &claim)?;
                let Ok((mut enrolment, enrolled)) = decided else {
                    return Ok(decided.map(|(_, enrolled)| enrolled));
                };
                if enrolled.admission == Admission::Repeated {
                    return Ok(Ok(enrolled));
                }
                let name = &enrolled.name;
                enrolment.use_for(name);
                writing.session.put_document(ENROLMENTS, &enrolment.id, &enrolment)?;
                if let Some(machine) = &claim.machine {
                    writing.session.put_document(MACHINES, machine, name)?;
                }
                writing.audit(&entry(writing.now, &enrolment, &enrolled, &claim, address))?;
                let holder: Option<IdentityRecord> = writing.session.document(IDENTITIES, name)?;
                let mut record = record(claim, &enrolment.id, writing.now);
                // Where the machine that is overtaken lives on, it signs with this key, and that is
                // noticed: two machines may have one machine id.
                record.retired_key = holder.map(|holder| holder.key);
                if enrolled.admission == Admission::Replaced {
                    withdraw_commands(writing, name, "the host was replaced by another machine")?;
                }
                put(writing, &held, name.clone(), record)?;
                Ok(Ok(enrolled))
            })
            .await?
    }
}

type Decided = Result<(EnrolmentRecord, Enrolled), EnrolError>;

fn decide(
    writing: &Writing<'_>,
    token: &PresentedEnrolment,
    claim: &EnrolmentClaim,
) -> Result<Decided, StoreError> {
    let session = writing.session;
    let enrolment: Option<EnrolmentRecord> = session.document(ENROLMENTS, token.id())?;
    let Some(enrolment) = enrolment else { return Ok(Err(TokenError::Unknown.into())) };
    if let Err(error) = enrolment.check(token) {
        return Ok(Err(error.into()));
    }
    let known_as: Option<String> = match &claim.machine {
        Some(machine) => session.document(MACHINES, machine)?,
        None => None,
    };
    // Whoever was shut out does not come back under another name either.
    if let Some(known_as) = &known_as
        && enrolment.replaces.as_ref() != Some(known_as)
        && let Some(known) = session.document::<IdentityRecord>(IDENTITIES, known_as)?
        && known.state != IdentityState::Active
    {
        let refusal = EnrolmentRefusal::NotActive(known_as.clone(), known.state);
        return Ok(Err(refusal.into()));
    }
    let name = match enrolment_name(&enrolment, claim, known_as.as_deref()) {
        Ok(name) => name,
        Err(refusal) => return Ok(Err(refusal.into())),
    };
    let holder: Option<IdentityRecord> = session.document(IDENTITIES, &name)?;
    let admission = admit(&enrolment, claim, &name, holder.as_ref());
    // Whose answer was lost asks again, and the token may be used up by itself.
    if admission != Ok(Admission::Repeated) {
        if writing.now >= enrolment.expires {
            return Ok(Err(EnrolError::Expired(enrolment.expires)));
        }
        if enrolment.uses_left == 0 {
            return Ok(Err(EnrolError::UsedUp));
        }
    }
    Ok(match admission {
        Ok(admission) => Ok((enrolment, Enrolled { name, admission })),
        Err(refusal) => Err(refusal.into()),
    })
}

fn record(claim: EnrolmentClaim, enrolment: &str, now: Timestamp) -> IdentityRecord {
    IdentityRecord {
        machine: claim.machine,
        hostname: claim.hostname,
        version: claim.version,
        state: IdentityState::Active,
        key: claim.key,
        next_key: None,
        retired_key: None,
        enrolled: now,
        enrolled_by: enrolment.to_owned(),
        rotated: None,
        warning: None,
    }
}

fn entry(
    now: Timestamp,
    enrolment: &EnrolmentRecord,
    enrolled: &Enrolled,
    claim: &EnrolmentClaim,
    address: IpAddr,
) -> AuditEntry {
    let subject = Source::new(Source::HOST_AGENT, &enrolled.name).to_string();
    let reason = format!(
        "{}; hostname {}, key {}, from {address}; leave given by {}",
        enrolled.admission.words(),
        claim.hostname,
        claim.key.id(),
        enrolment.created_by,
    );
    let actor = format!("enrolment:{}", enrolment.id);
    AuditEntry::new(now, &actor, "enrol", &subject, Outcome::Permitted, &reason)
}
