//! Conversions between numbers and texts, as in PHP and Laravel.

use crate::Value;
use crate::double::double_text;

/// Returns the integer that a value represents, like PHP's `FILTER_VALIDATE_INT`.
///
/// A text must be an optional sign and digits without leading zeros. A double must have such a text. `true` is 1.
pub(crate) fn to_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Text(text) => parse_integer(text),
        Value::Double(number) => parse_integer(&double_text(*number)),
        Value::Bool(true) => Some(1),
        _ => None,
    }
}

fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let has_no_leading_zero = digits == "0" || !digits.starts_with('0');
    // Rust's parser accepts one sign and no space; a second sign is not a digit.
    (has_no_leading_zero && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// Returns true if a value is a finite number or a text that represents one, like PHP's `is_numeric`.
///
/// Laravel also accepts infinity; this function does not, because it cannot be stored.
pub(crate) fn is_numeric(value: &Value) -> bool {
    match value {
        Value::Int(_) => true,
        Value::Double(number) => number.is_finite(),
        Value::Text(text) => {
            is_numeric_text(text) && text.trim_matches(is_space).parse::<f64>().is_ok_and(f64::is_finite)
        }
        _ => false,
    }
}

/// Returns the number that a numeric value represents, as an integer if possible.
pub(crate) fn to_number(value: &Value) -> Option<Value> {
    match value {
        Value::Int(_) | Value::Double(_) => Some(value.clone()),
        Value::Text(text) if is_numeric_text(text) => {
            let text = text.trim_matches(is_space);
            let double = || text.parse().map(Value::Double).ok();
            text.parse().map(Value::Int).ok().or_else(double)
        }
        _ => None,
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{B}' | '\u{C}')
}

/// Returns true for an optional sign, digits with an optional decimal point, and an optional exponent.
fn is_numeric_text(text: &str) -> bool {
    let text = text.trim_matches(is_space);
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && are_digits(digits)
    });
    are_digits(whole) && are_digits(fraction) && whole.len() + fraction.len() > 0 && is_exponent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn integer_texts_are_recognized() {
        for (good, number) in [
            ("12", 12),
            ("+12", 12),
            ("-0", 0),
            ("+0", 0),
            ("-9223372036854775808", i64::MIN),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(to_integer(&text(good)), Some(number), "{good}");
        }
        let bad = [
            "0012",
            "00",
            "12.0",
            "1e3",
            "0x1A",
            "1,000",
            "١٢",
            "１２",
            "9223372036854775808",
            "+-12",
            "--1",
        ];
        for bad in bad.into_iter().chain(["", "+", "-", "1 2", "- 12", "0b11", "1_000", "-00"]) {
            assert_eq!(to_integer(&text(bad)), None, "{bad}");
        }
    }

    #[test]
    fn doubles_are_integers_at_fourteen_digits() {
        let whole = [(12.0, 12), (1e3, 1000), (-0.0, 0), (99_999_999_999_999.0, 99_999_999_999_999)];
        for (number, expected) in whole.into_iter().chain([(11.999_999_999_999_99, 12)]) {
            assert_eq!(to_integer(&Value::Double(number)), Some(expected), "{number}");
        }
        for number in
            [12.5, 1e-3, 1e14, f64::INFINITY, f64::NAN, 9_223_372_036_854_775_808.0, 11.999_999_999_9]
        {
            assert_eq!(to_integer(&Value::Double(number)), None, "{number}");
        }
        assert_eq!(to_integer(&Value::Bool(true)), Some(1));
        assert_eq!(to_integer(&Value::Bool(false)), None);
    }

    #[test]
    fn numeric_texts_are_recognized() {
        for good in [
            "1",
            " 1",
            "1 ",
            "+.5",
            "-5.",
            "1e3",
            "1E+3",
            "007",
            "0.0",
            "5.e3",
            "1e-400",
            "99999999999999999999",
        ] {
            assert!(is_numeric(&text(good)) && to_number(&text(good)).is_some(), "{good:?}");
        }
        for bad in [
            "", ".", "1e", "e5", "1e5.5", "0x1A", "1,000", "1_000", "NaN", "INF", "١٢", "- 1", "1 2", "+-1",
            ".e1",
        ] {
            assert!(!is_numeric(&text(bad)) && to_number(&text(bad)).is_none(), "{bad:?}");
        }
        assert!(!is_numeric(&Value::Bool(true)));
    }
}
