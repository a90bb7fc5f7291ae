//! Tokens of an address, and a cursor over them.

use super::symbols::is_symbol;

/// Kind of a token. Each ASCII punctuation character is its own kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// ASCII letters, digits, or a non-ASCII character that is allowed in an address.
    Atom,
    /// A punctuation character, space, tab, CR, LF or NUL.
    Char(char),
    /// CR followed by LF.
    CrLf,
    /// `::`
    DoubleColon,
    /// The text `IPv6`.
    Ipv6Tag,
}

/// The tokens of an address with a current position.
pub(super) struct TokenCursor<'a> {
    address: &'a str,
    /// Kind and start byte of each token.
    tokens: Vec<(TokenKind, usize)>,
    position: usize,
}

impl<'a> TokenCursor<'a> {
    /// Splits an address into tokens. Returns `None` if it contains a character that is never allowed.
    pub(super) fn new(address: &'a str) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut start = 0;
        while start < address.len() {
            let (kind, length) = first_token(&address[start..])?;
            tokens.push((kind, start));
            start += length;
        }
        Some(Self { address, tokens, position: 0 })
    }

    fn kind_at(&self, position: usize) -> Option<TokenKind> {
        self.tokens.get(position).map(|(kind, _)| *kind)
    }

    /// Returns the start byte of a token, or the length of the address.
    fn start_byte(&self, position: usize) -> usize {
        self.tokens.get(position).map_or(self.address.len(), |(_, start)| *start)
    }

    /// Returns the current token, or `None` at the end.
    pub(super) fn current(&self) -> Option<TokenKind> {
        self.kind_at(self.position)
    }

    pub(super) fn previous(&self) -> Option<TokenKind> {
        self.position.checked_sub(1).and_then(|position| self.kind_at(position))
    }

    pub(super) fn next(&self) -> Option<TokenKind> {
        self.kind_at(self.position + 1)
    }

    /// Returns the text of the current token; empty at the end.
    pub(super) fn text(&self) -> &'a str {
        &self.address[self.start_byte(self.position)..self.start_byte(self.position + 1)]
    }

    /// Returns the byte after the current token.
    pub(super) fn end_byte(&self) -> usize {
        self.start_byte(self.position + 1)
    }

    pub(super) fn current_is(&self, character: char) -> bool {
        self.current() == Some(TokenKind::Char(character))
    }

    pub(super) fn next_is(&self, character: char) -> bool {
        self.next() == Some(TokenKind::Char(character))
    }

    pub(super) fn previous_is(&self, character: char) -> bool {
        self.previous() == Some(TokenKind::Char(character))
    }

    /// Returns true if a token after the current one is `character`.
    pub(super) fn appears_later(&self, character: char) -> bool {
        self.tokens.iter().skip(self.position + 1).any(|(kind, _)| *kind == TokenKind::Char(character))
    }

    pub(super) fn advance(&mut self) {
        self.position += 1;
    }
}

/// Returns the first token of a non-empty text, and its length in bytes.
fn first_token(text: &str) -> Option<(TokenKind, usize)> {
    let character = text.chars().next()?;
    // A run of letters includes a following 4 or 6, so that `IPv6` is one token.
    if is_letter(character) {
        let letters = text.find(|character| !is_letter(character)).unwrap_or(text.len());
        let length = letters + usize::from(text[letters..].starts_with(['4', '6']));
        let kind = if &text[..length] == "IPv6" { TokenKind::Ipv6Tag } else { TokenKind::Atom };
        return Some((kind, length));
    }
    if character.is_ascii_digit() {
        return Some((
            TokenKind::Atom,
            text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()),
        ));
    }
    if text.starts_with("\r\n") || text.starts_with("::") {
        return Some((if character == ':' { TokenKind::DoubleColon } else { TokenKind::CrLf }, 2));
    }
    let kind = match character {
        '\0' | ' ' | '\t' | '\r' | '\n' | '¿' | '¡' => TokenKind::Char(character),
        character if character.is_ascii_punctuation() => TokenKind::Char(character),
        character if character.is_ascii() || is_symbol(character) => return None,
        _ => TokenKind::Atom,
    };
    Some((kind, character.len_utf8()))
}

/// Returns true for ASCII letters, and for `ſ` and the Kelvin sign, which match `s` and `k` when case is ignored.
fn is_letter(character: char) -> bool {
    character.is_ascii_alphabetic() || character == 'ſ' || character == '\u{212A}'
}
