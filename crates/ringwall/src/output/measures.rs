//! Times and numbers in few characters.

use ringwall_event::Timestamp;

/// How long ago: `12 s`, `5 min`, `3 h`, `2 d`.
pub(crate) fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.micros_since(then).div_euclid(1_000_000);
    if seconds < 0 { format!("in {}", duration(-seconds)) } else { duration(seconds) }
}

/// How long: `12 s`, `5 min`, `3 h`, `2 d`.
pub(crate) fn duration(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The date and the time of day in UTC, down to the second.
pub(crate) fn clock(moment: Timestamp) -> String {
    let mut text = moment.to_naive_iso().replace('T', " ");
    if let Some(point) = text.find('.') {
        text.truncate(point);
    }
    text
}

/// The time of day in UTC, with the date where it is another day than today.
pub(crate) fn clock_today(now: Timestamp, moment: Timestamp) -> String {
    let text = clock(moment);
    match text.strip_prefix(clock(now).split(' ').next().unwrap_or_default()) {
        Some(time) => time.trim_start().to_owned(),
        None => text,
    }
}

/// A number with commas: `48,211`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size: `512 B`, `5.2 MB`.
pub(crate) fn bytes(number: u64) -> String {
    if number < 1000 {
        return format!("{number} B");
    }
    let mut size = number as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB", "PB"] {
        if size < 999.95 {
            break;
        }
        size /= 1000.0;
        unit = next;
    }
    format!("{size:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let now = Timestamp::from_micros(1_792_483_200_123_456);
        check(&ago(now, now), "0 s");
        check(&ago(now, now.plus_seconds(-59)), "59 s");
        check(&ago(now, now.plus_seconds(-60)), "1 min");
        check(&ago(now, now.plus_seconds(-7199)), "1 h");
        check(&ago(now, now.plus_seconds(-200_000)), "2 d");
        check(&ago(now, now.plus_seconds(300)), "in 5 min");
        check(&clock(now), "2026-10-20 08:00:00");
        check(&clock_today(now, now.plus_seconds(-60)), "07:59:00");
        check(&clock_today(now, now.plus_seconds(-86_400)), "2026-10-19 08:00:00");
        check(&clock(Timestamp::from_micros(0)), "1970-01-01 00:00:00");
    }

    #[test]
    fn numbers_are_grouped() {
        check(&count(0), "0");
        check(&count(999), "999");
        check(&count(1000), "1,000");
        check(&count(1_234_567), "1,234,567");
        check(&bytes(999), "999 B");
        check(&bytes(1000), "1.0 kB");
        check(&bytes(999_950), "1.0 MB");
        check(&bytes(5_242_880), "5.2 MB");
        check(&bytes(u64::MAX), "18446.7 PB");
    }

    #[track_caller]
    fn check(shown: &str, expected: &str) {
        assert_eq!(shown, expected);
    }
}
