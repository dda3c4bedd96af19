//! What holds for every spool, tried with random orders of everything.

use crate::folder::Folder;
use crate::model::{Ledger, Step, all, run, steps};
use proptest::prelude::*;
use ringwall_delivery::{DiskSettings, DiskSpool, MemorySpool, Spool};

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
