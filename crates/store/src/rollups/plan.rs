use super::level::{DAY, HOUR, Level, minute_of};
use super::{BUCKETS_MAX, TimelineBy, TimelineQuery};
use ringwall_event::Timestamp;
use std::ops::Range;

/// Which rows answer a question, and into which buckets they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) level: Level,
    /// The minutes since 1970 that are asked about: a whole number of buckets.
    pub(super) minutes: Range<i64>,
    /// How many minutes wide a bucket is: a whole number of rows.
    pub(super) step: i64,
}

/// Widths in minutes: each divides an hour or a day. Beyond them come whole days.
const WIDTHS: [i64; 18] =
    [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, HOUR, 120, 180, 240, 360, 480, 720];
/// Widths for who does not ask for one.
const USUAL_WIDTHS: [i64; 9] = [1, 5, 10, 15, 30, HOUR, 180, 360, 720];
const USUAL_BUCKETS_MAX: i64 = 150;

/// How many rows with a cell for each source are read for one answer: what is asked about a longer
/// time is answered from coarser rows. With 10,000 sources a row takes up to half a millisecond.
const MINUTES_OF_ALL_SOURCES_MAX: i64 = 400;
const MINUTES_OF_ONE_SOURCE_MAX: i64 = 1500;
const HOURS_OF_SOURCES_MAX: i64 = 800;
const HOURS_OF_ALL_MAX: i64 = 200;

impl Plan {
    pub(super) fn of(query: &TimelineQuery) -> Self {
        let wanted = whole_minutes(query.since, query.until);
        let span = wanted.end - wanted.start;
        let needs = Needs::of(query);
        let asked = query.step_minutes.map_or_else(
            || {
                let fits = |width: &i64| span.div_euclid(*width) < USUAL_BUCKETS_MAX;
                let days = || widened(span.div_euclid(USUAL_BUCKETS_MAX) + 1);
                USUAL_WIDTHS.into_iter().find(fits).unwrap_or_else(days)
            },
            |minutes| i64::from(minutes.max(1)),
        );
        let mut step = widened(asked);
        loop {
            let start = wanted.start.div_euclid(step) * step;
            let end = start + (wanted.end - start + step - 1).div_euclid(step) * step;
            let buckets = (end - start).div_euclid(step);
            if usize::try_from(buckets).unwrap_or(usize::MAX) > BUCKETS_MAX {
                step = widened((step + 1).max(span.div_euclid(buckets_max() - 1)));
                continue;
            }
            match needs.level(step, end - start) {
                Ok(level) => return Self { level, minutes: start..end, step },
                Err(wider) => step = wider,
            }
        }
    }

    /// One bucket of whole rows, for counts by source.
    pub(super) fn of_sources(since: Timestamp, until: Timestamp) -> Self {
        let wanted = whole_minutes(since, until);
        let span = wanted.end - wanted.start;
        let level = if span <= 6 * HOUR {
            Level::MinuteSources
        } else if span <= 31 * DAY {
            Level::HourSources
        } else {
            Level::DayAll
        };
        let row = level.minutes();
        let start = wanted.start.div_euclid(row) * row;
        let end = (wanted.end + row - 1).div_euclid(row) * row;
        Self { level, minutes: start..end, step: end - start }
    }

    pub(super) fn buckets(&self) -> usize {
        let buckets = (self.minutes.end - self.minutes.start).div_euclid(self.step);
        usize::try_from(buckets).unwrap_or(0).min(BUCKETS_MAX)
    }

    /// The bucket of a row that starts with this minute.
    pub(super) fn bucket(&self, minute: i64) -> Option<usize> {
        if !self.minutes.contains(&minute) {
            return None;
        }
        usize::try_from((minute - self.minutes.start).div_euclid(self.step)).ok()
    }
}

/// What cells must tell apart.
struct Needs {
    kinds: bool,
    sources: bool,
    minutes_max: i64,
}

impl Needs {
    fn of(query: &TimelineQuery) -> Self {
        let by = query.by;
        Self {
            kinds: matches!(by, TimelineBy::Kind | TimelineBy::Severity)
                || query.kind.is_some()
                || query.severity.is_some(),
            sources: by == TimelineBy::Source || query.source.is_some(),
            minutes_max: match query.source {
                Some(_) => MINUTES_OF_ONE_SOURCE_MAX,
                None => MINUTES_OF_ALL_SOURCES_MAX,
            },
        }
    }

    /// The coarsest rows that fill buckets of this width, or the next width for which there are some.
    fn level(&self, step: i64, span: i64) -> Result<Level, i64> {
        let hours = span.div_euclid(HOUR);
        match (self.sources, self.kinds) {
            (false, _) if step % HOUR == 0 => Ok(Level::HourKinds),
            (false, _) => Ok(Level::MinuteKinds),
            (true, _) if step % DAY == 0 => Ok(Level::DayAll),
            (true, true) if step % HOUR != 0 => Err(HOUR),
            (true, true) if hours <= HOURS_OF_ALL_MAX => Ok(Level::HourAll),
            (true, false) if step % HOUR == 0 && hours <= HOURS_OF_SOURCES_MAX => {
                Ok(Level::HourSources)
            }
            (true, false) if step % HOUR != 0 && span <= self.minutes_max => {
                Ok(Level::MinuteSources)
            }
            (true, false) if step % HOUR != 0 => Err(HOUR),
            (true, _) => Err(DAY),
        }
    }
}

