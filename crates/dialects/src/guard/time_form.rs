use crate::sysscore::write_naive_iso;
use ringwall_event::Timestamp;

/// How the original clients spell a moment: both forms stand for the same, and readers take either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// `2026-11-20 20:16:39.561480+00:00`: in plain bodies.
    Space,
    /// `2026-11-20T20:16:39.561480+00:00`: within encrypted payloads, and in rules.
    Iso,
}

impl TimeForm {
    /// Appends the moment without quotes; the fraction is left out when it is zero.
    pub fn push(self, out: &mut String, moment: Timestamp) {
        const DATE_CHARS: usize = "2026-11-20".len();
        let mut iso = String::with_capacity(32);
        write_naive_iso(&mut iso, moment);
        match (self, iso.split_at_checked(DATE_CHARS)) {
            (Self::Space, Some((date, time))) => {
                out.push_str(date);
                out.push(' ');
                out.push_str(time.trim_start_matches('T'));
            }
            _ => out.push_str(&iso),
        }
        out.push_str("+00:00");
    }

    /// The JSON string.
    pub(super) fn push_json(self, out: &mut Vec<u8>, moment: Timestamp) {
        let mut text = String::with_capacity(32);
        self.push(&mut text, moment);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysscore::parse_date_time;

    #[test]
    fn both_forms_are_what_python_prints() {
        check(1_795_205_799_561_480, "2026-11-20 20:16:39.561480+00:00");
        check(1_795_205_799_000_000, "2026-11-20 20:16:39+00:00");
        check(0, "1970-01-01 00:00:00+00:00");
    }

    #[track_caller]
    fn check(micros: i64, expected: &str) {
        let moment = Timestamp::from_micros(micros);
        let mut text = String::new();
        TimeForm::Space.push(&mut text, moment);
        assert_eq!(text, expected);
        text.clear();
        TimeForm::Iso.push(&mut text, moment);
        assert_eq!(text, expected.replace(' ', "T"));
        assert_eq!(parse_date_time(&text), Ok(moment));
    }
}
