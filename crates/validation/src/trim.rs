//! Trimming of input texts, as in Laravel's middleware `TrimStrings`.

/// Removes white space, NUL and invisible characters from both ends of a text.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// Like [`trim`] for bytes that are not UTF-8; only ASCII characters are removed.
pub(crate) fn trim_bytes(bytes: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0);
    let Some(start) = bytes.iter().position(|byte| !is_blank(byte)) else { return &[] };
    let end = bytes.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

fn is_blank(character: char) -> bool {
    character.is_whitespace() || character == '\0' || is_invisible(character)
}

/// Returns true for characters without a visible glyph, most of which Unicode does not classify as white space.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'
            | '\u{1160}'
            | '\u{17B4}'
            | '\u{17B5}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{2060}'..='\u{2065}'
            | '\u{206A}'..='\u{206F}'
            | '\u{2800}'
            | '\u{3000}'
            | '\u{3164}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{1D159}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0020}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_invisible_characters_are_trimmed_at_both_ends() {
        for blank in
            ["\0", "\t\r\n\u{B}\u{C} ", "\u{85}\u{A0}\u{2028}\u{3000}", "\u{FEFF}\u{200B}\u{AD}\u{E0020}"]
        {
            assert_eq!(trim(&format!("{blank}a{blank}b{blank}")), format!("a{blank}b"));
            assert_eq!(trim(blank), "");
        }
    }

    #[test]
    fn information_separators_are_not_trimmed() {
        assert_eq!(trim("\u{1C}a\u{1F}"), "\u{1C}a\u{1F}");
    }

    #[test]
    fn only_ascii_is_trimmed_from_bytes() {
        assert_eq!(trim_bytes(b"\0 \xFF\xC2\xA0\n"), b"\xFF\xC2\xA0");
        assert_eq!(trim_bytes(b" \t\0"), b"");
        assert_eq!(trim_bytes(b"a"), b"a");
    }
}
