//! Folding: maps texts that users treat as equal to one form, for the search index and for queries alike.
//!
//! A text is decomposed (NFKD), loses its marks and invisible characters, and is case-folded. Digits of every script
//! become ASCII digits. Arabic letters are folded as Lucene's `ArabicNormalizer` and `PersianNormalizer` do, and waw and
//! yeh with hamza become waw and yeh.

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::digits::{ascii_digit, is_invisible};

/// Returns the folded form of a text. Folding it again changes nothing.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.replace('\0', "").to_ascii_lowercase();
    }
    let letters: String = text.nfkd().filter_map(fold_character).collect();
    UniCase::unicode(letters).to_folded_case()
}

/// Folds a decomposed character; `None` if it is dropped.
fn fold_character(character: char) -> Option<char> {
    if character.is_ascii() {
        return (character != '\0').then_some(character);
    }
    match character {
        // Tatweel, and the hamza that Kazakh writes beside a letter.
        'ـ' | 'ٴ' => None,
        // Alef with wasla and with a wavy hamza. The other forms of alef decompose to it.
        'ٱ' | 'ٲ' | 'ٳ' => Some('ا'),
        // Alef maksura, Farsi yeh, Urdu yeh.
        'ى' | 'ی' | 'ے' => Some('ي'),
        // Keheh, swash kaf.
        'ک' | 'ڪ' => Some('ك'),
        // Teh marbuta in both forms; heh of Urdu, of Kurdish, and with two eyes.
        'ة' | 'ۃ' | 'ہ' | 'ە' | 'ھ' => Some('ه'),
        other if is_invisible(other) || is_optional_mark(other) => None,
        other => Some(ascii_digit(other).unwrap_or(other)),
    }
}

/// Returns true for marks that users leave out: accents, vowel signs of Arabic, Hebrew and Syriac, enclosing shapes.
///
/// In other scripts a mark is a letter, or changes one into another: vowels of Hindi or Thai, the voicing of kana. Their
/// combining classes tell them apart.
fn is_optional_mark(character: char) -> bool {
    match character.general_category() {
        GeneralCategory::EnclosingMark => true,
        GeneralCategory::NonspacingMark => {
            // 1: overlays. 10 to 36: points of Hebrew, Arabic and Syriac. From 200: above and below a letter.
            matches!(canonical_combining_class(character), 1 | 10..=36 | 200..)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_that_users_treat_as_equal_have_one_form() {
        for (one, other) in [
            ("علی", "علي"),
            ("علىٰ", "علي"),
            ("José", "Jose"),
            ("Jose\u{301}", "José"),
            ("مؤمن", "مومن"),
            ("رائد", "رايد"),
            ("أَحْمَد", "احمد"),
            ("إيمان", "ايمان"),
            ("آل", "ال"),
            ("ٱلرحمٰن", "الرحمن"),
            ("فاطمة", "فاطمه"),
            ("محمـــد", "محمد"),
            ("کریم", "كريم"),
            ("ﻋﻠﻲ", "علي"),
            ("ﻻ", "لا"),
            ("نور\u{200C}الدین", "نورالدين"),
            ("STRASSE", "straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("İstanbul", "istanbul"),
            ("Ａｈｍｅｄ", "ahmed"),
            ("ﬁrst", "FIRST"),
            ("Nguyễn", "nguyen"),
            ("שָׁלוֹם", "שלום"),
            ("٠١٢٣٤٥٦٧٨٩", "0123456789"),
            ("۴۵۶", "456"),
            ("१२३", "123"),
            ("\u{202B}علي\u{202C}", "علي"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
    }

    #[test]
    fn marks_that_are_letters_stay() {
        for (one, other) in [("कि", "क"), ("กิน", "กน"), ("が", "か"), ("మె", "మ")] {
            assert_ne!(fold(one), fold(other), "{one} {other}");
        }
    }

    #[test]
    fn folding_twice_changes_nothing() {
        // The planes above have ideographs and tags only.
        for character in '\0'..='\u{1FFFF}' {
            let folded = fold(&format!("a{character}b"));
            assert_eq!(fold(&folded), folded, "{:X}", character as u32);
        }
    }
}
