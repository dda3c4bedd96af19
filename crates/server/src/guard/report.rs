//! What a request of a guard carries beside its events, in their transaction.

use super::agents::{AGENTS_MAX, AgentRecord, Sighting, agents_of, is_installation};
use super::measurements::{OTHER_ENDPOINTS, counted};
use super::trouble::shared_key;
use crate::engine::Writing;
use ringwall_event::{Event, EventId, Source};
use ringwall_store::{GuardMetricBucket, GuardMetricStore, ItemKeyStore, StateStore, StoreError};

/// How many paths of one metric are told apart in a minute.
const ENDPOINTS_MAX: usize = 50;
/// Installations that were seen within this are counted against the bound of a key.
const INSTALLS_SECONDS: i64 = 86_400;

/// What came beside the events.
#[derive(Debug)]
pub(crate) struct GuardReport {
    /// The project's name.
    pub(crate) project: Box<str>,
    /// What tells it from another project of the same name.
    pub(crate) project_id: String,
    /// Who sent it.
    pub(crate) sighting: Sighting,
    /// What was measured.
    pub(crate) metrics: Vec<GuardMetricBucket>,
    /// What makes the measurements the same as earlier ones.
    pub(crate) metrics_key: Option<[u8; 16]>,
    /// How many installations may use the key.
    pub(crate) installs_max: u64,
}

impl Writing<'_> {
    /// Writes down what came beside these events, which are new. Whether the measurements are, too.
    pub(crate) fn take_guard_report(
        &mut self,
        report: &GuardReport,
        events: &[Event],
    ) -> Result<bool, StoreError> {
        // Removed while this waited: nothing is left behind under its name.
        let project = self.rules.guard_projects.project(&report.project);
        if project.is_none_or(|project| project.stored.id != report.project_id) {
            return Ok(true);
        }
        self.see_guard(report)?;
        for count in counted(events, self.now) {
            self.measure(&report.project, &count)?;
        }
        if report.metrics.is_empty() {
            return Ok(true);
        }
        if let Some(key) = &report.metrics_key {
            if self.session.item_key(key)?.is_some() {
                return Ok(false);
            }
            self.session.put_item_key(key, EventId::default(), self.now)?;
        }
        for bucket in &report.metrics {
            self.measure(&report.project, bucket)?;
        }
        Ok(true)
    }

    /// Forgets all of a project that is removed but its events.
    pub(super) fn forget_guard(&mut self, project: &str) -> Result<(), StoreError> {
        self.session.remove_guard_metrics(project)?;
        let kind = agents_of(project);
        for (key, _) in self.session.documents::<AgentRecord>(&kind)? {
            self.session.delete_document(&kind, &key)?;
        }
        self.derived.guards.forget(project);
        Ok(())
    }

    fn measure(&self, project: &str, bucket: &GuardMetricBucket) -> Result<(), StoreError> {
        self.session.add_guard_metric(project, bucket, ENDPOINTS_MAX, OTHER_ENDPOINTS)
    }

    fn see_guard(&mut self, report: &GuardReport) -> Result<(), StoreError> {
        let (kind, key) = (agents_of(&report.project), report.sighting.key());
        let known: Option<AgentRecord> = self.session.document(&kind, &key)?;
        let is_new = known.is_none();
        let mut record = known.unwrap_or_default();
        if !record.see(&report.sighting, self.now) {
            return Ok(());
        }
        if is_new {
            self.admit_guard(report, &kind)?;
        }
        let known = self.derived.guards.of(self.session, &report.project)?;
        known.insert(key.as_str().into(), self.now);
        self.session.put_document(&kind, &key, &record)
    }

    /// Makes room for another guard, and looks whether the key has too many.
    fn admit_guard(&mut self, report: &GuardReport, kind: &str) -> Result<(), StoreError> {
        let since = self.now.plus_seconds(-INSTALLS_SECONDS);
        let known = self.derived.guards.of(self.session, &report.project)?;
        let of_late =
            known.iter().filter(|(key, last_seen)| is_installation(key) && **last_seen >= since);
        let installs = u64::try_from(of_late.count()).unwrap_or(u64::MAX).saturating_add(1);
        while known.len() >= AGENTS_MAX {
            let silent = known.iter().min_by_key(|(_, last_seen)| **last_seen);
            let Some(key) = silent.map(|(key, _)| key.clone()) else { break };
            known.remove(&key);
            self.session.delete_document(kind, &key)?;
        }
        let is_bounded = report.installs_max > 0 && report.sighting.install_id.is_some();
        if is_bounded && installs > report.installs_max {
            let source = Source::new(Source::GUARD, &report.project);
            let latest = &report.sighting.address;
            self.conclude_guard(&source, shared_key(&report.project, installs, latest))?;
        }
        Ok(())
    }
}
