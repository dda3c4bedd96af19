//! A sender between a spool and peers of every mood.

use crate::folder::Folder;
use crate::model::number;
use bytes::Bytes;
use parking_lot::Mutex;
use ringwall_delivery::{
    Appended, Batch, BatchBounds, BatchId, DiskSettings, DiskSpool, Encoding, Item, MemorySpool,
    Outbox, Outcome, Parcel, Sender, SenderSettings, Settlement, Sink, Spool, SpoolError,
    SpoolStatus,
};
use ringwall_resilience::{BackoffPolicy, BreakerSettings, FlushPolicy};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// A peer that recognises what it has, as ours does.
#[derive(Clone, Debug, Default)]
struct Peer(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    taken: BTreeMap<u64, Bytes>,
    items: Vec<u64>,
    attempts: u64,
    /// What is answered, the last one first; then everything is taken.
    moods: Vec<Mood>,
    count_max: Option<usize>,
}

#[derive(Clone, Debug)]
enum Mood {
    Say(Outcome),
    /// Takes it, and the answer is lost.
    TakeAndHang,
}

impl Sink for Peer {
    fn name(&self) -> &str {
        "peer"
    }

    fn encoding(&self) -> Encoding {
        Encoding::Zstd
    }

    fn write(&self, batch: &Batch) -> Option<Bytes> {
        let mut body = Vec::new();
        for item in &batch.items {
            body.extend(number(item).to_le_bytes());
            body.extend([0; 40]);
        }
        Some(body.into())
    }

    async fn deliver(&mut self, parcel: &Parcel) -> Outcome {
        let mood = {
            let mut inner = self.0.lock();
            inner.attempts += 1;
            inner.moods.pop()
        };
        if let Some(Mood::Say(outcome)) = mood {
            return outcome;
        }
        {
            let mut inner = self.0.lock();
            if inner.count_max.is_some_and(|count_max| parcel.items > count_max) {
                return Outcome::TooLarge { why: "413".to_owned() };
            }
            let body = match parcel.encoding {
                Encoding::Zstd => zstd::bulk::decompress(&parcel.body, 1 << 20).unwrap().into(),
                _ => parcel.body.clone(),
            };
            if let Some(known) = inner.taken.get(&parcel.id.ordinal) {
                assert!(*known == body, "other bytes under the same id");
            } else {
                inner.items.extend(body.chunks(48).map(number));
                inner.taken.insert(parcel.id.ordinal, body);
            }
        }
        if matches!(mood, Some(Mood::TakeAndHang)) {
            sleep(Duration::from_secs(3600)).await;
        }
        Outcome::Delivered
    }
}

fn settings() -> SenderSettings {
    SenderSettings {
        bounds: BatchBounds { count_max: 16, bytes_max: 1 << 20 },
        backoff: BackoffPolicy::new(Duration::from_millis(2), Duration::from_millis(10)),
        stop_patience: Duration::from_millis(500),
        ..SenderSettings::default()
    }
}

fn items(from: u64, to: u64) -> Vec<Item> {
    (from..to).map(|number| Item::new(number.to_le_bytes().to_vec())).collect()
}

fn retry(after_ms: Option<u64>) -> Mood {
    let after = after_ms.map(Duration::from_millis);
    Mood::Say(Outcome::Retry { after, why: "503".to_owned() })
}

struct Running<S> {
    outbox: Outbox<S>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<ringwall_delivery::Ended>,
}

fn start<S: Spool>(spool: S, peer: &Peer, settings: SenderSettings) -> Running<S> {
    let (sender, outbox) = Sender::new(spool, peer.clone(), settings);
    let (stop, stopped) = watch::channel(false);
    Running { outbox, stop, task: tokio::spawn(sender.run(stopped)) }
}

impl<S: Spool> Running<S> {
    async fn until_empty(&self) {
        let empty = async {
            while self.outbox.status().spool.counters.waiting > 0 {
                sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), empty).await.unwrap();
    }

