//! The webhooks in force, in memory: what the writer, the API and the sender share.

use super::record::WEBHOOKS;
use super::{StoredWebhook, SysScoreSettings, Webhook};
use crate::engine::Writing;
use crate::secrets::Secrets;
use parking_lot::RwLock;
use ringwall_event::{Network, Source};
use ringwall_store::{Database, OutboxStore, StateStore, StoreError};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The bounds and times of sending.
#[derive(Clone)]
pub(crate) struct WebhookSettings {
    /// How many deliveries may wait for one receiver.
    pub(crate) waiting_max: u64,
    /// How many deliveries are under way to one receiver at once.
    pub(crate) concurrent_max: usize,
    /// How long an attempt may take.
    pub(crate) timeout: Duration,
    /// How many attempts a delivery gets.
    pub(crate) attempts_max: u32,
    /// The longest wait after the first attempt.
    pub(crate) retry_first: Duration,
    /// The longest wait after any attempt.
    pub(crate) retry_longest: Duration,
    /// How long deliveries that came to their end are kept, in seconds.
    pub(crate) history_seconds: i64,
    /// How many of them are kept.
    pub(crate) history_max: u64,
    /// How long an old secret signs beside a new one, in seconds.
    pub(crate) rotation_seconds: i64,
    /// Networks beyond the public internet that are spoken to.
    pub(crate) allowed: Vec<Network>,
    /// Certificates that are trusted beside the system's, as PEM.
    pub(crate) extra_roots: Vec<u8>,
    /// Where people reach the dashboard, without a slash at the end.
    pub(crate) dashboard_url: String,
    /// The SysScore form.
    pub(crate) sysscore: SysScoreSettings,
}

/// All webhooks in force. Clones share them.
#[derive(Clone)]
pub(crate) struct Webhooks(Arc<Shared>);

struct Shared {
    settings: WebhookSettings,
    table: RwLock<Table>,
    /// The webhooks for which something is new, and the bell that says so.
    rung: parking_lot::Mutex<BTreeSet<String>>,
    bell: Notify,
    overflow_told: parking_lot::Mutex<Option<Instant>>,
}

/// The log says not more often than this that deliveries are given up for want of room.
const OVERFLOW_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Webhooks by their id and by what they want to be told of.
#[derive(Default)]
pub(crate) struct Table {
    by_id: HashMap<String, Arc<Webhook>>,
    /// Those that want to be told of any source.
    of_any: Vec<Arc<Webhook>>,
    of_source: HashMap<Source, Vec<Arc<Webhook>>>,
    /// From which risk on processes of an agent are told of.
    thresholds: HashMap<Source, f64>,
}

impl Webhooks {
    /// No webhooks yet.
    pub(crate) fn new(settings: WebhookSettings) -> Self {
        Self(Arc::new(Shared {
            settings,
            table: RwLock::default(),
            rung: parking_lot::Mutex::default(),
            bell: Notify::new(),
            overflow_told: parking_lot::Mutex::new(None),
        }))
    }

    /// Opens the stored webhooks.
    ///
    /// # Errors
    /// Where the database cannot be read or a secret cannot be opened.
    pub(crate) fn load(
        settings: WebhookSettings,
        database: &Database,
        secrets: &Secrets,
    ) -> anyhow::Result<Self> {
        let webhooks = Self::new(settings);
        let stored: Vec<(String, StoredWebhook)> =
            database.read(|session| session.documents(WEBHOOKS))?;
        let shared = webhooks.settings().sysscore.shared_secret.clone();
        let mut without_secret = 0_usize;
        for (id, stored) in stored {
            if stored.uses_shared_secret() && shared.is_none() {
                without_secret += 1;
            }
            webhooks.0.table.write().put(Arc::new(stored.open(secrets, &id, shared.as_ref())?));
        }
        if without_secret > 0 {
            tracing::warn!(
                webhooks = without_secret,
                "HMAC_SECRET_KEY is not set any more, and webhooks need it: nothing is sent to them"
            );
        }
        Ok(webhooks)
    }

    /// The bounds and times.
    pub(crate) fn settings(&self) -> &WebhookSettings {
        &self.0.settings
    }

