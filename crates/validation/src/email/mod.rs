//! Which texts are e-mail addresses: the syntax of RFC 5322 and RFC 6531 as the validator behind Laravel's rule
//! reads it, lenient where that is. A domain is not looked up and need not have a dot.

mod domain;
mod lexer;
mod local;
mod symbols;

use lexer::{Kind, Tokens};

/// Whether a text is an address.
pub(crate) fn is_email(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<()> {
    let mut tokens = Tokens::new(text)?;
    if tokens.is('@') {
        return None;
    }
    local::parse(&mut tokens)?;
    domain::parse(&mut tokens)
}

/// Nothing if `fault`: reads as a list of what must not be.
fn refuse(fault: bool) -> Option<()> {
    (!fault).then_some(())
}

/// Looks at folding white space here, if there is some.
fn folding_space(tokens: &Tokens<'_>) -> Option<()> {
    let is_space = matches!(tokens.here(), Some(Kind::Char(' ' | '\t' | '\r' | '\n') | Kind::LineEnd));
    if !is_space || is_escaped(tokens) {
        return Some(());
    }
    let folds = tokens.next_is(' ') || tokens.next_is('\t');
    refuse(tokens.here() == Some(Kind::LineEnd) && !folds)?;
    refuse(tokens.is('\r') || tokens.is('\n'))?;
    refuse(tokens.next() == Some(Kind::Atom) && !tokens.before_is('@'))
}

fn is_escaped(tokens: &Tokens<'_>) -> bool {
    tokens.before_is('\\') && tokens.here() != Some(Kind::Atom)
}

/// Steps through a comment from its opening parenthesis to the last token before `ends`. What stands between the
/// closing parenthesis and that end is passed over with it.
fn comment(tokens: &mut Tokens<'_>, ends: impl Fn(&Tokens<'_>, i32) -> bool) -> Option<()> {
    refuse(tokens.is(')') || !tokens.comes(')'))?;
    let mut open = 1;
    while !ends(tokens, open) {
        open += i32::from(tokens.next_is('(')) - i32::from(tokens.next_is(')'));
        tokens.advance();
        if tokens.next().is_none() {
            break;
        }
    }
    refuse(open != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
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
    fn no_addresses() {
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
    fn lengths() {
        let long = |c: &str, n: usize| c.repeat(n);
        assert!(is_email(&format!("{}@example.com", long("a", 300))));
        assert!(is_email(&format!("a@{}.com", long("b", 63))));
        assert!(!is_email(&format!("a@{}.com", long("b", 64))));
        assert!(is_email(&format!("a@{}com", long("bbbbbbbbb.", 25))));
        assert!(!is_email(&format!("a@{}comm", long("bbbbbbbbb.", 25))));
        assert!(is_email(&format!("a@{}.com", long("ü", 50))));
        assert!(!is_email(&format!("a@{}.com", long("مثال", 20))));
    }
}
