//! Search for customers: the terms indexed for a customer, and queries over them, folded alike.
//!
//! A query consists of prefixes. It matches a customer if every prefix begins at least one search term of the customer.
//! Search terms come from the names, the whole email and the parts before its `@`, and the mobile number with and
//! without its country code.

use crate::NewCustomer;
use crate::customer::{EMAIL_MAX, Email, Mobile, MobileCode};
use crate::digits::{is_invisible, plain_number};
use crate::folding::fold;
use crate::search_v1;

/// The version of the search terms. A change of [`search_terms`] for any customer needs a new one: the index of every
/// shop is then rebuilt in the background, and [`SearchQuery::old_prefixes`] must find the terms of the old version.
pub const SEARCH_VERSION: i64 = 2;

/// Characters per term; the rest is cut off. No field but a country code can be longer.
const TERM_CHARACTERS_MAX: usize = EMAIL_MAX;
/// Prefixes per query; a query with more matches no customer.
const PREFIXES_MAX: usize = 16;

/// A parsed search query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    prefixes: Vec<String>,
    old_prefixes: Vec<String>,
}

impl SearchQuery {
    /// Parses the text that a user typed. Returns `None` if it is blank: white space and invisible characters only.
    ///
    /// A text that folds to nothing, has too many words, or a word longer than any term, matches no customer.
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().all(|character| character.is_whitespace() || is_invisible(character)) {
            return None;
        }
        let mut prefixes: Vec<String> = match plain_number(text) {
            // One number, whatever its spacing: +966 51 234 5678.
            Some(number) => vec![to_term(&number)],
            None => fold(text).split_whitespace().map(to_term).collect(),
        };
        prefixes.sort_unstable();
        prefixes.dedup();
        let is_too_long = |prefix: &String| prefix.chars().count() > TERM_CHARACTERS_MAX;
        if prefixes.len() > PREFIXES_MAX || prefixes.iter().any(is_too_long) {
            return Some(Self::unsatisfiable());
        }
        let mut old_prefixes = search_v1::prefixes(text);
        // Words that fold to nothing have prefixes in the old form.
        if prefixes.is_empty() || old_prefixes.len() > PREFIXES_MAX {
            old_prefixes.clear();
        }
        Some(Self { prefixes, old_prefixes })
    }

    /// Returns the query that matches no customer.
    pub fn unsatisfiable() -> Self {
        Self { prefixes: Vec::new(), old_prefixes: Vec::new() }
    }

    /// Returns the prefixes, sorted and unique. All of them must match. If there are none, no customer matches.
    pub fn prefixes(&self) -> &[String] {
        &self.prefixes
    }

    /// Returns the prefixes for terms of the version before [`SEARCH_VERSION`], in the same form.
    pub fn old_prefixes(&self) -> &[String] {
        &self.old_prefixes
    }
}

/// Returns the search terms of a customer, separated by spaces.
///
/// A term that is a prefix of another term is left out: every prefix that matches it also matches the longer one.
pub fn search_terms(customer: &NewCustomer) -> String {
    let mut terms = Vec::new();
    let names = [Some(&customer.first_name), customer.last_name.as_ref()];
    for name in names.into_iter().flatten() {
        terms.extend(fold(name.as_str()).split_whitespace().map(to_term));
    }
    if let Some(email) = customer.email.as_ref().map(Email::as_str) {
        let email = fold(email);
        let local = email.rsplit_once('@').map_or("", |(local, _)| local);
        let parts = local.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        terms.extend(parts.map(to_term));
        terms.extend(email.split_whitespace().map(to_term));
    }
    if let Some(mobile) = customer.mobile.as_ref().map(Mobile::as_str) {
        let code = customer.mobile_code.as_ref().map_or("", MobileCode::as_str);
        let national = to_term(&ascii_digits(mobile));
        // In some countries the zero stays after the country code: +39 02 8239 8816.
        for number in [mobile, &national] {
            terms.push(to_term(&ascii_digits(&format!("{code}{number}"))));
        }
        terms.push(national);
    }
    for term in &mut terms {
        if let Some((end, _)) = term.char_indices().nth(TERM_CHARACTERS_MAX) {
            term.truncate(end);
        }
    }
    terms.sort_unstable();
    terms.dedup();
    let mut indexed: Vec<&str> = Vec::with_capacity(terms.len());
    for term in terms.iter().rev().filter(|term| !term.is_empty()) {
        // In descending order, a term comes directly after the longer terms that it begins.
        if !indexed.last().is_some_and(|longer| longer.starts_with(term.as_str())) {
            indexed.push(term);
        }
    }
    indexed.join(" ")
}

