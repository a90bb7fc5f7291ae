//! Forms and query strings. Names with brackets build lists and maps, as in PHP (`parse_str`).

use crate::{Map, Value};

/// Maximum number of brackets in a name. A field with more removes its whole variable, as in PHP.
const DEPTH_MAX: usize = 64;

/// Maximum number of lists and maps in a form: PHP's limits of 1,000 fields with 64 brackets each. Fields that would
/// create more are dropped. The number of fields is not limited here, because a list may have thousands of entries.
const ARRAYS_MAX: usize = 64_000;

/// Parses percent-encoded `name=value` pairs separated by `&`.
pub(crate) fn parse(bytes: &[u8]) -> Map {
    let mut form = Form::default();
    for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = equals.map_or((pair, &[][..]), |index| (&pair[..index], &pair[index + 1..]));
        form.add(&percent_decode(name), percent_decode(value));
    }
    form.into_map()
}

/// Decodes `+` to a space and `%XX` to a byte. A `%` without two hexadecimal digits is kept.
fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |index: usize| bytes.get(index).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        let (byte, length) = match (byte, digit(position + 1), digit(position + 2)) {
            (b'+', ..) => (b' ', 1),
            // Two hexadecimal digits are at most 255, so the conversion cannot fail.
            (b'%', Some(high), Some(low)) => (u8::try_from(high * 16 + low).unwrap_or(b'%'), 3),
            (other, ..) => (*other, 1),
        };
        decoded.push(byte);
        position += length;
    }
    decoded
}

/// Builder of the variables of a form.
#[derive(Default)]
pub(crate) struct Form {
    variables: Array,
    /// Number of lists and maps created so far.
    arrays: usize,
}

/// A list or map under construction.
#[derive(Default)]
struct Array {
    entries: indexmap::IndexMap<String, Node>,
    /// Key for the next `[]`; `None` if the largest key is used.
    next_key: NextKey,
}

/// A value under construction.
enum Node {
    Text(Vec<u8>),
    Array(Box<Array>),
}

/// The next free number in an array, starting at 0.
struct NextKey(Option<i64>);

impl Default for NextKey {
    fn default() -> Self {
        Self(Some(0))
    }
}

/// A parsed name: `a[b][]` has the variable `a` and the indexes `Some(b)` and `None`.
struct Name {
    variable: String,
    indexes: Vec<Option<String>>,
}

impl Form {
    /// Adds a field with a decoded name. Invalid UTF-8 in the name is replaced.
    pub(crate) fn add(&mut self, name: &[u8], value: Vec<u8>) {
        let Some(name) = Name::parse(name) else { return };
        if name.indexes.len() > DEPTH_MAX {
            self.variables.entries.shift_remove(&name.variable);
            return;
        }
        let mut array = &mut self.variables;
        let mut key = Some(name.variable);
        for index in name.indexes {
            let Some(nested) = array.nested_array(key, &mut self.arrays) else { return };
            array = nested;
            key = index;
        }
        array.set_entry(key, Node::Text(value));
    }

    /// Returns the variables as values.
    pub(crate) fn into_map(self) -> Map {
        self.variables.into_map()
    }
}

impl Array {
    /// Returns the array under `key`, creating it or replacing a text there. Returns `None` at the limit of arrays.
    fn nested_array(&mut self, key: Option<String>, arrays: &mut usize) -> Option<&mut Self> {
        let key = self.assign_key(key)?;
        if !matches!(self.entries.get(&key), Some(Node::Array(_))) {
            if *arrays == ARRAYS_MAX {
                return None;
            }
            *arrays += 1;
            self.entries.insert(key.clone(), Node::Array(Box::default()));
        }
        match self.entries.get_mut(&key)? {
            Node::Array(array) => Some(array),
            Node::Text(_) => None,
        }
    }

    /// Inserts a node, replacing an earlier one under the same key.
    fn set_entry(&mut self, key: Option<String>, node: Node) {
        if let Some(key) = self.assign_key(key) {
            self.entries.insert(key, node);
        }
    }

    /// Returns the key, or the next free number for `None`. A numeric key advances the next free number.
    fn assign_key(&mut self, key: Option<String>) -> Option<String> {
        let number = match &key {
            None => Some(self.next_key.0?),
            Some(key) => key.parse::<i64>().ok().filter(|number| number.to_string() == *key),
        };
        if let (Some(number), Some(next)) = (number, self.next_key.0)
            && number >= next
        {
            self.next_key.0 = number.checked_add(1);
        }
        key.or_else(|| number.map(|number| number.to_string()))
    }