fn buckets_max() -> i64 {
    i64::try_from(BUCKETS_MAX).unwrap_or(i64::MAX)
}

fn widened(step: i64) -> i64 {
    WIDTHS.into_iter().find(|width| *width >= step).unwrap_or_else(|| (step + DAY - 1) / DAY * DAY)
}

/// The minutes that these moments touch, at least one.
fn whole_minutes(since: Timestamp, until: Timestamp) -> Range<i64> {
    let first = minute_of(since);
    let last = minute_of(until.plus_micros(-1)).max(first);
    first..last + 1
}

#[cfg(test)]
mod tests {
    use super::super::level::moment_of;
    use super::*;
    use proptest::prelude::*;
    use ringwall_event::Source;

    const NOW: i64 = 29_500_007;

    fn asked(minutes: i64, step: Option<u32>, by: TimelineBy) -> TimelineQuery {
        TimelineQuery {
            since: moment_of(NOW - minutes),
            until: moment_of(NOW),
            step_minutes: step,
            by,
            series_max: 20,
            ..TimelineQuery::default()
        }
    }

    #[test]
    fn each_question_has_rows_that_suit_it() {
        use Level::*;
        use TimelineBy::*;
        check(asked(HOUR, None, Nothing), MinuteKinds, 1, 60);
        check(asked(DAY, None, Kind), MinuteKinds, 10, 145);
        check(asked(DAY, Some(7), Severity), MinuteKinds, 10, 145);
        check(asked(7 * DAY, None, Kind), HourKinds, 180, 57);
        check(asked(30 * DAY, Some(1), Kind), MinuteKinds, 30, 1441);
        check(asked(365 * DAY, None, Kind), HourKinds, 3 * DAY, 122);
        check(asked(5 * HOUR, None, Source), MinuteSources, 5, 61);
        check(asked(DAY, None, Source), HourSources, HOUR, 25);
        check(asked(7 * DAY, None, Source), HourSources, 180, 57);
        check(asked(90 * DAY, Some(60), Source), DayAll, DAY, 91);
        let one = TimelineQuery {
            source: Some(ringwall_event::Source::new("a", "b")),
            ..asked(DAY, None, Nothing)
        };
        check(one.clone(), MinuteSources, 10, 145);
        check(TimelineQuery { by: Kind, ..one.clone() }, HourAll, HOUR, 25);
        check(TimelineQuery { since: moment_of(NOW - 30 * DAY), by: Kind, ..one }, DayAll, DAY, 31);
    }

    #[track_caller]
    fn check(query: TimelineQuery, level: Level, step: i64, buckets: usize) {
        let plan = Plan::of(&query);
        assert_eq!((plan.level, plan.step, plan.buckets()), (level, step, buckets));
    }

    proptest! {
        #[test]
        fn every_question_has_an_answer_within_bounds(
            since in -62_135_596_800i64..253_402_207_199,
            span in 0i64..253_402_207_199,
            short in any::<bool>(),
            step in prop::option::of(any::<u32>()),
            by in 0usize..4,
            kind: bool,
            source: bool,
        ) {
            use TimelineBy::{Kind, Nothing, Severity};
            let since = Timestamp::from_micros(since * 1_000_000 + 7);
            let query = TimelineQuery {
                since,
                until: since.plus_seconds(if short { span % 5_000_000 } else { span }),
                step_minutes: step,
                by: [Nothing, Kind, Severity, TimelineBy::Source][by],
                kind: kind.then(|| "sign_in".to_owned()),
                source: source.then(|| Source::new("a", "b")),
                ..TimelineQuery::default()
            };
            let plan = Plan::of(&query);
            let buckets = plan.buckets();
            prop_assert!((1..=BUCKETS_MAX).contains(&buckets));
            let (start, end) = (plan.minutes.start, plan.minutes.end);
            prop_assert!(start <= minute_of(query.since));
            prop_assert!(end > minute_of(query.until.plus_micros(-1)));
            prop_assert_eq!((end - start) % plan.step, 0);
            prop_assert_eq!(start.rem_euclid(plan.step), 0);
            prop_assert_eq!(plan.step % plan.level.minutes(), 0);
            prop_assert_eq!(i64::try_from(buckets).unwrap() * plan.step, end - start);
            prop_assert_eq!(plan.bucket(start), Some(0));
            prop_assert_eq!(plan.bucket(end - 1), Some(buckets - 1));
            prop_assert!(plan.bucket(end).is_none() && plan.bucket(start - 1).is_none());
        }
    }
}
