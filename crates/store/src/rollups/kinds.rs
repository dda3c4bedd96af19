//! A kind and a severity as one byte, the same in every version.

use crate::StoreError;
use ringwall_event::{Activity, Severity};

/// The place of a name is its number on the disk: names are added at the end and never moved.
pub(super) const KINDS: [&str; 12] = [
    // Kinds that have no number yet.
    "unknown",
    "process_started",
    "process_ended",
    "connection_opened",
    "connection_closed",
    "system_call",
    "inventory",
    "http_request",
    "sign_in",
    "agent_health",
    "events_lost",
    "app_guard",
];

pub(super) const SEVERITIES: usize = Severity::ALL.len();
const SEVERITY_BITS: u32 = 3;
/// One more than the greatest code.
pub(super) const CODES: usize = KINDS.len() << SEVERITY_BITS;

const fn kind_number(activity: &Activity) -> u8 {
    match activity {
        Activity::ProcessStarted(_) => 1,
        Activity::ProcessEnded { .. } => 2,
        Activity::ConnectionOpened(_) => 3,
        Activity::ConnectionClosed(_) => 4,
        Activity::SystemCall { .. } => 5,
        Activity::Inventory(_) => 6,
        Activity::HttpRequest(_) => 7,
        Activity::SignIn(_) => 8,
        Activity::AgentHealth(_) => 9,
        Activity::EventsLost(_) => 10,
        Activity::AppGuard(_) => 11,
        _ => 0,
    }
}

pub(super) const fn code_of(activity: &Activity, severity: Severity) -> u8 {
    (kind_number(activity) << SEVERITY_BITS) | (severity as u8)
}

pub(super) fn code(kind: &str, severity: Severity) -> Result<u8, StoreError> {
    Ok((number_of(kind)? << SEVERITY_BITS) | (severity as u8))
}

pub(super) fn number_of(kind: &str) -> Result<u8, StoreError> {
    KINDS.iter().position(|known| *known == kind).and_then(|at| u8::try_from(at).ok()).ok_or_else(
        || StoreError::Unreadable {
            what: "kind of event",
            why: format!("`{}` is not known", kind.chars().take(64).collect::<String>()),
        },
    )
}

/// The place of the kind in [`KINDS`].
pub(super) const fn kind_in(code: u8) -> usize {
    (code >> SEVERITY_BITS) as usize
}

/// The place of the severity in `Severity::ALL`.
pub(super) const fn severity_in(code: u8) -> usize {
    (code & ((1 << SEVERITY_BITS) - 1)) as usize
}

pub(super) const fn is_code(code: u8) -> bool {
    kind_in(code) < KINDS.len() && severity_in(code) < SEVERITIES
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_event::{Connection, Process, ProcessRef};
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_the_number_of_its_name() {
        let process = ProcessRef::default();
        let activities = [
            Activity::ProcessStarted(Process::default()),
            Activity::ProcessEnded { process: process.clone(), exit_code: None },
            Activity::ConnectionOpened(Connection::default()),
            Activity::ConnectionClosed(Connection::default()),
            Activity::SystemCall {
                process,
                name: "open".into(),
                risk_score: None,
                anomaly_score: None,
            },
            Activity::Inventory(Box::default()),
            Activity::HttpRequest(Box::default()),
            Activity::SignIn(Box::default()),
            Activity::AgentHealth(Box::default()),
            Activity::EventsLost(Box::default()),
            Activity::AppGuard(Box::default()),
        ];
        let mut codes = BTreeSet::new();
        for activity in &activities {
            for severity in Severity::ALL {
                let made = code_of(activity, severity);
                assert_eq!(made, code(activity.kind(), severity).unwrap());
                assert!(is_code(made) && usize::from(made) < CODES);
                assert_eq!(KINDS[kind_in(made)], activity.kind());
                assert_eq!(Severity::ALL[severity_in(made)], severity);
                codes.insert(made);
            }
        }
        assert_eq!(codes.len(), Activity::KINDS.len() * SEVERITIES);
        assert_eq!(&KINDS[1..], Activity::KINDS);
        assert!(code("telepathy", Severity::Low).is_err());
        assert!(!is_code(5) && !is_code(u8::MAX));
    }
}
