//! When much happens: by the hour of the day and the day of the week, in UTC.

/// How busy each hour of a working day is.
const HOURS: [u64; 24] = [
    22, 20, 18, 18, 20, 26, 38, 56, 78, 94, 100, 98, 90, 94, 98, 96, 90, 80, 68, 60, 54, 44, 34, 26,
];
const WORKING_DAY: u64 = 10;
const WEEKEND: u64 = 6;
const HOUR_MICROS: i64 = 3_600_000_000;

/// Activity as a function of time, and its inverse. Activity grows with time; more of it in busy
/// hours.
#[derive(Debug)]
pub(crate) struct Rhythm {
    start: i64,
    end: i64,
    first_hour: i64,
    /// The activity up to the beginning of each hour from the first on, of which `start` may lie
    /// within.
    cumulative: Vec<u64>,
}

impl Rhythm {
    /// From `start` to `end`, in microseconds since 1970; `end` is later.
    pub(crate) fn new(start: i64, end: i64) -> Self {
        let first_hour = start.div_euclid(HOUR_MICROS);
        let last_hour = end.div_euclid(HOUR_MICROS) + 1;
        let mut cumulative = vec![0];
        let mut sum = 0;
        for hour in first_hour..last_hour {
            sum += busyness(hour) * HOUR_MICROS.cast_unsigned();
            cumulative.push(sum);
        }
        Self { start, end, first_hour, cumulative }
    }

    /// All activity from start to end.
    pub(crate) fn total(&self) -> u64 {
        self.activity_before(self.end) - self.activity_before(self.start)
    }

    /// The moment by which there was so much activity since the start.
    pub(crate) fn moment(&self, activity: u64) -> i64 {
        let wanted = activity.min(self.total()) + self.activity_before(self.start);
        let at = self.cumulative.partition_point(|before| *before <= wanted).saturating_sub(1);
        let hour = self.first_hour + at as i64;
        let within = wanted - self.cumulative.get(at).copied().unwrap_or_default();
        (hour * HOUR_MICROS + (within / busyness(hour)).cast_signed()).clamp(self.start, self.end)
    }

    fn activity_before(&self, moment: i64) -> u64 {
        let hour = moment.div_euclid(HOUR_MICROS);
        let at = (hour - self.first_hour).cast_unsigned() as usize;
        let before = self.cumulative.get(at).copied().unwrap_or_default();
        before + busyness(hour) * moment.rem_euclid(HOUR_MICROS).cast_unsigned()
    }
}

fn busyness(hour: i64) -> u64 {
    // 1970-01-01 was a Thursday.
    let weekday = (hour.div_euclid(24) + 3).rem_euclid(7);
    let day = if weekday < 5 { WORKING_DAY } else { WEEKEND };
    let of_day = HOURS.get(hour.rem_euclid(24) as usize).copied().unwrap_or(1);
    of_day * day
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn moments_grow_with_activity(
            start in 0i64..4_000_000_000_000_000,
            span in 1i64..40 * 24 * HOUR_MICROS,
            parts in 1u64..50,
        ) {
            let rhythm = Rhythm::new(start, start + span);
            let total = rhythm.total();
            let moments: Vec<i64> =
                (0..=parts).map(|part| rhythm.moment(total / parts * part)).collect();
            proptest::prop_assert_eq!(moments.first(), Some(&start));
            proptest::prop_assert!(moments.is_sorted());
            proptest::prop_assert_eq!(rhythm.moment(total), start + span);
        }
    }

    #[test]
    fn days_are_busier_than_nights_and_weekends() {
        // 2026-10-19 was a Monday.
        let monday = 1_792_368_000_000_000;
        let activity = |day: i64, hour: i64| {
            let start = monday + (day * 24 + hour) * HOUR_MICROS;
            Rhythm::new(start, start + HOUR_MICROS).total()
        };
        assert!(activity(0, 10) > 4 * activity(0, 3));
        assert!(activity(0, 10) > activity(5, 10));
    }
}
