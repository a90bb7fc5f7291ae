//! Folding white space and comments, which both parts of an address may contain.

use super::lexer::{TokenCursor, TokenKind};

/// Returns `None` if the condition is true, so that `?` rejects the address.
pub(super) fn reject_if(is_invalid: bool) -> Option<()> {
    (!is_invalid).then_some(())
}

/// Rejects invalid folding white space at the current token. Accepts any other token.
pub(super) fn check_folding_space(tokens: &TokenCursor<'_>) -> Option<()> {
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

pub(super) fn is_escaped(tokens: &TokenCursor<'_>) -> bool {
    tokens.previous_is('\\') && tokens.current() != Some(TokenKind::Atom)
}

/// Skips a comment from its opening parenthesis to the last token before `is_end`.
///
/// Tokens between the closing parenthesis and that end are skipped too. `is_end` gets the number of open parentheses.
pub(super) fn skip_comment(
    tokens: &mut TokenCursor<'_>,
    is_end: impl Fn(&TokenCursor<'_>, i32) -> bool,
) -> Option<()> {
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