    /// The webhook with this id.
    pub(crate) fn webhook(&self, id: &str) -> Option<Arc<Webhook>> {
        self.0.table.read().by_id.get(id).map(Arc::clone)
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Webhook>> {
        let mut all: Vec<Arc<Webhook>> = self.0.table.read().by_id.values().cloned().collect();
        all.sort_by(|a, b| (&a.stored.name, &a.id).cmp(&(&b.stored.name, &b.id)));
        all
    }

    /// Those that may want to be told of this source's alerts.
    pub(super) fn of(&self, source: &Source) -> Vec<Arc<Webhook>> {
        let table = self.0.table.read();
        let of_source = table.of_source.get(source).into_iter().flatten();
        table.of_any.iter().chain(of_source).cloned().collect()
    }

    /// From which risk on a process of this source is told of, where its registration says so.
    pub(crate) fn threshold(&self, source: &Source) -> Option<f64> {
        self.0.table.read().thresholds.get(source).copied()
    }

    /// Says that something waits for this webhook's receiver, or that the webhook changed.
    pub(crate) fn ring(&self, id: &str) {
        self.0.rung.lock().insert(id.to_owned());
        self.0.bell.notify_one();
    }

    /// Whether it is time to say again that deliveries are given up for want of room.
    pub(super) fn may_tell_of_overflow(&self) -> bool {
        let mut told = self.0.overflow_told.lock();
        let is_due = told.is_none_or(|at| at.elapsed() >= OVERFLOW_TOLD_EVERY);
        if is_due {
            *told = Some(Instant::now());
        }
        is_due
    }

    /// Waits until somebody rings; for which webhooks.
    pub(super) async fn rung(&self) -> BTreeSet<String> {
        loop {
            let rung = std::mem::take(&mut *self.0.rung.lock());
            if !rung.is_empty() {
                return rung;
            }
            self.0.bell.notified().await;
        }
    }
}

impl Table {
    fn put(&mut self, webhook: Arc<Webhook>) {
        self.remove(&webhook.id);
        if let (Some(agent), Some(threshold)) = (&webhook.stored.agent, webhook.stored.threshold) {
            self.thresholds.insert(Source::new(Source::SYSSCORE, agent), threshold);
        }
        if webhook.stored.sources.is_empty() {
            self.of_any.push(Arc::clone(&webhook));
        }
        for source in &webhook.stored.sources {
            self.of_source.entry(source.clone()).or_default().push(Arc::clone(&webhook));
        }
        self.by_id.insert(webhook.id.clone(), webhook);
    }

    fn remove(&mut self, id: &str) {
        let Some(webhook) = self.by_id.remove(id) else { return };
        if let Some(agent) = &webhook.stored.agent {
            self.thresholds.remove(&Source::new(Source::SYSSCORE, agent));
        }
        self.of_any.retain(|one| one.id != id);
        for source in &webhook.stored.sources {
            if let Some(of_source) = self.of_source.get_mut(source) {
                of_source.retain(|one| one.id != id);
                if of_source.is_empty() {
                    self.of_source.remove(source);
                }
            }
        }
    }
}

impl Writing<'_> {
    /// Writes a webhook down, and puts it into force with the commit.
    pub(crate) fn put_webhook(&mut self, webhook: Webhook) -> Result<(), StoreError> {
        self.session.put_document(WEBHOOKS, &webhook.id, &webhook.stored)?;
        let webhooks = self.rules.webhooks.clone();
        self.after_commit(move || {
            let id = webhook.id.clone();
            webhooks.0.table.write().put(Arc::new(webhook));
            webhooks.ring(&id);
        });
        Ok(())
    }

    /// Removes a webhook. What waits for its receiver is given up. False where there is none.
    pub(crate) fn remove_webhook(&mut self, id: &str) -> Result<bool, StoreError> {
        if !self.session.delete_document(WEBHOOKS, id)? {
            return Ok(false);
        }
        self.session.give_up_oldest(id, 0, REMOVED, self.now)?;
        let webhooks = self.rules.webhooks.clone();
        let id = id.to_owned();
        self.after_commit(move || webhooks.0.table.write().remove(&id));
        Ok(true)
    }

    /// The stored webhook of this id.
    pub(crate) fn stored_webhook(&self, id: &str) -> Result<Option<StoredWebhook>, StoreError> {
        self.session.document(WEBHOOKS, id)
    }

    /// All stored webhooks.
    pub(crate) fn stored_webhooks(&self) -> Result<Vec<(String, StoredWebhook)>, StoreError> {
        self.session.documents(WEBHOOKS)
    }
}

/// Why what waited for a removed webhook is a dead letter.
pub(super) const REMOVED: &str = "the webhook was removed";
