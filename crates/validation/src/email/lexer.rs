//! The tokens of an address.

use super::symbols::is_symbol;

/// What a token is. Punctuation of ASCII is its own kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits, and everything beyond ASCII that may stand in an address.
    Atom,
    /// One character of punctuation, space, tab, CR, LF or NUL.
    Char(char),
    /// CR and LF.
    LineEnd,
    /// `::`
    DoubleColon,
    /// The word `IPv6`.
    Ipv6Tag,
}

/// The tokens with a place among them: what is here, before and next.
pub(super) struct Tokens<'a> {
    address: &'a str,
    /// Each kind with the byte that its token starts at.
    kinds: Vec<(Kind, usize)>,
    position: usize,
}

impl<'a> Tokens<'a> {
    /// Cuts an address into tokens; none if it has a character that may stand nowhere in one.
    pub(super) fn new(address: &'a str) -> Option<Self> {
        let mut kinds = Vec::new();
        let mut start = 0;
        while start < address.len() {
            let (kind, length) = token(&address[start..])?;
            kinds.push((kind, start));
            start += length;
        }
        Some(Self { address, kinds, position: 0 })
    }

    fn kind_at(&self, position: usize) -> Option<Kind> {
        self.kinds.get(position).map(|(kind, _)| *kind)
    }

    /// The byte that a token starts at, or the end.
    fn start(&self, position: usize) -> usize {
        self.kinds.get(position).map_or(self.address.len(), |(_, start)| *start)
    }

    /// The token here; none at the end.
    pub(super) fn here(&self) -> Option<Kind> {
        self.kind_at(self.position)
    }

    pub(super) fn before(&self) -> Option<Kind> {
        self.position.checked_sub(1).and_then(|position| self.kind_at(position))
    }

    pub(super) fn next(&self) -> Option<Kind> {
        self.kind_at(self.position + 1)
    }

    /// The text of the token here, empty at the end.
    pub(super) fn text(&self) -> &'a str {
        &self.address[self.start(self.position)..self.start(self.position + 1)]
    }

    /// The byte after the token here.
    pub(super) fn end(&self) -> usize {
        self.start(self.position + 1)
    }

    pub(super) fn is(&self, c: char) -> bool {
        self.here() == Some(Kind::Char(c))
    }

    pub(super) fn next_is(&self, c: char) -> bool {
        self.next() == Some(Kind::Char(c))
    }

    pub(super) fn before_is(&self, c: char) -> bool {
        self.before() == Some(Kind::Char(c))
    }

    /// Whether `c` comes later.
    pub(super) fn comes(&self, c: char) -> bool {
        self.kinds.iter().skip(self.position + 1).any(|(kind, _)| *kind == Kind::Char(c))
    }

    pub(super) fn advance(&mut self) {
        self.position += 1;
    }
}

/// The first token of a text that is not empty, and its length.
fn token(text: &str) -> Option<(Kind, usize)> {
    let c = text.chars().next()?;
    // A letter's run ends in 4 or 6 if one follows, so that `IPv6` is one token.
    if is_letter(c) {
        let letters = text.find(|c| !is_letter(c)).unwrap_or(text.len());
        let length = letters + usize::from(text[letters..].starts_with(['4', '6']));
        let kind = if &text[..length] == "IPv6" { Kind::Ipv6Tag } else { Kind::Atom };
        return Some((kind, length));
    }
    if c.is_ascii_digit() {
        return Some((Kind::Atom, text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())));
    }
    if text.starts_with("\r\n") || text.starts_with("::") {
        return Some((if c == ':' { Kind::DoubleColon } else { Kind::LineEnd }, 2));
    }
    let kind = match c {
        '\0' | ' ' | '\t' | '\r' | '\n' | '¿' | '¡' => Kind::Char(c),
        c if c.is_ascii_punctuation() => Kind::Char(c),
        c if c.is_ascii() || is_symbol(c) => return None,
        _ => Kind::Atom,
    };
    Some((kind, c.len_utf8()))
}

/// The letters of ASCII, and the two beyond it that are the same as one of them without regard to case.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == 'ſ' || c == '\u{212A}'
}
