//! What a keyword finds: the words of a customer, and the terms of a keyword, folded alike.
//!
//! A term finds a customer when one of the customer's words begins with it; a keyword finds those whom all its terms
//! find. Words are those of the names, the e-mail address with the parts before its `@`, and the mobile number, with
//! its country code and without.

use crate::NewCustomer;
use crate::customer::{Email, Mobile, MobileCode};

/// Characters of a word that count.
const WORD_MAX: usize = 64;
/// Terms of a keyword that count.
const TERMS_MAX: usize = 8;

/// A keyword, read. At least one term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword(Vec<String>);

impl Keyword {
    /// Reads what a person typed. Nothing if that is blank.
    pub fn parse(text: &str) -> Option<Self> {
        let text = fold(text);
        let mut terms: Vec<String> = if is_number(&text) {
            // One number, however it is spaced: +966 51 234 5678.
            vec![word(&text.chars().filter(char::is_ascii_digit).collect::<String>())]
        } else {
            text.split_whitespace().take(TERMS_MAX).map(word).collect()
        };
        terms.sort_unstable();
        terms.dedup();
        (!terms.is_empty()).then_some(Self(terms))
    }

    /// What each a word must begin with.
    pub fn terms(&self) -> &[String] {
        &self.0
    }
}

/// The words by which a customer is found, with a space between each two. A word that begins another one is left out:
/// whatever finds it finds the other.
pub fn words_of(customer: &NewCustomer) -> String {
    let mut words = Vec::new();
    let names = [Some(&customer.first_name), customer.last_name.as_ref()];
    for name in names.into_iter().flatten() {
        words.extend(fold(name.as_str()).split_whitespace().map(word));
    }
    if let Some(email) = customer.email.as_ref().map(Email::as_str) {
        let email = fold(email);
        let local = email.rsplit_once('@').map_or("", |(local, _)| local);
        let parts = local.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        words.extend(parts.map(word));
        words.extend(email.split_whitespace().map(word));
    }
    if let Some(mobile) = customer.mobile.as_ref().map(Mobile::as_str) {
        let digits = |text: &str| word(&text.chars().filter(char::is_ascii_digit).collect::<String>());
        let national = digits(mobile);
        let code = customer.mobile_code.as_ref().map_or("", MobileCode::as_str);
        words.push(digits(&format!("{code}{national}")));
        words.push(national);
    }
    words.sort_unstable();
    words.dedup();
    let mut kept: Vec<&str> = Vec::with_capacity(words.len());
    for word in words.iter().rev().filter(|word| !word.is_empty()) {
        // In this order, what a word begins comes right before it.
        if !kept.last().is_some_and(|longer| longer.starts_with(word.as_str())) {
            kept.push(word);
        }
    }
    kept.join(" ")
}

/// Letters and digits that people take for the same become the same: lower case, ASCII digits, one form of alef, ya and
/// ta marbuta, no vowel signs, no tatweel.
fn fold(text: &str) -> String {
    let one = |c: char| match c {
        '٠'..='٩' => char::from_digit(c as u32 - '٠' as u32, 10),
        '۰'..='۹' => char::from_digit(c as u32 - '۰' as u32, 10),
        'أ' | 'إ' | 'آ' | 'ٱ' => Some('ا'),
        'ى' => Some('ي'),
        'ة' => Some('ه'),
        'ـ' | '\u{64B}'..='\u{652}' | '\0' => None,
        other => Some(other),
    };
    text.chars().filter_map(one).flat_map(char::to_lowercase).collect()
}

/// Whether a whole keyword is one number as people write it.
fn is_number(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "+-().".contains(c))
}

/// One word as it is kept and looked for. Of a number, the zeros and the plus sign before it do not count: `0512`,
/// `+966512` and `00966512` are written for `512` and `966512`.
fn word(text: &str) -> String {
    let number = text.strip_prefix('+').unwrap_or(text);
    let text = match number.trim_start_matches('0') {
        "" => text,
        rest if rest.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => text,
    };
    text.chars().take(WORD_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CustomerId;
    use crate::text::Name;

    fn customer(first: &str, last: &str, email: &str, code: &str, mobile: &str) -> NewCustomer {
        NewCustomer {
            last_name: Name::parse(last).ok(),
            email: email.parse().ok(),
            mobile_code: code.parse().ok(),
            mobile: mobile.parse().ok(),
            ..NewCustomer::new(CustomerId::new(1).unwrap(), Name::parse(first).unwrap())
        }
    }

    fn finds(keyword: &str, customer: &NewCustomer) -> bool {
        let words = words_of(customer);
        let keyword = Keyword::parse(keyword).expect("not blank");
        keyword.terms().iter().all(|term| words.split(' ').any(|word| word.starts_with(term)))
    }

    #[test]
    fn a_mobile_number_is_found_in_every_common_spelling() {
        let customer = customer("a", "b", "", "+966", "512345678");
        for keyword in [
            "512345678",
            "0512345678",
            "+966512345678",
            "966512345678",
            "00966512345678",
            "+966 51 234-5678",
            "(+966) 512345678",
            "٠٥١٢٣٤٥٦٧٨",
            "۹۶۶۵۱۲۳۴۵۶۷۸",
            " 05123 ",
            "9665",
        ] {
            assert!(finds(keyword, &customer), "{keyword}");
        }
        for keyword in ["513", "12345678", "0966"] {
            assert_eq!(finds(keyword, &customer), keyword == "0966", "{keyword}");
        }
        let kept_with_zero = super::tests::customer("a", "b", "", "+966", "0512345678");
        assert!(finds("966512345678", &kept_with_zero) && finds("0512345678", &kept_with_zero));
    }

    #[test]
    fn names_are_found_by_the_beginnings_of_their_words() {
        let customer = customer("أحمد", "آل القحطانى", "", "", "");
        for keyword in ["احمد", "أَحْمَد", "القحطاني", "قح", "ال احم", "احمـد ال القح"]
        {
            assert_eq!(finds(keyword, &customer), keyword != "قح", "{keyword}");
        }
        assert!(finds("AHMED al", &super::tests::customer("Ahmed", "Ali", "", "", "")));
    }

    #[test]
    fn an_address_is_found_whole_and_by_its_parts_before_the_at() {
        let customer = customer("x", "", "Ahmed.Ali-7@Example.com", "", "");
        for keyword in ["ahmed.ali-7@EXAMPLE.com", "ahmed.al", "ali", "7"] {
            assert!(finds(keyword, &customer), "{keyword}");
        }
        assert!(!finds("example", &customer));
        assert_eq!(words_of(&customer), "x ali ahmed.ali-7@example.com 7");
    }

    #[test]
    fn what_is_blank_is_no_keyword() {
        for text in ["", "  \t", "ـ"] {
            assert_eq!(Keyword::parse(text), None, "{text:?}");
        }
        for text in ["+", "0", "%", "'"] {
            assert_eq!(Keyword::parse(text).map(|keyword| keyword.0.len()), Some(1), "{text:?}");
        }
    }
}
