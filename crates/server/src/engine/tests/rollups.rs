//! Timelines hold exactly what is stored, whatever happens between two checkpoints.

use super::*;
use ringwall_store::{EventStore, RollupStore, SeriesKey, TimelineBy, TimelineQuery};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

const LONG_SECONDS: i64 = 7200;

fn query(by: TimelineBy) -> TimelineQuery {
    TimelineQuery {
        since: now().plus_seconds(-LONG_SECONDS),
        until: now().plus_seconds(LONG_SECONDS),
        by,
        series_max: 20,
        ..TimelineQuery::default()
    }
}

impl Fixture {
    /// Some events of several kinds from one of three sources, by number.
    async fn take_some(&self, number: i64) {
        let source = host_agent(&format!("web-{}", number % 3));
        let mut events = vec![Activity::ProcessStarted(process(1000 + number, "sleep"))];
        for _ in 0..number % 4 {
            events.push(call(1000 + number, "open"));
        }
        if number % 2 == 0 {
            events.push(picture(vec![process(1000 + number, "sleep")]));
        }
        self.take(&source, events).await;
    }

    /// Compares all timelines with a count of the stored events.
    async fn assert_exact(&self, moment: &str) {
        let filter = EventFilter::default();
        let stored = self.engine().read(move |s| s.events(&filter, None, 100_000)).await.unwrap();
        for by in [TimelineBy::Nothing, TimelineBy::Kind, TimelineBy::Severity, TimelineBy::Source]
        {
            let mut expected = BTreeMap::new();
            for event in &stored {
                let key = match by {
                    TimelineBy::Kind => event.activity.kind().to_owned(),
                    TimelineBy::Severity => event.severity.to_string(),
                    TimelineBy::Source => event.source.to_string(),
                    TimelineBy::Nothing => "all".to_owned(),
                };
                *expected.entry(key).or_insert(0u64) += 1;
            }
            let answer = self.engine().timeline(query(by)).await.unwrap();
            assert_eq!(answer.total, stored.len() as u64, "{moment}, {by:?}");
            let told: BTreeMap<String, u64> = answer
                .series
                .iter()
                .map(|series| {
                    let key = match &series.key {
                        SeriesKey::All => "all".to_owned(),
                        SeriesKey::Kind(kind) => (*kind).to_owned(),
                        SeriesKey::Severity(severity) => severity.to_string(),
                        SeriesKey::Source(source) => source.to_string(),
                    };
                    (key, series.total)
                })
                .collect();
            assert_eq!(told, expected, "{moment}, {by:?}");
        }
        let (since, until) = (now().plus_seconds(-60), now().plus_seconds(60));
        let top = self.engine().top_sources(since, until, 20).await.unwrap();
        let sum: u64 = top.iter().map(|(_, count)| count).sum();
        assert_eq!(sum, stored.len() as u64, "{moment}");
    }
}

#[tokio::test]
async fn a_kill_at_any_moment_changes_no_count() {
    let mut fixture = Fixture::new();
    let mut number = 0;
    for moment in ["after nothing", "before a checkpoint", "at one", "after one", "after two"] {
        for checkpoints in 0..3 {
            for _ in 0..checkpoints + 2 {
                fixture.take_some(number).await;
                number += 1;
                fixture.assert_exact(moment).await;
            }
            for _ in 0..checkpoints {
                fixture.engine().checkpoint().await.unwrap();
                fixture.assert_exact(moment).await;
            }
            if moment == "after one" {
                fixture.take_some(number).await;
                number += 1;
            }
            fixture.start();
            fixture.assert_exact(moment).await;
        }
    }
}

#[tokio::test]
async fn a_transaction_that_fails_takes_its_counts_with_it() {
    let fixture = Fixture::new();
    for number in 0..10 {
        fixture.take_some(number).await;
        let failed = fixture
            .engine()
            .write(move |writing| -> Result<(), StoreError> {
                // Merged twice, and neither is committed.
                writing.keep_derived(host_agent("web-1"))?;
                if number % 2 == 0 {
                    let events = [event(&host_agent("web-1"), call(1, "open"))];
                    let (source, rules) = (host_agent("web-1"), writing.rules);
                    writing.derived.absorb(999_999, &source, writing.now, &events, rules);
                    writing.keep_derived(host_agent("web-1"))?;
                }
                Err(StoreError::Full)
            })
            .await;
        assert!(failed.is_err());
        fixture.assert_exact("after a failure").await;
        if number == 5 {
            fixture.engine().checkpoint().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_stored_without_counts_is_counted_at_the_next_start() {
    let mut fixture = Fixture::new();
    for number in 0..7 {
        fixture.take_some(number).await;
    }
    fixture.engine().checkpoint().await.unwrap();
    fixture.take_some(7).await;
    // As a version leaves it that knows of no counts.
    let clear = |writing: &mut Writing<'_>| {
        writing.session.clear_rollups()?;
        writing.session.set_rollup_seq(0)
    };
    fixture.engine().write(clear).await.unwrap();
    fixture.start();
    fixture.assert_exact("after an upgrade").await;
    // As a version leaves it whose derived state has another form.
    fixture.engine().checkpoint().await.unwrap();
    let forget =
        |writing: &mut Writing<'_>| writing.session.put_checkpoint("totals/1", "all", None);
    fixture.engine().write(forget).await.unwrap();
    fixture.start();
    fixture.assert_exact("after a replay of everything").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeline_never_misses_what_was_answered_nor_counts_it_twice() {
    const BATCHES: u64 = 120;
    let fixture = Fixture::new();
    let (sent, answered, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let write = async {
        for number in 0..BATCHES {
            sent.fetch_add(1, Ordering::SeqCst);
            fixture.take(&host_agent("web-1"), vec![call(1, "open")]).await;
            answered.fetch_add(1, Ordering::SeqCst);
            if number % 3 == 0 {
                fixture.engine().checkpoint().await.unwrap();
            }
        }
        done.store(true, Ordering::SeqCst);
    };
    let read = async {
        let mut looks = 0;
        while !done.load(Ordering::SeqCst) {
            let least = answered.load(Ordering::SeqCst);
            let total = fixture.engine().timeline(query(TimelineBy::Nothing)).await.unwrap().total;
            let most = sent.load(Ordering::SeqCst);
            assert!((least..=most).contains(&total), "{least} <= {total} <= {most}");
            looks += 1;
        }
        looks
    };
    let ((), looks) = tokio::join!(write, read);
    assert!(looks > 10, "{looks}");
    fixture.assert_exact("at the end").await;
}
