//! Texts of a row that people read: names, cities, addresses.

use std::collections::BTreeSet;

use zumra_core::digits::is_invisible;

/// Characters in one message about characters that cannot be seen.
const SHOWN_CHARACTERS: usize = 5;

/// Removes invisible characters and replaces the spaces that do not break lines, and keeps everything else. The two
/// joiners stay inside of a word: they decide how its letters look.
pub(super) fn visible_text(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    let mut characters = text.chars().filter(|c| is_joiner(*c) || !is_invisible(*c)).peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{A0}' | '\u{202F}' => visible.push(' '),
            joiner if is_joiner(joiner) => {
                let is_inside = visible.ends_with(|c: char| is_inside_word(c))
                    && characters.peek().is_some_and(|next| is_inside_word(*next));
                if is_inside {
                    visible.push(joiner);
                }
            }
            other => visible.push(other),
        }
    }
    visible.trim().to_owned()
}

/// Returns first and last name of a whole name. A last name that is known may also be the end of the whole name; what is
/// before it is the first name, however many words it has.
pub(super) fn split_name(name: &str, last: String) -> (String, String) {
    if last.is_empty() {
        let (first, rest) = name.split_once(char::is_whitespace).unwrap_or((name, ""));
        return (first.to_owned(), rest.trim().to_owned());
    }
    let before_last = name.strip_suffix(&*last).filter(|first| first.ends_with(char::is_whitespace));
    (before_last.unwrap_or(name).trim_end().to_owned(), last)
}

fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200C}' | '\u{200D}')
}

fn is_inside_word(character: char) -> bool {
    !character.is_whitespace() && !character.is_ascii_punctuation() && !is_joiner(character)
}

/// Returns the characters of a text that cannot be seen, as `U+202A U+202C`; `None` if there are none.
pub(super) fn invisible_characters(text: &str) -> Option<String> {
    let is_hidden = |c: &char| is_invisible(*c) || c.is_control() || c.is_whitespace() && !c.is_ascii();
    let hidden: BTreeSet<char> = text.chars().filter(is_hidden).collect();
    let names: Vec<_> =
        hidden.into_iter().take(SHOWN_CHARACTERS).map(|c| format!("U+{:04X}", c as u32)).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_only_what_cannot_be_seen() {
        for (written, kept) in [
            ("علي\u{200F}", "علي"),
            ("\u{202A}Sara\u{202C}\u{FEFF}", "Sara"),
            ("Al\u{A0}Saud\u{202F}X", "Al Saud X"),
            ("Dr. Ali (VIP)", "Dr. Ali (VIP)"),
            ("می\u{200C}خواهم", "می\u{200C}خواهم"),
            ("علي\u{200C} سعد\u{200D}", "علي سعد"),
            ("\u{200D}", ""),
            ("'Abd", "'Abd"),
            ("José أَحْمَد", "José أَحْمَد"),
        ] {
            assert_eq!(visible_text(written), kept, "{written:?}");
        }
    }

    #[test]
    fn every_word_of_a_whole_name_is_kept() {
        for (name, last, first, kept) in [
            ("عبد الرحمن", "القحطاني", "عبد الرحمن", "القحطاني"),
            ("محمد بن علي القحطاني", "القحطاني", "محمد بن علي", "القحطاني"),
            ("سارة القحطاني", "", "سارة", "القحطاني"),
            ("Sara Al Saud", "", "Sara", "Al Saud"),
            ("Sara", "Sara", "Sara", "Sara"),
            ("Alsaud", "saud", "Alsaud", "saud"),
            ("", "Saud", "", "Saud"),
        ] {
            let expected = (first.to_owned(), kept.to_owned());
            assert_eq!(split_name(name, last.to_owned()), expected, "{name} + {last}");
        }
    }

    #[test]
    fn invisible_characters_are_named() {
        assert_eq!(invisible_characters("a\u{202C}\u{202A}\0 b").as_deref(), Some("U+0000 U+202A U+202C"));
        assert_eq!(invisible_characters("سارة القحطاني"), None);
    }
}
