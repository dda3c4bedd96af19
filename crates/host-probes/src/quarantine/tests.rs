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
        let moved = place.quarantine.put(&id(), &place.path, NOW).unwrap();
        assert_eq!(moved.lacking, Vec::<String>::new());
        let facts = moved.file;
        assert_eq!((facts.bytes, facts.mode), (17, 0o4751));
        assert_eq!(facts.sha256.len(), 64);
        assert!(!file.exists());
        let kept = std::fs::metadata(place.kept()).unwrap();
        assert_eq!(kept.mode() & 0o7777, 0o400);
        let folder = std::fs::metadata(&place.quarantine.folder).unwrap();
        assert_eq!(folder.mode() & 0o777, 0o700);
        assert_eq!(place.quarantine.list().unwrap(), std::slice::from_ref(&facts));

        let back = place.quarantine.restore(&id()).unwrap();
        assert_eq!((back.file, back.lacking), (facts, Vec::new()));
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

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// `cap_net_bind_service=ep` in the form of `include/uapi/linux/capability.h`, version 2.
const NET_BIND_SERVICE: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn attribute(file: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 64];
    let length = rustix::fs::getxattr(file, name, value.as_mut_slice()).ok()?;
    value.truncate(length);
    Some(value)
}

#[test]
fn capabilities_and_setuid_come_back_with_the_file() {
    if !is_root() {
        return eprintln!("skipped: only root gives a file capabilities");
    }
    both_ways("capable", |place| {
        let file = place.path.as_path();
        std::os::unix::fs::chown(file, Some(1000), Some(1000)).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o6755)).unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        let set = rustix::fs::setxattr(file, "security.capability", &NET_BIND_SERVICE, flags);
        if let Err(error) = set {
            return eprintln!("skipped: no capabilities on this file system: {error}");
        }
        place.quarantine.put(&id(), &place.path, NOW).unwrap();
        assert_eq!(attribute(&place.kept(), "security.capability"), None);
        let back = place.quarantine.restore(&id()).unwrap();
        assert_eq!(back.lacking, Vec::<String>::new());
        let found = std::fs::metadata(file).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (1000, 1000, 0o6755));
        assert_eq!(attribute(file, "security.capability").as_deref(), Some(&NET_BIND_SERVICE[..]));
    });
}

/// What a unit forbids is put back without it, and said. An attribute of no known kind stands for what
/// only others may set.
#[test]
fn what_cannot_be_restored_is_said() {
    both_ways("lacking", |place| {
        place.quarantine.put(&id(), &place.path, NOW).unwrap();
        let folder = place.quarantine.open().unwrap();
        let mut facts = Facts::read(&folder, &id()).unwrap();
        for (name, value) in [("unheard.of", "00"), ("user.broken", "0")] {
            facts.attributes.push(Attribute { name: name.to_owned(), value: value.to_owned() });
        }
        facts.write(&folder).unwrap();
        let back = place.quarantine.restore(&id()).unwrap();
        assert_eq!(back.lacking.len(), 2, "{:?}", back.lacking);
        assert!(back.lacking[0].contains("unheard.of"), "{:?}", back.lacking);
        assert!(back.lacking[1].contains("user.broken"), "{:?}", back.lacking);
        assert_eq!(std::fs::read(place.path.as_path()).unwrap(), CONTENT);
    });
}

#[test]
fn a_further_name_of_a_quarantined_file_is_of_no_use() {
    both_ways("links", |place| {
        let further = place.folder.join("further");
        std::fs::hard_link(place.path.as_path(), &further).unwrap();
        if is_root() {
            std::os::unix::fs::chown(&further, Some(1000), Some(1000)).unwrap();
        }
        let moved = place.quarantine.put(&id(), &place.path, NOW).unwrap();
        assert_eq!((moved.file.other_names, moved.lacking), (1, Vec::new()));
        let left = std::fs::metadata(&further).unwrap();
        // Not the owner's any more, who could give the rights back.
        assert_eq!(left.uid(), rustix::process::geteuid().as_raw());
        assert_eq!(left.mode() & 0o333, 0, "{:o}", left.mode());
        let was_copied = left.ino() != std::fs::metadata(place.kept()).unwrap().ino();
        assert_eq!(left.mode() & 0o7777, if was_copied { 0 } else { 0o400 });
        let back = place.quarantine.restore(&id()).unwrap();
        assert_eq!(back.lacking.len(), usize::from(was_copied), "{:?}", back.lacking);
    });
}

/// Written to while it was copied, through a descriptor that was open before, and its times set back.
#[test]
fn what_is_written_meanwhile_is_not_lost() {
    both_ways("written", |place| {
        let mut writer = File::options().append(true).open(place.path.as_path()).unwrap();
        let before = std::fs::metadata(place.path.as_path()).unwrap();
        let mut watch = |step: Step| {
            if matches!(step, Step::Moved | Step::SetAside) {
                std::io::Write::write_all(&mut writer, b"more").unwrap();
                writer.set_modified(before.modified().unwrap()).unwrap();
            }
            Ok(())
        };
        let put = place.quarantine.put_in_steps(&id(), &place.path, NOW, &mut watch);
        let content = [CONTENT, b"more"].concat();
        match put {
            // Moved: what was written went with it.
            Ok(moved) => {
                assert_eq!(moved.file.bytes, content.len() as u64);
                assert_eq!(std::fs::read(place.kept()).unwrap(), content);
                place.quarantine.restore(&id()).unwrap();
            }
            // Copied: left as it was.
            Err(error) => assert!(matches!(error, QuarantineError::Changed(_)), "{error:?}"),
        }
        assert_eq!(std::fs::read(place.path.as_path()).unwrap(), content);
        let after = std::fs::metadata(place.path.as_path()).unwrap();
        assert_eq!((after.mode(), after.uid()), (before.mode(), before.uid()));
    });
}

#[test]
fn a_file_that_claims_more_than_is_digested_is_put_away_all_the_same() {
    let place = Place::new("sparse", false);
    let file = File::options().write(true).open(place.path.as_path()).unwrap();
    // Ten times as much, and nothing of it on the disk.
    let bytes = DIGEST_BYTES_MAX * 10;
    file.set_len(bytes).unwrap();
    let began = std::time::Instant::now();
    let facts = place.quarantine.put(&id(), &place.path, NOW).unwrap().file;
    assert_eq!(facts.bytes, bytes);
    // Only the first bytes were read, both times.
    assert_eq!(facts.sha256, digest(&File::open(place.kept()).unwrap()).unwrap());
    assert!(began.elapsed() < std::time::Duration::from_secs(120), "{:?}", began.elapsed());
    place.quarantine.restore(&id()).unwrap();
}
