use serde_json::{Number, Value};

/// One text per value: RFC 8785, so that a digest or signature does not depend on who wrote it.
///
/// Keys are sorted by their UTF-16 units, there is no blank, strings carry the shortest escapes,
/// and floats print as ECMAScript does (`1e+21`, `0.000001`). One deviation: integers keep all
/// their digits, where RFC 8785 §3.2.2.3 would round beyond 2^53.
///
/// ```
/// let value = serde_json::json!({"b": [1.0, true], "a": "é\n"});
/// assert_eq!(ringwall_signing::canonical_json(&value), r#"{"a":"é\n","b":[1,true]}"#);
/// ```
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (position, (key, item)) in fields.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write_value(out, item);
            }
            out.push('}');
        }
    }
}

/// RFC 8785 §3.2.2.2.
fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn write_number(out: &mut String, number: &Number) {
    let text = number.to_string();
    if number.is_f64() {
        write_float(out, &text);
    } else {
        out.push_str(&text);
    }
}

/// Lays out a float as ECMAScript `Number::toString` does (ECMA-262 §6.1.6.1.20).
///
/// The digits are those of `text`, which serde_json made the shortest that read back, and of two
/// equally near the even ones; the standard library breaks that tie otherwise.
fn write_float(out: &mut String, text: &str) {
    let unsigned = text.trim_start_matches('-');
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    let digits = significant.trim_end_matches('0');
    if digits.is_empty() {
        out.push('0');
        return;
    }
    if unsigned.len() < text.len() {
        out.push('-');
    }
    let length = |text: &str| i32::try_from(text.len()).unwrap_or(i32::MAX);
    // The decimal point stands after this many of the digits; before them where negative.
    let point =
        length(whole) - (length(&all) - length(significant)) + exponent.parse().unwrap_or(0);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let split = |at: i32| digits.split_at_checked(usize::try_from(at).unwrap_or(0));
    match point {
        ..=21 if length(digits) <= point => {
            out.push_str(digits);
            out.push_str(&zeros(point - length(digits)));
        }
        1..=21 => {
            let (whole, fraction) = split(point).unwrap_or((digits, ""));
            out.push_str(&format!("{whole}.{fraction}"));
        }
        -5..=0 => out.push_str(&format!("0.{}{digits}", zeros(-point))),
        _ => {
            let (first, rest) = split(1).unwrap_or((digits, ""));
            let dot = if rest.is_empty() { "" } else { "." };
            out.push_str(&format!("{first}{dot}{rest}e{:+}", point - 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// RFC 8785 appendix B, as far as JSON can hold the values.
    #[test]
    fn floats_print_as_in_the_rfc() {
        check_float(0x0000000000000000, "0");
        check_float(0x8000000000000000, "0");
        check_float(0x0000000000000001, "5e-324");
        check_float(0x8000000000000001, "-5e-324");
        check_float(0x7fefffffffffffff, "1.7976931348623157e+308");
        check_float(0xffefffffffffffff, "-1.7976931348623157e+308");
        check_float(0x4340000000000000, "9007199254740992");
        check_float(0xc340000000000000, "-9007199254740992");
        check_float(0x4430000000000000, "295147905179352830000");
        check_float(0x44b52d02c7e14af5, "9.999999999999997e+22");
        check_float(0x44b52d02c7e14af6, "1e+23");
        check_float(0x44b52d02c7e14af7, "1.0000000000000001e+23");
        check_float(0x444b1ae4d6e2ef4e, "999999999999999700000");
        check_float(0x444b1ae4d6e2ef4f, "999999999999999900000");
        check_float(0x444b1ae4d6e2ef50, "1e+21");
        check_float(0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7");
        check_float(0x3eb0c6f7a0b5ed8d, "0.000001");
        check_float(0x41b3de4355555553, "333333333.3333332");
        check_float(0x41b3de4355555554, "333333333.33333325");
        check_float(0x41b3de4355555555, "333333333.3333333");
        check_float(0x41b3de4355555556, "333333333.3333334");
        check_float(0x41b3de4355555557, "333333333.33333343");
        check_float(0xbecbf647612f3696, "-0.0000033333333333333333");
        check_float(0x43143ff3c1cb0959, "1424953923781206.2");
    }

    #[track_caller]
    fn check_float(bits: u64, expected: &str) {
        assert_eq!(canonical_json(&json!(f64::from_bits(bits))), expected, "bits {bits:016x}");
    }

    /// RFC 8785 §3.2.3: by UTF-16 units, so that the surrogates of an emoji sort before U+FB33.
    #[test]
    fn keys_sort_by_utf16_units() {
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet",
            "1": "One", "\u{1f600}": "Emoji", "\u{80}": "Control", "\u{f6}": "o Diaeresis",
        });
        assert_eq!(
            canonical_json(&value),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
             \"\u{f6}\":\"o Diaeresis\",\"\u{20ac}\":\"Euro Sign\",\"\u{1f600}\":\"Emoji\",\
             \"\u{fb33}\":\"Hebrew Letter Dalet\"}"
        );
    }

    #[test]
    fn integers_keep_all_digits_and_strings_the_shortest_escapes() {
        let value =
            json!([u64::MAX, i64::MIN, "\u{1f}\u{7f}</\u{2028}\u{8}\u{c}\"\\", null, false]);
        assert_eq!(
            canonical_json(&value),
            "[18446744073709551615,-9223372036854775808,\
             \"\\u001f\u{7f}</\u{2028}\\b\\f\\\"\\\\\",null,false]"
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            // Exact in few digits: serde_json reads long ones only to the nearest but one.
            any::<i32>().prop_map(|number| Value::from(f64::from(number) / 64.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_canonical_stays_as_it_is(value in values()) {
            let text = canonical_json(&value);
            let again: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(canonical_json(&again), text);
        }

        #[test]
        fn floats_read_back(float in any::<f64>().prop_filter("finite", |f| f.is_finite())) {
            let text = canonical_json(&json!(float));
            let again: f64 = text.parse().unwrap();
            prop_assert!(again == float, "{} became {}", float, text);
        }

        #[test]
        fn strings_read_back(text: String) {
            let again: Value = serde_json::from_str(&canonical_json(&json!(text))).unwrap();
            prop_assert_eq!(again, json!(text));
        }
    }
}
