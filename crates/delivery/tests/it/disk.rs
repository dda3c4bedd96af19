//! What only a disk can do to a spool.

use crate::folder::Folder;
use crate::model::{Ledger, Step, all, number, run, steps};
use proptest::prelude::*;
use ringwall_delivery::{
    BatchBounds, DiskSettings, DiskSpool, Durability, Item, Settlement, Spool, SpoolError,
};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};

fn open(folder: &Folder) -> DiskSpool {
    DiskSpool::open(DiskSettings::new(folder.path(), 1 << 20)).unwrap()
}

#[test]
fn one_process_has_it() {
    let folder = Folder::new();
    let first = open(&folder);
    let second = DiskSpool::open(DiskSettings::new(folder.path(), 1 << 20));
    assert!(matches!(second, Err(SpoolError::InUse(path)) if path == folder.path()));
    drop(first);
    open(&folder);
}

#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let spool_folder = folder.path().join("a/spool");
    let spool = DiskSpool::open(DiskSettings::new(&spool_folder, 1 << 20)).unwrap();
    run(spool.append(vec![Item::new("x")])).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(spool_folder.clone()), 0o700);
    for entry in fs::read_dir(&spool_folder).unwrap() {
        assert_eq!(mode(entry.unwrap().path()), 0o600);
    }
}

#[test]
fn the_batch_under_way_comes_again_the_same() {
    for durability in [Durability::OnSync, Durability::Always] {
        run(async {
            let folder = Folder::new();
            let settings = DiskSettings { durability, ..DiskSettings::new(folder.path(), 1 << 20) };
            let spool = DiskSpool::open(settings.clone()).unwrap();
            spool.append(Ledger::default().items(&[(20, false); 10])).await.unwrap();
            let bounds = BatchBounds { count_max: 4, bytes_max: 1 << 20 };
            let first = spool.next_batch(&bounds, b"old name").await.unwrap().unwrap();
            drop(spool);
            let spool = DiskSpool::open(settings).unwrap();
            spool.append(vec![Item::new("later")]).await.unwrap();
            let again = spool.next_batch(&BatchBounds::default(), b"new name").await.unwrap();
            assert_eq!(again.as_ref(), Some(&first));
            spool.sync().await.unwrap();
        });
    }
}

