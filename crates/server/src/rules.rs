//! What is in force: indicators, thresholds, and what may be done.

use crate::identities::Enrolled;
use ringwall_access::Rules as AccessRules;
use ringwall_detection::{DetectionRules, IndicatorSet};
use std::sync::Arc;

/// Everything that conclusions are drawn with. Replaced whole, so that a batch sees one state of it.
#[derive(Clone)]
pub struct Rules {
    /// The known bad things.
    pub indicators: Arc<IndicatorSet>,
    /// How the other rules behave.
    pub detection: DetectionRules,
    /// The risk, 0 to 100, from which a process is worth an alert.
    pub risk_threshold: f64,
    /// Who may do what.
    pub access: Arc<AccessRules>,
    /// Which host agents have an identity.
    pub(crate) enrolled: Enrolled,
    /// How long a command may wait for its client, in seconds.
    pub command_seconds: i64,
    /// How long a client that cannot report results is given before a command is handed out
    /// again, in seconds: a little over one poll interval.
    pub lease_seconds: i64,
}
