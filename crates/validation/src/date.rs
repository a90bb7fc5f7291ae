//! Dates such as `2026-11-23`.

/// Returns true if a text is an existing date of the years 0000 to 9999, written with four, two and two digits.
pub(crate) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| {
        let digits = bytes.get(range)?;
        let append =
            |number: u32, digit: &u8| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'));
        digits.iter().try_fold(0, append)
    };
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return false;
    };
    let is_leap_year = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap_year => 29,
        2 => 28,
        _ => 0,
    };
    bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' && (1..=days_in_month).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_existing_dates_in_the_exact_format_are_accepted() {
        for date in ["2000-02-29", "0000-02-29", "9999-12-31", "1990-01-01"] {
            assert!(is_date(date), "{date}");
        }
        let missing_dates =
            ["1900-02-29", "2001-02-29", "2000-13-01", "2000-00-10", "2000-04-31", "2000-01-00", "2000-1-05"];
        for text in missing_dates.into_iter().chain([
            "",
            "2000/01/01",
            "2000-01-011",
            "20000-01-01",
            "+200-01-01",
            "٢٠٠٠-٠١-٠١",
        ]) {
            assert!(!is_date(text), "{text}");
        }
    }
}
