//! What was published, in memory: thousands of agents may ask without a read of the disk.

use super::automatic::Automatic;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use ringwall_dialects::guard::{DynamicRules, sign};
use ringwall_event::{Network, Timestamp};
use ringwall_signing::Secret;
use ringwall_store::PublishedRules;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// What is published for each project, and the automatic rules in force. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct GuardRules(Arc<Shared>);

struct Shared {
    projects: RwLock<HashMap<String, Told>>,
    automatic: RwLock<Arc<Automatic>>,
    /// When the next ban ends, in microseconds since 1970.
    next_ban_end: AtomicI64,
    streams: Arc<Semaphore>,
    previews: Arc<Semaphore>,
}

/// What one project's applications are told, and who listens to it.
struct Told {
    published: watch::Sender<Arc<Published>>,
    streams: Arc<Semaphore>,
}

/// How many streams of one project are open at once: whoever has one key must leave room for others.
const STREAMS_OF_PROJECT_MAX: usize = 1000;
/// The share of a listener's connections that streams take at most: each stays open, and the rest is for
/// whoever reports, polls or signs in.
const STREAMS_SHARE: usize = 2;
/// How many streams there are where nobody says how many connections.
const STREAMS_MAX_DEFAULT: usize = 5000;
/// How many previews are under way at once: each reads for seconds.
const PREVIEWS_MAX: usize = 2;

impl Default for Shared {
    fn default() -> Self {
        Self {
            projects: RwLock::default(),
            automatic: RwLock::default(),
            next_ban_end: AtomicI64::new(i64::MAX),
            streams: Arc::new(Semaphore::new(STREAMS_MAX_DEFAULT)),
            previews: Arc::new(Semaphore::new(PREVIEWS_MAX)),
        }
    }
}

/// A place for one stream, until it is dropped.
pub(crate) struct StreamPlace {
    _of_project: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// What the applications of one project are told.
#[derive(Debug)]
pub(crate) struct Published {
    /// The version.
    pub(crate) version: i64,
    /// The JSON text.
    text: Bytes,
    /// When it must be composed anew, though nothing changes it: rules end, or bans must be heard of
    /// again.
    pub(super) due: Option<Timestamp>,
    /// The same as it is sent, by the name of the secret that signs it. There are as many as a project
    /// has secrets: two, or none.
    signed: Mutex<Vec<(String, Arc<Signed>)>>,
    /// Whom it has applications unban, found out when it is asked for the first time.
    unbanned: OnceLock<BTreeSet<Box<str>>>,
}

/// What is published, in the forms in which it is sent, signed with one secret or none.
#[derive(Debug)]
pub(crate) struct Signed {
    /// `v1=…` over the text; none where the project has no secret.
    pub(crate) signature: Option<String>,
    /// The JSON text.
    pub(crate) text: Bytes,
    /// The server-sent event of the stream.
    pub(crate) message: Bytes,
}

#[derive(Serialize)]
struct Message<'a> {
    rules: &'a str,
    signature: Option<&'a str>,
}

const SIGNED_KEPT: usize = 4;

impl Published {
    pub(super) fn new(rules: PublishedRules, due: Option<Timestamp>) -> Self {
        Self {
            version: rules.version,
            text: rules.text.into(),
            due,
            signed: Mutex::default(),
            unbanned: OnceLock::new(),
        }
    }

    /// Whether applications are told to unban this address.
    pub(super) fn unbans(&self, address: Network) -> bool {
        let unbanned = self.unbanned.get_or_init(|| {
            // It was written by ourselves.
            let rules = DynamicRules::read(&self.text).unwrap_or_default();
            rules.ip_whitelist.into_iter().collect()
        });
        !unbanned.is_empty() && unbanned.contains(&*address.to_string())
    }

    /// It, signed. Made once, however many ask.
    pub(crate) fn signed(&self, secret: Option<&Secret>) -> Arc<Signed> {
        // Names the secret without holding it.
        let name = secret.map_or_else(String::new, |secret| sign(secret, b""));
        let mut all = self.signed.lock();
        if let Some((_, signed)) = all.iter().find(|(known, _)| *known == name) {
            return Arc::clone(signed);
        }
        let signature = secret.map(|secret| sign(secret, &self.text));
        // It was made of a text.
        let rules = std::str::from_utf8(&self.text).unwrap_or_default();
        let message = Message { rules, signature: signature.as_deref() };
        // Two texts: this cannot fail. JSON escapes line breaks, so it is one line.
        let data = serde_json::to_string(&message).unwrap_or_default();
        let message = format!("event: rules\nid: {}\ndata: {data}\n\n", self.version).into();
        let signed = Arc::new(Signed { signature, text: self.text.clone(), message });
        if all.len() >= SIGNED_KEPT {
            all.clear();
        }
        all.push((name, Arc::clone(&signed)));
        signed
    }
}