fn ascii_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Returns a folded word in the form in which it is indexed and searched.
///
/// Numbers lose separators, plus sign and leading zeros: users write `512` as `0512`, `+966-512` or `00966512`.
fn to_term(word: &str) -> String {
    let Some(number) = plain_number(word) else { return word.to_owned() };
    let digits = number.trim_start_matches('+');
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() { digits.to_owned() } else { significant.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Name;

    fn customer(first: &str, last: &str, email: &str, code: &str, mobile: &str) -> NewCustomer {
        NewCustomer {
            last_name: Name::parse(last).ok(),
            email: email.parse().ok(),
            mobile_code: code.parse().ok(),
            mobile: mobile.parse().ok(),
            ..NewCustomer::new(Name::parse(first).unwrap())
        }
    }

    fn matches(query: &str, customer: &NewCustomer) -> bool {
        let terms = search_terms(customer);
        let query = SearchQuery::parse(query).expect("not blank");
        query.prefixes().iter().all(|prefix| terms.split(' ').any(|term| term.starts_with(prefix)))
    }

    #[test]
    fn mobile_number_matches_in_every_common_spelling() {
        let customer = customer("a", "b", "", "+966", "512345678");
        for query in [
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
            "\u{202A}+966 51 234 5678\u{202C}",
            "+966\u{A0}51\u{202F}234\u{2011}5678",
            "tel:+966512345678",
            "'0512345678",
            "=\"0512345678\"",
            "+966.51.234.5678",
            "[+966] 512345678",
            "512345678.0",
            "a ٠٥١٢-٣٤٥-٦٧٨",
        ] {
            assert!(matches(query, &customer), "{query}");
        }
        for query in ["513", "12345678", "0966"] {
            assert_eq!(matches(query, &customer), query == "0966", "{query}");
        }
        let with_leading_zero = super::tests::customer("a", "b", "", "+966", "0512345678");
        assert!(matches("966512345678", &with_leading_zero) && matches("0512345678", &with_leading_zero));
    }

    #[test]
    fn number_matches_with_and_without_the_zero_after_the_country_code() {
        let customer = customer("a", "b", "", "+39", "0282398816");
        for query in ["+390282398816", "00390282398816", "+39282398816", "0282398816", "282398816"] {
            assert!(matches(query, &customer), "{query}");
        }
    }

    #[test]
    fn names_match_by_prefix_of_each_word() {
        let customer = customer("أحمد", "آل القحطانى", "", "", "");
        for query in ["احمد", "أَحْمَد", "القحطاني", "قح", "ال احم", "احمـد ال القح"]
        {
            assert_eq!(matches(query, &customer), query != "قح", "{query}");
        }
        assert!(matches("AHMED al", &super::tests::customer("Ahmed", "Ali", "", "", "")));
    }

    #[test]
    fn email_matches_whole_and_by_parts_of_its_local_part() {
        let customer = customer("x", "", "Ahmed.Ali-7@Example.com", "", "");
        for query in ["ahmed.ali-7@EXAMPLE.com", "ahmed.al", "ali", "7"] {
            assert!(matches(query, &customer), "{query}");
        }
        assert!(!matches("example", &customer));
        assert_eq!(search_terms(&customer), "x ali ahmed.ali-7@example.com 7");
    }

    #[test]
    fn blank_text_is_not_a_query() {
        for text in ["", "  \t", "\u{200F}\u{A0}\u{FEFF}"] {
            assert_eq!(SearchQuery::parse(text), None, "{text:?}");
        }
        for text in ["+", "0", "%", "'"] {
            assert_eq!(SearchQuery::parse(text).map(|query| query.prefixes.len()), Some(1), "{text:?}");
        }
    }

    #[test]
    fn text_that_the_index_cannot_answer_matches_no_customer() {
        let words: Vec<String> = (0..=PREFIXES_MAX).map(|word| format!("w{word}")).collect();
        for text in ["ـ", "\u{64B}", &words.join(" "), &"x".repeat(TERM_CHARACTERS_MAX + 1)] {
            assert_eq!(SearchQuery::parse(text).map(|query| query.prefixes.len()), Some(0), "{text:?}");
        }
        assert_eq!(
            SearchQuery::parse(&words[1..].join(" ")).map(|query| query.prefixes.len()),
            Some(PREFIXES_MAX)
        );
    }

    #[test]
    fn old_prefixes_find_the_terms_of_the_old_version() {
        let old = |text| SearchQuery::parse(text).expect("not blank").old_prefixes;
        assert_eq!(old("José أحمد"), ["josé", "احمد"]);
        assert_eq!(old("+966 (51) 2"), ["966512"]);
        assert_eq!(old("مؤمن"), ["مؤمن"]);
    }

    #[test]
    fn old_prefixes_of_words_that_fold_to_nothing_are_limited() {
        let accents =
            |count| (1..=count).map(|length| "\u{301}".repeat(length)).collect::<Vec<_>>().join(" ");
        for (text, prefixes) in [
            (accents(1), 0),
            (format!("a {}", accents(PREFIXES_MAX - 1)), PREFIXES_MAX),
            (format!("a {}", accents(PREFIXES_MAX)), 0),
        ] {
            let query = SearchQuery::parse(&text).expect("not blank");
            assert_eq!(query.old_prefixes.len(), prefixes, "{text}");
        }
    }
}
