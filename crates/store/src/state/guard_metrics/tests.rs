use super::*;
use crate::Database;
use std::path::PathBuf;

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is in the folder of temporary files.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn database(name: &str) -> (Database, Folder) {
    let name = format!("ringwall-guard-metrics-{name}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    (Database::open(&folder.join("ringwall.db")).unwrap(), Folder(folder))
}

/// 2023-11-14T22:00:00Z, a whole hour.
const HOUR: i64 = 1_699_999_200 / 60;

fn bucket(minute: i64, endpoint: &str, value: f64) -> GuardMetricBucket {
    GuardMetricBucket {
        metric: "response_time".into(),
        minute: HOUR + minute,
        endpoint: endpoint.into(),
        count: 1,
        sum: value,
        min: value,
        max: value,
    }
}

fn add(database: &Database, buckets: &[GuardMetricBucket]) {
    database
        .write_now(|session| {
            for bucket in buckets {
                session.add_guard_metric("shop", bucket, 3, "(other)")?;
            }
            Ok(())
        })
        .unwrap();
}

fn points(database: &Database, step_minutes: u32) -> Vec<(i64, u64, f64, f64, f64)> {
    let (since, until) = (moment_of(HOUR - 60), moment_of(HOUR + 240));
    let points = database
        .read(|session| {
            session.guard_metric_points("shop", "response_time", since, until, step_minutes)
        })
        .unwrap();
    let tuple = |point: &GuardMetricPoint| {
        (minute_of(point.time) - HOUR, point.count, point.sum, point.min, point.max)
    };
    points.iter().map(tuple).collect()
}

#[test]
fn values_add_up_and_hours_keep_their_sums() {
    let (database, _folder) = database("sums");
    add(
        &database,
        &[bucket(0, "/a", 1.0), bucket(0, "/a", 3.0), bucket(1, "/b", 2.0), bucket(61, "/a", 5.0)],
    );
    let by_minute = [(0, 2, 4.0, 1.0, 3.0), (1, 1, 2.0, 2.0, 2.0), (61, 1, 5.0, 5.0, 5.0)];
    assert_eq!(points(&database, 1), by_minute);
    let by_hour = [(0, 3, 6.0, 1.0, 3.0), (60, 1, 5.0, 5.0, 5.0)];
    assert_eq!(points(&database, 60), by_hour);

    let merge = |minute: i64| {
        let before = moment_of(HOUR + minute);
        database.write_now(|session| session.merge_guard_metrics(before, 1)).unwrap()
    };
    assert_eq!(merge(59), 0, "an hour is merged when it is over");
    assert_eq!((merge(60), merge(60), merge(60)), (1, 1, 0));
    assert_eq!(points(&database, 60), by_hour);
    // Late values of an hour that was merged.
    add(&database, &[bucket(1, "/b", 9.0)]);
    assert_eq!(merge(60), 1);
    assert_eq!(points(&database, 60), [(0, 4, 15.0, 1.0, 9.0), (60, 1, 5.0, 5.0, 5.0)]);

    let forget = |minute: i64| {
        let before = moment_of(HOUR + minute);
        database.write_now(|session| session.forget_guard_metrics(before, 100)).unwrap()
    };
    assert_eq!(forget(60), 2);
    assert_eq!(points(&database, 60), [(60, 1, 5.0, 5.0, 5.0)]);
    database.write_now(|session| session.remove_guard_metrics("shop")).unwrap();
    assert_eq!(points(&database, 60), []);
}

#[test]
fn paths_of_a_minute_are_bounded() {
    let (database, _folder) = database("paths");
    let buckets: Vec<GuardMetricBucket> =
        (0..10).map(|number| bucket(0, &format!("/{number}"), 1.0)).collect();
    add(&database, &buckets);
    add(&database, &[bucket(0, "/0", 1.0), bucket(0, "", 1.0)]);
    let (since, until) = (moment_of(HOUR), moment_of(HOUR + 1));
    let endpoints = database
        .read(|session| session.guard_metric_endpoints("shop", "response_time", since, until, 100))
        .unwrap();
    let counts: Vec<(&str, u64)> =
        endpoints.iter().map(|it| (it.endpoint.as_str(), it.count)).collect();
    assert_eq!(counts, [("(other)", 7), ("/0", 2), ("", 1), ("/1", 1), ("/2", 1)]);
    let counts =
        database.read(|session| session.guard_metric_counts("response_time", since)).unwrap();
    assert_eq!(counts, [("shop".to_owned(), 12)]);
}

/// Sums that became infinite took the whole group of commits with them: of two with different signs the
/// sum is no number, and the table takes none of those.
#[test]
fn no_value_is_too_much_for_a_sum() {
    let (database, _folder) = database("infinite");
    let values = [f64::MAX, f64::MAX, f64::INFINITY, f64::MIN, f64::NEG_INFINITY, f64::NAN];
    for value in values {
        add(&database, &[bucket(0, "/a", value), bucket(1, "/a", value)]);
    }
    for value in values.into_iter().rev() {
        add(&database, &[bucket(2, "/a", value)]);
    }
    let before = moment_of(HOUR + 60);
    database.write_now(|session| session.merge_guard_metrics(before, 100)).unwrap();
    add(&database, &[bucket(0, "/a", f64::MAX)]);
    database.write_now(|session| session.merge_guard_metrics(before, 100)).unwrap();
    let points = points(&database, 60);
    assert_eq!(points.len(), 1);
    let (_, count, sum, min, max) = points[0];
    assert_eq!((count, min, max), (19, -SUM_MAX, SUM_MAX));
    assert!(sum.is_finite(), "{sum}");
}
