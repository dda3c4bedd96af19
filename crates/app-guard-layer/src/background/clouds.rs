//! The clouds' lists, read again in the background.

use super::Stopping;
use super::watched_file::WatchedFile;
use crate::cloud::{Entry, ListError, ListSource, parse};
use crate::fetch::{Fetch, FetchError};
use ringwall_app_guard::Guard;
use ringwall_app_guard::{CloudProvider, CloudRanges};
use ringwall_resilience::{Backoff, BackoffPolicy};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Which lists are read, and how often.
#[derive(Clone)]
pub struct CloudLists {
    /// Where each provider's list is.
    pub sources: BTreeMap<CloudProvider, ListSource>,
    /// How often a list behind an address is read again. Files are looked at every ten seconds.
    pub refresh_every: Duration,
    /// Reads what is behind an address.
    pub fetch: Option<Arc<dyn Fetch>>,
}

impl CloudLists {
    /// Lists of these sources, refreshed every hour; for addresses, [`CloudLists::fetch`] has to be set.
    pub fn new(sources: impl IntoIterator<Item = (CloudProvider, ListSource)>) -> Self {
        let sources = sources.into_iter().collect();
        Self { sources, refresh_every: Duration::from_secs(3600), fetch: None }
    }
}

impl std::fmt::Debug for CloudLists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CloudLists")
            .field("sources", &self.sources)
            .field("refresh_every", &self.refresh_every)
            .finish_non_exhaustive()
    }
}

/// The largest real list has about 5 MB.
const LIST_BYTES_MAX: usize = 64 << 20;
/// A client of the application's own may have no patience of its own, and the other lists wait for it.
const FETCH_MAX: Duration = Duration::from_secs(300);
const FILE_CHECK: Duration = Duration::from_secs(10);
/// After a failure it is tried again sooner than in an hour.
const RETRY_FIRST: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("cannot read the file: {0}")]
    File(#[from] std::io::Error),
    #[error("cannot fetch it: {0}")]
    Fetch(#[from] FetchError),
    #[error("nothing is set that could fetch it")]
    NoFetch,
    #[error(transparent)]
    List(#[from] ListError),
}

/// One list and when it is read next.
struct Followed {
    provider: CloudProvider,
    source: Source,
    due: Instant,
    backoff: Backoff,
    entries: Vec<Entry>,
}

enum Source {
    File(WatchedFile),
    Url(String),
}

/// Reads all lists now, and each again when it is due. A list that cannot be read leaves what was read before.
pub(crate) async fn follow(lists: CloudLists, guard: Guard, mut stopping: Stopping) {
    let now = Instant::now();
    let policy = BackoffPolicy::new(RETRY_FIRST, lists.refresh_every.max(RETRY_FIRST));
    let mut followed: Vec<Followed> = lists
        .sources
        .iter()
        .map(|(provider, source)| Followed {
            provider: *provider,
            source: match source {
                ListSource::File(path) => Source::File(WatchedFile::new(path.clone())),
                ListSource::Url(url) => Source::Url(url.clone()),
            },
            due: now,
            backoff: Backoff::new(policy),
            entries: Vec::new(),
        })
        .collect();
    while !followed.is_empty() {
        let mut has_changed = false;
        for list in followed.iter_mut().filter(|list| list.due <= Instant::now()) {
            has_changed |= list.refresh(&lists).await;
        }
        if has_changed {
            let entries: Vec<Entry> =
                followed.iter().flat_map(|list| list.entries.iter().cloned()).collect();
            // Sorting a hundred thousand networks is nothing for a thread that serves requests.
            if let Ok(built) = tokio::task::spawn_blocking(|| CloudRanges::new(entries)).await {
                guard.set_cloud_ranges(built);
            }
        }
        let next = followed.iter().map(|list| list.due).min().unwrap_or_else(Instant::now);
        if !stopping.pause(next.saturating_duration_since(Instant::now())).await {
            return;
        }
    }
}

impl Followed {
    /// Whether its entries changed.
    async fn refresh(&mut self, lists: &CloudLists) -> bool {
        let outcome = self.read(lists.fetch.as_deref()).await;
        let now = Instant::now();
        let regular = match self.source {
            Source::File(_) => FILE_CHECK.min(lists.refresh_every),
            Source::Url(_) => lists.refresh_every,
        };
        let provider = self.provider;
        match outcome {
            Ok(changed) => {
                self.backoff.succeeded();
                self.due = now + regular;
                let Some(entries) = changed else { return false };
                info!(%provider, entries = entries.len(), "cloud ranges read");
                self.entries = entries;
                true
            }
            Err(error) => {
                let kept = self.entries.len();
                warn!(%provider, %error, kept, "cloud ranges not read; what was read before stays");
                self.due = now + self.backoff.failed(chance(), None);
                false
            }
        }
    }

    async fn read(
        &mut self,
        fetch: Option<&dyn Fetch>,
    ) -> Result<Option<Vec<Entry>>, RefreshError> {
        let provider = self.provider;
        let (list, stamp) = match &self.source {
            Source::File(watched) => {
                let Some(stamp) = watched.changed().await? else { return Ok(None) };
                if tokio::fs::metadata(watched.path()).await?.len() > LIST_BYTES_MAX as u64 {
                    return Err(FetchError::TooLarge(LIST_BYTES_MAX).into());
                }
                (tokio::fs::read(watched.path()).await?.into(), Some(stamp))
            }
            Source::Url(url) => {
                let fetch = fetch.ok_or(RefreshError::NoFetch)?;
                let fetched =
                    tokio::time::timeout(FETCH_MAX, fetch.fetch(url, LIST_BYTES_MAX)).await;
                (fetched.unwrap_or(Err(FetchError::TooSlow(FETCH_MAX)))?, None)
            }
        };
        let parsed = tokio::task::spawn_blocking(move || parse(provider, &list)).await;
        let entries = parsed.unwrap_or(Err(ListError::UnknownForm))?;
        if let (Source::File(watched), Some(stamp)) = (&mut self.source, stamp) {
            watched.seen(stamp);
        }
        Ok(Some(entries))
    }
}

/// So that workers which failed together do not try together. Without randomness they do.
fn chance() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX)
}
