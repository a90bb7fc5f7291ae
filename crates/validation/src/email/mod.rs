//! Syntax of email addresses (RFC 5322, RFC 6531) as checked by Laravel's rule `email`.
//!
//! Follows the `RFCValidation` of the PHP package `egulias/email-validator`, including where it is lenient. Domains are
//! not resolved and need not contain a dot.

mod domain;
mod lexer;
mod local;
mod symbols;

use lexer::{TokenCursor, TokenKind};

/// Returns true if a text is an email address.
pub(crate) fn is_email(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<()> {
    let mut tokens = TokenCursor::new(text)?;
    if tokens.current_is('@') {
        return None;
    }
    local::parse(&mut tokens)?;
    domain::parse(&mut tokens)
}

/// Returns `None` if the condition is true, so that `?` rejects the address.
fn reject_if(is_invalid: bool) -> Option<()> {
    (!is_invalid).then_some(())
}

/// Rejects invalid folding white space at the current token. Accepts any other token.
fn check_folding_space(tokens: &TokenCursor<'_>) -> Option<()> {
    let is_space =
        matches!(tokens.current(), Some(TokenKind::Char(' ' | '\t' | '\r' | '\n') | TokenKind::CrLf));
    if !is_space || is_escaped(tokens) {
        return Some(());
    }
    let is_folded = tokens.next_is(' ') || tokens.next_is('\t');
    reject_if(tokens.current() == Some(TokenKind::CrLf) && !is_folded)?;
    reject_if(tokens.current_is('\r') || tokens.current_is('\n'))?;
    reject_if(tokens.next() == Some(TokenKind::Atom) && !tokens.previous_is('@'))
}

fn is_escaped(tokens: &TokenCursor<'_>) -> bool {
    tokens.previous_is('\\') && tokens.current() != Some(TokenKind::Atom)
}

/// Skips a comment from its opening parenthesis to the last token before `is_end`.
///
/// Tokens between the closing parenthesis and that end are skipped too. `is_end` gets the number of open parentheses.
fn skip_comment(tokens: &mut TokenCursor<'_>, is_end: impl Fn(&TokenCursor<'_>, i32) -> bool) -> Option<()> {
    reject_if(tokens.current_is(')') || !tokens.appears_later(')'))?;
    let mut open = 1;
    while !is_end(tokens, open) {
        open += i32::from(tokens.next_is('(')) - i32::from(tokens.next_is(')'));
        tokens.advance();
        if tokens.next().is_none() {
            break;
        }
    }
    reject_if(open != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_addresses_are_accepted() {
        let good = [
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
        for good in good {
            assert!(is_email(good), "{good}");
        }
    }

    #[test]
    fn invalid_addresses_are_rejected() {
        let bad = [
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
        for bad in bad {
            assert!(!is_email(bad), "{bad:?}");
        }
    }

    #[test]
    fn lengths_of_labels_and_domains_are_limited() {
        assert!(is_email(&format!("{}@example.com", "a".repeat(300))));
        assert!(is_email(&format!("a@{}.com", "b".repeat(63))));
        assert!(!is_email(&format!("a@{}.com", "b".repeat(64))));
        assert!(is_email(&format!("a@{}com", "bbbbbbbbb.".repeat(25))));
        assert!(!is_email(&format!("a@{}comm", "bbbbbbbbb.".repeat(25))));
        assert!(is_email(&format!("a@{}.com", "ü".repeat(50))));
        assert!(!is_email(&format!("a@{}.com", "مثال".repeat(20))));
    }
}
