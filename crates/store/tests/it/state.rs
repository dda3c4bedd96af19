use crate::Fixture;
use ringwall_event::{Alert, AlertState, EventId, Finding, Severity, Source, Timestamp};
use ringwall_store::{AlertFilter, AuditRecord, Database, Mark, StateStore, StoreError};

#[test]
fn an_alert_is_live_until_it_is_resolved() {
    let fixture = Fixture::new();
    let mut alert = Alert {
        id: EventId::from_parts(1, 2, 3),
        finding: Finding::NewProcess,
        severity: Severity::Low,
        state: AlertState::Open,
        source: Source::new("watcher", "mac"),
        host: "mac".into(),
        process: None,
        title: "new process".into(),
        reasons: vec![],
        count: 1,
        first_seen: Timestamp::from_micros(1),
        last_seen: Timestamp::from_micros(1),
        events: vec![],
        kill_offered: false,
        note: None,
    };
    let database = &fixture.database;
    database.write_now(|s| s.put_alert(&alert, "entity")).unwrap();
    assert_eq!(database.read(|s| s.live_alert("entity")).unwrap(), Some(alert.clone()));
    let open = database.read(|s| s.open_alerts_by_severity()).unwrap();
    assert_eq!(open, [(Severity::Low, 1)]);
    let of = |dialect: &'static str| {
        database
            .read(move |s| {
                let alerts = s.live_alerts_of_dialect(dialect, 10)?;
                Ok((alerts.len(), s.live_alert_counts_of_dialect(dialect)?))
            })
            .unwrap()
    };
    assert_eq!(of("watcher"), (1, vec![(Severity::Low, 1)]));
    assert_eq!(of("watch"), (0, vec![]));
    alert.state = AlertState::Resolved;
    database.write_now(|s| s.put_alert(&alert, "entity")).unwrap();
    assert_eq!(of("watcher"), (0, vec![]));
    assert_eq!(database.read(|s| s.live_alert("entity")).unwrap(), None);
    let filter = AlertFilter { state: Some(AlertState::Resolved), ..AlertFilter::default() };
    assert_eq!(database.read(|s| s.alerts(&filter, None, 10)).unwrap(), [alert.clone()]);
    assert_eq!(database.read(|s| s.alerts(&filter, Some(alert.id), 10)).unwrap(), []);
}

#[test]
fn sightings_are_summed_over_the_entities_of_an_indicator() {
    let fixture = Fixture::new();
    for (number, entity, count) in [(1, "a/1", 3), (2, "a/2", 4), (3, "ab/1", 100), (4, "b/1", 1)] {
        let alert = Alert {
            id: EventId::from_parts(number, 0, 0),
            finding: Finding::NewProcess,
            severity: Severity::Low,
            state: AlertState::Resolved,
            source: Source::new("watcher", "mac"),
            host: "mac".into(),
            process: None,
            title: String::new(),
            reasons: vec![],
            count,
            first_seen: Timestamp::from_micros(1),
            last_seen: Timestamp::from_millis(number.cast_signed()),
            events: vec![],
            kill_offered: false,
            note: None,
        };
        fixture.database.write_now(|s| s.put_alert(&alert, entity)).unwrap();
    }
    let of = |begin: &str| fixture.database.read(|s| s.sightings(begin)).unwrap();
    assert_eq!(of("a/"), Some((7, Timestamp::from_millis(2))));
    assert_eq!(of("b/"), Some((1, Timestamp::from_millis(4))));
    assert_eq!(of("c/"), None);
}

#[test]
fn audit_entries_cannot_be_changed_or_removed() {
    let fixture = Fixture::new();
    let record = AuditRecord {
        time: Timestamp::from_micros(5),
        actor: "user:admin".into(),
        action: "kill_process".into(),
        subject: "host-agent:web-1 pid 7".into(),
        outcome: "permitted".into(),
        reason: "known bad".into(),
    };
    fixture.database.write_now(|s| s.append_audit(&record)).unwrap();
    let other = rusqlite::Connection::open(fixture.folder.join("ringwall.db")).unwrap();
    assert!(other.execute("UPDATE audit SET actor = 'nobody'", []).is_err());
    assert!(other.execute("DELETE FROM audit", []).is_err());
    let entries = fixture.database.read(|s| s.audit(None, 10)).unwrap();
    assert_eq!(entries, [(1, record)]);
}

#[test]
fn marks_are_found_and_forgotten() {
    let fixture = Fixture::new();
    let database = &fixture.database;
    let mark = Mark { received: Timestamp::from_micros(10), answer: vec![1, 2, 3] };
    database.write_now(|s| s.put_mark(&[7; 32], &mark)).unwrap();
    assert_eq!(database.read(|s| s.mark(&[7; 32])).unwrap(), Some(mark));
    assert_eq!(database.read(|s| s.mark(&[8; 32])).unwrap(), None);
    let forgotten = database.write_now(|s| s.forget_marks(Timestamp::from_micros(11), 10));
    assert_eq!(forgotten.unwrap(), 1);
    assert_eq!(database.read(|s| s.mark(&[7; 32])).unwrap(), None);
}

#[test]
fn a_file_of_a_later_version_is_refused() {
    let fixture = Fixture::new();
    let path = fixture.folder.join("later.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.pragma_update(None, "user_version", 999).unwrap();
    drop(other);
    assert!(matches!(Database::open(&path), Err(StoreError::TooNew { found: 999, .. })));
}

#[test]
fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::MetadataExt;
    let fixture = Fixture::new();
    for name in ["ringwall.db", "ringwall.db-wal"] {
        let mode = std::fs::metadata(fixture.folder.join(name)).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}