#[test]
fn refused_batches_are_kept_for_people_within_a_bound() {
    run(async {
        let folder = Folder::new();
        let settings =
            DiskSettings { dead_bytes_max: 100, ..DiskSettings::new(folder.path(), 1 << 20) };
        let spool = DiskSpool::open(settings).unwrap();
        for item in ["first", "second", "third"] {
            spool.append(vec![Item::new(item.repeat(6))]).await.unwrap();
            let batch = spool.next_batch(&BatchBounds::default(), b"").await.unwrap().unwrap();
            let dead = Settlement::Dead { reason: "not\nthis".to_owned() };
            spool.settle(batch.id, dead).await.unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(folder.path().join("dead"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        assert_eq!(names.len(), 2, "the oldest made way");
        let text = fs::read_to_string(&names[0]).unwrap();
        assert_eq!(text, format!("not this\n{}\n", "second".repeat(6)));
        assert_eq!(spool.status().counters.dead, 3);
    });
}

#[test]
fn what_cannot_fit_is_dropped_alone() {
    run(async {
        let folder = Folder::new();
        let spool = DiskSpool::open(DiskSettings::new(folder.path(), 65_536)).unwrap();
        let mut ledger = Ledger::default();
        let items = ledger.items(&[(100, false), (90_000, false), (100, false)]);
        spool.count_lost(2).await.unwrap();
        let appended = spool.append(items).await.unwrap();
        assert_eq!((appended.kept, appended.dropped), (2, 1));
        assert_eq!(all(&spool).await, [0, 2]);
        assert_eq!(spool.status().counters.dropped, 3);
    });
}

#[test]
fn lost_state_is_counted_anew_and_nothing_that_waits_is_lost() {
    run(async {
        let folder = Folder::new();
        let spool = open(&folder);
        let id = spool.status().id;
        spool.append(Ledger::default().items(&[(20, false); 10])).await.unwrap();
        drop(spool);
        fs::remove_file(folder.path().join("state")).unwrap();
        let spool = open(&folder);
        assert_ne!(spool.status().id, id, "numbers of batches must not come again");
        let counters = spool.status().counters;
        assert_eq!((counters.accepted, counters.waiting), (10, 10));
        assert_eq!(all(&spool).await.len(), 10);
    });
}

#[test]
fn settled_segments_are_removed() {
    run(async {
        let folder = Folder::new();
        let spool = DiskSpool::open(DiskSettings::new(folder.path(), 65_536)).unwrap();
        let mut ledger = Ledger::default();
        for _ in 0..200 {
            spool.append(ledger.items(&[(900, false); 3])).await.unwrap();
            all(&spool).await;
            assert!(folder.files(".seg").len() <= 1);
        }
        let counters = spool.status().counters;
        assert_eq!((counters.delivered, counters.dropped), (600, 0));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is cut off or damaged: it opens, the counts balance, and what is delivered is what was
    /// put in.
    #[test]
    fn damage_is_counted(
        before in steps(40),
        after in prop::collection::vec((8usize..200, any::<bool>()), 1..10),
        which: prop::sample::Index,
        at: prop::sample::Index,
        flip in prop::option::of(1u8..),
    ) {
        run(async {
            let folder = Folder::new();
            let settings = DiskSettings::new(folder.path(), 65_536);
            let spool = DiskSpool::open(settings.clone()).unwrap();
            let mut ledger = Ledger::default();
            for step in before.iter().filter(|step| !matches!(step, Step::Kill)) {
                ledger.take(&spool, step).await;
            }
            let earlier = spool.status();
            drop(spool);
            let mut files = folder.files(".seg");
            files.push(folder.path().join("state"));
            let file = &files[which.index(files.len())];
            let is_state = file.ends_with("state");
            let mut content = fs::read(file).unwrap();
            let at = at.index(content.len());
            match flip {
                Some(flip) => {
                    content[at] ^= flip;
                    fs::write(file, content).unwrap();
                }
                None => OpenOptions::new().write(true).open(file).unwrap().set_len(at as u64).unwrap(),
            }

            let spool = DiskSpool::open(settings.clone()).unwrap();
            let status = spool.status();
            assert!(status.counters.balance(), "{status:?}");
            if !is_state {
                assert_eq!(status.id, earlier.id);
                // What is torn off the end may never have been answered for: nobody knows of it.
                assert!(status.counters.accepted <= earlier.counters.accepted);
                assert_eq!(status.counters.delivered, earlier.counters.delivered);
                let is_end = which.index(files.len()) + 2 == files.len();
                if !is_end {
                    assert_eq!(status.counters.accepted, earlier.counters.accepted);
                    assert!(status.counters.dropped >= earlier.counters.dropped);
                }
            }
            spool.append(ledger.items(&after)).await.unwrap();
            let mut seen = BTreeSet::new();
            for item in all(&spool).await {
                assert!(item < ledger.next && seen.insert(item), "item {item} from nowhere, or twice");
            }
            for item in ledger.next - after.len() as u64..ledger.next {
                assert!(seen.contains(&item), "item {item} came after the damage and is lost");
            }
            let status = spool.status();
            assert!(status.counters.balance() && status.counters.waiting == 0, "{status:?}");
            drop(spool);
            let again = DiskSpool::open(settings).unwrap().status();
            assert_eq!(again.counters, status.counters);
        });
    }
}

#[test]
fn payloads_come_back_as_they_were() {
    run(async {
        let folder = Folder::new();
        let spool = open(&folder);
        let items = Ledger::default().items(&[(9, false), (300_000, true), (8, false)]);
        spool.append(items.clone()).await.unwrap();
        drop(spool);
        let spool = open(&folder);
        let batch = spool.next_batch(&BatchBounds::default(), b"").await.unwrap().unwrap();
        assert!(batch.items.iter().eq(items.iter().map(|item| &item.payload)));
        assert_eq!(number(&batch.items[2]), 2);
    });
}
