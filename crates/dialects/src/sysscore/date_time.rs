//! Date-times as the framework of the original reads them, and as it prints them.

use crate::validation::{Fault, Json};
use ringwall_event::Timestamp;

/// Numbers up to here count as seconds, beyond as milliseconds.
const SECONDS_MAX: f64 = 2e10;

/// 9999-12-31T23:59:59 in seconds.
const EPOCH_SECONDS_MAX: f64 = 253_402_300_799.0;

/// 0001-01-01T00:00:00 in seconds.
const EPOCH_SECONDS_MIN: f64 = -62_135_596_800.0;

impl Json<'_> {
    /// A date-time: ISO 8601 text, or a number of seconds (of milliseconds beyond 2e10) since 1970.
    /// What has no offset means UTC.
    ///
    /// # Errors
    /// `datetime_type`, `datetime_parsing`, `datetime_from_date_parsing`.
    pub fn date_time(self) -> Result<Timestamp, Fault> {
        let text = self.as_text();
        match text.as_bytes().first() {
            Some(b'"') => parse_date_time(&self.text()?),
            Some(b'-' | b'0'..=b'9') => {
                epoch(text.parse().unwrap_or(f64::INFINITY), text.parse().ok())
            }
            _ => Err(Fault::new("datetime_type", "Input should be a valid datetime")),
        }
    }
}

/// Reads the text of a date-time: ISO 8601 with or without seconds, fraction (any length; cut after
/// microseconds) and offset, a date alone, or a number as [`Json::date_time`] has it.
///
/// # Errors
/// `datetime_parsing`, `datetime_from_date_parsing`.
pub fn parse_date_time(text: &str) -> Result<Timestamp, Fault> {
    let bytes = text.as_bytes();
    let date = read_date(bytes);
    if let Ok((days, rest)) = date {
        if let Some(moment) = read_time(rest).and_then(|micros| on_day(days, micros)) {
            return Ok(moment);
        }
        if rest.is_empty()
            && let Some(moment) = on_day(days, 0)
        {
            return Ok(moment);
        }
    }
    if let Some(moment) = parse_epoch(text) {
        return moment;
    }
    let reason = match date {
        Err(reason) => reason,
        Ok(_) => "unexpected extra characters at the end of the input",
    };
    Err(Fault::with_reason(
        "datetime_from_date_parsing",
        "Input should be a valid datetime or date",
        reason,
    ))
}

/// Appends the moment as naive ISO 8601 in UTC; the fraction is left out when it is zero.
pub fn write_naive_iso(out: &mut String, moment: Timestamp) {
    let micros = moment.as_micros();
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    push_digits(out, year, 4);
    out.push('-');
    push_digits(out, month, 2);
    out.push('-');
    push_digits(out, day, 2);
    out.push('T');
    push_digits(out, second / 3600, 2);
    out.push(':');
    push_digits(out, second / 60 % 60, 2);
    out.push(':');
    push_digits(out, second % 60, 2);
    if fraction != 0 {
        out.push('.');
        push_digits(out, fraction, 6);
    }
}

fn push_digits(out: &mut String, number: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = number / 10_i64.pow(place) % 10;
        // A digit of a number that is not negative is 0 to 9.
        out.push(char::from(b'0'.wrapping_add(digit as u8)));
    }
}

/// The days since 1970 of the date at the front, and what stands behind it.
fn read_date(bytes: &[u8]) -> Result<(i64, &[u8]), &'static str> {
    let Some((&[y1, y2, y3, y4, sep1, m1, m2, sep2, d1, d2], rest)) = bytes.split_first_chunk()
    else {
        return Err("input is too short");
    };
    let year = number(&[y1, y2, y3, y4]).ok_or("invalid character in year")?;
    if sep1 != b'-' {
        return Err("invalid date separator, expected `-`");
    }
    let month = number(&[m1, m2]).ok_or("invalid character in month")?;
    if sep2 != b'-' {
        return Err("invalid date separator, expected `-`");
    }
    let day = number(&[d1, d2]).ok_or("invalid character in day")?;
    if !(1..=12).contains(&month) {
        return Err("month value is outside expected range of 1-12");
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day < 1 || day > days_in_month {
        return Err("day value is outside expected range");
    }
    if year == 0 {
        return Err("year 0 is out of range");
    }
    Ok((days_from_civil(year, month, day), rest))
}

