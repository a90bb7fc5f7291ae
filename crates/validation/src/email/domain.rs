//! The part of an address after the `@`.

use super::lexer::{Kind, Tokens};
use super::{comment, folding_space, refuse};

/// Bytes that a domain may have.
const DOMAIN_MAX: usize = 253;
/// Bytes that one of its labels may have.
const LABEL_MAX: usize = 63;

/// Reads from the `@` to the end.
pub(super) fn parse(tokens: &mut Tokens<'_>) -> Option<()> {
    let start = tokens.end();
    tokens.advance();
    refuse(tokens.is('.') || tokens.is('-') || tokens.is('@'))?;
    refuse(tokens.here().is_none() || tokens.is(' ') && tokens.next() != Some(Kind::Atom))?;
    let mut domain = Domain::default();
    domain.read(tokens)?;
    refuse(tokens.before_is('.') || tokens.before_is('-') || tokens.is(' '))?;
    refuse(tokens.end() - start > DOMAIN_MAX)
}

#[derive(Default)]
struct Domain {
    /// The label that is being read. From the second label on it begins with the dot, which counts.
    label: String,
    has_comment: bool,
}

impl Domain {
    fn read(&mut self, tokens: &mut Tokens<'_>) -> Option<()> {
        while tokens.here().is_some() {
            refuse(tokens.is('\\') || tokens.is('/'))?;
            if tokens.is('(') || tokens.is(')') {
                self.has_comment = true;
                comment(tokens, |tokens, open| open == 0 && tokens.next_is('.'))?;
                refuse(!tokens.next_is('.'))?;
            }
            refuse(tokens.is('.') && tokens.next_is('.'))?;
            if tokens.is('[') {
                return literal(tokens);
            }
            if tokens.is('.') {
                self.end_label()?;
            }
            self.label.push_str(tokens.text());
            folding_space(tokens)?;
            refuse(tokens.is('-') && tokens.next_is('.'))?;
            refuse(!self.may_hold(tokens.here()?))?;
            tokens.advance();
        }
        self.end_label()
    }

    fn may_hold(&self, kind: Kind) -> bool {
        match kind {
            Kind::Atom | Kind::Char('-' | '.') => true,
            Kind::Char('(' | ')') => self.has_comment,
            _ => false,
        }
    }

    fn end_label(&mut self) -> Option<()> {
        let length = if self.label.is_ascii() {
            self.label.len()
        } else {
            self.label.split('.').map(punycode_length).max().unwrap_or(0)
        };
        self.label.clear();
        refuse(length > LABEL_MAX)
    }
}

/// Steps through an address in brackets to the closing one. What the brackets hold may be anything.
fn literal(tokens: &mut Tokens<'_>) -> Option<()> {
    refuse(!tokens.comes(']'))?;
    loop {
        refuse(tokens.is('\0') || tokens.is('\\') || tokens.next_is('[') || tokens.next_is('\r'))?;
        if tokens.is(']') {
            return Some(());
        }
        tokens.advance();
        if tokens.next().is_none() {
            return Some(());
        }
    }
}

/// The bytes of a label as `xn--…` (RFC 3492), if it needs that. Letters are lowered first, as they are in a name.
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
                length += digits(delta, bias);
                // Long enough to refuse, and the rest may be long as well.
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

/// How many digits the generalised variable-length integer has.
fn digits(mut number: u64, bias: u64) -> usize {
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

fn adapt(delta: u64, points: u64, first: bool) -> u64 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
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
    fn lengths_of_labels_on_the_wire() {
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
