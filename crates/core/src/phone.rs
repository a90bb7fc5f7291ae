//! Numbering plans: which digits of a phone number are its country code, and which zero falls away behind it.
//!
//! What belongs here: the only use of the library that knows them. The validation of the API does not use it.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber as Parsed, Region};

/// The country code of a number that has none: Saudi Arabia.
pub const DEFAULT_COUNTRY_CODE: CountryCode = CountryCode(966);

/// Maximum number of digits after the country code of a number whose plan is unknown (ITU-T E.164).
const NATIONAL_DIGITS_MAX: usize = 14;
/// Maximum number of digits that are parsed at all. The library reads 17 at most.
const DIGITS_MAX: usize = 32;

/// A country code such as `966`: one to three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountryCode(i32);

impl CountryCode {
    /// Reads digits with or without `+` or `00` before them. Returns `None` for other texts.
    pub fn parse(number: &str) -> Option<Self> {
        let digits = number.strip_prefix('+').unwrap_or(number).trim_start_matches('0');
        let is_code = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| is_code).map(Self)
    }

    /// Returns the country code of a country, given by its two letters (ISO 3166), ignoring case.
    pub fn of_country(letters: &str) -> Option<Self> {
        let region = letters.to_ascii_uppercase().parse().ok()?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region).filter(|code| *code > 0).map(Self)
    }

    fn region(self) -> Option<Region> {
        PHONE_NUMBER_UTIL.get_region_for_country_code(self.0).filter(|region| *region != Region::World)
    }
}

impl std::fmt::Display for CountryCode {
    /// Writes the code with a plus sign.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "+{}", self.0)
    }
}

/// A number in the form in which it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneNumber {
    /// The country code.
    pub code: CountryCode,
    /// The rest, without the zero that its country dials before it, and with the zero that its country keeps.
    pub national: String,
}

/// Why digits are not a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// No number of the country has so many digits.
    #[error("no number with country code {0} has so many digits")]
    Length(CountryCode),
    /// The number is in international form, with another country code than the one given beside it.
    #[error("the number has the country code {0}")]
    OtherCountry(CountryCode),
}

/// Reads a number as [`crate::digits::plain_number`] returns it: digits, perhaps after a plus sign.
///
/// `code` is the country code given beside the number. The number may be in international form (`+966…`, `00966…`,
/// `966…`) or in the national form of the country, with or without the zero that is dialed before it. Without `code` the
/// country is Saudi Arabia, unless the number fits only another one.
///
/// # Errors
///
/// [`PhoneError`] if the number of digits is impossible, or the number contradicts `code`. Whether a number of possible
/// length is in use is not checked, because numbering plans change.
pub fn read_phone(code: Option<CountryCode>, number: &str) -> Result<PhoneNumber, PhoneError> {
    let expected = code.unwrap_or(DEFAULT_COUNTRY_CODE);
    if number.len() > DIGITS_MAX {
        return Err(PhoneError::Length(expected));
    }
    let international = number.strip_prefix('+').or_else(|| number.strip_prefix("00"));
    if let Some(parsed) = international.and_then(parse_international) {
        return match code {
            Some(code) if code.0 != parsed.country_code => {
                Err(PhoneError::OtherCountry(CountryCode(parsed.country_code)))
            }
            _ => require_possible(&parsed),
        };
    }
    let digits = international.unwrap_or(number);
    let national = parse_national(expected, digits).ok_or(PhoneError::Length(expected)).and_then(|parsed| {
        if parsed.country_code == expected.0 {
            require_possible(&parsed)
        } else {
            Err(PhoneError::Length(expected))
        }
    });
    if national.is_err() && code.is_none() {
        // International without a plus sign. Only a number that is in use is certain enough to replace the country.
        let parsed = parse_international(digits);
        let in_use = parsed.filter(|parsed| PHONE_NUMBER_UTIL.is_valid_number(parsed));
        return in_use.map_or(national, |parsed| require_possible(&parsed));
    }
    if national.is_err()
        && expected.region().is_none()
        && parse_international(&format!("{}1", expected.0)).is_none()
    {
        return read_unknown_plan(expected, digits);
    }
    national
}

fn parse_international(digits: &str) -> Option<Parsed> {
    PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None).ok()
}