    async fn stop(self) -> u64 {
        self.stop.send_replace(true);
        self.task.await.unwrap().waiting
    }
}

#[tokio::test]
async fn everything_arrives_once_and_in_order_whatever_the_mood() {
    let peer = Peer::default();
    peer.0.lock().moods = vec![retry(None), retry(Some(5)), retry(None), retry(None)];
    peer.0.lock().count_max = Some(5);
    let running = start(MemorySpool::new(1 << 20).unwrap(), &peer, settings());
    for from in 0..10 {
        running.outbox.append(items(from * 10, from * 10 + 10)).await.unwrap();
    }
    running.until_empty().await;
    assert_eq!(peer.0.lock().items, (0..100).collect::<Vec<_>>());
    let status = running.outbox.status();
    assert_eq!((status.failures, status.trouble), (0, None));
    assert!(status.delivered_ms.is_some());
    assert_eq!(status.spool.counters.delivered, 100);
    assert_eq!(running.stop().await, 0);
}

#[tokio::test]
async fn what_is_refused_is_a_dead_letter_and_the_rest_goes_on() {
    let peer = Peer::default();
    peer.0.lock().moods = vec![Mood::Say(Outcome::Refused { why: "400".to_owned() })];
    let running = start(MemorySpool::new(1 << 20).unwrap(), &peer, settings());
    running.outbox.append(items(0, 32)).await.unwrap();
    running.until_empty().await;
    assert_eq!(peer.0.lock().items, (16..32).collect::<Vec<_>>());
    assert_eq!(running.outbox.status().spool.counters.dead, 16);
}

#[tokio::test]
async fn an_answer_that_was_lost_with_the_process_duplicates_nothing() {
    let folder = Folder::new();
    let peer = Peer::default();
    let open = || DiskSpool::open(DiskSettings::new(folder.path(), 1 << 20)).unwrap();
    for round in 0..5u64 {
        peer.0.lock().moods = vec![Mood::TakeAndHang];
        let running = start(open(), &peer, settings());
        running.outbox.append(items(round * 20, round * 20 + 20)).await.unwrap();
        let before = peer.0.lock().attempts;
        while peer.0.lock().attempts == before {
            sleep(Duration::from_millis(1)).await;
        }
        // As a kill would: nothing is told.
        running.task.abort();
        assert!(running.task.await.is_err());
        drop(running.outbox);
    }
    peer.0.lock().moods.clear();
    let running = start(open(), &peer, settings());
    running.until_empty().await;
    assert_eq!(peer.0.lock().items, (0..100).collect::<Vec<_>>());
    assert_eq!(running.outbox.status().spool.counters.delivered, 100);
}

#[tokio::test]
async fn what_waits_is_flushed_on_stop_and_the_deadline_holds() {
    let peer = Peer::default();
    let patient = SenderSettings {
        flush: FlushPolicy {
            count_max: 1000,
            bytes_max: 1 << 20,
            age_max: Duration::from_secs(3600),
        },
        stop_patience: Duration::from_secs(60),
        ..settings()
    };
    let running = start(MemorySpool::new(1 << 20).unwrap(), &peer, patient);
    running.outbox.append(items(0, 20)).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    assert_eq!(peer.0.lock().attempts, 0, "it waits for more");
    assert_eq!(running.stop().await, 0);
    assert_eq!(peer.0.lock().items.len(), 20);

    let peer = Peer::default();
    peer.0.lock().moods = vec![Mood::TakeAndHang];
    let running = start(MemorySpool::new(1 << 20).unwrap(), &peer, settings());
    running.outbox.append(items(20, 40)).await.unwrap();
    let began = std::time::Instant::now();
    assert_eq!(running.stop().await, 20);
    assert!(began.elapsed() < Duration::from_secs(60));
}

