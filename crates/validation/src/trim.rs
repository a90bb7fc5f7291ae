//! What counts as blank at the two ends of a text.

/// The text without what is blank at its ends: white space, NUL and characters that do not show.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// The same for bytes that are no UTF-8, where only ASCII can be told.
pub(crate) fn trim_bytes(bytes: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0);
    let Some(start) = bytes.iter().position(|byte| !is_blank(byte)) else { return &[] };
    let end = bytes.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\0' || is_invisible(c)
}

/// Characters that fill no space on a screen, or show as empty, though Unicode does not call them white space.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
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
    fn both_ends_lose_white_space_and_what_does_not_show() {
        for blank in
            ["\0", "\t\r\n\u{B}\u{C} ", "\u{85}\u{A0}\u{2028}\u{3000}", "\u{FEFF}\u{200B}\u{AD}\u{E0020}"]
        {
            assert_eq!(trim(&format!("{blank}a{blank}b{blank}")), format!("a{blank}b"));
            assert_eq!(trim(blank), "");
        }
    }

    #[test]
    fn separators_of_information_stay() {
        assert_eq!(trim("\u{1C}a\u{1F}"), "\u{1C}a\u{1F}");
    }

    #[test]
    fn bytes_lose_ascii_only() {
        assert_eq!(trim_bytes(b"\0 \xFF\xC2\xA0\n"), b"\xFF\xC2\xA0");
        assert_eq!(trim_bytes(b" \t\0"), b"");
        assert_eq!(trim_bytes(b"a"), b"a");
    }
}
