//! Moments as SQL shows them: RFC 3339 in UTC with six digits after the second, always as long.
//!
//! Texts of one length sort as the moments do, SQLite's own date functions read them, and programs get
//! the form that the rest of the API has. What people write beside them (`2026-11-01`,
//! `2026-11-01 08:00`, what `datetime('now', '-1 day')` gives, microseconds since 1970) is compared
//! as a moment, not letter by letter: [`COLLATION`] sees to that wherever a column of time stands.

use ringwall_event::Timestamp;
use std::cmp::Ordering;

/// The name of the collation that columns of time have.
pub(super) const COLLATION: &str = "moment";

/// `2026-11-21T12:00:00.000000Z`
const LENGTH: usize = 27;
/// Smaller numbers are no microseconds of these years: somebody means seconds.
const MICROS_PLAIN_MIN: i64 = 100_000_000_000_000;

/// The text of a moment; always [`LENGTH`] bytes.
pub(super) fn text_of(moment: Timestamp) -> Text {
    let micros = moment.as_micros();
    let (days, of_day) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (year, month, day) = civil(days);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let mut put = |at: usize, width: usize, mut number: i64| {
        for place in text.iter_mut().skip(at).take(width).rev() {
            *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, month);
    put(8, 2, day);
    put(11, 2, seconds / 3600);
    put(14, 2, seconds / 60 % 60);
    put(17, 2, seconds % 60);
    put(20, 6, fraction);
    Text(text)
}

/// A moment in letters.
pub(super) struct Text([u8; LENGTH]);

impl Text {
    pub(super) fn as_str(&self) -> &str {
        // Digits and signs are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Year, month and day of a day since 1970 (proleptic Gregorian; the algorithm is Howard Hinnant's
/// `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The moment that a text means.
///
/// Read are RFC 3339, a date, a date and time with `T` or a blank between them (UTC where no offset
/// is given), and microseconds since 1970.
///
/// # Errors
/// What is wrong with the text, for people.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    let trimmed = text.trim();
    if let Ok(number) = trimmed.parse::<i64>() {
        return of_number(number);
    }
    if let Ok(moment) = Timestamp::parse(trimmed) {
        return Ok(moment);
    }
    // Without seconds, or the date alone.
    let is_date = trimmed.len() == 10;
    let is_minute = trimmed.len() == 16;
    let completed = match (is_date, is_minute) {
        (true, _) => format!("{trimmed}T00:00:00"),
        (_, true) => format!("{trimmed}:00"),
        _ => String::new(),
    };
    Timestamp::parse(&completed).map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        format!("`{shown}` is no time: write 2026-11-21, 2026-11-21T08:00:00Z, or ago('24h')")
    })
}

/// The moment that a number means: microseconds since 1970.
///
/// # Errors
/// Where it looks like something else, or is beyond the years 1 to 9999.
pub(super) fn of_number(number: i64) -> Result<Timestamp, String> {
    let moment = Timestamp::from_micros(number);
    if moment.as_micros() != number {
        return Err(format!("{number} is no time: beyond the years 1 to 9999"));
    }
    if number != 0 && number.saturating_abs() < MICROS_PLAIN_MIN {
        return Err(format!(
            "{number} is no time: numbers are microseconds since 1970; seconds are \
             datetime({number}, 'unixepoch')"
        ));
    }
    Ok(moment)
}

/// Compares texts as moments; where one is none, the first complaint is given and letters decide.
pub(super) fn compare(left: &str, right: &str) -> (Ordering, Option<String>) {
    if is_plain(left) && is_plain(right) {
        return (left.cmp(right), None);
    }
    match (parse(left), parse(right)) {
        (Ok(left), Ok(right)) => (left.cmp(&right), None),
        (Err(why), _) | (_, Err(why)) => (left.cmp(right), Some(why)),
    }
}

/// Whether the text looks like one of [`text_of`]: then letters sort as moments do.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == LENGTH && bytes.last() == Some(&b'Z') && bytes.get(10) == Some(&b'T')
}

/// The microseconds that a span of time means: `90s`, `5m`, `24h`, `7d`, `2w`.
///
/// # Errors
/// What is wrong with the text, for people.
pub(super) fn parse_span(text: &str) -> Result<i64, String> {
    let shown: String = text.chars().take(64).collect();
    let wrong = || format!("`{shown}` is no span of time: write 90s, 5m, 24h, 7d or 2w");
    let trimmed = text.trim();
    let digits = trimmed.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = trimmed.get(digits.len()..).unwrap_or_default();
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(wrong()),
    };
    let count: i64 = digits.trim_end().parse().map_err(|_| wrong())?;
    let micros = count.checked_mul(seconds).and_then(|n| n.checked_mul(1_000_000));
    micros.filter(|micros| *micros > 0).ok_or_else(wrong)
}

/// The start of the bucket of this many microseconds that holds the moment; buckets begin at 1970.
pub(super) fn bucket(moment: Timestamp, micros: i64) -> Timestamp {
    let at = moment.as_micros();
    Timestamp::from_micros(at - at.rem_euclid(micros.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write_is_read() {
        let day = "2026-11-01T00:00:00.000000Z";
        check("2026-11-01", Ok(day));
        check(" 2026-11-01 ", Ok(day));
        check("2026-11-01T00:00:00Z", Ok(day));
        check("2026-11-01 00:00:00", Ok(day));
        check("2026-11-01T00:00", Ok(day));
        check("2026-11-01 00:00", Ok(day));
        check("2026-11-01T05:30:00.000+05:30", Ok(day));
        check("1793491200000000", Ok(day));
        check("0", Ok("1970-01-01T00:00:00.000000Z"));
        check(
            "yesterday",
            Err("`yesterday` is no time: write 2026-11-21, 2026-11-21T08:00:00Z, or ago('24h')"),
        );
        check(
            "1793491200",
            Err("1793491200 is no time: numbers are microseconds since 1970; seconds are \
                 datetime(1793491200, 'unixepoch')"),
        );
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let found = parse(text).map(|moment| text_of(moment).as_str().to_owned());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "text {text:?}");
    }

    #[test]
    fn spans_have_a_unit() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("5m", Some(300)),
            (" 24h ", Some(86_400)),
            ("7 d", Some(604_800)),
            ("2w", Some(1_209_600)),
            ("5", None),
            ("0s", None),
            ("-1h", None),
            ("99999999999999w", None),
            ("", None),
        ] {
            let expected = expected.map(|seconds: i64| seconds * 1_000_000);
            assert_eq!(parse_span(text).ok(), expected, "span {text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(micros: i64) {
            let moment = Timestamp::from_micros(micros);
            let text = text_of(moment);
            prop_assert_eq!(Timestamp::parse(text.as_str()), Ok(moment));
            prop_assert_eq!(parse(text.as_str()), Ok(moment));
        }

        #[test]
        fn texts_compare_as_their_moments(a: i64, b: i64, plain: bool) {
            let (a, b) = (Timestamp::from_micros(a), Timestamp::from_micros(b));
            let right = if plain { text_of(b).as_str().to_owned() } else { b.to_string() };
            prop_assert_eq!(compare(text_of(a).as_str(), &right), (a.cmp(&b), None));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (parse(&text), parse_span(&text), compare(&text, "x"));
        }
    }
}
