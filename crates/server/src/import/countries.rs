//! Countries as people write them in a column.

use zumra_core::phone::CountryCode;

use super::columns::fold;

/// Names of the countries that responses know, with their letters by ISO 3166. [`fold`] makes other spellings equal.
const NAMES: &[(&str, &[&str])] = &[
    ("SA", &["Saudi Arabia", "KSA", "Kingdom of Saudi Arabia", "السعودية", "المملكة العربية السعودية"]),
    ("AE", &["United Arab Emirates", "UAE", "Emirates", "الإمارات", "الإمارات العربية المتحدة"]),
    ("KW", &["Kuwait", "الكويت"]),
    ("QA", &["Qatar", "قطر"]),
    ("BH", &["Bahrain", "البحرين"]),
    ("OM", &["Oman", "عُمان", "سلطنة عمان"]),
    ("YE", &["Yemen", "اليمن"]),
    ("JO", &["Jordan", "الأردن"]),
    ("IQ", &["Iraq", "العراق"]),
    ("EG", &["Egypt", "مصر"]),
];

/// Returns the country code of a country: two letters (ISO 3166), or a name in English or Arabic.
pub(super) fn find_country_code(text: &str) -> Option<CountryCode> {
    let folded = fold(text);
    let by_name = NAMES.iter().find(|(_, names)| names.iter().any(|name| fold(name) == folded));
    CountryCode::of_country(by_name.map_or(text, |(letters, _)| letters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_found_by_letters_and_names() {
        for text in ["SA", "sa", "saudi arabia", "السعوديه", "KSA"] {
            assert_eq!(
                find_country_code(text).map(|code| code.to_string()),
                Some("+966".to_owned()),
                "{text}"
            );
        }
        for (letters, names) in NAMES {
            for name in *names {
                assert_eq!(find_country_code(name), CountryCode::of_country(letters), "{name}");
            }
        }
        assert_eq!(find_country_code("Atlantis"), None);
    }
}
