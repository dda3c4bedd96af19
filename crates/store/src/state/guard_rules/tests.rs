use super::*;
use crate::Database;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A database on a folder of its own, which can be closed and opened again.
struct Fixture {
    folder: PathBuf,
    database: Option<Database>,
}

impl Fixture {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = std::env::temp_dir().join(format!(
            "ringwall-guard-rules-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let mut fixture = Self { folder, database: None };
        fixture.reopen();
        fixture
    }

    fn reopen(&mut self) {
        self.database = None;
        self.database = Some(Database::open(&self.folder.join("ringwall.db")).unwrap());
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
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.database = None;
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn published(version: i64) -> PublishedRules {
    PublishedRules {
        rule_id: "ringwall-shop-1".into(),
        began: Timestamp::from_micros(5),
        version,
        published: Timestamp::from_micros(version),
        text: format!("{{\"version\":{version}}}"),
        left_out: 0,
    }
}

fn edit(version: i64) -> RulesEdit {
    RulesEdit {
        version,
        updated: Timestamp::from_micros(version),
        updated_by: "user:admin".into(),
        note: (version % 2 == 0).then(|| "because".into()),
        summary: "everything".into(),
        body: "{}".into(),
    }
}

#[test]
fn what_was_published_is_there_after_a_restart_and_its_version_only_grows() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.with(|s| s.published_rules("shop")), None);
    fixture.with(|s| s.publish_rules("shop", &published(7)));
    fixture.reopen();
    assert_eq!(fixture.with(|s| s.published_rules("shop")), Some(published(7)));
    for version in [6, 7] {
        let refused = fixture.try_with(|s| s.publish_rules("shop", &published(version)));
        assert!(refused.unwrap_err().to_string().contains("only grows"), "version {version}");
    }
    fixture.with(|s| s.publish_rules("shop", &published(8)));
    assert_eq!(fixture.with(|s| s.published_rules("shop")).unwrap().version, 8);
    assert_eq!(fixture.with(|s| s.projects_with_rules()), ["shop"]);
}

#[test]
fn edits_are_listed_newest_first_and_bounded() {
    let fixture = Fixture::new();
    let all = i64::try_from(RULES_EDITS_MAX).unwrap() + 5;
    fixture.with(|session| {
        for version in 1..=all {
            session.put_rules_edit("shop", &edit(version * 10))?;
        }
        session.put_rules_edit("blog", &edit(3))
    });
    let versions = |before, limit| {
        let edits = fixture.with(|s| s.rules_edits("shop", before, limit));
        edits.into_iter().map(|edit| edit.version / 10).collect::<Vec<_>>()
    };
    assert_eq!(versions(None, 2), [all, all - 1]);
    assert_eq!(versions(Some(30 + 50), 100), [7, 6]);
    assert_eq!(fixture.with(|s| s.newest_rules_edit("blog")), Some(edit(3)));
    assert_eq!(fixture.with(|s| s.rules_edit("shop", all * 10)), Some(edit(all * 10)));
    assert_eq!(fixture.with(|s| s.rules_edit("shop", all * 10 - 1)), None);
    assert_eq!(fixture.with(|s| s.rules_edit("shop", 10)), None, "forgotten");
}

#[test]
fn a_removed_project_leaves_nothing_behind() {
    let fixture = Fixture::new();
    for project in ["shop", "blog"] {
        fixture.with(|s| s.publish_rules(project, &published(1)));
        fixture.with(|s| s.put_rules_edit(project, &edit(1)));
    }
    fixture.with(|s| s.forget_rules("shop"));
    assert_eq!(fixture.with(|s| s.published_rules("shop")), None);
    assert_eq!(fixture.with(|s| s.newest_rules_edit("shop")), None);
    assert_eq!(fixture.with(|s| s.projects_with_rules()), ["blog"]);
    assert_eq!(fixture.with(|s| s.newest_rules_edit("blog")), Some(edit(1)));
}
