//! What holds for every spool, tried with random orders of everything.

use crate::folder::Folder;
use proptest::prelude::*;
use ringwall_delivery::{
    Batch, BatchBounds, DiskSettings, DiskSpool, Item, MemorySpool, Settlement, Spool,
};
use std::collections::BTreeSet;

/// Something that happens to a spool.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Items of these lengths; whether they give way.
    Append(Vec<(usize, bool)>),
    Begin(usize),
    Deliver,
    Refuse,
    Split,
    /// The process is killed and started again.
    Kill,
}

pub(crate) fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let item = (prop_oneof![8 => 8usize..300, 1 => 2_000usize..9_000], prop::bool::weighted(0.3));
    let step = prop_oneof![
        6 => prop::collection::vec(item, 1..30).prop_map(Step::Append),
        4 => (1usize..20).prop_map(Step::Begin),
        4 => Just(Step::Deliver),
        1 => Just(Step::Refuse),
        1 => Just(Step::Split),
        2 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 0..length)
}

/// What the outside knows of a spool: each item carries its number.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) next: u64,
    under_way: Option<Batch>,
    delivered: BTreeSet<u64>,
    dead: u64,
    lost_told: u64,
    ordinal: u64,
}

pub(crate) fn number(payload: &[u8]) -> u64 {
    u64::from_le_bytes(payload[..8].try_into().unwrap())
}

impl Ledger {
    pub(crate) fn items(&mut self, sizes: &[(usize, bool)]) -> Vec<Item> {
        let mut items = Vec::new();
        for (size, gives_way) in sizes {
            let mut payload = self.next.to_le_bytes().to_vec();
            payload.resize((*size).max(8), b'x');
            items.push(Item { payload: payload.into(), gives_way: *gives_way });
            self.next += 1;
        }
        items
    }

    pub(crate) async fn take(&mut self, spool: &impl Spool, step: &Step) {
        match step {
            Step::Append(sizes) => {
                let items = self.items(sizes);
                let count = items.len() as u64;
                let appended = spool.append(items).await.unwrap();
                assert_eq!(appended.kept + appended.dropped, count);
            }
            Step::Begin(count_max) => self.begin(spool, *count_max).await,
            Step::Deliver => {
                if let Some(batch) = self.under_way.take() {
                    spool.settle(batch.id, Settlement::Delivered).await.unwrap();
                    for item in &batch.items {
                        assert!(self.delivered.insert(number(item)), "delivered twice");
                    }
                    assert!(spool.settle(batch.id, Settlement::Delivered).await.is_err());
                }
            }
            Step::Refuse => {
                if let Some(batch) = self.under_way.take() {
                    let dead = Settlement::Dead { reason: "no".to_owned() };
                    spool.settle(batch.id, dead).await.unwrap();
                    self.dead += batch.items.len() as u64;
                }
            }
            Step::Split => {
                if let Some(batch) = self.under_way.clone() {
                    let split = spool.settle(batch.id, Settlement::Split).await;
                    assert_eq!(split.is_ok(), batch.items.len() > 1);
                    if split.is_ok() {
                        self.under_way = None;
                        self.begin(spool, 1).await;
                        let half = self.under_way.as_ref().unwrap();
                        assert_eq!(half.items, batch.items[..batch.items.len() / 2]);
                    }
                }
            }
            Step::Kill => {}
        }
        self.check(spool);
    }

    pub(crate) async fn begin(&mut self, spool: &impl Spool, count_max: usize) {
        let bounds = BatchBounds { count_max, bytes_max: 4_000 };
        let batch = spool.next_batch(&bounds, b"label").await.unwrap();
        if let Some(under_way) = &self.under_way {
            assert_eq!(batch.as_ref(), Some(under_way), "a batch changed under its name");
            return;
        }
        if let Some(batch) = &batch {
            assert!(batch.id.ordinal > self.ordinal, "a number came again");
            assert!(batch.lost_total >= self.lost_told, "losses were taken back");
            assert_eq!(&batch.label[..], b"label");
            assert!(!batch.items.is_empty());
            self.ordinal = batch.id.ordinal;
            self.lost_told = batch.lost_total;
        }
        self.under_way = batch;
    }

