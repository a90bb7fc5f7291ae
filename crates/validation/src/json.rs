//! A strict JSON parser (RFC 8259) that behaves like PHP's `json_decode` where rules depend on it.
//!
//! Integers stay distinct from doubles and become doubles beyond 64 bits. `1e400` is infinity. Of duplicate keys, the
//! last value wins at the position of the first. An error anywhere rejects the whole document.

use indexmap::map::Entry;

use crate::budget::{Budget, InputTooLarge, LIST, LIST_ENTRY, MAP, MAP_ENTRY};
use crate::{Map, Value};

/// Maximum nesting depth of lists and objects.
const DEPTH_MAX: usize = 511;

/// Parses a document. Returns `None` if it is not valid JSON or nests too deep.
pub(crate) fn parse(bytes: &[u8], budget: &mut Budget) -> Result<Option<Value>, InputTooLarge> {
    let mut parser = Parser { bytes, position: 0, budget, is_too_large: false };
    let value = parser.parse_document();
    if parser.is_too_large { Err(InputTooLarge) } else { Ok(value) }
}

struct Parser<'a> {
    bytes: &'a [u8],
    position: usize,
    budget: &'a mut Budget,
    /// True if the budget does not suffice.
    is_too_large: bool,
}

impl Parser<'_> {
    fn parse_document(&mut self) -> Option<Value> {
        self.skip_space();
        let value = self.parse_value(0)?;
        self.skip_space();
        (self.position == self.bytes.len()).then_some(value)
    }

    /// Takes memory for a piece that will be built.
    fn take(&mut self, bytes: usize) -> Option<()> {
        let taken = self.budget.take(bytes);
        self.is_too_large |= taken.is_err();
        taken.ok()
    }

    /// Takes memory for a text.
    fn take_text(&mut self, length: usize) -> Option<()> {
        let taken = self.budget.take_text(length);
        self.is_too_large |= taken.is_err();
        taken.ok()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    /// Consumes `byte` if it is next, and returns true if it was.
    fn consume(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.position += 1;
        }
        is_next
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.position += 1;
        }
    }

    /// Parses a value nested in `depth` containers.
    fn parse_value(&mut self, depth: usize) -> Option<Value> {
        match self.peek()? {
            open @ (b'{' | b'[') => {
                if depth == DEPTH_MAX {
                    return None;
                }
                if open == b'{' { self.parse_object(depth + 1) } else { self.parse_list(depth + 1) }
            }
            b'"' => {
                let text = self.parse_string()?;
                self.take_text(text.len())?;
                Some(Value::from_text(text))
            }
            b't' => self.parse_literal(b"true", Value::Bool(true)),
            b'f' => self.parse_literal(b"false", Value::Bool(false)),
            b'n' => self.parse_literal(b"null", Value::Null),
            _ => self.parse_number(),
        }
    }

    fn parse_literal(&mut self, literal: &[u8], value: Value) -> Option<Value> {
        let is_next = self.bytes[self.position..].starts_with(literal);
        self.position += literal.len();
        is_next.then_some(value)
    }

    fn parse_list(&mut self, depth: usize) -> Option<Value> {
        self.position += 1;
        let mut list = Vec::new();
        self.skip_space();
        if self.consume(b']') {
            return Some(Value::List(list));
        }
        self.take(LIST)?;
        loop {
            self.skip_space();
            self.take(LIST_ENTRY)?;
            list.push(self.parse_value(depth)?);
            self.skip_space();
            if self.consume(b']') {
                // Vectors grow to four elements at once, which documents with many short lists would pay for.
                list.shrink_to_fit();
                return Some(Value::List(list));
            }
            if !self.consume(b',') {
                return None;
            }
        }
    }

    fn parse_object(&mut self, depth: usize) -> Option<Value> {
        self.position += 1;
        let mut map = Map::new();
        self.skip_space();
        if self.consume(b'}') {
            return Some(Value::from_map(map));
        }
        self.take(MAP)?;
        loop {
            self.skip_space();
            let key = self.parse_string()?;
            self.take_text(key.len())?;
            self.take(MAP_ENTRY)?;
            self.skip_space();
            if !self.consume(b':') {
                return None;
            }
            self.skip_space();
            let value = self.parse_value(depth)?;
            match map.entry(key) {
                Entry::Occupied(mut earlier) => drop(earlier.insert(value)),
                Entry::Vacant(vacant) => drop(vacant.insert(value)),
            }
            self.skip_space();
            if self.consume(b'}') {
                return Some(Value::from_map(map));
            }
            if !self.consume(b',') {
                return None;
            }
        }
    }

    fn parse_number(&mut self) -> Option<Value> {
        let start = self.position;
        self.consume(b'-');
        if !self.consume(b'0') && self.skip_digits() == 0 {
            return None;
        }
        let mut is_integer = true;
        if self.consume(b'.') {
            is_integer = false;
            if self.skip_digits() == 0 {
                return None;
            }
        }
        if self.consume(b'e') || self.consume(b'E') {
            is_integer = false;
            if !self.consume(b'+') {
                self.consume(b'-');
            }
            if self.skip_digits() == 0 {
                return None;
            }
        }
        let text = str::from_utf8(&self.bytes[start..self.position]).ok()?;
        // Integers have no negative zero.
        if is_integer
            && text != "-0"
            && let Ok(number) = text.parse()
        {
            return Some(Value::Int(number));
        }
        text.parse().map(Value::Double).ok()
    }

    /// Consumes digits and returns their number.
    fn skip_digits(&mut self) -> usize {
        let start = self.position;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
        self.position - start
    }

    fn parse_string(&mut self) -> Option<String> {
        if !self.consume(b'"') {
            return None;
        }
        let mut text = String::new();
        loop {
            let start = self.position;
            while self.peek().is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
                self.position += 1;
            }
            // The slice ends before an ASCII byte, so it splits no character.
            text.push_str(str::from_utf8(&self.bytes[start..self.position]).ok()?);
            if self.consume(b'"') {
                return Some(text);
            }
            if !self.consume(b'\\') {
                return None;
            }
            text.push(self.parse_escape()?);
        }
    }

    /// Parses the characters after a backslash.
    fn parse_escape(&mut self) -> Option<char> {
        let byte = self.peek()?;
        self.position += 1;
        match byte {
            b'"' | b'\\' | b'/' => Some(char::from(byte)),
            b'b' => Some('\u{8}'),
            b'f' => Some('\u{C}'),
            b'n' => Some('\n'),
            b'r' => Some('\r'),
            b't' => Some('\t'),
            b'u' => self.parse_unicode_escape(),
            _ => None,
        }
    }

    /// Parses the four digits after `\u` and, for a high surrogate, the low surrogate that must follow.
    fn parse_unicode_escape(&mut self) -> Option<char> {
        let unit = self.parse_four_hex_digits()?;
        if !(0xD800..0xDC00).contains(&unit) {
            return char::from_u32(unit);
        }
        if !(self.consume(b'\\') && self.consume(b'u')) {
            return None;
        }
        let low = self.parse_four_hex_digits()?.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + low)
    }

    fn parse_four_hex_digits(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.position..self.position + 4)?;
        self.position += 4;
        digits.iter().try_fold(0, |number, byte| Some(number * 16 + char::from(*byte).to_digit(16)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses a document that is not too large.
    fn parse(bytes: &[u8]) -> Option<Value> {
        super::parse(bytes, &mut Budget::new(bytes.len())).unwrap()
    }

    #[test]
    fn integers_and_doubles_are_distinct() {
        assert_eq!(parse(b"9223372036854775807"), Some(Value::Int(i64::MAX)));
        assert_eq!(parse(b"-9223372036854775808"), Some(Value::Int(i64::MIN)));
        assert_eq!(parse(b"9223372036854775808"), Some(Value::Double(9_223_372_036_854_775_808.0)));
        assert_eq!(parse(b"12.0"), Some(Value::Double(12.0)));
        assert_eq!(parse(b"-1e400"), Some(Value::Double(f64::NEG_INFINITY)));
        assert_eq!(parse(b"1e-400"), Some(Value::Double(0.0)));
        let Some(Value::Double(zero)) = parse(b"-0") else { panic!("-0 is a double") };
        assert!(zero == 0.0 && zero.is_sign_negative());
    }

    #[test]
    fn any_error_rejects_the_document() {
        let invalid: [&[u8]; 30] = [
            b"",
            b" ",
            b"01",
            b"+1",
            b".5",
            b"1.",
            b"1e",
            b"0x1",
            b"-",
            b"TRUE",
            b"NaN",
            b"nul",
            b"[1,]",
            b"[,1]",
            b"{,}",
            b"{\"a\":1,}",
            b"{a:1}",
            b"{'a':1}",
            b"[1]//",
            b"1 2",
            b"[1]\0",
            b"\xEF\xBB\xBF1",
            b"\"a",
            b"\"\n\"",
            b"\"\\x\"",
            b"\"\\ud800\"",
            b"\"\\udc00\"",
            b"\"\xFF\"",
            b"\"\xED\xA0\x80\"",
            b"\"\xC0\x80\"",
        ];
        for document in invalid {
            assert_eq!(parse(document), None, "{:?}", document.escape_ascii().to_string());
        }
    }

    #[test]
    fn escapes_are_decoded() {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        assert_eq!(parse(br#""a\u0000\u00e9\ud83d\ude00\/\"b""#), text("a\0é😀/\"b"));
        assert_eq!(parse(br#"" \t""#), Some(Value::Null));
    }

    #[test]
    fn last_duplicate_key_wins_at_the_position_of_the_first() {
        let Some(Value::Map(map)) = parse(br#"{"a":1,"b":2,"\u0061":3}"#) else { panic!("an object") };
        assert_eq!(
            map.into_iter().collect::<Vec<_>>(),
            [("a".to_owned(), Value::Int(3)), ("b".to_owned(), Value::Int(2))]
        );
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(parse(&nested(511)).is_some());
        assert!(parse(&nested(512)).is_none());
        assert!(parse(&vec![b'['; 1 << 20]).is_none());
    }

    #[test]
    fn pieces_are_limited_by_their_memory() {
        let parse = |text: &str| super::parse(text.as_bytes(), &mut Budget::new(text.len()));
        let list = |element: &str, count: usize| format!("[{}0]", format!("{element},").repeat(count));
        assert!(parse(&list("447121768", 100_000)).is_ok());
        assert!(parse(&list("\"447121768\"", 100_000)).is_ok());
        assert!(parse(&list("1", 10_000)).is_ok() && parse(&list("\"1\"", 10_000)).is_ok());
        for element in ["1", "\"1\"", "[]", "[1]", "{}", "{\"\":1}"] {
            assert_eq!(parse(&list(element, 100_000)), Err(InputTooLarge), "{element}");
        }
        let keys = (0..100_000).map(|number| format!("\"{number:x}\":1")).collect::<Vec<_>>().join(",");
        assert_eq!(parse(&format!("{{{keys}}}")), Err(InputTooLarge));
        assert_eq!(parse("[1"), Ok(None));
    }
}
