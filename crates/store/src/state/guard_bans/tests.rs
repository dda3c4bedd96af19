use super::*;
use crate::Database;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

struct Fixture {
    folder: PathBuf,
    database: Option<Database>,
}

impl Fixture {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = std::env::temp_dir().join(format!(
            "ringwall-guard-bans-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let database = Some(Database::open(&folder.join("ringwall.db")).unwrap());
        Self { folder, database }
    }

    fn with<T>(&self, job: impl FnOnce(&Session<'_>) -> Result<T, StoreError>) -> T {
        self.try_with(job).unwrap()
    }

    fn try_with<T>(
        &self,
        job: impl FnOnce(&Session<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.database.as_ref().unwrap().write_now(job)
    }

    fn put(&self, ban: &GuardBan) {
        self.with(|session| session.put_ban(ban));
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.database = None;
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn ban(number: i64, address: &str, project: Option<&str>) -> GuardBan {
    GuardBan {
        id: format!("ban_{number:04}"),
        address: address.parse().unwrap(),
        project: project.map(str::to_owned),
        reason: "probes".into(),
        origin: BanOrigin::Alert,
        hosts: true,
        created: at(number),
        created_by: "rule:ban/probes".into(),
        expires: at(number + 100),
        ended: None,
        ended_by: None,
        alert: Some(EventId::from_parts(7, 8, 9)),
        country: Some("NL".into()),
        caused_by: Some("guard:shop".into()),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn ids(bans: Vec<GuardBan>) -> Vec<String> {
    bans.into_iter().map(|ban| ban.id).collect()
}

#[test]
fn a_ban_is_read_back_whole() {
    let fixture = Fixture::new();
    let whole = GuardBan {
        ended: Some(at(9)),
        ended_by: Some("user:admin".into()),
        ..ban(1, "2001:db8::/64", Some("shop"))
    };
    fixture.put(&whole);
    assert_eq!(fixture.with(|s| s.ban("ban_0001")), Some(whole));
    let bare =
        GuardBan { alert: None, country: None, caused_by: None, ..ban(2, "192.0.2.1", None) };
    fixture.put(&bare);
    assert_eq!(fixture.with(|s| s.ban("ban_0002")), Some(bare));
    assert_eq!(fixture.with(|s| s.ban("ban_0003")), None);
}

#[test]
fn one_ban_of_an_address_is_active_in_a_project() {
    let fixture = Fixture::new();
    let first = ban(1, "192.0.2.1", None);
    fixture.put(&first);
    assert!(fixture.try_with(|s| s.put_ban(&ban(2, "192.0.2.1", None))).is_err());
    fixture.put(&ban(3, "192.0.2.1", Some("shop")));
    let address = first.address;
    assert_eq!(fixture.with(|s| s.active_ban(address, None)).unwrap().id, "ban_0001");
    assert_eq!(fixture.with(|s| s.active_ban(address, Some("shop"))).unwrap().id, "ban_0003");
    assert_eq!(fixture.with(|s| s.active_ban(address, Some("blog"))), None);
    fixture.put(&GuardBan { ended: Some(at(5)), ..first });
    fixture.put(&ban(4, "192.0.2.1", None));
    assert_eq!(fixture.with(|s| s.active_ban(address, None)).unwrap().id, "ban_0004");
}

#[test]
fn bans_are_listed_by_state_and_project() {
    let fixture = Fixture::new();
    fixture.put(&ban(1, "192.0.2.1", None));
    fixture.put(&GuardBan { ended: Some(at(50)), ..ban(2, "192.0.2.2", Some("shop")) });
    fixture.put(&ban(3, "192.0.2.3", Some("blog")));
    fixture.put(&GuardBan { origin: BanOrigin::Person, ..ban(4, "192.0.2.4", Some("shop")) });
    fixture.put(&ban(5, "192.0.2.5", Some("shop")));
    let list = |active, project: Option<&str>, before: Option<&str>| {
        let filter = BanFilter { active, project: project.map(str::to_owned) };
        ids(fixture.with(|s| s.bans(&filter, before, 10)))
    };
    assert_eq!(list(None, None, None).len(), 5);
    assert_eq!(list(Some(false), None, None), ["ban_0002"]);
    assert_eq!(list(Some(true), Some("shop"), None), ["ban_0005", "ban_0004", "ban_0001"]);
    assert_eq!(list(None, Some("shop"), Some("ban_0004")), ["ban_0002", "ban_0001"]);
    assert_eq!(
        ids(fixture.with(|s| s.bans_holding_in("shop", 10))),
        ["ban_0004", "ban_0005", "ban_0001"],
        "what people ordered comes first"
    );
    assert_eq!(fixture.with(|s| s.count_bans_holding_in("shop")), 3);
    assert_eq!(ids(fixture.with(|s| s.bans_ended_in("shop", at(50), 10))), ["ban_0002"]);
    assert!(ids(fixture.with(|s| s.bans_ended_in("shop", at(51), 10))).is_empty());
    assert!(ids(fixture.with(|s| s.bans_ended_in("blog", at(0), 10))).is_empty());
}

#[test]
fn active_bans_are_counted_by_cause() {
    let fixture = Fixture::new();
    let check = |source: &str, expected: (u64, u64, u64)| {
        let found = fixture.with(|s| s.active_ban_counts(Some(source)));
        assert_eq!((found.of_people, found.of_rules, found.of_source), expected, "{source}");
    };
    check("guard:shop", (0, 0, 0));
    let by_a_person = GuardBan { caused_by: None, ..ban(1, "192.0.2.1", None) };
    fixture.put(&by_a_person);
    fixture.put(&ban(2, "192.0.2.2", None));
    fixture.put(&ban(3, "192.0.2.3", None));
    let other = GuardBan { caused_by: Some("guard:blog".into()), ..ban(4, "192.0.2.4", None) };
    fixture.put(&other);
    fixture.put(&GuardBan { ended: Some(at(9)), ..ban(5, "192.0.2.5", None) });
    // One that is made longer is still one.
    fixture.put(&GuardBan { expires: at(900), ..ban(3, "192.0.2.3", None) });
    check("guard:shop", (1, 3, 2));
    fixture.put(&GuardBan { ended: Some(at(9)), ..ban(3, "192.0.2.3", None) });
    fixture.put(&GuardBan { ended: Some(at(9)), ..by_a_person });
    fixture.put(&GuardBan { ended: Some(at(9)), ..other });
    check("guard:shop", (0, 1, 1));
    check("guard:blog", (0, 1, 0));
    fixture.with(|s| s.forget_bans(at(100), 10));
    check("guard:shop", (0, 1, 1));
    assert!(fixture.try_with(|s| s.put_ban(&ban(2, "192.0.2.2", None))).is_ok());
}

/// A database of a release that did not count yet.
#[test]
fn bans_of_before_are_counted_when_the_file_is_brought_up_to_date() {
    let mut fixture = Fixture::new();
    fixture.put(&GuardBan { caused_by: None, ..ban(1, "192.0.2.1", None) });
    fixture.put(&ban(2, "192.0.2.2", None));
    fixture.put(&ban(3, "192.0.2.3", None));
    fixture.put(&GuardBan { ended: Some(at(9)), ..ban(4, "192.0.2.4", None) });
    let path = fixture.folder.join("ringwall.db");
    fixture.database = None;
    let before = rusqlite::Connection::open(&path).unwrap();
    before
        .execute_batch(
            "DROP TABLE guard_ban_count; DROP TRIGGER guard_ban_is_counted;
             DROP TRIGGER guard_ban_is_discounted; DROP TRIGGER guard_ban_stays_ended;
             DROP TRIGGER guard_ban_is_forgotten_ended;",
        )
        .unwrap();
    before.pragma_update(None, "user_version", 7).unwrap();
    drop(before);
    fixture.database = Some(Database::open(&path).unwrap());
    let counts = fixture.with(|s| s.active_ban_counts(Some("guard:shop")));
    assert_eq!(counts, ActiveBans { of_people: 1, of_rules: 2, of_source: 2 });
}

#[test]
fn what_ends_when_and_who_caused_it_is_known() {
    let fixture = Fixture::new();
    assert_eq!(fixture.with(|s| s.next_ban_end()), None);
    for number in 1..=3 {
        fixture.put(&ban(number, &format!("192.0.2.{number}"), None));
    }
    assert_eq!(fixture.with(|s| s.next_ban_end()), Some(at(101)));
    assert!(fixture.with(|s| s.overdue_bans(at(100), 10)).is_empty());
    assert_eq!(ids(fixture.with(|s| s.overdue_bans(at(102), 10))), ["ban_0001", "ban_0002"]);
    // A ban that was made longer twice is three times.
    for (ban, moment) in [("ban_0001", 1), ("ban_0001", 2), ("ban_0001", 3), ("ban_0002", 3)] {
        fixture.with(|s| s.put_ban_cause("guard:shop", ban, at(moment)));
    }
    assert_eq!(fixture.with(|s| s.bans_caused_since("guard:shop", at(2))), 3);
    assert_eq!(fixture.with(|s| s.bans_caused_since("guard:blog", at(0))), 0);
    // Also where it was made longer within one batch, which has one moment.
    for _ in 0..3 {
        fixture.with(|s| s.put_ban_cause("guard:blog", "ban_0003", at(3)));
    }
    fixture.with(|s| s.put_ban_cause("guard:blog", "ban_0002", at(3)));
    assert_eq!(fixture.with(|s| s.bans_caused_since("guard:blog", at(3))), 4);
    assert_eq!(fixture.with(|s| s.forget_ban_causes(at(3), 10)), 2);
    assert_eq!(fixture.with(|s| s.bans_caused_since("guard:shop", at(0))), 2);
    let address = "192.0.2.2".parse().unwrap();
    assert_eq!(fixture.with(|s| s.last_ban_change(address)), Some(at(2)));
    fixture.put(&GuardBan { ended: Some(at(60)), ..ban(2, "192.0.2.2", None) });
    assert_eq!(fixture.with(|s| s.last_ban_change(address)), Some(at(60)));
    assert_eq!(fixture.with(|s| s.last_ban_change("192.0.2.9".parse().unwrap())), None);
}

#[test]
fn commands_of_a_ban_are_kept_with_it_and_forgotten_with_it() {
    let fixture = Fixture::new();
    fixture.put(&GuardBan { ended: Some(at(50)), ..ban(1, "192.0.2.1", None) });
    let host = Source::new(Source::HOST_AGENT, "web-1");
    fixture.with(|s| s.put_ban_command("ban_0001", &host, "cmd_1"));
    fixture.with(|s| s.put_ban_command("ban_0001", &host, "cmd_2"));
    let told = || fixture.with(|s| s.ban_commands("ban_0001"));
    assert_eq!(told(), [(host.clone(), "cmd_2".to_owned())]);
    assert_eq!(fixture.with(|s| s.forget_bans(at(50), 10)), 0);
    assert_eq!(fixture.with(|s| s.forget_bans(at(51), 10)), 1);
    assert_eq!(told(), []);
    assert_eq!(fixture.with(|s| s.ban("ban_0001")), None);
}
