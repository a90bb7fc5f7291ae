//! Forms and query strings. Names with brackets build lists and maps, as in PHP (`parse_str`).

use indexmap::map::Entry;

use crate::budget::{Budget, InputTooLarge, LIST, LIST_ENTRY, MAP, MAP_ENTRY};
use crate::{Map, Value};

/// Maximum number of brackets in a name. A field with more removes its whole variable, as in PHP.
const DEPTH_MAX: usize = 64;

/// Memory of an entry with an explicit key: once under construction, and once as a value.
const FORM_ENTRY: usize = 2 * MAP_ENTRY;

/// Parses percent-encoded `name=value` pairs separated by `&`.
pub(crate) fn parse(bytes: &[u8], budget: &mut Budget) -> Result<Map, InputTooLarge> {
    let mut form = Form::default();
    for_each_pair(bytes, |name, value| form.add(&name, value, budget))?;
    Ok(form.into_map())
}

/// Like [`parse`], but drops the pairs that are too many, as PHP does from the thousandth pair on.
pub(crate) fn parse_query(bytes: &[u8]) -> Map {
    let mut form = Form::default();
    let mut budget = Budget::new(bytes.len());
    let _ = for_each_pair(bytes, |name, value| form.add(&name, value, &mut budget));
    form.into_map()
}

/// Returns true if a pair of a query string names this variable, even if [`parse_query`] dropped it.
pub(crate) fn has_variable(bytes: &[u8], variable: &str) -> bool {
    let mut is_found = false;
    let _ = for_each_pair(bytes, |name, _| {
        is_found |= Name::parse(&name).is_some_and(|name| name.variable == variable);
        Ok(())
    });
    is_found
}

fn for_each_pair(
    bytes: &[u8],
    mut visit: impl FnMut(Vec<u8>, Vec<u8>) -> Result<(), InputTooLarge>,
) -> Result<(), InputTooLarge> {
    for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = equals.map_or((pair, &[][..]), |index| (&pair[..index], &pair[index + 1..]));
        visit(percent_decode(name), percent_decode(value))?;
    }
    Ok(())
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
    variables: Branch,
}

/// A value under construction.
enum Node {
    Text(Vec<u8>),
    /// An array with the keys 0, 1, 2 and so on.
    List(Vec<Self>),
    /// An array with other keys.
    Map(Box<Branch>),
}

/// An array with explicit keys under construction.
#[derive(Default)]
struct Branch {
    entries: indexmap::IndexMap<String, Node>,
    /// Key for the next `[]`.
    next_key: NextKey,
}

/// The next free number in an array, starting at 0; `None` if the largest number is used.
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
    /// True if the name has more than [`DEPTH_MAX`] brackets. The indexes are incomplete then.
    is_too_deep: bool,
}

impl Form {
    /// Adds a field with a decoded name. Invalid UTF-8 in the name is replaced.
    pub(crate) fn add(
        &mut self,
        name: &[u8],
        value: Vec<u8>,
        budget: &mut Budget,
    ) -> Result<(), InputTooLarge> {
        let Some(name) = Name::parse(name) else { return Ok(()) };
        if name.is_too_deep {
            // The order of variables has no meaning, and removing one in order would move all behind it.
            self.variables.entries.swap_remove(&name.variable);
            return Ok(());
        }
        let Some(mut node) = self.variables.slot(Some(name.variable), budget)? else { return Ok(()) };
        for index in name.indexes {
            let Some(nested) = node.slot(index, budget)? else { return Ok(()) };
            node = nested;
        }
        budget.take_text(value.len())?;
        *node = Node::Text(value);
        Ok(())
    }

    /// Returns the variables as values.
    pub(crate) fn into_map(self) -> Map {
        self.variables.into_map()
    }
}

impl Node {
    /// Returns the node under `key` of an array, which replaces a text and gets the key if it lacks it. Returns `None`
    /// if there is no number left for a `[]`.
    fn slot(&mut self, key: Option<String>, budget: &mut Budget) -> Result<Option<&mut Self>, InputTooLarge> {
        if matches!(self, Self::Text(_)) {
            budget.take(LIST)?;
            *self = Self::List(Vec::new());
        }
        if let Self::List(list) = self
            && key.as_ref().is_some_and(|key| list_index(key).is_none_or(|index| index > list.len()))
        {
            *self = Self::Map(Box::new(Branch::from_list(std::mem::take(list), budget)?));
        }
        match self {
            Self::Text(_) => Ok(None),
            Self::List(list) => {
                let index = key.as_deref().and_then(list_index).unwrap_or(list.len());
                if index == list.len() {
                    budget.take(LIST_ENTRY)?;
                    list.push(Self::Text(Vec::new()));
                }
                Ok(list.get_mut(index))
            }
            Self::Map(branch) => branch.slot(key, budget),
        }
    }

