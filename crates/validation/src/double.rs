//! The text of a double, as in PHP.

/// Significant digits of a double in text: PHP's setting `precision`.
const PRECISION: usize = 14;

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
