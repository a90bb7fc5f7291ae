//! Fields of forms and query strings, whose names build lists and maps with brackets as PHP's do.

use crate::{Map, Value};

/// Brackets that a name may have; a field with more takes its whole variable with it.
const DEPTH_MAX: usize = 64;

/// Lists and maps that a form may build: as many as PHP lets it, with 1,000 fields of 64 brackets each. Fields that
/// would build more are dropped. The number of fields itself is not limited here: a list may have thousands.
const ARRAYS_MAX: usize = 64_000;

/// Reads `name=value` pairs between `&`, percent-encoded.
pub(crate) fn parse(bytes: &[u8]) -> Map {
    let mut form = Form::default();
    for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = equals.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
        form.add(&percent_decode(name), percent_decode(value));
    }
    form.into_map()
}

/// Turns `+` into a space and `%XX` into its byte; a `%` without two digits stays.
fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        let (byte, length) = match (byte, digit(position + 1), digit(position + 2)) {
            (b'+', ..) => (b' ', 1),
            // Two digits make at most 255.
            (b'%', Some(high), Some(low)) => (u8::try_from(high * 16 + low).unwrap_or(b'%'), 3),
            (other, ..) => (*other, 1),
        };
        decoded.push(byte);
        position += length;
    }
    decoded
}

/// Variables that fields have built so far.
#[derive(Default)]
pub(crate) struct Form {
    variables: Array,
    /// Lists and maps built so far.
    arrays: usize,
}

/// A list or map that still grows.
#[derive(Default)]
struct Array {
    members: indexmap::IndexMap<String, Node>,
    /// The key that `[]` gives next; none when the largest is in use.
    next: Next,
}

enum Node {
    Text(Vec<u8>),
    Array(Box<Array>),
}

struct Next(Option<i64>);

impl Default for Next {
    fn default() -> Self {
        Self(Some(0))
    }
}

/// `a[b][]` is the variable `a` with the indexes `b` and none.
struct Name {
    variable: String,
    indexes: Vec<Option<String>>,
}

impl Form {
    /// Adds a field. The name is decoded; bytes of it that are no UTF-8 are replaced.
    pub(crate) fn add(&mut self, name: &[u8], value: Vec<u8>) {
        let Some(name) = Name::parse(name) else { return };
        if name.indexes.len() > DEPTH_MAX {
            self.variables.members.shift_remove(&name.variable);
            return;
        }
        let mut array = &mut self.variables;
        let mut key = Some(name.variable);
        for index in name.indexes {
            let Some(inner) = array.inner(key, &mut self.arrays) else { return };
            array = inner;
            key = index;
        }
        array.set(key, Node::Text(value));
    }

    /// The variables as values.
    pub(crate) fn into_map(self) -> Map {
        self.variables.into_map()
    }
}

impl Array {
    /// The array under `key`, made if there is none: what else stood there goes. None if there are enough arrays.
    fn inner(&mut self, key: Option<String>, arrays: &mut usize) -> Option<&mut Self> {
        let key = self.claim(key)?;
        if !matches!(self.members.get(&key), Some(Node::Array(_))) {
            if *arrays == ARRAYS_MAX {
                return None;
            }
            *arrays += 1;
            self.members.insert(key.clone(), Node::Array(Box::default()));
        }
        match self.members.get_mut(&key)? {
            Node::Array(array) => Some(array),
            Node::Text(_) => None,
        }
    }

    fn set(&mut self, key: Option<String>, node: Node) {
        if let Some(key) = self.claim(key) {
            self.members.insert(key, node);
        }
    }

    /// The key itself, or the next free one; keys that are numbers move the next.
    fn claim(&mut self, key: Option<String>) -> Option<String> {
        let number = match &key {
            None => Some(self.next.0?),
            Some(key) => key.parse::<i64>().ok().filter(|number| number.to_string() == *key),
        };
        if let (Some(number), Some(next)) = (number, self.next.0)
            && number >= next
        {
            self.next.0 = number.checked_add(1);
        }
        key.or_else(|| number.map(|number| number.to_string()))
    }

    /// Bounded: no name goes deeper than `DEPTH_MAX`.
    fn into_map(self) -> Map {
        let value = |node| match node {
            Node::Text(text) => Value::from_bytes(text),
            Node::Array(array) => Value::from_map(array.into_map()),
        };
        self.members.into_iter().map(|(key, node)| (key, value(node))).collect()
    }
}

