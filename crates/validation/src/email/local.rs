//! The part of an address before the `@`.

use super::lexer::{Kind, Tokens};
use super::{comment, folding_space, is_escaped, refuse};

/// Steps to the `@`, or to the end if there is none.
pub(super) fn parse(tokens: &mut Tokens<'_>) -> Option<()> {
    while !tokens.is('@') && tokens.here().is_some() {
        refuse(tokens.is('.') && tokens.before().is_none())?;
        if tokens.is('"') {
            quoted_string(tokens)?;
        }
        if tokens.is('(') || tokens.is(')') {
            comment(tokens, |tokens, _| tokens.next_is('@'))?;
            refuse(!tokens.next_is('@'))?;
        }
        refuse(tokens.is('.') && (tokens.next_is('.') || tokens.next_is('@')))?;
        refuse(tokens.is('\\') && tokens.next() == Some(Kind::Atom))?;
        refuse(matches!(tokens.here(), Some(Kind::Char(',' | '[' | ']' | '<' | '>' | ':' | ';'))))?;
        folding_space(tokens)?;
        tokens.advance();
    }
    Some(())
}

/// Steps from the opening quote to the closing one, which must stand right before the `@`.
fn quoted_string(tokens: &mut Tokens<'_>) -> Option<()> {
    quote_fits(tokens)?;
    tokens.advance();
    while !tokens.is('"') && tokens.here().is_some() {
        if tokens.is('\\') && tokens.next_is('"') {
            tokens.advance();
        }
        tokens.advance();
        let is_control = matches!(tokens.here(), Some(Kind::Char('\0' | '\t' | '\r' | '\n')));
        refuse(is_control && !is_escaped(tokens))?;
    }
    if tokens.before_is('\\') {
        return quote_fits(tokens);
    }
    refuse(!tokens.next_is('@'))
}

/// A quote stands not between two atoms, and another one follows.
fn quote_fits(tokens: &Tokens<'_>) -> Option<()> {
    let atom = Some(Kind::Atom);
    refuse(tokens.before() == atom && tokens.next() == atom || !tokens.comes('"'))
}