fn parse_national(code: CountryCode, digits: &str) -> Option<Parsed> {
    match code.region() {
        Some(region) => PHONE_NUMBER_UTIL.parse(digits, Some(region)).ok(),
        // Some codes belong to no country, such as those of satellite telephones.
        None => parse_international(&format!("{}{digits}", code.0)),
    }
}

fn require_possible(parsed: &Parsed) -> Result<PhoneNumber, PhoneError> {
    let code = CountryCode(parsed.country_code);
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(parsed) {
        Ok(NumberLengthType::IsPossible) => {
            Ok(PhoneNumber { code, national: parsed.get_national_significant_number() })
        }
        _ => Err(PhoneError::Length(code)),
    }
}

/// Reads a number of a country that the library does not know, because its list ages.
fn read_unknown_plan(code: CountryCode, digits: &str) -> Result<PhoneNumber, PhoneError> {
    let is_possible = (1..=NATIONAL_DIGITS_MAX).contains(&digits.len());
    let number = PhoneNumber { code, national: digits.to_owned() };
    is_possible.then_some(number).ok_or(PhoneError::Length(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: &str, number: &str) -> Result<(String, String), PhoneError> {
        let number = read_phone(CountryCode::parse(code), number)?;
        Ok((number.code.to_string(), number.national))
    }

    #[test]
    fn common_forms_of_a_number_are_split() {
        for (code, number, expected_code, expected) in [
            ("+966", "512345678", "+966", "512345678"),
            ("966", "0512345678", "+966", "512345678"),
            ("00966", "0512345678", "+966", "512345678"),
            ("", "512345678", "+966", "512345678"),
            ("", "966512345678", "+966", "512345678"),
            ("", "+9660512345678", "+966", "512345678"),
            ("", "+971501234567", "+971", "501234567"),
            ("", "971501234567", "+971", "501234567"),
            ("", "00201012345678", "+20", "1012345678"),
            ("20", "01012345678", "+20", "1012345678"),
            ("+966", "+966512345678", "+966", "512345678"),
            ("965", "51234567", "+965", "51234567"),
            ("7", "89161234567", "+7", "9161234567"),
            ("1", "2025550123", "+1", "2025550123"),
        ] {
            let expected = Ok((expected_code.to_owned(), expected.to_owned()));
            assert_eq!(read(code, number), expected, "{code} {number}");
        }
    }

    #[test]
    fn zero_is_kept_where_the_country_keeps_it() {
        let kept = Ok(("+39".to_owned(), "0282398816".to_owned()));
        for (code, number) in
            [("+39", "0282398816"), ("", "+390282398816"), ("", "00390282398816"), ("39", "390282398816")]
        {
            assert_eq!(read(code, number), kept, "{code} {number}");
        }
        let ivory_coast = Ok(("+225".to_owned(), "0712345678".to_owned()));
        assert_eq!(read("225", "0712345678"), ivory_coast);
    }

    #[test]
    fn impossible_lengths_and_contradictions_are_rejected() {
        for number in ["1", "123", "05123", "96651234567890123", "+96651", &"5".repeat(64)] {
            assert_eq!(read("", number), Err(PhoneError::Length(DEFAULT_COUNTRY_CODE)), "{number}");
        }
        assert_eq!(read("966", "+971501234567"), Err(PhoneError::OtherCountry(CountryCode(971))));
        // The list of the library ages: a code that it does not know is not an error.
        assert_eq!(read("999", "12345678"), Ok(("+999".to_owned(), "12345678".to_owned())));
        assert!(read("999", &"1".repeat(15)).is_err());
    }

    #[test]
    fn country_codes_are_read_as_digits_or_by_country() {
        for text in ["966", "+966", "00966"] {
            assert_eq!(CountryCode::parse(text), Some(DEFAULT_COUNTRY_CODE), "{text}");
        }
        for text in ["", "0", "+", "SA", "9661", "9 6"] {
            assert_eq!(CountryCode::parse(text), None, "{text}");
        }
        assert_eq!(CountryCode::of_country("sa"), Some(DEFAULT_COUNTRY_CODE));
        assert_eq!(CountryCode::of_country("EG"), CountryCode::parse("20"));
        for unknown in ["", "S", "XX", "001", "ZZ", "سع"] {
            assert_eq!(CountryCode::of_country(unknown), None, "{unknown}");
        }
    }
}
