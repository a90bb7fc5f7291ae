//! The search terms of version 1, which an index contains until it has been rebuilt: queries for them.

/// Characters per term; the rest is cut off.
const TERM_CHARACTERS_MAX: usize = 64;

/// Returns the prefixes of a query, sorted and unique.
pub(crate) fn prefixes(text: &str) -> Vec<String> {
    let text = normalize(text);
    let is_number = text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "+-().".contains(c));
    let mut prefixes: Vec<String> = if is_number {
        vec![to_term(&text.chars().filter(char::is_ascii_digit).collect::<String>())]
    } else {
        text.split_whitespace().map(to_term).collect()
    };
    prefixes.sort_unstable();
    prefixes.dedup();
    prefixes
}

fn normalize(text: &str) -> String {
    let map = |character: char| match character {
        '٠'..='٩' => char::from_digit(character as u32 - '٠' as u32, 10),
        '۰'..='۹' => char::from_digit(character as u32 - '۰' as u32, 10),
        'أ' | 'إ' | 'آ' | 'ٱ' => Some('ا'),
        'ى' => Some('ي'),
        'ة' => Some('ه'),
        'ـ' | '\u{64B}'..='\u{652}' | '\0' => None,
        other => Some(other),
    };
    text.chars().filter_map(map).flat_map(char::to_lowercase).collect()
}

fn to_term(word: &str) -> String {
    let number = word.strip_prefix('+').unwrap_or(word);
    let term = match number.trim_start_matches('0') {
        "" => word,
        rest if rest.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => word,
    };
    term.chars().take(TERM_CHARACTERS_MAX).collect()
}
