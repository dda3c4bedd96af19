//! A disk without room: a small file system in memory, where this process may mount one.

use crate::folder::Folder;
use crate::model::{Ledger, Step, run};
use ringwall_delivery::{
    BatchBounds, DiskSettings, DiskSpool, Item, Settlement, Spool, WhenDiskFull,
};
use std::path::PathBuf;
use std::process::Command;

struct SmallDisk(PathBuf, #[expect(dead_code, reason = "removed when it is dropped")] Folder);

impl SmallDisk {
    /// None where this process may not mount.
    fn mount(bytes: u64) -> Option<Self> {
        let folder = Folder::new();
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let options = format!("size={bytes},mode=0700,nosuid,nodev");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "ringwall-test"])
            .arg(&path)
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path, folder))
    }

    /// Takes all the room there is, with a file.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut size = 1 << 20;
        let mut content = Vec::new();
        while size > 0 {
            let longer = vec![1; content.len() + size];
            match std::fs::write(&path, &longer) {
                Ok(()) => content = longer,
                Err(_) => size /= 2,
            }
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

#[test]
fn a_full_disk_loses_what_it_must_and_counts_it_across_kills() {
    let Some(disk) = SmallDisk::mount(1 << 20) else {
        eprintln!("skipped: this process may not mount a file system");
        return;
    };
    run(async {
        // It may take more than the disk has.
        let settings = DiskSettings::new(disk.0.join("spool"), 4 << 20);
        let mut spool = DiskSpool::open(settings.clone()).unwrap();
        let mut ledger = Ledger::default();
        let append = Step::Append(vec![(900, false); 20]);
        for _ in 0..10 {
            ledger.take(&spool, &append).await;
        }
        ledger.begin(&spool, 5).await;
        let ballast = disk.fill();
        let mut was_full = false;
        for round in 0..60 {
            ledger.take(&spool, &append).await;
            was_full |= spool.status().is_full;
            if round % 10 == 9 {
                let before = spool.status();
                drop(spool);
                spool = DiskSpool::open(settings.clone()).unwrap();
                assert_eq!(spool.status().counters, before.counters);
                // Delivering works without room.
                ledger.take(&spool, &Step::Deliver).await;
                ledger.begin(&spool, 5).await;
            }
        }
        assert!(was_full);
        let dropped = spool.status().counters.dropped;
        assert!(dropped > 0);
        std::fs::remove_file(ballast).unwrap();
        ledger.take(&spool, &append).await;
        assert!(!spool.status().is_full);
        assert_eq!(spool.status().counters.dropped, dropped);
        ledger.drain(&spool).await;
    });
}

/// Whoever has a better place than the floor for them keeps what the disk does not take.
#[test]
fn a_full_disk_refuses_and_counts_nothing_where_it_is_told_to() {
    let Some(disk) = SmallDisk::mount(1 << 20) else {
        eprintln!("skipped: this process may not mount a file system");
        return;
    };
    run(async {
        let settings = DiskSettings {
            when_disk_full: WhenDiskFull::Refuse,
            ..DiskSettings::new(disk.0.join("spool"), 4 << 20)
        };
        let items = |from: u8| (from..from + 20).map(|number| Item::new(vec![number; 900]));
        let spool = DiskSpool::open(settings).unwrap();
        spool.append(items(0).collect()).await.unwrap();
        let ballast = disk.fill();
        let mut kept = 20;
        // What is left of a block may still take some.
        while spool.append(items(0).collect()).await.is_ok() {
            kept += 20;
            assert!(kept < 2_000, "the disk is never full");
        }
        assert!(spool.append(items(20).collect()).await.is_err());
        let status = spool.status();
        assert!(status.is_full);
        assert_eq!((status.counters.accepted, status.counters.waiting), (kept, kept));
        std::fs::remove_file(ballast).unwrap();
        let appended = spool.append(items(20).collect()).await.unwrap();
        assert_eq!((appended.kept, appended.dropped), (20, 0));
        assert!(!spool.status().is_full);
        let mut read = 0;
        while let Some(batch) = spool.next_batch(&BatchBounds::default(), b"").await.unwrap() {
            read += batch.items.len() as u64;
            assert!(
                batch
                    .items
                    .iter()
                    .all(|item| item.len() == 900 && item.iter().all(|b| *b == item[0]))
            );
            spool.settle(batch.id, Settlement::Delivered).await.unwrap();
        }
        let counters = spool.status().counters;
        assert_eq!((read, counters.delivered, counters.dropped), (kept + 20, kept + 20, 0));
    });
}
