//! Values of an input: the types that JSON documents and forms have in common.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;

use crate::double::double_text;
use crate::trim::{trim, trim_bytes};

/// Entries by key, in the order of the input.
pub type Map = IndexMap<String, Value>;

/// A value of an input. Texts are trimmed and never empty: a blank text is `Null`.
///
/// To every rule, a list equals a map with the keys 0, 1, 2 and so on. An empty object is an empty list.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, or a blank text.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// Any other number, including infinity.
    Double(f64),
    /// A text, trimmed and not empty.
    Text(String),
    /// A text that is not UTF-8. Only forms can contain one.
    Bytes(Vec<u8>),
    /// Entries without explicit keys.
    List(Vec<Self>),
    /// Entries with keys. Boxed, because long lists of small values are the common case.
    Map(Box<Map>),
}

/// The key of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    Index(usize),
    Name(&'a str),
}

impl Key<'_> {
    pub(crate) fn is_empty(self) -> bool {
        self == Self::Name("")
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => index.fmt(formatter),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

impl Value {
    /// Creates a value from a text of the input: trimmed, and null if nothing remains.
    pub(crate) fn from_text(mut text: String) -> Self {
        let trimmed = trim(&text);
        if trimmed.is_empty() {
            return Self::Null;
        }
        if trimmed.len() < text.len() {
            text = trimmed.to_owned();
        }
        Self::Text(text)
    }

    /// Like [`Value::from_text`] for bytes that may not be UTF-8.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::from_text(text),
            Err(error) => match trim_bytes(error.as_bytes()) {
                [] => Self::Null,
                trimmed => Self::Bytes(trimmed.to_vec()),
            },
        }
    }

    /// Creates an object from its entries.
    pub(crate) fn from_map(map: Map) -> Self {
        if map.is_empty() { Self::List(Vec::new()) } else { Self::Map(Box::new(map)) }
    }

    /// Returns the number of entries, or `None` if this is not a container.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::List(list) => Some(list.len()),
            Self::Map(map) => Some(map.len()),
            _ => None,
        }
    }

    /// Returns true for lists and objects, including empty ones.
    pub(crate) fn is_container(&self) -> bool {
        self.len().is_some()
    }

    /// Returns true for null and empty containers. Blank texts are null already.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::Null || self.len() == Some(0)
    }

    /// Returns the entry with this key. For a list, the key is the index as text.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            Self::List(list) => {
                let index = key.parse::<usize>().ok()?;
                // `01` and `+1` are different keys.
                if index.to_string() == key { list.get(index) } else { None }
            }
            _ => None,
        }
    }

    /// Returns the entry with a key from [`Value::entries`].
    pub(crate) fn get_key(&self, key: Key<'_>) -> Option<&Self> {
        match (self, key) {
            (Self::List(list), Key::Index(index)) => list.get(index),
            (Self::Map(map), Key::Name(name)) => map.get(name),
            _ => None,
        }
    }

    /// Returns the value at a path of keys separated by dots.
    pub(crate) fn get_path(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |value, key| value.get(key))
    }

    /// Returns the entries with their keys; none if this is not a container.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Key<'_>, &Self)> {
        let (list, map) = match self {
            Self::List(list) => (Some(list), None),
            Self::Map(map) => (None, Some(map)),
            _ => (None, None),
        };
        let list = list.into_iter().flatten().enumerate().map(|(index, value)| (Key::Index(index), value));
        list.chain(map.into_iter().flat_map(|map| map.iter()).map(|(key, value)| (Key::Name(key), value)))
    }

    /// Returns a single value as text, converted as in PHP. Returns `None` for containers and bytes.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null | Self::Bool(false) => Some(Cow::Borrowed("")),
            Self::Bool(true) => Some(Cow::Borrowed("1")),
            Self::Int(number) => Some(Cow::Owned(number.to_string())),
            Self::Double(number) => Some(Cow::Owned(double_text(*number))),
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Bytes(_) | Self::List(_) | Self::Map(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_has_at_most_32_bytes() {
        assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
    }

    #[test]
    fn list_entries_are_found_by_index() {
        let list = Value::List(vec![Value::Int(7), Value::List(vec![Value::Bool(true)])]);
        assert_eq!(list.get("0"), Some(&Value::Int(7)));
        assert_eq!(list.get_path("1.0"), Some(&Value::Bool(true)));
        for other in ["01", "+1", "2", "-1", ""] {
            assert_eq!(list.get(other), None, "{other:?}");
        }
    }

    #[test]
    fn texts_are_trimmed_and_blank_texts_are_null() {
        assert_eq!(Value::from_text(" a ".to_owned()), Value::Text("a".to_owned()));
        assert_eq!(Value::from_text("\u{3000}\t".to_owned()), Value::Null);
        assert_eq!(Value::from_bytes(b" \xFF ".to_vec()), Value::Bytes(b"\xFF".to_vec()));
    }
}
