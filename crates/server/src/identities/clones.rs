//! One identity, two machines: how that shows, and what follows.

use super::Identities;
use crate::engine::{Engine, TakeError};
use ringwall_access::{AuditEntry, IdentityState, Outcome};
use ringwall_event::{Source, Timestamp};
use std::net::IpAddr;
use std::sync::Arc;

/// Sightings within this time of the last one that was told are not told again: a machine that is set back
/// to a snapshot every minute is one alert, counted up slowly.
const TELL_EVERY_SECONDS: i64 = 600;

/// What shows that an identity is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloneEvidence {
    /// A request comes from another machine than the one that enrolled.
    OtherMachine,
    /// Two running agents take turns.
    TwoRuns,
    /// Somebody signs with the key from before the last rotation.
    RetiredKey,
}

impl CloneEvidence {
    fn words(self) -> &'static str {
        match self {
            Self::OtherMachine => "requests come from another machine than the one that enrolled",
            Self::TwoRuns => {
                "two running agents take turns: a copy of the machine or of its state directory, or a \
                 machine that was set back to an earlier snapshot"
            }
            Self::RetiredKey => {
                "a request was signed with the key from before the last rotation: an earlier copy of \
                 the machine or of its state directory; it was refused"
            }
        }
    }
}

impl Identities {
    /// Looks at what an accepted request for commands says of its run and machine.
    pub(crate) fn evidence(
        &self,
        name: &str,
        run: Option<&str>,
        machine: Option<&str>,
    ) -> Option<CloneEvidence> {
        let other_machine = |enrolled: &Option<String>| match (enrolled, machine) {
            (Some(enrolled), Some(machine)) => enrolled != machine,
            _ => false,
        };
        let mut held = self.held.write();
        let held = held.get_mut(name)?;
        let took_turns = run.is_some_and(|run| held.runs.note(run));
        if other_machine(&held.record.machine) {
            return Some(CloneEvidence::OtherMachine);
        }
        took_turns.then_some(CloneEvidence::TwoRuns)
    }

    /// Raises an alert, counted where it is raised already; and suspends the identity, where the
    /// configuration says so.
    ///
    /// # Errors
    /// Where nothing can be stored.
    pub(crate) async fn tell_of_clone(
        &self,
        engine: &Engine,
        name: &str,
        evidence: CloneEvidence,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), TakeError> {
        {
            let mut held = self.held.write();
            let Some(held) = held.get_mut(name) else { return Ok(()) };
            // A clock that was set back must not silence this.
            let since_told = held.told.map(|told| now.micros_since(told) / 1_000_000);
            if since_told.is_some_and(|since| (0..TELL_EVERY_SECONDS).contains(&since)) {
                return Ok(());
            }
            held.told = Some(now);
        }
        tracing::warn!(agent = name, %address, ?evidence, "one identity is used by two machines");
        let source = Source::new(Source::HOST_AGENT, name);
        let reason = format!("{}; seen from {address}", evidence.words());
        // A key that was replaced opens nothing: there is nothing to suspend.
        let suspends = self.suspends_clones && evidence != CloneEvidence::RetiredKey;
        let told = self.change(engine, name, move |record, writing| {
            record.warning = Some(reason.clone());
            if suspends && record.state == IdentityState::Active {
                record.state = IdentityState::Suspended;
                let subject = source.to_string();
                let entry = AuditEntry::new(
                    writing.now,
                    "rule:cloned_identity",
                    "suspend_identity",
                    &subject,
                    Outcome::Permitted,
                    &reason,
                );
                writing.audit(&entry)?;
            }
            writing.conclude_cloned(&source, &reason)
        });
        let told = told.await;
        // What is not written down was told to nobody: the next sighting tells it.
        if told.is_err()
            && let Some(held) = self.held.write().get_mut(name)
        {
            held.told = None;
        }
        told.map(|_| ())
    }
}

impl super::HeldIdentity {
    /// The machine enrolled anew or somebody looked at it: what was seen before counts no more.
    pub(super) fn begin_anew(&mut self, record: ringwall_access::IdentityRecord) {
        self.record = Arc::new(record);
        self.runs = ringwall_access::RunWatch::default();
        self.told = None;
    }
}
