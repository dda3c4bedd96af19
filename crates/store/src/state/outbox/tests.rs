use super::*;
use crate::Database;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

struct Fixture {
    folder: PathBuf,
    database: Database,
}

impl Fixture {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = std::env::temp_dir().join(format!(
            "ringwall-outbox-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let database = Database::open(&folder.join("ringwall.db")).unwrap();
        Self { folder, database }
    }

    fn with<T>(&self, job: impl FnOnce(&Session<'_>) -> Result<T, StoreError>) -> T {
        self.database.write_now(job).unwrap()
    }

    fn put(&self, webhook: &str, numbers: std::ops::Range<u32>) {
        self.with(|session| {
            for number in numbers {
                session.put_delivery(&NewDelivery {
                    id: &id(number),
                    webhook,
                    event_type: "alert.raised",
                    subject: "alert-1",
                    created: at(i64::from(number)),
                    payload: b"{}",
                })?;
            }
            Ok(())
        });
    }

    fn attempt(&self, number: u32, end: AttemptEnd) -> bool {
        let error = (end != AttemptEnd::Arrived).then(|| "connection refused".to_owned());
        let status = (end == AttemptEnd::Arrived).then_some(200);
        let attempt =
            Attempt { at: at(100), duration_ms: 7, status, error, answer: "answer".to_owned() };
        self.with(|session| session.put_attempt(&id(number), &attempt, end))
    }

    fn delivery(&self, number: u32) -> Delivery {
        self.with(|session| session.delivery(&id(number))).unwrap()
    }

    fn waiting(&self, webhook: &str) -> Vec<String> {
        let waiting = self.with(|session| session.waiting(webhook, 100));
        waiting.into_iter().map(|delivery| delivery.id).collect()
    }

    /// The counts that the triggers keep, after a look whether they agree with the rows.
    fn counts(&self, webhook: &str) -> [u64; 4] {
        let counts = self.with(|session| session.delivery_counts_of(webhook));
        for state in DeliveryState::ALL {
            let counted: i64 = self.with(|session| {
                Ok(session.connection.query_row(
                    "SELECT count(*) FROM delivery WHERE webhook = ? AND state = ?",
                    [webhook, state.name()],
                    |row| row.get(0),
                )?)
            });
            let mut kept = DeliveryCounts::default();
            kept.add(state.name(), counted.unsigned_abs());
            let same = match state {
                DeliveryState::Pending => kept.pending == counts.pending,
                DeliveryState::Failed => kept.failed == counts.failed,
                DeliveryState::Success => kept.success == counts.success,
                DeliveryState::DeadLetter => kept.dead_letter == counts.dead_letter,
            };
            assert!(same, "{webhook}: {counts:?} but {counted} are {}", state.name());
        }
        [counts.pending, counts.failed, counts.success, counts.dead_letter]
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn id(number: u32) -> String {
    format!("dlv_{number:032x}")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

#[test]
fn a_delivery_from_its_transaction_to_its_end() {
    let outbox = Fixture::new();
    outbox.put("whk_1", 1..3);
    assert_eq!(outbox.waiting("whk_1"), [id(1), id(2)]);
    assert_eq!(outbox.counts("whk_1"), [2, 0, 0, 0]);

    assert!(outbox.attempt(1, AttemptEnd::Again(at(200))));
    assert_eq!(outbox.waiting("whk_1"), [id(2), id(1)], "the one that is due first is first");
    let failed = outbox.delivery(1);
    assert_eq!((failed.state, failed.attempts), (DeliveryState::Failed, 1));
    assert_eq!(failed.next_attempt, Some(at(200)));
    assert_eq!(failed.last_error.as_deref(), Some("connection refused"));

    assert!(outbox.attempt(1, AttemptEnd::Arrived));
    let arrived = outbox.delivery(1);
    assert_eq!((arrived.state, arrived.attempts), (DeliveryState::Success, 2));
    assert_eq!((arrived.next_attempt, arrived.last_error), (None, None));
    assert_eq!(arrived.finished, Some(at(100).plus_micros(7000)));
    let attempts = outbox.with(|session| session.attempts(&id(1)));
    assert_eq!(attempts.iter().map(|a| a.status).collect::<Vec<_>>(), [None, Some(200)]);
    assert_eq!(outbox.counts("whk_1"), [1, 0, 1, 0]);

    assert!(outbox.attempt(2, AttemptEnd::GivenUp));
    assert_eq!(outbox.counts("whk_1"), [0, 0, 1, 1]);
    assert!(outbox.with(|session| session.webhooks_with_waiting()).is_empty());
    assert!(!outbox.attempt(9, AttemptEnd::Arrived), "there is no delivery 9");
}

#[test]
fn what_was_given_up_is_sent_again_under_its_id() {
    let outbox = Fixture::new();
    outbox.put("whk_1", 1..4);
    for number in 1..4 {
        outbox.attempt(number, AttemptEnd::GivenUp);
    }
    let replay = |number| outbox.with(|session| session.replay(&id(number), at(300)));
    assert_eq!(replay(2), Replay::Done("whk_1".to_owned()));
    assert_eq!(replay(2), Replay::Waits);
    assert_eq!(replay(9), Replay::Missing);
    let again = outbox.delivery(2);
    assert_eq!((again.attempts, again.strikes, again.finished), (1, 0, None));
    assert_eq!(outbox.with(|session| session.replay_dead_letters("whk_1", 1, at(301))), 1);
    assert_eq!(outbox.waiting("whk_1"), [id(2), id(1)]);
    assert_eq!(outbox.with(|session| session.replay_dead_letters("whk_2", 9, at(301))), 0);
    assert_eq!(outbox.counts("whk_1"), [2, 0, 0, 1]);
}

#[test]
fn beyond_the_bound_the_oldest_are_given_up_and_counted() {
    let outbox = Fixture::new();
    outbox.put("whk_1", 1..6);
    outbox.put("whk_2", 6..8);
    let give_up = |keep| {
        outbox.with(|session| session.give_up_oldest("whk_1", keep, "too many wait", at(50)))
    };
    assert_eq!(give_up(5), 0);
    assert_eq!(give_up(2), 3);
    assert_eq!(outbox.waiting("whk_1"), [id(4), id(5)]);
    let given_up = outbox.delivery(1);
    assert_eq!(given_up.last_error.as_deref(), Some("too many wait"));
    assert_eq!(given_up.finished, Some(at(50)));
    assert_eq!(outbox.counts("whk_1"), [2, 0, 0, 3]);
    assert_eq!(outbox.counts("whk_2"), [2, 0, 0, 0]);

    // An attempt was under way meanwhile: it counts, and only its success changes the end.
    outbox.attempt(1, AttemptEnd::Again(at(400)));
    let still = outbox.delivery(1);
    assert_eq!((still.state, still.attempts), (DeliveryState::DeadLetter, 1));
    assert_eq!(still.last_error.as_deref(), Some("too many wait"));
    outbox.attempt(1, AttemptEnd::Arrived);
    assert_eq!(outbox.delivery(1).state, DeliveryState::Success);
    assert_eq!(outbox.delivery(1).next_attempt, None);
    assert_eq!(outbox.counts("whk_1"), [2, 0, 1, 2]);
}

#[test]
fn finished_deliveries_are_forgotten_by_age_and_number_and_waiting_ones_never() {
    let outbox = Fixture::new();
    outbox.put("whk_1", 1..11);
    for number in 1..8 {
        outbox.attempt(number, AttemptEnd::Arrived);
    }
    let forget = |before, keep, limit| {
        outbox.with(|session| session.forget_deliveries(at(before), keep, limit))
    };
    assert_eq!(forget(100, 7, 100), 0);
    assert_eq!(forget(100, 5, 100), 2, "two are beyond the number");
    assert_eq!(forget(101, 5, 3), 3, "all are old, but no more at once");
    assert_eq!(forget(101, 5, 100), 2);
    assert_eq!(forget(101, 0, 100), 0);
    assert_eq!(outbox.counts("whk_1"), [3, 0, 0, 0]);
    let attempts: i64 = outbox.with(|session| {
        Ok(session
            .connection
            .query_row("SELECT count(*) FROM delivery_attempt", [], |r| r.get(0))?)
    });
    assert_eq!(attempts, 0);
}

#[test]
fn a_page_is_cut_by_what_is_asked_for() {
    let outbox = Fixture::new();
    outbox.put("whk_1", 1..4);
    outbox.put("whk_2", 4..6);
    outbox.attempt(2, AttemptEnd::GivenUp);
    let ids = |filter: DeliveryFilter, before: Option<String>| -> Vec<String> {
        outbox
            .with(|session| session.deliveries(&filter, before.as_deref(), 10))
            .into_iter()
            .map(|delivery| delivery.id)
            .collect()
    };
    let all = DeliveryFilter::default;
    assert_eq!(ids(all(), None).len(), 5);
    assert_eq!(ids(all(), Some(id(3))), [id(2), id(1)]);
    let webhook = Some("whk_1".to_owned());
    let dead = Some(DeliveryState::DeadLetter);
    assert_eq!(ids(DeliveryFilter { webhook: webhook.clone(), ..all() }, None).len(), 3);
    assert_eq!(ids(DeliveryFilter { state: dead, ..all() }, None), [id(2)]);
    assert_eq!(ids(DeliveryFilter { webhook, state: dead, ..all() }, None), [id(2)]);
    let subject = Some("alert-1".to_owned());
    assert_eq!(ids(DeliveryFilter { subject, state: dead, ..all() }, None), [id(2)]);
    let subject = Some("alert-2".to_owned());
    assert!(ids(DeliveryFilter { subject, ..all() }, None).is_empty());
}

#[test]
fn attempts_are_kept_up_to_a_bound() {
    let outbox = Fixture::new();
    outbox.put("whk_1", 1..2);
    for _ in 0..ATTEMPTS_KEPT + 5 {
        outbox.attempt(1, AttemptEnd::Again(at(200)));
    }
    let kept = outbox.with(|session| session.attempts(&id(1)));
    assert_eq!(i64::try_from(kept.len()).unwrap(), ATTEMPTS_KEPT);
    assert_eq!(i64::from(outbox.delivery(1).attempts), ATTEMPTS_KEPT + 5);
}

#[test]
fn what_is_due_is_found_by_index() {
    let outbox = Fixture::new();
    outbox.put("whk_1", 1..2);
    let plan = |sql: &str| -> String {
        outbox.with(|session| {
            let mut statement = session.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let lines = statement.query_map([], |row| row.get::<_, String>(3))?;
            Ok(lines.collect::<Result<Vec<_>, _>>()?.join("; "))
        })
    };
    let due = plan(
        "SELECT id FROM delivery INDEXED BY delivery_due
         WHERE webhook = 'x' AND next_attempt IS NOT NULL ORDER BY next_attempt LIMIT 4",
    );
    assert!(due.contains("delivery_due") && !due.contains("TEMP B-TREE"), "{due}");
    let oldest = plan(
        "SELECT id FROM delivery INDEXED BY delivery_waiting
         WHERE webhook = 'x' AND next_attempt IS NOT NULL ORDER BY id LIMIT 4",
    );
    assert!(oldest.contains("delivery_waiting") && !oldest.contains("TEMP B-TREE"), "{oldest}");
    let dead = plan(
        "SELECT id FROM delivery WHERE webhook = 'x' AND state = 'dead_letter' ORDER BY id LIMIT 4",
    );
    assert!(dead.contains("delivery_by_webhook") && !dead.contains("TEMP B-TREE"), "{dead}");
}
