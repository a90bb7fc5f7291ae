//! Which texts are numbers, and which text a number has.

use crate::Value;

/// The significant digits of a double in a text.
const PRECISION: usize = 14;

/// The integer that a value counts as. Of texts: a sign or none, and digits without leading zeros. Of doubles: those
/// whose text is such a text. `true` is 1.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Text(text) => integer_of_text(text),
        Value::Double(number) => integer_of_text(&double_text(*number)),
        Value::Bool(true) => Some(1),
        _ => None,
    }
}

fn integer_of_text(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = digits == "0" || !digits.starts_with('0');
    // A second sign is no digit; the parser of Rust allows one sign and no space.
    (plain && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Whether a value is a number, or a text that reads as one.
///
/// Infinity is none here, though Laravel lets it pass: nothing could keep it.
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

/// The number that a numeric value stands for.
pub(crate) fn number(value: &Value) -> Option<Value> {
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

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{B}' | '\u{C}')
}

/// Optional sign, digits with an optional point among or beside them, optional exponent.
fn is_numeric_text(text: &str) -> bool {
    let text = text.trim_matches(is_space);
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && are_digits(digits)
    });
    are_digits(whole) && are_digits(fraction) && whole.len() + fraction.len() > 0 && exponent_fits
}

/// The text that PHP makes of a double: 14 significant digits, an exponent when the number is very large or small.
pub(crate) fn double_text(number: f64) -> String {
    if number.is_nan() {
        return "NAN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "INF" } else { "-INF" }.to_owned();
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    // Rust's exponential form is correctly rounded: `d.ddddE±x`.
    let rounded = format!("{:.*e}", PRECISION - 1, number.abs());
    let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        some => some,
    };
    format!("{sign}{}", place_point(digits, exponent))
}

/// Writes `d.ddd × 10^exponent`, of which `digits` are the digits.
fn place_point(digits: &str, exponent: i32) -> String {
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
    fn texts_that_are_integers() {
        for (good, number) in [
            ("12", 12),
            ("+12", 12),
            ("-0", 0),
            ("+0", 0),
            ("-9223372036854775808", i64::MIN),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(integer(&text(good)), Some(number), "{good}");
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
            assert_eq!(integer(&text(bad)), None, "{bad}");
        }
    }

    #[test]
    fn doubles_that_are_integers_at_fourteen_digits() {
        let whole = [(12.0, 12), (1e3, 1000), (-0.0, 0), (99_999_999_999_999.0, 99_999_999_999_999)];
        for (number, expected) in whole.into_iter().chain([(11.999_999_999_999_99, 12)]) {
            assert_eq!(integer(&Value::Double(number)), Some(expected), "{number}");
        }
        for number in
            [12.5, 1e-3, 1e14, f64::INFINITY, f64::NAN, 9_223_372_036_854_775_808.0, 11.999_999_999_9]
        {
            assert_eq!(integer(&Value::Double(number)), None, "{number}");
        }
        assert_eq!(integer(&Value::Bool(true)), Some(1));
        assert_eq!(integer(&Value::Bool(false)), None);
    }

    #[test]
    fn texts_that_are_numbers() {
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
            assert!(is_numeric(&text(good)) && number(&text(good)).is_some(), "{good:?}");
        }
        for bad in [
            "", ".", "1e", "e5", "1e5.5", "0x1A", "1,000", "1_000", "NaN", "INF", "١٢", "- 1", "1 2", "+-1",
            ".e1",
        ] {
            assert!(!is_numeric(&text(bad)) && number(&text(bad)).is_none(), "{bad:?}");
        }
        assert!(!is_numeric(&Value::Bool(true)));
    }

    #[test]
    fn doubles_have_the_texts_of_php() {
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
