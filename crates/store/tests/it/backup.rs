//! Backups, and the way back.

use crate::data_dirs::{Place, append, events, flip, open, parquet_files, retire};
use ringwall_event::{Event, EventId, Timestamp};
use ringwall_store::Progress;
use ringwall_store::backup::{
    BackupError, BackupOptions, MANIFEST, Manifest, MasterKey, RestoreOptions, backup, check,
    restore,
};
use ringwall_store::data_dir::DataDirError;
use ringwall_store::maintenance::{FindingKind, verify};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_micros(1_780_000_000_000_000);

fn options() -> BackupOptions {
    BackupOptions { now: NOW, base: None, link: false, without_master_key: false }
}

fn back_up(data_dir: &Path, target: &Path) -> Result<Manifest, BackupError> {
    backup(data_dir, target, &options(), &Arc::default())
}

fn bring_back(folder: &Path, data_dir: &Path) -> Result<Manifest, BackupError> {
    restore(folder, data_dir, &RestoreOptions::default(), &Arc::default())
}

#[track_caller]
fn findings(folder: &Path) -> Vec<FindingKind> {
    let found = check(folder, &Arc::default()).unwrap().findings;
    found.into_iter().map(|finding| finding.kind).collect()
}

#[test]
fn what_is_restored_is_what_was_backed_up() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    let before = events(&data_dir);
    assert_eq!(before.len(), 320);
    // The database is open and was not taken up from its journal: as beside a running server.
    let database = open(&data_dir);
    let late = Event { id: EventId::from_parts(1, 1, 0), ..before.first().unwrap().clone() };
    append(&database, std::slice::from_ref(&late));
    let before = events(&data_dir);

    let progress = Arc::<Progress>::default();
    let manifest = backup(&data_dir, &place.path("backup"), &options(), &progress).unwrap();
    assert_eq!((manifest.intake_events, manifest.archived_events), (21, 300));
    assert_eq!(manifest.created, NOW);
    assert!(manifest.has_master_key());
    assert_eq!(Manifest::read(&place.path("backup")).unwrap(), manifest);
    assert_eq!(findings(&place.path("backup")), []);
    assert_eq!(progress.now().files_done, parquet_files(&data_dir).len() as u64);

    bring_back(&place.path("backup"), &place.path("restored")).unwrap();
    assert_eq!(events(&place.path("restored")), before);
    assert_eq!(std::fs::read(place.path("restored/master.key")).unwrap(), [7; 32]);
    let verification = verify(&place.path("restored"), 2, &Arc::default()).unwrap();
    assert_eq!(verification.findings, []);
    assert_eq!(place.names(), ["backup", "data", "restored"]);
    drop(database);
}

#[test]
fn only_the_owner_can_read_a_backup() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    back_up(&data_dir, &place.path("backup")).unwrap();
    bring_back(&place.path("backup"), &place.path("restored")).unwrap();
    for folder in ["backup", "restored"] {
        let mut folders = vec![place.path(folder)];
        while let Some(folder) = folders.pop() {
            assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                    assert_eq!(mode, 0o600, "{}", path.display());
                }
            }
        }
    }
}

#[test]
fn nothing_is_written_over() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    let target = place.path("backup");
    std::fs::create_dir(&target).unwrap();
    assert!(matches!(back_up(&data_dir, &target), Err(BackupError::TargetExists(_))));
    let inside = back_up(&data_dir, &data_dir.join("backup"));
    assert!(matches!(inside, Err(BackupError::TargetInside(_))));
    let nothing = back_up(&place.path("none"), &place.path("other"));
    assert!(matches!(nothing, Err(BackupError::DataDir(DataDirError::NoStore(_)))));
    std::fs::remove_dir(&target).unwrap();
    back_up(&data_dir, &target).unwrap();

    assert!(matches!(bring_back(&target, &data_dir), Err(BackupError::NotEmpty(_))));
    let file = place.path("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(bring_back(&target, &file), Err(BackupError::NotEmpty(_))));
    let lock = std::fs::File::create(data_dir.join("lock")).unwrap();
    lock.lock().unwrap();
    let in_use = bring_back(&target, &data_dir);
    assert!(matches!(in_use, Err(BackupError::DataDir(DataDirError::InUse(_)))));
    // An empty folder is as good as none.
    std::fs::create_dir(place.path("empty")).unwrap();
    bring_back(&target, &place.path("empty")).unwrap();
    assert_eq!(place.names(), ["backup", "data", "empty", "file"]);
}

#[test]
fn a_damaged_store_gives_no_backup() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    flip(parquet_files(&data_dir).last().unwrap());
    let error = back_up(&data_dir, &place.path("backup")).unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
    assert!(error.to_string().ends_with("its bytes are not those that were written"), "{error}");
    assert_eq!(place.names(), ["data"]);
}

