//! Syntax of email addresses (RFC 5322, RFC 6531) as checked by Laravel's rule `email`.
//!
//! Follows the `RFCValidation` of the PHP package `egulias/email-validator`, including where it is lenient. Domains are
//! not resolved and need not contain a dot.

mod domain;
mod lexer;
mod local;
mod symbols;
mod whitespace;

use lexer::TokenCursor;

/// Maximum length in bytes of a text that is parsed. No address is as long, and each token takes 16 bytes of memory.
const LENGTH_MAX: usize = 16 << 10;

/// Returns true if a text is an email address.
pub(crate) fn is_email(text: &str) -> bool {
    text.len() <= LENGTH_MAX && parse(text).is_some()
}

fn parse(text: &str) -> Option<()> {
    let mut tokens = TokenCursor::new(text)?;
    if tokens.current_is('@') {
        return None;
    }
    local::parse(&mut tokens)?;
    domain::parse(&mut tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_addresses_are_accepted() {
        let addresses = [
            "a@example.com",
            "a@localhost",
            "a@b",
            "a@1.2",
            "o'brien+tag/x=y@example.com",
            "\"a b\"@example.com",
            "\"a@b\"@example.com",
            "\"\"@example.com",
            "\"a\\\"b\"@example.com",
            "a@[127.0.0.1]",
            "a@[IPv6:::1]",
            "(c)a@example.com",
            "a(c)@example.com",
            "a(c(d))@example.com",
            "a @example.com",
            "أحمد@مثال.السعودية",
            "a@münchen.de",
            "a::b@example.com",
            "IPv6@example.com",
        ];
        for address in addresses {
            assert!(is_email(address), "{address}");
        }
    }

    #[test]
    fn invalid_addresses_are_rejected() {
        let texts = [
            "",
            "a",
            "@",
            "@example.com",
            "a@",
            "a@@example.com",
            "a@b@example.com",
            "a b@example.com",
            "a@ example.com ",
            "a@exam ple.com",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "a@.example.com",
            "a@example.com.",
            "a@example..com",
            "a@-example.com",
            "a@example-.com",
            "a@example.com-",
            "a@exam_ple.com",
            "a@example,com",
            "a@example.com(c)",
            "<a@example.com>",
            "a😀@example.com",
            "a@😀.com",
            "a\u{200D}@example.com",
            "a\u{7F}@example.com",
            "\"a@example.com",
            "\"a\".b@example.com",
            "a\"b\"c@example.com",
            "a\nb@example.com",
            "a\r\n@example.com",
            "(a@example.com",
            "a)@example.com",
            "a@[127.0.0.1",
            "a@IPv6.com",
            "a\\b@example.com",
            "a@exa\\mple.com",
        ];
        for text in texts {
            assert!(!is_email(text), "{text:?}");
        }
    }

    #[test]
    fn lengths_of_labels_and_domains_are_limited() {
        assert!(is_email(&format!("{}@example.com", "a".repeat(10_000))));
        assert!(!is_email(&format!("{}@example.com", "a".repeat(LENGTH_MAX))));
        assert!(is_email(&format!("a@{}.com", "b".repeat(63))));
        assert!(!is_email(&format!("a@{}.com", "b".repeat(64))));
        assert!(is_email(&format!("a@{}com", "bbbbbbbbb.".repeat(25))));
        assert!(!is_email(&format!("a@{}comm", "bbbbbbbbb.".repeat(25))));
        assert!(is_email(&format!("a@{}.com", "ü".repeat(50))));
        assert!(!is_email(&format!("a@{}.com", "مثال".repeat(20))));
    }
}
