use super::Fault;

/// A whole number as received. The original schemas have no upper bound, so neither has the type:
/// what does not fit is told apart from what is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integer {
    /// Within 64 bits.
    Fits(i64),
    /// A whole number beyond 64 bits.
    TooLarge,
}

impl Integer {
    /// The number, where it fits.
    pub const fn value(self) -> Option<i64> {
        match self {
            Self::Fits(value) => Some(value),
            Self::TooLarge => None,
        }
    }

    /// The number, held within 64 bits towards zero where `TooLarge` has no sign: for limits.
    pub const fn or_max(self) -> i64 {
        match self {
            Self::Fits(value) => value,
            Self::TooLarge => i64::MAX,
        }
    }

    /// Reads the text of a query parameter, or of a JSON string: blanks around it, a sign, single
    /// underscores between digits and a fraction of zeros are fine.
    ///
    /// # Errors
    /// `int_parsing` where it is no whole number, `int_parsing_size` beyond 4,300 digits.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        const UNREADABLE: Fault = Fault::new(
            "int_parsing",
            "Input should be a valid integer, unable to parse string as an integer",
        );
        let text = text.trim();
        if text.len() > 4300 {
            return Err(TOO_MANY_DIGITS);
        }
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..)),
            Some(b'+') => (false, text.get(1..)),
            _ => (false, Some(text)),
        };
        let digits = digits.unwrap_or_default();
        let digits = match digits.split_once('.') {
            Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
            Some(_) => return Err(UNREADABLE),
            None => digits,
        };
        let well_formed = !digits.is_empty()
            && digits
                .split('_')
                .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
        if !well_formed {
            return Err(UNREADABLE);
        }
        let mut value: i64 = 0;
        for digit in digits.bytes().filter(u8::is_ascii_digit) {
            let digit = i64::from(digit - b'0');
            // Counted downwards: the negative range is the wider one.
            match value.checked_mul(10).and_then(|value| value.checked_sub(digit)) {
                Some(next) => value = next,
                None => return Ok(Self::TooLarge),
            }
        }
        Ok(if negative {
            Self::Fits(value)
        } else {
            value.checked_neg().map_or(Self::TooLarge, Self::Fits)
        })
    }

    /// Reads the text of a JSON number.
    ///
    /// # Errors
    /// `int_from_float` for a fraction, `int_parsing_size` for a number like `1e300`.
    pub(super) fn from_number(text: &str) -> Result<Self, Fault> {
        if !text.contains(['.', 'e', 'E']) {
            return Self::parse(text);
        }
        let value: f64 = text.parse().unwrap_or(f64::INFINITY);
        if !value.is_finite() {
            return Err(Fault::new("finite_number", "Input should be a finite number"));
        }
        if value.fract() != 0.0 {
            return Err(Fault::new(
                "int_from_float",
                "Input should be a valid integer, got a number with a fractional part",
            ));
        }
        // Both bounds are exact powers of two, so the comparison is exact too.
        if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
            Ok(Self::Fits(value as i64))
        } else {
            Err(TOO_MANY_DIGITS)
        }
    }
}

const TOO_MANY_DIGITS: Fault = Fault::new(
    "int_parsing_size",
    "Unable to parse input string as an integer, exceeded maximum size",
);

#[cfg(test)]
mod tests {
    use super::*;

    // As pydantic 2.13 answers.
    #[test]
    fn texts_are_read_as_the_framework_reads_them() {
        for (text, value) in [
            ("1", 1),
            (" 12 ", 12),
            ("+5", 5),
            ("-3", -3),
            ("1.0", 1),
            ("-1.0", -1),
            ("1.00000", 1),
            ("1_000", 1000),
            ("00012", 12),
            ("-0", 0),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(Integer::parse(text), Ok(Integer::Fits(value)), "text {text:?}");
        }
        for text in ["9223372036854775808", "-9223372036854775809", "99999999999999999999999"] {
            assert_eq!(Integer::parse(text), Ok(Integer::TooLarge), "text {text:?}");
        }
        for text in
            ["", "-", "+", "1.50", "1.", ".0", "0x10", "1e3", "1 2", "٣", "_1", "1_", "1__0", "--1"]
        {
            let fault = Integer::parse(text).expect_err(text);
            assert_eq!(fault.kind, "int_parsing", "text {text:?}");
        }
        let fault = Integer::parse(&"9".repeat(4301)).expect_err("too long");
        assert_eq!(fault.kind, "int_parsing_size");
    }

    #[test]
    fn numbers_are_read_as_the_framework_reads_them() {
        assert_eq!(Integer::from_number("7"), Ok(Integer::Fits(7)));
        assert_eq!(Integer::from_number("1.0"), Ok(Integer::Fits(1)));
        assert_eq!(Integer::from_number("1e3"), Ok(Integer::Fits(1000)));
        assert_eq!(Integer::from_number("1180591620717411303424"), Ok(Integer::TooLarge));
        assert_eq!(Integer::from_number("1.5").map_err(|f| f.kind), Err("int_from_float"));
        assert_eq!(Integer::from_number("1e300").map_err(|f| f.kind), Err("int_parsing_size"));
        assert_eq!(Integer::from_number("1e999").map_err(|f| f.kind), Err("finite_number"));
    }
}