#[test]
fn a_damaged_backup_is_found_and_not_restored() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    let damage = |name: &str, harm: &dyn Fn(&Path), expected: &[FindingKind]| {
        let target = place.path(name);
        back_up(&data_dir, &target).unwrap();
        harm(&target);
        assert_eq!(findings(&target), expected, "{name}");
        let error = bring_back(&target, &place.path("restored")).unwrap_err();
        assert!(!place.path("restored").exists(), "{name}: {error}");
    };
    let first = |folder: &Path| parquet_files(folder).first().unwrap().clone();
    damage("flipped", &|folder| flip(&first(folder)), &[FindingKind::Checksum]);
    damage(
        "short",
        &|folder| {
            let file = std::fs::OpenOptions::new().write(true).open(first(folder)).unwrap();
            file.set_len(100).unwrap();
        },
        &[FindingKind::Size],
    );
    damage(
        "missing",
        &|folder| std::fs::remove_file(first(folder)).unwrap(),
        &[FindingKind::Missing],
    );
    damage("database", &|folder| flip(&folder.join("ringwall.db")), &[FindingKind::Checksum]);
    damage("key", &|folder| flip(&folder.join("master.key")), &[FindingKind::Checksum]);
    damage(
        "manifest",
        &|folder| {
            let path = folder.join(MANIFEST);
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.replace("\"archived_events\": 300", "\"archived_events\": 299");
            std::fs::write(path, text).unwrap();
        },
        &[FindingKind::Count],
    );
    let unfinished = place.path("flipped");
    std::fs::remove_file(unfinished.join(MANIFEST)).unwrap();
    let error = check(&unfinished, &Arc::default()).unwrap_err();
    assert!(error.to_string().ends_with("not a whole backup: there is no manifest.json"));
}

#[test]
fn a_manifest_that_leads_elsewhere_is_refused() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    let target = place.path("backup");
    back_up(&data_dir, &target).unwrap();
    let path = target.join(MANIFEST);
    let text = std::fs::read_to_string(&path).unwrap();
    for place_of_key in ["../master.key", "/etc/passwd", "archive/../../x.parquet"] {
        std::fs::write(&path, text.replace("\"master.key\"", &format!("\"{place_of_key}\"")))
            .unwrap();
        let error = bring_back(&target, &place.path("restored")).unwrap_err();
        assert!(matches!(error, BackupError::NotABackup { .. }), "{error}");
    }
}

#[test]
fn without_the_master_key_it_must_come_from_elsewhere() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    let target = place.path("backup");
    let without = BackupOptions { without_master_key: true, ..options() };
    let manifest = backup(&data_dir, &target, &without, &Arc::default()).unwrap();
    assert!(!manifest.has_master_key() && !target.join("master.key").exists());
    let restored = place.path("restored");
    let refused = bring_back(&target, &restored);
    assert!(matches!(refused, Err(BackupError::NoMasterKey(_))));
    let with =
        |master_key| restore(&target, &restored, &RestoreOptions { master_key }, &Arc::default());
    let refused = with(MasterKey::File(target.join(MANIFEST)));
    assert!(matches!(refused, Err(BackupError::BadMasterKey { .. })));
    with(MasterKey::File(data_dir.join("master.key"))).unwrap();
    assert_eq!(std::fs::read(restored.join("master.key")).unwrap(), [7; 32]);
    std::fs::remove_dir_all(&restored).unwrap();
    with(MasterKey::Later).unwrap();
    assert!(!restored.join("master.key").exists());
}

#[test]
fn unchanged_files_are_shared_with_an_older_backup() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    let first = back_up(&data_dir, &place.path("first")).unwrap();
    assert_eq!(first.linked_bytes, 0);
    let with_base = BackupOptions { base: Some(place.path("first")), ..options() };
    let second = backup(&data_dir, &place.path("second"), &with_base, &Arc::default()).unwrap();
    let archived: u64 =
        parquet_files(&data_dir).iter().map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!(second.linked_bytes, archived);
    for file in parquet_files(&place.path("second")) {
        assert_eq!(file.metadata().unwrap().nlink(), 2);
    }
    // A rotten file of the older one does not spread.
    flip(parquet_files(&place.path("first")).first().unwrap());
    std::fs::remove_dir_all(place.path("second")).unwrap();
    backup(&data_dir, &place.path("third"), &with_base, &Arc::default()).unwrap();
    assert_eq!(findings(&place.path("third")), []);

    let linked = BackupOptions { link: true, ..options() };
    backup(&data_dir, &place.path("linked"), &linked, &Arc::default()).unwrap();
    for file in parquet_files(&data_dir) {
        assert_eq!(file.metadata().unwrap().nlink(), 2);
    }
}

#[test]
fn doomed_files_stay_behind() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    retire(&data_dir, 1);
    let before = parquet_files(&data_dir).len();
    back_up(&data_dir, &place.path("backup")).unwrap();
    assert_eq!(parquet_files(&place.path("backup")).len(), before - 1);
    bring_back(&place.path("backup"), &place.path("restored")).unwrap();
    assert_eq!(events(&place.path("restored")), events(&data_dir));
    let verification = verify(&place.path("restored"), 1, &Arc::default()).unwrap();
    assert_eq!(verification.findings, []);
}

#[test]
fn what_was_cut_short_is_cleared_away() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    for name in ["backup.backing-up-1", "backup.backing-up-x", "backup.restoring-1"] {
        std::fs::create_dir_all(place.path(name).join("archive")).unwrap();
    }
    // One that is being built by a process that lives.
    let held = std::fs::File::open(place.path("backup.backing-up-1")).unwrap();
    held.lock().unwrap();
    let underway = back_up(&data_dir, &place.path("backup"));
    assert!(matches!(underway, Err(BackupError::Underway(_))));
    drop(held);
    back_up(&data_dir, &place.path("backup")).unwrap();
    assert_eq!(place.names(), ["backup", "backup.backing-up-x", "backup.restoring-1", "data"]);
}

#[test]
fn who_is_asked_to_stop_leaves_nothing() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    let progress = Arc::<Progress>::default();
    progress.cancel();
    let error = backup(&data_dir, &place.path("backup"), &options(), &progress).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(place.names(), ["data"]);
}