    /// Converts the array and the arrays in it. Recursive; `DEPTH_MAX` limits the depth.
    fn into_map(self) -> Map {
        let value = |node| match node {
            Node::Text(text) => Value::from_bytes(text),
            Node::Array(array) => Value::from_map(array.into_map()),
        };
        self.entries.into_iter().map(|(key, node)| (key, value(node))).collect()
    }
}

impl Name {
    /// Parses a name. Leading spaces are removed; spaces, dots and an unclosed bracket become `_` in the variable.
    /// Returns `None` if the variable is empty.
    fn parse(name: &[u8]) -> Option<Self> {
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let start = name.iter().position(|byte| *byte != b' ')?;
        let name = &name[start..];
        let bracket = name.iter().position(|byte| *byte == b'[').unwrap_or(name.len());
        let (variable, mut rest) = name.split_at(bracket);
        if variable.is_empty() {
            return None;
        }
        let mut variable = to_text(variable).replace([' ', '.'], "_");
        let mut indexes = Vec::new();
        while let [b'[', inner @ ..] = rest {
            let leading_space = usize::from(inner.first().is_some_and(|byte| is_space(*byte)));
            let Some(length) = inner[leading_space..].iter().position(|byte| *byte == b']') else {
                if indexes.is_empty() {
                    variable = format!("{variable}_{}", to_text(inner));
                }
                break;
            };
            indexes.push((length > 0).then(|| to_text(&inner[..leading_space + length])));
            rest = &inner[leading_space + length + 1..];
        }
        Some(Self { variable, indexes })
    }
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0B
}

fn to_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the fields as lines: `a[b]=1` becomes `a.b=1`.
    fn flatten(query: &str) -> Vec<String> {
        fn walk(path: &str, value: &Value, lines: &mut Vec<String>) {
            match value {
                Value::Text(text) => lines.push(format!("{path}={text}")),
                Value::Null => lines.push(path.to_owned()),
                other => {
                    other.entries().for_each(|(key, value)| walk(&format!("{path}.{key}"), value, lines));
                }
            }
        }
        let mut lines = Vec::new();
        parse(query.as_bytes()).iter().for_each(|(key, value)| walk(key, value, &mut lines));
        lines
    }

    #[test]
    fn plain_names_follow_php() {
        assert_eq!(flatten("a=1&b=&c&&a=2&=x&d=x=y"), ["a=2", "b", "c", "d=x=y"]);
        assert_eq!(flatten("a+b.c=1&%20%20d=+2%zz%4"), ["a_b_c=1", "d=2%zz%4"]);
        assert_eq!(flatten("a%00b=%2B966"), ["a=+966"]);
    }

    #[test]
    fn brackets_append_to_lists_and_set_keys() {
        assert_eq!(
            flatten("a[]=1&a[]=2&a[5]=3&a[]=4&a[x]=5&a[]=6"),
            ["a.0=1", "a.1=2", "a.5=3", "a.6=4", "a.x=5", "a.7=6"]
        );
        assert_eq!(flatten("a[-3]=1&a[]=2&a[05]=3&a[]=4"), ["a.-3=1", "a.0=2", "a.05=3", "a.1=4"]);
        assert_eq!(flatten("a[b][c]=1&a[b][d]=2&a[b]=3"), ["a.b=3"]);
        assert_eq!(flatten("a=1&b=2&a[x]=3"), ["a.x=3", "b=2"]);
        assert_eq!(flatten("a[9223372036854775807]=1&a[]=2"), ["a.9223372036854775807=1"]);
        assert_eq!(flatten("a[ ]=1&a[ b]=2&a[b.c d]=3&a[x]y=4"), ["a.0=1", "a. b=2", "a.b.c d=3", "a.x=4"]);
    }

    #[test]
    fn unbalanced_brackets_follow_php() {
        assert_eq!(flatten("a[=1&b[c=2&d]=3&[e]=4&[=5"), ["a_=1", "b_c=2", "d]=3"]);
        assert_eq!(flatten("a[b][c=1"), ["a.b=1"]);
    }

    #[test]
    fn depth_is_limited() {
        let deep = |depth: usize| format!("a[x]=1&b=2&a{}=3", "[y]".repeat(depth));
        assert_eq!(flatten(&deep(64)).len(), 3);
        assert_eq!(flatten(&deep(65)), ["b=2"]);
    }

    #[test]
    fn arrays_are_limited_and_fields_are_not() {
        let many = "a[][]=1&".repeat(70_000) + &"b[]=2&".repeat(70_000);
        let form = parse(many.as_bytes());
        // One of the arrays is `a` itself.
        assert_eq!((form["a"].len(), form.get("b")), (Some(ARRAYS_MAX - 1), None));
        assert_eq!(parse("c[]=3&".repeat(70_000).as_bytes())["c"].len(), Some(70_000));
    }
}
