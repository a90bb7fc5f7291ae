//! The local part: the part of an address before the `@`.

use super::lexer::{TokenCursor, TokenKind};
use super::whitespace::{check_folding_space, is_escaped, reject_if, skip_comment};

/// Parses up to the `@`, or to the end if there is none. Returns `None` if the local part is invalid.
pub(super) fn parse(tokens: &mut TokenCursor<'_>) -> Option<()> {
    while !tokens.current_is('@') && tokens.current().is_some() {
        reject_if(tokens.current_is('.') && tokens.previous().is_none())?;
        if tokens.current_is('"') {
            skip_quoted_string(tokens)?;
        }
        if tokens.current_is('(') || tokens.current_is(')') {
            skip_comment(tokens, |tokens, _| tokens.next_is('@'))?;
            reject_if(!tokens.next_is('@'))?;
        }
        reject_if(tokens.current_is('.') && (tokens.next_is('.') || tokens.next_is('@')))?;
        reject_if(tokens.current_is('\\') && tokens.next() == Some(TokenKind::Atom))?;
        reject_if(matches!(
            tokens.current(),
            Some(TokenKind::Char(',' | '[' | ']' | '<' | '>' | ':' | ';'))
        ))?;
        check_folding_space(tokens)?;
        tokens.advance();
    }
    Some(())
}

/// Skips a quoted string to its closing quote, which must directly precede the `@`.
fn skip_quoted_string(tokens: &mut TokenCursor<'_>) -> Option<()> {
    check_quote(tokens)?;
    tokens.advance();
    while !tokens.current_is('"') && tokens.current().is_some() {
        if tokens.current_is('\\') && tokens.next_is('"') {
            tokens.advance();
        }
        tokens.advance();
        let is_control = matches!(tokens.current(), Some(TokenKind::Char('\0' | '\t' | '\r' | '\n')));
        reject_if(is_control && !is_escaped(tokens))?;
    }
    if tokens.previous_is('\\') {
        return check_quote(tokens);
    }
    reject_if(!tokens.next_is('@'))
}

/// Rejects a quote between two atoms, or without a later quote.
fn check_quote(tokens: &TokenCursor<'_>) -> Option<()> {
    let atom = Some(TokenKind::Atom);
    reject_if(tokens.previous() == atom && tokens.next() == atom || !tokens.appears_later('"'))
}
