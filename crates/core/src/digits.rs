//! Numbers as people write them: digits of every script, characters that cannot be seen, separators and wrappers.
//!
//! Imports and keywords read numbers with these functions. The validation of the API does not.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Returns the ASCII digit of the same value, or `None` if the character is not a decimal digit of any script.
pub fn ascii_digit(character: char) -> Option<char> {
    if character.is_ascii() {
        return character.is_ascii_digit().then_some(character);
    }
    if !is_decimal_digit(character) {
        return None;
    }
    // Decimal digits come in runs of ten, 0 to 9 (Unicode Standard, section 4.6). Some runs follow each other directly.
    let is_digit_before = |back| char::from_u32(character as u32 - back).is_some_and(is_decimal_digit);
    let value =
        (1..u32::from(u8::MAX)).take_while(|back| is_digit_before(*back)).fold(0, |count, _| count + 1) % 10;
    char::from_digit(value, 10)
}

fn is_decimal_digit(character: char) -> bool {
    character.general_category() == GeneralCategory::DecimalNumber
}

/// Returns true for characters that have no shape of their own: marks of direction, zero-width spaces and joiners, soft
/// hyphens, byte order marks and variation selectors.
pub fn is_invisible(character: char) -> bool {
    match character {
        // Variation selectors and the grapheme joiner are marks by category.
        '\u{FE00}'..='\u{FE0F}'
        | '\u{E0100}'..='\u{E01EF}'
        | '\u{180B}'..='\u{180D}'
        | '\u{180F}'
        | '\u{34F}' => true,
        // Signs around numbers and the end of a verse: of the same category, but visible.
        '\u{600}'..='\u{605}'
        | '\u{6DD}'
        | '\u{70F}'
        | '\u{890}'
        | '\u{891}'
        | '\u{8E2}'
        | '\u{110BD}'
        | '\u{110CD}' => false,
        _ => !character.is_ascii() && character.general_category() == GeneralCategory::Format,
    }
}

/// Reads a text that is one number and nothing else, such as `(+966) 51-234`, `٠٥١٢`, `tel:+966.51.234`, `'0512` or
/// `="0512"`. Returns its ASCII digits, after a plus sign if the text has one. Returns `None` for other texts.
///
/// A fraction of zeros, which spreadsheets add to whole numbers, is dropped: `512.0` is `512`.
pub fn plain_number(text: &str) -> Option<String> {
    let visible: String = text.chars().filter(|character| !is_invisible(*character)).collect();
    let unwrapped = unwrap_number(visible.trim());
    let mut number = String::with_capacity(unwrapped.len());
    for character in unwrapped.chars() {
        match (ascii_digit(character), character) {
            (Some(digit), _) => number.push(digit),
            (None, '+' | '\u{FF0B}') if number.is_empty() => number.push('+'),
            (None, other) if is_separator(other) => {}
            (None, _) => return None,
        }
    }
    number.ends_with(|last: char| last.is_ascii_digit()).then_some(number)
}

/// Removes what programs put around a number: `tel:`, the apostrophe and the formula that make a cell a text, and the
/// fraction of a whole number.
fn unwrap_number(text: &str) -> &str {
    let text = text.strip_prefix('=').map_or(text, str::trim_start);
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let text = quoted.unwrap_or(text).trim();
    let text = text.strip_prefix(['\'', '\u{2018}', '\u{2019}']).unwrap_or(text).trim_start();
    let has_scheme = text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:"));
    let text = if has_scheme { text[4..].trim_start() } else { text };
    match text.split_once('.') {
        Some((whole, "0" | "00")) => whole,
        _ => text,
    }
}

/// Returns true for what people write between the digits of a number: spaces, hyphens, dots, slashes and brackets.
fn is_separator(character: char) -> bool {
    use GeneralCategory::{ClosePunctuation, DashPunctuation, OpenPunctuation};
    character.is_whitespace()
        || matches!(character, '.' | '/' | '\u{B7}' | '\u{2022}' | '\u{2212}')
        || matches!(character.general_category(), DashPunctuation | OpenPunctuation | ClosePunctuation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_script_have_their_value() {
        let digits: Vec<char> = ('\0'..=char::MAX).filter(|character| is_decimal_digit(*character)).collect();
        assert!(digits.len() >= 650, "{}", digits.len());
        for run in digits.chunks(10) {
            let values: String = run.iter().filter_map(|digit| ascii_digit(*digit)).collect();
            assert_eq!(values, "0123456789", "{:X}", run[0] as u32);
        }
        for other in ['a', '½', '²', '一', '①'] {
            assert_eq!(ascii_digit(other), None, "{other}");
        }
    }

    #[test]
    fn format_characters_and_variation_selectors_are_invisible() {
        for hidden in "\u{200B}\u{200C}\u{200D}\u{200E}\u{200F}\u{202A}\u{202E}\u{2060}\u{2066}\u{2069}\u{FEFF}\u{FE0E}\u{FE0F}\u{AD}\u{61C}".chars() {
            assert!(is_invisible(hidden), "{:X}", hidden as u32);
        }
        for visible in ['a', ' ', '\u{A0}', '\u{64B}', 'ـ', '\u{6DD}', '٠', '-', '\u{301}'] {
            assert!(!is_invisible(visible), "{visible}");
        }
    }

    #[test]
    fn every_spelling_of_a_number_has_the_same_digits() {
        for text in [
            "\u{202A}+966 51 200 0050\u{202C}",
            "\u{2066}+966512000050\u{2069}",
            "+966\u{A0}51\u{A0}200\u{A0}0050",
            "+966\u{202F}51\u{202F}200\u{202F}0050",
            "+966.51.200.0050",
            "(+966) 51-200-0050",
            "[+966] 51/200\u{2011}0050",
            "tel:+966512000050",
            "Tel: +966 51 200 0050",
            "\u{200E}+966\u{200E}51\u{200E}200\u{200E}0050",
            "'+966512000050",
            "=\"+966512000050\"",
            "+966512000050.0",
            "+۹۶۶۵۱۲۰۰۰۰۵۰",
            "+٩٦٦٥١٢٠٠٠٠٥٠",
            "＋９６６５１２００００５０",
            "\u{FEFF}+966512000050\u{FE0F}",
        ] {
            assert_eq!(plain_number(text).as_deref(), Some("+966512000050"), "{text:?}");
        }
        assert_eq!(plain_number("00966 512").as_deref(), Some("00966512"));
    }

    #[test]
    fn other_texts_are_not_numbers() {
        for text in ["", " ", "+", "-", "\u{200F}", "5a", "9.66501E+11", "1+2", "٪5", "tel:", "ext 5", "5,5"]
        {
            assert_eq!(plain_number(text), None, "{text:?}");
        }
    }
}
