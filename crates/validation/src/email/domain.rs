//! The domain: the part of an address after the `@`.

use super::lexer::{TokenCursor, TokenKind};
use super::whitespace::{check_folding_space, reject_if, skip_comment};

/// Maximum length of a domain, in bytes.
const DOMAIN_MAX: usize = 253;
/// Maximum length of a label, in bytes.
const LABEL_MAX: usize = 63;

/// Parses from the `@` to the end. Returns `None` if the domain is invalid.
pub(super) fn parse(tokens: &mut TokenCursor<'_>) -> Option<()> {
    let start = tokens.end_byte();
    tokens.advance();
    reject_if(tokens.current_is('.') || tokens.current_is('-') || tokens.current_is('@'))?;
    reject_if(
        tokens.current().is_none() || tokens.current_is(' ') && tokens.next() != Some(TokenKind::Atom),
    )?;
    let mut domain = Domain::default();
    domain.parse(tokens)?;
    reject_if(tokens.previous_is('.') || tokens.previous_is('-') || tokens.current_is(' '))?;
    reject_if(tokens.end_byte() - start > DOMAIN_MAX)
}

#[derive(Default)]
struct Domain {
    /// The current label. From the second label on it starts with the dot, which counts toward its length.
    label: String,
    has_comment: bool,
}

impl Domain {
    fn parse(&mut self, tokens: &mut TokenCursor<'_>) -> Option<()> {
        while tokens.current().is_some() {
            reject_if(tokens.current_is('\\') || tokens.current_is('/'))?;
            if tokens.current_is('(') || tokens.current_is(')') {
                self.has_comment = true;
                skip_comment(tokens, |tokens, open| open == 0 && tokens.next_is('.'))?;
                reject_if(!tokens.next_is('.'))?;
            }
            reject_if(tokens.current_is('.') && tokens.next_is('.'))?;
            if tokens.current_is('[') {
                return skip_literal(tokens);
            }
            if tokens.current_is('.') {
                self.finish_label()?;
            }
            self.label.push_str(tokens.text());
            check_folding_space(tokens)?;
            reject_if(tokens.current_is('-') && tokens.next_is('.'))?;
            reject_if(!self.accepts(tokens.current()?))?;
            tokens.advance();
        }
        self.finish_label()
    }

    fn accepts(&self, kind: TokenKind) -> bool {
        match kind {
            TokenKind::Atom | TokenKind::Char('-' | '.') => true,
            TokenKind::Char('(' | ')') => self.has_comment,
            _ => false,
        }
    }

    fn finish_label(&mut self) -> Option<()> {
        let length = if self.label.is_ascii() {
            self.label.len()
        } else {
            self.label.split('.').map(punycode_length).max().unwrap_or(0)
        };
        self.label.clear();
        reject_if(length > LABEL_MAX)
    }
}

/// Skips an address literal to the closing bracket. The content is not checked.
fn skip_literal(tokens: &mut TokenCursor<'_>) -> Option<()> {
    reject_if(!tokens.appears_later(']'))?;
    loop {
        reject_if(
            tokens.current_is('\0') || tokens.current_is('\\') || tokens.next_is('[') || tokens.next_is('\r'),
        )?;
        if tokens.current_is(']') {
            return Some(());
        }
        tokens.advance();
        if tokens.next().is_none() {
            return Some(());
        }
    }
}

/// Returns the length in bytes of a label in DNS: as `xn--…` (Punycode, RFC 3492) if it is not ASCII, in lower case.
fn punycode_length(label: &str) -> usize {
    if label.is_ascii() {
        return label.len();
    }
    let points: Vec<u32> = label.chars().flat_map(char::to_lowercase).map(u32::from).collect();
    let basic = points.iter().filter(|point| **point < 0x80).count();
    let mut pending: Vec<u32> = points.iter().copied().filter(|point| *point >= 0x80).collect();
    pending.sort_unstable();
    pending.dedup();
    let mut length = "xn--".len() + basic + usize::from(basic > 0);
    let (mut handled, mut delta, mut bias, mut smallest) = (basic, 0u64, 72, 0x80);
    for point in pending {
        delta += u64::from(point - smallest) * (handled as u64 + 1);
        for other in &points {
            if *other < point {
                delta += 1;
            } else if *other == point {
                length += count_digits(delta, bias);
                // The label is already too long. Stopping here bounds the work for very long labels.
                if length > LABEL_MAX {
                    return length;
                }
                bias = adapt(delta, handled as u64 + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta += 1;
        smallest = point + 1;
    }
    length
}

/// Returns the number of digits of a generalized variable-length integer (RFC 3492 §3.3).
fn count_digits(mut number: u64, bias: u64) -> usize {
    let mut count = 1;
    let mut threshold_base = 36;
    loop {
        let threshold = threshold_base.max(bias).saturating_sub(bias).clamp(1, 26);
        if number < threshold {
            return count;
        }
        number = (number - threshold) / (36 - threshold);
        threshold_base += 36;
        count += 1;
    }
}

/// Returns the next bias (RFC 3492 §6.1).
fn adapt(delta: u64, points: u64, is_first: bool) -> u64 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / points;
    let mut steps = 0;
    while delta > 455 {
        delta /= 35;
        steps += 36;
    }
    steps + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_length_is_that_of_its_punycode() {
        for (label, ascii) in [
            ("münchen", "xn--mnchen-3ya"),
            ("مثال", "xn--mgbh0fb"),
            ("السعودية", "xn--mgberp4a5d4ar"),
            ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
            ("BÜCHER", "xn--bcher-kva"),
            ("plain", "plain"),
        ] {
            assert_eq!(punycode_length(label), ascii.len(), "{label}");
        }
    }
}
