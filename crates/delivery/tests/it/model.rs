//! What a spool is expected to do, for random orders of everything.

use proptest::prelude::*;
use ringwall_delivery::{Batch, BatchBounds, Item, Settlement, Spool};
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

pub(crate) async fn all(spool: &impl Spool) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(batch) = spool.next_batch(&BatchBounds::default(), b"").await.unwrap() {
        numbers.extend(batch.items.iter().map(|item| number(item)));
        spool.settle(batch.id, Settlement::Delivered).await.unwrap();
    }
    numbers
}