    pub(crate) fn check(&self, spool: &impl Spool) {
        let status = spool.status();
        let counters = status.counters;
        assert!(counters.balance(), "{counters:?}");
        assert_eq!(counters.accepted, self.next, "{counters:?}");
        assert_eq!(counters.delivered, self.delivered.len() as u64, "{counters:?}");
        assert_eq!(counters.dead, self.dead, "{counters:?}");
        assert!(status.bytes <= status.bytes_max, "{status:?}");
        assert_eq!(status.oldest_ms.is_some(), counters.waiting > 0, "{status:?}");
    }

    /// Delivers all that is left; then every item is accounted for.
    pub(crate) async fn drain(&mut self, spool: &impl Spool) {
        loop {
            self.begin(spool, 50).await;
            if self.under_way.is_none() {
                break;
            }
            self.take(spool, &Step::Deliver).await;
        }
        let counters = spool.status().counters;
        assert_eq!(counters.waiting, 0);
        let settled = self.delivered.len() as u64 + self.dead;
        assert_eq!(counters.dropped, self.next - settled);
        assert_eq!(spool.status().oldest_ms, None);
    }
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn memory_counts_everything(steps in steps(60), bytes_max in 1_000u64..40_000) {
        run(async {
            let spool = MemorySpool::new(bytes_max).unwrap();
            let mut ledger = Ledger::default();
            for step in &steps {
                ledger.take(&spool, step).await;
            }
            ledger.drain(&spool).await;
        });
    }

    #[test]
    fn disk_counts_everything_across_kills(steps in steps(60), bytes_max in 65_536u64..120_000) {
        run(async {
            let folder = Folder::new();
            let settings = DiskSettings::new(folder.path(), bytes_max);
            let mut spool = DiskSpool::open(settings.clone()).unwrap();
            let id = spool.status().id;
            let mut ledger = Ledger::default();
            for step in &steps {
                if matches!(step, Step::Kill) {
                    let before = spool.status();
                    drop(spool);
                    spool = DiskSpool::open(settings.clone()).unwrap();
                    assert_eq!(spool.status().counters, before.counters);
                    assert_eq!(spool.status().oldest_ms, before.oldest_ms);
                    assert_eq!(spool.status().id, id);
                }
                ledger.take(&spool, step).await;
            }
            ledger.drain(&spool).await;
        });
    }
}

#[test]
fn what_gives_way_goes_first_but_for_the_latest() {
    run(async {
        let spool = MemorySpool::new(3 * (64 + 8)).unwrap();
        give_way(&spool, &[(8, false), (8, true), (8, true), (8, false)], &[0, 2, 3]).await;
    });
    run(async {
        let folder = Folder::new();
        let spool = DiskSpool::open(DiskSettings::new(folder.path(), 65_536)).unwrap();
        // Segments of 4 KiB: 14 fit. Pictures of 2 KiB between events of 1 KiB.
        let sizes: Vec<(usize, bool)> = (0..40)
            .map(|item| if item % 2 == 0 { (2_000, true) } else { (1_000, false) })
            .collect();
        let mut ledger = Ledger::default();
        for size in &sizes {
            spool.append(ledger.items(&[*size])).await.unwrap();
        }
        let kept = all(&spool).await;
        let events: Vec<u64> = kept.iter().copied().filter(|number| number % 2 == 1).collect();
        assert_eq!(events, (0..20).map(|event| 2 * event + 1).collect::<Vec<_>>());
        assert!(kept.contains(&38), "the latest picture went: {kept:?}");
        assert!(kept.len() < 40);
    });
}

async fn give_way(spool: &impl Spool, sizes: &[(usize, bool)], expected: &[u64]) {
    let items = Ledger::default().items(sizes);
    spool.append(items).await.unwrap();
    assert_eq!(all(spool).await, expected);
}

pub(crate) async fn all(spool: &impl Spool) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(batch) = spool.next_batch(&BatchBounds::default(), b"").await.unwrap() {
        numbers.extend(batch.items.iter().map(|item| number(item)));
        spool.settle(batch.id, Settlement::Delivered).await.unwrap();
    }
    numbers
}