    /// Converts the node and the nodes in it. Recursive; `DEPTH_MAX` limits the depth.
    fn into_value(self) -> Value {
        match self {
            Self::Text(text) => Value::from_bytes(text),
            Self::List(list) => Value::List(list.into_iter().map(Self::into_value).collect()),
            Self::Map(branch) => Value::from_map(branch.into_map()),
        }
    }
}

/// Returns the index that a key means in a list: digits without leading zeros.
fn list_index(key: &str) -> Option<usize> {
    let is_plain = key == "0" || !key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit());
    key.parse().ok().filter(|_| is_plain)
}

impl Branch {
    fn from_list(list: Vec<Node>, budget: &mut Budget) -> Result<Self, InputTooLarge> {
        budget.take(MAP + list.len() * FORM_ENTRY)?;
        let next_key = NextKey(i64::try_from(list.len()).ok());
        let entries = list.into_iter().enumerate().map(|(index, node)| (index.to_string(), node)).collect();
        Ok(Self { entries, next_key })
    }

    /// Like [`Node::slot`].
    fn slot(&mut self, key: Option<String>, budget: &mut Budget) -> Result<Option<&mut Node>, InputTooLarge> {
        let Some(key) = self.assign_key(key) else { return Ok(None) };
        let node = match self.entries.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                budget.take_text(entry.key().len())?;
                budget.take(FORM_ENTRY)?;
                entry.insert(Node::Text(Vec::new()))
            }
        };
        Ok(Some(node))
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

    fn into_map(self) -> Map {
        self.entries.into_iter().map(|(key, node)| (key, node.into_value())).collect()
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
        let mut variable = variable.to_vec();
        for byte in variable.iter_mut().filter(|byte| matches!(byte, b' ' | b'.')) {
            *byte = b'_';
        }
        let mut name = Self { variable: to_text(variable), indexes: Vec::new(), is_too_deep: false };
        while let [b'[', inner @ ..] = rest {
            if name.indexes.len() == DEPTH_MAX {
                name.is_too_deep = true;
                break;
            }
            let leading_space = usize::from(inner.first().is_some_and(|byte| is_space(*byte)));
            let Some(length) = inner[leading_space..].iter().position(|byte| *byte == b']') else {
                if name.indexes.is_empty() {
                    name.variable.push('_');
                    name.variable.push_str(&String::from_utf8_lossy(inner));
                }
                break;
            };
            name.indexes.push((length > 0).then(|| to_text(inner[..leading_space + length].to_vec())));
            rest = &inner[leading_space + length + 1..];
        }
        Some(name)
    }
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0B
}

/// Replaces invalid UTF-8. Valid bytes are not copied.
fn to_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
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
        parse_query(query.as_bytes()).iter().for_each(|(key, value)| walk(key, value, &mut lines));
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
    fn keys_of_a_list_may_become_explicit() {
        assert_eq!(flatten("a[0]=1&a[1]=2&a[]=3&a[0]=4"), ["a.0=4", "a.1=2", "a.2=3"]);
        assert_eq!(
            flatten("a[]=1&a[]=2&a[3]=3&a[]=4&a[01]=5"),
            ["a.0=1", "a.1=2", "a.3=3", "a.4=4", "a.01=5"]
        );
        assert_eq!(flatten("a[][b]=1&a[0][]=2&a=3&a[x][y]=4"), ["a.x.y=4"]);
        assert_eq!(flatten("a[+0]=1&a[ 1]=2&a[-0]=3"), ["a. 0=1", "a. 1=2", "a.-0=3"]);
    }

    #[test]
    fn depth_is_limited() {
        let deep = |depth: usize, end: &str| format!("a[x]=1&b=2&a{}{end}=3", "[y]".repeat(depth));
        assert_eq!(flatten(&deep(64, "")).len(), 3);
        assert_eq!(flatten(&deep(65, "")), ["b=2"]);
        assert_eq!(flatten(&deep(64, "[z")), ["b=2"]);
        assert_eq!(flatten(&deep(1 << 20, "")), ["b=2"]);
    }

    #[test]
    fn pieces_are_limited_by_their_memory() {
        let parse = |text: &str| super::parse(text.as_bytes(), &mut Budget::new(text.len()));
        assert_eq!(parse(&"customers[]=447121768&".repeat(50_000)).unwrap()["customers"].len(), Some(50_000));
        // As PHP sends what `array_unique` leaves of a list.
        let gaps = (1..=2000).map(|number| format!("customers[{}]={number}", 2 * number));
        let gaps = gaps.collect::<Vec<_>>().join("&");
        assert_eq!(parse(&gaps).unwrap()["customers"].len(), Some(2000));
        for piece in ["a[]&", "a[][]=1&", "a[x][]&a[x][y][]&"] {
            assert_eq!(parse(&piece.repeat(100_000)), Err(InputTooLarge), "{piece}");
        }
        let names = (0..100_000).map(|number| format!("{number:x}")).collect::<Vec<_>>().join("&");
        assert_eq!(parse(&names), Err(InputTooLarge));
        assert!((1000..100_000).contains(&parse_query(names.as_bytes()).len()));
    }
}
