//! What is in force: indicators, thresholds, and what may be done.

use crate::guard::GuardProjects;
use crate::guard_rules::GuardRules;
use crate::identities::Enrolled;
use crate::webhooks::Webhooks;
use ringwall_access::Rules as AccessRules;
use ringwall_detection::{DetectionRules, IndicatorSet};
use ringwall_event::Source;
use std::collections::HashMap;
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
    /// The same for single sources.
    pub risk_thresholds: Arc<HashMap<Source, f64>>,
    /// Where alerts are told.
    pub(crate) webhooks: Webhooks,
    /// The guarded applications.
    pub(crate) guard_projects: GuardProjects,
    /// What they are told, and when addresses are banned without anybody asking.
    pub(crate) guard_rules: GuardRules,
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

impl Rules {
    /// The risk from which a process of this source is worth an alert: what the configuration says of
    /// it, else what the registration of a SysScore agent asks for, else what holds for all.
    pub(crate) fn risk_threshold_of(&self, source: &Source) -> f64 {
        let configured = self.risk_thresholds.get(source).copied();
        configured.or_else(|| self.webhooks.threshold(source)).unwrap_or(self.risk_threshold)
    }
}