/// The microseconds since midnight UTC of the separator, time and offset that make up all of `bytes`.
fn read_time(bytes: &[u8]) -> Option<i64> {
    let (&[separator, h1, h2, colon, m1, m2], mut rest) = bytes.split_first_chunk()?;
    if !matches!(separator, b'T' | b't' | b' ' | b'_') || colon != b':' {
        return None;
    }
    let (hour, minute) = (number(&[h1, h2])?, number(&[m1, m2])?);
    let mut second = 0;
    let mut fraction = 0;
    if let [b':', s1, s2, after @ ..] = rest {
        second = number(&[*s1, *s2])?;
        rest = after;
        if let [b'.' | b',', after @ ..] = rest {
            let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            for position in 0..6 {
                let digit = after.get(position).filter(|_| position < digits);
                fraction = fraction * 10 + digit.map_or(0, |digit| i64::from(digit - b'0'));
            }
            rest = after.get(digits..)?;
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset = read_offset(rest)?;
    Some((hour * 3600 + minute * 60 + second - offset) * 1_000_000 + fraction)
}

/// The seconds east of UTC.
fn read_offset(bytes: &[u8]) -> Option<i64> {
    let (sign, digits) = match *bytes {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', h1, h2, b':', m1, m2] | [b'+', h1, h2, m1, m2] => (1, [h1, h2, m1, m2]),
        [b'-', h1, h2, b':', m1, m2] | [b'-', h1, h2, m1, m2] => (-1, [h1, h2, m1, m2]),
        _ => return None,
    };
    let [h1, h2, m1, m2] = digits;
    let (hour, minute) = (number(&[h1, h2])?, number(&[m1, m2])?);
    (hour < 24 && minute < 60).then_some(sign * (hour * 3600 + minute * 60))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

fn on_day(days: i64, micros: i64) -> Option<Timestamp> {
    days.checked_mul(86_400_000_000)?.checked_add(micros).map(Timestamp::from_micros)
}

/// A number written as text, without exponent; none where it is no number.
fn parse_epoch(text: &str) -> Option<Result<Timestamp, Fault>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = !digits.is_empty()
        && digits.len() <= 24
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !plain {
        return None;
    }
    text.parse().ok().map(|value| epoch(value, text.parse().ok()))
}

/// `whole` is the same number where it has no fraction: it keeps every digit.
fn epoch(value: f64, whole: Option<i64>) -> Result<Timestamp, Fault> {
    let in_millis = value.abs() > SECONDS_MAX;
    let seconds = if in_millis { value / 1000.0 } else { value };
    let refuse = |reason| {
        Err(Fault::with_reason("datetime_parsing", "Input should be a valid datetime", reason))
    };
    if seconds > EPOCH_SECONDS_MAX || seconds.is_nan() {
        return refuse("dates after 9999 are not supported as unix timestamps");
    }
    if seconds < EPOCH_SECONDS_MIN {
        return refuse("dates before 0000 are not supported as unix timestamps");
    }
    let micros = match (whole, in_millis) {
        (Some(millis), true) => millis.saturating_mul(1000),
        (Some(seconds), false) => seconds.saturating_mul(1_000_000),
        // Within range by the checks above, so the cast only drops what rounding left.
        (None, true) => (value * 1e3).round() as i64,
        (None, false) => (value * 1e6).round() as i64,
    };
    Ok(Timestamp::from_micros(micros))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar: years are counted from March, so that
/// the leap day comes last; 400 years have 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    // As pydantic 2.13 answers; offsets converted (flaw 8).
    #[test]
    fn flaw_8_offsets_are_converted_not_dropped() {
        check("\"2026-01-15T10:00:00+05:30\"", Ok("2026-01-15T04:30:00"));
        check("\"2026-01-15T10:00:00+0530\"", Ok("2026-01-15T04:30:00"));
        check("\"2026-01-15T10:00:00-00:00\"", Ok("2026-01-15T10:00:00"));
        check("\"2026-01-15T00:30:00+23:59\"", Ok("2026-01-14T00:31:00"));
    }

    #[test]
    fn texts_are_read_as_the_framework_reads_them() {
        check("\"2026-01-15T10:00:00\"", Ok("2026-01-15T10:00:00"));
        check("\"2026-01-15 10:00\"", Ok("2026-01-15T10:00:00"));
        check("\"2026-01-15\"", Ok("2026-01-15T00:00:00"));
        check("\"2026-01-15T10:00:00.123456789Z\"", Ok("2026-01-15T10:00:00.123456"));
        check("\"2026-01-15T10:00:00.0000001\"", Ok("2026-01-15T10:00:00"));
        check("\"2026-01-15t10:00:00z\"", Ok("2026-01-15T10:00:00"));
        check("\"2026-01-15_10:00:00\"", Ok("2026-01-15T10:00:00"));
        check("\"2026-01-15T10:00:00,5\"", Ok("2026-01-15T10:00:00.500000"));
        check("\"2026-01-15T10:00Z\"", Ok("2026-01-15T10:00:00"));
        check("\"2024-02-29T00:00:00\"", Ok("2024-02-29T00:00:00"));
        check("\"0001-01-01T00:00:00\"", Ok("0001-01-01T00:00:00"));
        let extra = Err("unexpected extra characters at the end of the input");
        check("\"2026-01-15T10:00:00 +05:30\"", extra);
        check("\"2026-01-15T10:00:00+05\"", extra);
        check("\"2026-01-15T10\"", extra);
        check("\"2026-01-15T24:00:00\"", extra);
        check("\"2026-01-15T10:00:60\"", extra);
        check("\"2026-01-15T10:00:00.\"", extra);
        check("\"2026-01-15T10:00:00+24:00\"", extra);
        check("\"2026-01-15T10:00:00Z5\"", extra);
        check("\"2026-01-15Z\"", extra);
        check("\"2026-02-30T10:00:00\"", Err("day value is outside expected range"));
        check("\"2026-13-15T10:00Z\"", Err("month value is outside expected range of 1-12"));
        check("\"2026-1-5T10:00:00\"", Err("invalid character in month"));
        check("\" 2026-01-15T10:00:00 \"", Err("invalid character in year"));
        check("\"20260115T100000\"", Err("invalid date separator, expected `-`"));
        check("\"\"", Err("input is too short"));
        check("\"abc\"", Err("input is too short"));
        check("\"1e9\"", Err("input is too short"));
    }

    #[test]
    fn numbers_count_seconds_or_milliseconds_by_their_size() {
        check("1700000000", Ok("2023-11-14T22:13:20"));
        check("\"1700000000\"", Ok("2023-11-14T22:13:20"));
        check("1700000000.25", Ok("2023-11-14T22:13:20.250000"));
        check("\"1700000000.5\"", Ok("2023-11-14T22:13:20.500000"));
        check("1700000000123", Ok("2023-11-14T22:13:20.123000"));
        check("\"1700000000123\"", Ok("2023-11-14T22:13:20.123000"));
        check("-5", Ok("1969-12-31T23:59:55"));
        check("20000000000", Ok("2603-10-11T11:33:20"));
        check("20000000001", Ok("1970-08-20T11:33:20.001000"));
        check("-20000000001", Ok("1969-05-14T12:26:39.999000"));
        check("253402300800", Ok("1978-01-11T21:31:40.800000"));
        let after = Err("dates after 9999 are not supported as unix timestamps");
        check("1e20", after);
        check("1e999", after);
        check("253402300800000", after);
        check("-1e20", Err("dates before 0000 are not supported as unix timestamps"));
        for text in ["true", "[]", "{}"] {
            assert_eq!(read(text).date_time().map_err(|fault| fault.kind), Err("datetime_type"));
        }
    }

    #[track_caller]
    fn check(json: &str, expected: Result<&str, &str>) {
        match (read(json).date_time(), expected) {
            (Ok(moment), Ok(text)) => assert_eq!(iso(moment), text, "input {json}"),
            (Err(fault), Err(reason)) => {
                assert!(fault.message.ends_with(reason), "input {json}: {}", fault.message);
            }
            (found, _) => panic!("input {json}: {found:?}"),
        }
    }

    fn read(text: &str) -> Json<'_> {
        Json::read(text.as_bytes()).expect("well-formed")
    }

    fn iso(moment: Timestamp) -> String {
        let mut out = String::new();
        write_naive_iso(&mut out, moment);
        out
    }

    proptest::proptest! {
        #[test]
        fn prints_as_the_core_type_prints(micros: i64) {
            let moment = Timestamp::from_micros(micros);
            proptest::prop_assert_eq!(iso(moment), moment.to_naive_iso());
        }

        #[test]
        fn what_prints_is_read_back(micros in -62_135_596_800_000_000..253_402_207_199_999_999i64) {
            let moment = Timestamp::from_micros(micros);
            proptest::prop_assert_eq!(parse_date_time(&iso(moment)), Ok(moment));
            proptest::prop_assert_eq!(parse_date_time(&moment.to_string()), Ok(moment));
        }

        #[test]
        fn no_text_panics(text in ".*", stamp in "[0-9T:+Z.-]{0,40}") {
            let _ = (parse_date_time(&text), parse_date_time(&stamp));
        }
    }
}