impl Name {
    /// Leading spaces go; spaces, dots and a bracket that nothing closes become `_` in the variable. A name without
    /// a variable names nothing.
    fn parse(name: &[u8]) -> Option<Self> {
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let start = name.iter().position(|byte| *byte != b' ')?;
        let name = &name[start..];
        let bracket = name.iter().position(|byte| *byte == b'[').unwrap_or(name.len());
        let (variable, mut rest) = name.split_at(bracket);
        if variable.is_empty() {
            return None;
        }
        let mut variable = text(variable).replace([' ', '.'], "_");
        let mut indexes = Vec::new();
        while let [b'[', inner @ ..] = rest {
            let blank = usize::from(inner.first().is_some_and(|byte| is_space(*byte)));
            let Some(length) = inner[blank..].iter().position(|byte| *byte == b']') else {
                if indexes.is_empty() {
                    variable = format!("{variable}_{}", text(inner));
                }
                break;
            };
            indexes.push((length > 0).then(|| text(&inner[..blank + length])));
            rest = &inner[blank + length + 1..];
        }
        Some(Self { variable, indexes })
    }
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0B
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields as text, `a.b=1` for what `a[b]=1` gives.
    fn flat(query: &str) -> Vec<String> {
        fn walk(path: &str, value: &Value, lines: &mut Vec<String>) {
            match value {
                Value::Text(text) => lines.push(format!("{path}={text}")),
                Value::Null => lines.push(path.to_owned()),
                other => {
                    other.members().for_each(|(key, value)| walk(&format!("{path}.{key}"), value, lines));
                }
            }
        }
        let mut lines = Vec::new();
        parse(query.as_bytes()).iter().for_each(|(key, value)| walk(key, value, &mut lines));
        lines
    }

    #[test]
    fn plain_names() {
        assert_eq!(flat("a=1&b=&c&&a=2&=x&d=x=y"), ["a=2", "b", "c", "d=x=y"]);
        assert_eq!(flat("a+b.c=1&%20%20d=+2%zz%4"), ["a_b_c=1", "d=2%zz%4"]);
        assert_eq!(flat("a%00b=%2B966"), ["a=+966"]);
    }

    #[test]
    fn brackets_append_and_set() {
        assert_eq!(
            flat("a[]=1&a[]=2&a[5]=3&a[]=4&a[x]=5&a[]=6"),
            ["a.0=1", "a.1=2", "a.5=3", "a.6=4", "a.x=5", "a.7=6"]
        );
        assert_eq!(flat("a[-3]=1&a[]=2&a[05]=3&a[]=4"), ["a.-3=1", "a.0=2", "a.05=3", "a.1=4"]);
        assert_eq!(flat("a[b][c]=1&a[b][d]=2&a[b]=3"), ["a.b=3"]);
        assert_eq!(flat("a=1&b=2&a[x]=3"), ["a.x=3", "b=2"]);
        assert_eq!(flat("a[9223372036854775807]=1&a[]=2"), ["a.9223372036854775807=1"]);
        assert_eq!(flat("a[ ]=1&a[ b]=2&a[b.c d]=3&a[x]y=4"), ["a.0=1", "a. b=2", "a.b.c d=3", "a.x=4"]);
    }

    #[test]
    fn brackets_that_nothing_opens_or_closes() {
        assert_eq!(flat("a[=1&b[c=2&d]=3&[e]=4&[=5"), ["a_=1", "b_c=2", "d]=3"]);
        assert_eq!(flat("a[b][c=1"), ["a.b=1"]);
    }

    #[test]
    fn depth_has_an_end() {
        let deep = |n: usize| format!("a[x]=1&b=2&a{}=3", "[y]".repeat(n));
        assert_eq!(flat(&deep(64)).len(), 3);
        assert_eq!(flat(&deep(65)), ["b=2"]);
    }

    #[test]
    fn arrays_have_an_end_and_fields_have_none() {
        let many = "a[][]=1&".repeat(70_000) + &"b[]=2&".repeat(70_000);
        let form = parse(many.as_bytes());
        // One of them is `a` itself.
        assert_eq!((form["a"].len(), form.get("b")), (Some(ARRAYS_MAX - 1), None));
        assert_eq!(parse("c[]=3&".repeat(70_000).as_bytes())["c"].len(), Some(70_000));
    }
}
