//! Columns of digits: what a spreadsheet program did to a number, and whether it can be undone.

use zumra_core::digits::{ascii_digit, is_invisible, plain_number};
use zumra_spreadsheet::Cell;

/// Numbers in cells from here on may have lost their last digits: spreadsheet programs store 15.
const EXACT_NUMBERS_END: f64 = 1e15;

/// Years of dates that a spreadsheet program makes of numbers.
const YEARS: std::ops::RangeInclusive<u32> = 1900..=2100;

/// The content of a cell in a column of digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Digits {
    /// ASCII digits, perhaps after a plus sign.
    Number(String),
    /// Something that is not a number.
    Text,
    /// A number that a spreadsheet program changed, so that digits are lost.
    Changed,
}

/// Reads a cell. A cell of a workbook that holds a number is read as that number, whatever its format shows.
pub(super) fn read_digits(cell: &Cell) -> Digits {
    if let Some(number) = cell.number {
        let is_exact = number.fract() == 0.0 && (0.0..EXACT_NUMBERS_END).contains(&number);
        return if is_exact { Digits::Number(format!("{number:.0}")) } else { Digits::Changed };
    }
    let text = ascii_number(&cell.text);
    if let Some(whole) = whole_number(&text) {
        return Digits::Number(whole.to_owned());
    }
    if is_changed(&text) {
        return Digits::Changed;
    }
    plain_number(&cell.text).map_or(Digits::Text, Digits::Number)
}

/// Returns a text without invisible characters, with ASCII digits and a decimal point.
fn ascii_number(text: &str) -> String {
    let map = |c: char| match c {
        '\u{66B}' | ',' => '.',
        '\u{2212}' => '-',
        c => ascii_digit(c).unwrap_or(c),
    };
    text.trim().chars().filter(|c| !is_invisible(*c)).map(map).collect()
}

/// Returns the digits of a number with a fraction of zeros: `966512000001` for `966512000001.0`.
fn whole_number(text: &str) -> Option<&str> {
    let (whole, fraction) = text.split_once('.')?;
    let is_whole =
        is_digits(whole) && fraction.len() <= 2 && is_digits(fraction) && fraction.bytes().all(|b| b == b'0');
    is_whole.then_some(whole)
}

/// Returns true for what spreadsheet programs write instead of the digits that were typed: a fraction, an exponent, a
/// percentage, a negative number, a date. A number with a leading zero is not a fraction, but has dots between its digits.
fn is_changed(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let number = unsigned.strip_suffix('%').unwrap_or(unsigned);
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.trim_start_matches(['+', '-']))),
        None => (number, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_number = is_digits(whole) && fraction.is_none_or(is_digits) && exponent.is_none_or(is_digits);
    let is_fraction = fraction.is_some() && (whole == "0" || !whole.starts_with('0'));
    is_date(text) || is_number && (exponent.is_some() || is_fraction || number.len() < text.len())
}

/// Returns true for a date such as `2026-11-24` or `24/11/2026`, perhaps with a time.
fn is_date(text: &str) -> bool {
    let date = text.split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<_> = date.split('-').collect();
    let number =
        |text: &str, digits| text.parse().ok().filter(|_: &u32| text.len() == digits && is_digits(text));
    if let [first, second, year] = date.split('/').collect::<Vec<_>>()[..] {
        let is_part = |part: &str| part.len() <= 2 && is_digits(part);
        return is_part(first)
            && is_part(second)
            && number(year, 4).is_some_and(|year| YEARS.contains(&year));
    }
    matches!(parts[..], [year, month, day] if number(year, 4).is_some_and(|year| YEARS.contains(&year))
        && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
        && number(day, 2).is_some_and(|day| (1..=31).contains(&day)))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Digits {
        read_digits(&Cell { text: text.to_owned(), number: None })
    }

    #[test]
    fn whole_numbers_are_their_digits() {
        for (written, digits) in [
            ("966512000001.0", "966512000001"),
            ("966512000001.00", "966512000001"),
            ("966512000001,0", "966512000001"),
            ("٩٦٦٥١٢٠٠٠٠٠١٫٠", "966512000001"),
            ("0512000001", "0512000001"),
            ("+966.51.200.0053", "+966512000053"),
            ("050.1234567", "0501234567"),
            ("'+966512000040", "+966512000040"),
            ("=\"+966501110011\"", "+966501110011"),
        ] {
            assert_eq!(text(written), Digits::Number(digits.to_owned()), "{written}");
        }
    }

    #[test]
    fn numbers_with_lost_digits_are_recognized() {
        for changed in [
            "9.66501E+11",
            "9,66501E+11",
            "9.66501e11",
            "5E8",
            "٩٫٦٦٥٠١E+١١",
            "512000004.5",
            "966512,5",
            "0.5",
            "-512345678",
            "\u{2212}5",
            "512%",
            "51.2%",
            "2026-11-24",
            "1997-06-03 00:00:00",
            "1997-06-03T00:00:00",
            "50.1234567",
            "24/11/2026",
            "٦/٣/١٩٩٧",
            "6/3/1997 0:00",
        ] {
            assert_eq!(text(changed), Digits::Changed, "{changed}");
        }
        for other in ["", "abc", "5a", "24/11/2026x", "5 %5"] {
            assert_eq!(text(other), Digits::Text, "{other}");
        }
        assert_eq!(text("5512-34-56"), Digits::Number("55123456".to_owned()));
        assert_eq!(text("51/200/2026"), Digits::Number("512002026".to_owned()));
    }

    #[test]
    fn cells_with_numbers_are_read_regardless_of_their_format() {
        let number = |number: f64| read_digits(&Cell { text: "1997-06-03".to_owned(), number: Some(number) });
        assert_eq!(number(966_512_000_001.0), Digits::Number("966512000001".to_owned()));
        assert_eq!(number(999_999_999_999_999.0), Digits::Number("999999999999999".to_owned()));
        for lost in [0.05, 512.5, -5.0, 1e15, f64::NAN, f64::INFINITY] {
            assert_eq!(number(lost), Digits::Changed, "{lost}");
        }
    }
}