/// A spool far away: that nothing waits is heard of late, and the end of a batch does not always arrive.
#[derive(Debug)]
struct FarSpool {
    spool: MemorySpool,
    settlements_lost: AtomicU32,
}

impl FarSpool {
    fn new(settlements_lost: u32) -> Self {
        let spool = MemorySpool::new(1 << 20).unwrap();
        Self { spool, settlements_lost: settlements_lost.into() }
    }
}

impl Spool for FarSpool {
    async fn append(&self, items: Vec<Item>) -> Result<Appended, SpoolError> {
        self.spool.append(items).await
    }

    async fn count_lost(&self, count: u64) -> Result<(), SpoolError> {
        self.spool.count_lost(count).await
    }

    async fn next_batch(
        &self,
        bounds: &BatchBounds,
        label: &[u8],
    ) -> Result<Option<Batch>, SpoolError> {
        let batch = self.spool.next_batch(bounds, label).await?;
        if batch.is_none() {
            sleep(Duration::from_millis(100)).await;
        }
        Ok(batch)
    }

    async fn settle(&self, id: BatchId, settlement: Settlement) -> Result<(), SpoolError> {
        let lost = &self.settlements_lost;
        let less = |lost: u32| lost.checked_sub(1);
        if lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            return Err(SpoolError::NotUnderWay(id.ordinal));
        }
        self.spool.settle(id, settlement).await
    }

    fn status(&self) -> SpoolStatus {
        self.spool.status()
    }

    async fn sync(&self) -> Result<(), SpoolError> {
        self.spool.sync().await
    }
}

#[tokio::test]
async fn what_comes_while_the_spool_says_that_nothing_waits_is_not_forgotten() {
    let peer = Peer::default();
    let running = start(FarSpool::new(0), &peer, settings());
    running.outbox.flush();
    // The sender has asked, and has not been told yet.
    sleep(Duration::from_millis(20)).await;
    running.outbox.append(items(0, 3)).await.unwrap();
    running.until_empty().await;
    assert_eq!(peer.0.lock().items, [0, 1, 2]);
}

/// It was taken out of what is gathered all the same, and waited until something else came.
#[tokio::test]
async fn a_batch_whose_end_cannot_be_written_down_comes_again_by_itself() {
    let peer = Peer::default();
    let running = start(FarSpool::new(3), &peer, settings());
    running.outbox.append(items(0, 3)).await.unwrap();
    running.until_empty().await;
    assert_eq!(peer.0.lock().items, [0, 1, 2]);
    assert_eq!(peer.0.lock().attempts, 4);
}

/// One batch of them went, and the others waited until something else came.
#[tokio::test]
async fn all_that_an_earlier_process_left_goes_without_anything_new() {
    let peer = Peer::default();
    let spool = MemorySpool::new(1 << 20).unwrap();
    spool.append(items(0, 100)).await.unwrap();
    let flush =
        FlushPolicy { count_max: 3, bytes_max: 1 << 20, age_max: Duration::from_secs(3600) };
    let running = start(spool, &peer, SenderSettings { flush, ..settings() });
    running.until_empty().await;
    assert_eq!(peer.0.lock().items, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_peer_that_is_gone_is_left_alone() {
    let peer = Peer::default();
    peer.0.lock().moods = vec![retry(None); 1000];
    let breaker =
        BreakerSettings { open_for: Duration::from_secs(3600), ..BreakerSettings::default() };
    let settings = SenderSettings { breaker, ..settings() };
    let running = start(MemorySpool::new(1 << 20).unwrap(), &peer, settings);
    running.outbox.append(items(0, 1)).await.unwrap();
    let opened = async {
        while running.outbox.status().failures < 5 {
            sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), opened).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    let status = running.outbox.status();
    assert_eq!(status.breaker, ringwall_resilience::BreakerState::Open);
    assert_eq!(status.failures, 5);
    assert_eq!(status.trouble.as_deref(), Some("503"));
    assert_eq!(peer.0.lock().attempts, 5);
}
