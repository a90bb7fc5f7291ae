//! Conversions between numbers and texts, as in PHP and Laravel.

use crate::Value;

/// Significant digits of a double in text: PHP's setting `precision`.
const PRECISION: usize = 14;

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

/// Returns the text of a double in PHP: 14 significant digits, with an exponent if the number is very large or small.
pub(crate) fn double_text(number: f64) -> String {
    if number.is_nan() {
        return "NAN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "INF" } else { "-INF" }.to_owned();
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    // Rust's exponential format is correctly rounded: `d.dddde±x`.
    let rounded = format!("{:.*e}", PRECISION - 1, number.abs());
    let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    format!("{sign}{}", format_digits(digits, exponent))
}

/// Formats `d.ddd × 10^exponent`, where `digits` are the digits `dddd`.
fn format_digits(digits: &str, exponent: i32) -> String {
    let digits_before_point = usize::try_from(exponent + 1).unwrap_or(0);
    if exponent < -4 || digits_before_point > PRECISION {
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { "0" } else { rest };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{first}.{rest}E{sign}{}", exponent.unsigned_abs());
    }
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("0.{zeros}{digits}");
    }
    match digits.split_at_checked(digits_before_point) {
        Some((whole, "")) => whole.to_owned(),
        Some((whole, fraction)) => format!("{whole}.{fraction}"),
        None => format!("{digits:0<digits_before_point$}"),
    }
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

    #[test]
    fn doubles_are_formatted_like_php() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (777.0, "777"),
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (0.000_1, "0.0001"),
            (0.000_01, "1.0E-5"),
            (1e14, "1.0E+14"),
            (99_999_999_999_999.0, "99999999999999"),
            (123_456_789_012_345.0, "1.2345678901234E+14"),
            (1.0 / 3.0, "0.33333333333333"),
            (1e300, "1.0E+300"),
            (f64::NEG_INFINITY, "-INF"),
        ] {
            assert_eq!(double_text(number), expected);
        }
    }
}