impl GuardRules {
    /// Nothing published yet; streams take no more than half of so many connections.
    pub(super) fn within(connections_max: usize) -> Self {
        let streams = (connections_max / STREAMS_SHARE).clamp(1, Semaphore::MAX_PERMITS);
        let streams = Arc::new(Semaphore::new(streams));
        Self(Arc::new(Shared { streams, ..Shared::default() }))
    }

    /// What the applications of this project are told; none where nothing was composed yet.
    pub(crate) fn published(&self, project: &str) -> Option<Arc<Published>> {
        self.0.projects.read().get(project).map(|told| Arc::clone(&told.published.borrow()))
    }

    /// Hears of each change of what this project is told, the present one first.
    pub(crate) fn subscribe(&self, project: &str) -> Option<watch::Receiver<Arc<Published>>> {
        self.0.projects.read().get(project).map(|told| told.published.subscribe())
    }

    /// A place for one more stream of this project; none where all of its own or all there are are taken.
    pub(crate) fn stream_place(&self, project: &str) -> Option<StreamPlace> {
        let streams = Arc::clone(&self.0.projects.read().get(project)?.streams);
        Some(StreamPlace {
            _of_project: streams.try_acquire_owned().ok()?,
            _of_all: Arc::clone(&self.0.streams).try_acquire_owned().ok()?,
        })
    }

    /// A place for one more preview; none where all are taken.
    pub(crate) fn preview_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.previews).try_acquire_owned().ok()
    }

    /// The automatic rules in force.
    pub(crate) fn automatic(&self) -> Arc<Automatic> {
        Arc::clone(&self.0.automatic.read())
    }

    pub(super) fn put_automatic(&self, automatic: Automatic) {
        *self.0.automatic.write() = Arc::new(automatic);
    }

    pub(super) fn put(&self, project: &str, published: Published) {
        let published = Arc::new(published);
        let mut projects = self.0.projects.write();
        match projects.get(project) {
            Some(told) => drop(told.published.send_replace(published)),
            None => {
                let published = watch::Sender::new(published);
                let streams = Arc::new(Semaphore::new(STREAMS_OF_PROJECT_MAX));
                projects.insert(project.to_owned(), Told { published, streams });
            }
        }
    }

    /// Ends what listens to this project, too.
    pub(super) fn remove(&self, project: &str) {
        self.0.projects.write().remove(project);
    }

    pub(super) fn set_next_ban_end(&self, end: Option<Timestamp>) {
        self.0.next_ban_end.store(end.map_or(i64::MAX, Timestamp::as_micros), Ordering::Release);
    }

    /// Whether a ban is past its end.
    pub(super) fn is_ban_over(&self, now: Timestamp) -> bool {
        self.0.next_ban_end.load(Ordering::Acquire) <= now.as_micros()
    }

    /// The projects whose rules must be composed anew by now.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<String> {
        let is_due = |published: &Published| published.due.is_some_and(|due| due <= now);
        let projects = self.0.projects.read();
        let due = projects.iter().filter(|(_, told)| is_due(&told.published.borrow()));
        due.map(|(project, _)| project.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(connections_max: usize) -> GuardRules {
        let board = GuardRules::within(connections_max);
        for project in ["shop", "blog"] {
            let rules = PublishedRules {
                rule_id: "ringwall-1".into(),
                began: Timestamp::default(),
                version: 1,
                published: Timestamp::default(),
                text: "{}".into(),
                left_out: 0,
            };
            board.put(project, Published::new(rules, None));
        }
        board
    }

    fn places(board: &GuardRules, project: &str, wanted: usize) -> Vec<StreamPlace> {
        (0..wanted).map_while(|_| board.stream_place(project)).collect()
    }

    #[test]
    fn streams_leave_room_for_other_projects_and_for_everybody_else() {
        let roomy = board(10_000);
        let of_shop = places(&roomy, "shop", 2000);
        assert_eq!(of_shop.len(), STREAMS_OF_PROJECT_MAX);
        assert_eq!(places(&roomy, "blog", 7).len(), 7);
        drop(of_shop);
        assert_eq!(places(&roomy, "shop", 7).len(), 7, "places come back");
        let narrow = board(100);
        assert_eq!(places(&narrow, "shop", 2000).len(), 50);
        assert!(narrow.stream_place("nobody").is_none());
    }
}
