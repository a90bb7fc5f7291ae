//! The encoding of a text: UTF-8, UTF-16 with a byte order mark, Windows-1256 when it is certain, or what the user names.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1256};

use crate::rows::FileError;

/// Minimum number of Arabic letters in a text that is detected as Windows-1256: one name.
const ARABIC_LETTERS_MIN: usize = 3;

/// The encoding of a text, named by the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextEncoding(&'static Encoding);

impl TextEncoding {
    /// UTF-8.
    pub const UTF_8: Self = Self(UTF_8);

    /// Returns the encoding with a label of the WHATWG Encoding Standard, such as `windows-1256`, ignoring case.
    pub fn from_label(label: &str) -> Option<Self> {
        // The standard maps dangerous labels to an encoding that decodes nothing.
        let encoding = Encoding::for_label(label.as_bytes())?;
        (encoding != encoding_rs::REPLACEMENT).then_some(Self(encoding))
    }

    /// Returns the name in the Encoding Standard.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

/// Converts a file to text. Returns the name of its encoding too. A byte order mark overrides `given`.
pub(crate) fn decode(
    file: &[u8],
    given: Option<TextEncoding>,
) -> Result<(Cow<'_, str>, &'static str), FileError> {
    let (encoding, mark_bytes) = match (Encoding::for_bom(file), given) {
        (Some(by_mark), _) => by_mark,
        (None, Some(given)) => (given.0, 0),
        (None, None) => (UTF_8, 0),
    };
    let decoded = encoding.decode_without_bom_handling_and_without_replacement(&file[mark_bytes..]);
    match (decoded, given) {
        (Some(text), _) => Ok((text, encoding.name())),
        (None, Some(_)) => Err(FileError::GivenEncoding(encoding.name())),
        (None, None) if mark_bytes == 0 => match decode_windows_1256(file) {
            Some(text) => Ok((text, WINDOWS_1256.name())),
            None => Err(FileError::Encoding),
        },
        (None, None) => Err(FileError::Encoding),
    }
}

/// Returns the text of a file that is certainly Windows-1256: Excel writes "CSV" so on an Arabic system.
///
/// Nearly every byte is a letter in this encoding, so that a Western file also decodes. Therefore both the detector and
/// the words must agree: a Western text has accented letters inside of Latin words.
fn decode_windows_1256(file: &[u8]) -> Option<Cow<'_, str>> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(file, true);
    if detector.guess(None, Utf8Detection::Deny) != WINDOWS_1256 {
        return None;
    }
    let text = WINDOWS_1256.decode_without_bom_handling_and_without_replacement(file)?;
    has_arabic_words(&text).then_some(text)
}

/// Returns true if all letters that are not ASCII are Arabic, in words without Latin letters, of two letters on average.
fn has_arabic_words(text: &str) -> bool {
    let (mut words, mut letters) = (0, 0);
    for word in text.split(|c: char| !is_arabic(c) && !c.is_alphabetic()) {
        let arabic = word.chars().filter(|c| is_arabic(*c)).count();
        let others = word.chars().count() - arabic;
        if others > 0 && !word.is_ascii() {
            return false;
        }
        words += usize::from(arabic > 0);
        letters += arabic;
    }
    letters >= ARABIC_LETTERS_MIN && letters >= 2 * words
}

fn is_arabic(character: char) -> bool {
    matches!(character, '\u{620}'..='\u{652}' | '\u{66E}'..='\u{6D3}')
}
