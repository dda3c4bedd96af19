use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const CONTENT: &[u8] = b"#!/bin/sh\nexit 1\n";

/// A folder with a file in it, and a quarantine; on the same file system or on another one.
struct Place {
    folder: PathBuf,
    quarantine: Quarantine,
    path: AbsolutePath,
}

impl Place {
    fn new(name: &str, other_system: bool) -> Self {
        let unique = format!("ringwall-quarantine-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().canonicalize().unwrap().join(&unique);
        let keep =
            if other_system { Path::new("/dev/shm").join(&unique) } else { folder.join("keep") };
        for made in [&folder, &keep] {
            // Left behind by a run that was killed.
            drop(std::fs::remove_dir_all(made));
            std::fs::create_dir_all(made).unwrap();
        }
        let file = folder.join("evil.sh");
        std::fs::write(&file, CONTENT).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o4751)).unwrap();
        let times = std::fs::FileTimes::new()
            .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1_234_567_890));
        File::open(&file).unwrap().set_times(times).unwrap();
        Self {
            path: AbsolutePath::parse(file.to_str().unwrap()).unwrap(),
            quarantine: Quarantine::at(&keep.join("quarantine")),
            folder,
        }
    }

    fn kept(&self) -> PathBuf {
        self.quarantine.folder.join("cmd_1")
    }

    /// Whether the original or the quarantined file is there whole.
    fn is_somewhere(&self) -> bool {
        [self.path.as_path(), self.folder.join(".ringwall-cmd_1").as_path(), self.kept().as_path()]
            .iter()
            .any(|file| std::fs::read(file).is_ok_and(|content| content == CONTENT))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for folder in
            [Some(self.folder.as_path()), self.quarantine.folder.parent()].into_iter().flatten()
        {
            // The one may lie within the other.
            drop(std::fs::remove_dir_all(folder));
        }
    }
}

fn id() -> CommandId {
    CommandId::parse("cmd_1").unwrap()
}

/// Both ways, where this machine has a second file system.
fn both_ways(name: &str, test: impl Fn(Place)) {
    test(Place::new(name, false));
    let device = |path: &str| std::fs::metadata(path).ok().map(|found| found.dev());
    let temporary = std::env::temp_dir();
    if device("/dev/shm").is_some() && device("/dev/shm") != device(temporary.to_str().unwrap()) {
        test(Place::new(name, true));
    } else {
        eprintln!("skipped: /dev/shm is no file system of its own");
    }
}

#[test]
fn a_file_is_put_away_and_back_as_it_was() {
    both_ways("back", |place| {
        let file = place.path.as_path();
        let before = std::fs::metadata(file).unwrap();
        let facts = place.quarantine.put(&id(), &place.path, NOW).unwrap();
        assert_eq!((facts.bytes, facts.mode), (17, 0o4751));
        assert_eq!(facts.sha256.len(), 64);
        assert!(!file.exists());
        let kept = std::fs::metadata(place.kept()).unwrap();
        assert_eq!(kept.mode() & 0o7777, 0o400);
        let folder = std::fs::metadata(&place.quarantine.folder).unwrap();
        assert_eq!(folder.mode() & 0o777, 0o700);
        assert_eq!(place.quarantine.list().unwrap(), std::slice::from_ref(&facts));

        assert_eq!(place.quarantine.restore(&id()).unwrap(), facts);
        let after = std::fs::metadata(file).unwrap();
        assert_eq!(std::fs::read(file).unwrap(), CONTENT);
        let facts = |found: &std::fs::Metadata| {
            (found.mode(), found.uid(), found.gid(), found.mtime(), found.mtime_nsec())
        };
        assert_eq!(facts(&after), facts(&before));
        assert_eq!(place.quarantine.list().unwrap(), []);
        assert_eq!(std::fs::read_dir(&place.quarantine.folder).unwrap().count(), 0);
        assert!(matches!(place.quarantine.restore(&id()), Err(QuarantineError::NotThere(_))));
    });
}

#[test]
fn a_kill_between_two_steps_loses_nothing() {
    use Step::{Copied, FactsWritten, Kept, Moved, Prepared, PutBack, SetAside};
    both_ways("kill", |place| {
        let mut reached = 0;
        for step in [FactsWritten, Moved, Copied, Kept, SetAside, Prepared, PutBack] {
            let killed = || system("go on", std::io::Error::other("killed"));
            let mut watch = |now: Step| if now == step { Err(killed()) } else { Ok(()) };
            let path = &place.path;
            let put = place.quarantine.put_in_steps(&id(), path, NOW, &mut watch).is_err();
            assert!(place.is_somewhere(), "after {step:?} of the way there");
            let restored = !put && place.quarantine.restore_in_steps(&id(), &mut watch).is_err();
            assert!(place.is_somewhere(), "after {step:?} of the way back");
            reached += u32::from(put) + u32::from(restored);
            // From whatever was left: put all of it as it was.
            for folder in [&place.folder, &place.quarantine.folder] {
                for name in ["cmd_1", "cmd_1.part", "cmd_1.json", ".ringwall-cmd_1"] {
                    drop(std::fs::remove_file(folder.join(name)));
                }
            }
            std::fs::write(place.path.as_path(), CONTENT).unwrap();
        }
        assert!(reached >= 4, "{reached} steps were reached");
    });
}

#[test]
fn nothing_is_overwritten_and_nothing_else_is_taken() {
    both_ways("care", |place| {
        let file = place.path.as_path();
        // Another file is put in its place after it was looked at.
        let swapped = place.folder.join("swapped");
        let mut watch = |step: Step| {
            if step == Step::FactsWritten {
                std::fs::rename(file, &swapped).unwrap();
                std::fs::write(file, b"innocent").unwrap();
            }
            Ok(())
        };
        let taken = place.quarantine.put_in_steps(&id(), &place.path, NOW, &mut watch);
        assert!(matches!(taken, Err(QuarantineError::Changed(_))), "{taken:?}");
        assert_eq!(std::fs::read(file).unwrap(), b"innocent");
        assert_eq!(place.quarantine.list().unwrap(), []);
        std::fs::rename(&swapped, file).unwrap();

        place.quarantine.put(&id(), &place.path, NOW).unwrap();
        std::fs::write(file, b"new").unwrap();
        let refused = place.quarantine.restore(&id());
        assert!(matches!(refused, Err(QuarantineError::Exists(_))), "{refused:?}");
        assert_eq!(std::fs::read(file).unwrap(), b"new");
        let again = place.quarantine.put(&id(), &place.path, NOW);
        assert!(matches!(again, Err(QuarantineError::Taken(_))), "{again:?}");
        std::fs::remove_file(file).unwrap();

        // What lies in quarantine was changed.
        std::fs::set_permissions(place.kept(), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(place.kept(), b"changed").unwrap();
        let damaged = place.quarantine.restore(&id());
        assert!(matches!(damaged, Err(QuarantineError::Damaged(..))), "{damaged:?}");
        std::fs::write(place.kept(), CONTENT).unwrap();
        place.quarantine.restore(&id()).unwrap();

        // A link in the way, of the file or of a folder, is not followed.
        let link = place.folder.join("link");
        std::os::unix::fs::symlink(file, &link).unwrap();
        let link = AbsolutePath::parse(link.to_str().unwrap()).unwrap();
        let refused = place.quarantine.put(&id(), &link, NOW);
        assert!(matches!(refused, Err(QuarantineError::Open(OpenError::Link(_)))), "{refused:?}");
    });
}
