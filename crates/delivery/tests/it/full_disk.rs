//! A disk without room: a small file system in memory, where this process may mount one.

use crate::folder::Folder;
use crate::model::{Ledger, Step, run};
use ringwall_delivery::{DiskSettings, DiskSpool, Spool};
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
