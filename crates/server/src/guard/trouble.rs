//! Alerts about the guards themselves.

use super::Project;
use crate::engine::Engine;
use parking_lot::Mutex;
use ringwall_detection::{Kill, Proposal};
use ringwall_event::{Finding, Severity};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What is wrong with something that came under the right key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Trouble {
    /// It is signed with a wrong secret, or altered.
    WrongSignature,
    /// It is not signed, and must be.
    MissingSignature,
    /// It is encrypted with a wrong key, or altered.
    WrongEncryption,
    /// It is encrypted, and the project has no key.
    UnknownEncryption,
}

impl Trouble {
    const fn what(self) -> &'static str {
        match self {
            Self::WrongSignature | Self::MissingSignature => "signature",
            Self::WrongEncryption | Self::UnknownEncryption => "encryption",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::WrongSignature => {
                "A batch came under the right key with a signature that is not of this project's secret."
            }
            Self::MissingSignature => {
                "A batch came under the right key without a signature, which this project requires."
            }
            Self::WrongEncryption => {
                "A batch came under the right key, encrypted with a key that is not this project's."
            }
            Self::UnknownEncryption => {
                "A batch came encrypted, and this project has no encryption key."
            }
        }
    }
}

/// Which troubles were told of late: an agent tries again and again.
#[derive(Default)]
pub(crate) struct GuardTroubles(Mutex<HashMap<(String, Trouble), Instant>>);

const TOLD_EVERY: Duration = Duration::from_secs(60);

impl GuardTroubles {
    /// Raises an alert, or counts under the one that is open; not more often than once a minute.
    pub(crate) async fn tell(
        &self,
        engine: &Engine,
        project: &Project,
        trouble: Trouble,
        address: &str,
    ) {
        {
            let mut told = self.0.lock();
            let entry = (project.stored.id.clone(), trouble);
            if told.get(&entry).is_some_and(|at| at.elapsed() < TOLD_EVERY) {
                return;
            }
            // Projects are few, and so are these; those of removed projects go with time.
            told.retain(|_, at| at.elapsed() < TOLD_EVERY);
            told.insert(entry, Instant::now());
        }
        tracing::warn!(project = &*project.name, %address, what = trouble.what(), "a guard's batch is not accepted");
        let source = project.source();
        let proposal = proposal(
            Finding::GuardUnreadable { what: trouble.what().to_owned() },
            &project.name,
            Severity::High,
            format!("the {} of a guard of {} is wrong", trouble.what(), project.name),
            vec![trouble.words().to_owned(), format!("It came from {address}.")],
        );
        let written = engine.write(move |writing| writing.conclude_guard(&source, proposal)).await;
        if let Err(error) = written {
            tracing::warn!(%error, "an alert could not be written");
        }
    }
}

/// That one key is used by many installations.
pub(super) fn shared_key(project: &str, installs: u64, latest: &str) -> Proposal {
    proposal(
        Finding::GuardKeyShared,
        project,
        Severity::Medium,
        format!("the key of {project} is used by {installs} installations"),
        vec![
            format!("So many used it within a day; the latest is at {latest}."),
            "If these are not all yours, rotate the key. If they are, raise \
             guard.installs_per_key_max."
                .to_owned(),
        ],
    )
}

fn proposal(
    finding: Finding,
    project: &str,
    severity: Severity,
    title: String,
    reasons: Vec<String>,
) -> Proposal {
    let what = match &finding {
        Finding::GuardUnreadable { what } => what.as_str(),
        _ => "",
    };
    Proposal {
        entity: format!("{}/{what}/{project}", finding.kind()),
        finding,
        severity,
        title,
        reasons,
        process: None,
        kill: Kill::No,
        sightings: 1,
        event: None,
        rise: None,
    }
}
