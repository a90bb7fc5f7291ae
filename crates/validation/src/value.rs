//! Values as rules see them: the few types that a JSON document and a form have in common.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;

use crate::number;
use crate::trim::{trim, trim_bytes};

/// Members by key, in the order of the input.
pub type Map = IndexMap<String, Value>;

/// A value of the input. Texts are trimmed and never empty: a blank one is `Null`.
///
/// A list and a map whose keys count from 0 are the same thing to every rule. An empty object is an empty list.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, or a text with nothing in it.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits in 64 bits.
    Int(i64),
    /// Every other number, infinity among them.
    Double(f64),
    /// A text.
    Text(String),
    /// A text that is no UTF-8. Only a form can hold one.
    Bytes(Vec<u8>),
    /// Members without keys of their own.
    List(Vec<Self>),
    /// Members with keys. Boxed, because long lists of small values are the common case.
    Map(Box<Map>),
}

/// The key of a member.
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => index.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Value {
    /// A text as the input gave it: trimmed, and null when that leaves nothing.
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

    /// The same for bytes that may be no UTF-8.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::from_text(text),
            Err(error) => match trim_bytes(error.as_bytes()) {
                [] => Self::Null,
                trimmed => Self::Bytes(trimmed.to_vec()),
            },
        }
    }

    /// An object with these members.
    pub(crate) fn from_map(map: Map) -> Self {
        if map.is_empty() { Self::List(Vec::new()) } else { Self::Map(Box::new(map)) }
    }

    /// How many members there are, if this can have members.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::List(list) => Some(list.len()),
            Self::Map(map) => Some(map.len()),
            _ => None,
        }
    }

    /// Whether this is a list or an object, with members or without.
    pub(crate) fn is_container(&self) -> bool {
        self.len().is_some()
    }

    /// Null, and a list or object without members. Blank texts are null already.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::Null || self.len() == Some(0)
    }

    /// The member with this key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            Self::List(list) => {
                let index = key.parse::<usize>().ok()?;
                // `01` and `+1` are other keys.
                if index.to_string() == key { list.get(index) } else { None }
            }
            _ => None,
        }
    }

    /// The member that a key of [`Value::members`] belongs to.
    pub(crate) fn member(&self, key: Key<'_>) -> Option<&Self> {
        match (self, key) {
            (Self::List(list), Key::Index(index)) => list.get(index),
            (Self::Map(map), Key::Name(name)) => map.get(name),
            _ => None,
        }
    }

    /// The value at the end of a path of keys with dots between them.
    pub(crate) fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |value, key| value.get(key))
    }

    /// The members with their keys; none if this cannot have members.
    pub(crate) fn members(&self) -> impl Iterator<Item = (Key<'_>, &Self)> {
        let (list, map) = match self {
            Self::List(list) => (Some(list), None),
            Self::Map(map) => (None, Some(map)),
            _ => (None, None),
        };
        let list = list.into_iter().flatten().enumerate().map(|(i, value)| (Key::Index(i), value));
        list.chain(map.into_iter().flat_map(|map| map.iter()).map(|(key, value)| (Key::Name(key), value)))
    }

    /// The text that PHP makes of a single value; lists and objects have none, and bytes none that is a text.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null | Self::Bool(false) => Some(Cow::Borrowed("")),
            Self::Bool(true) => Some(Cow::Borrowed("1")),
            Self::Int(number) => Some(Cow::Owned(number.to_string())),
            Self::Double(number) => Some(Cow::Owned(number::double_text(*number))),
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Bytes(_) | Self::List(_) | Self::Map(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_small() {
        assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
    }

    #[test]
    fn a_list_is_a_map_with_counted_keys() {
        let list = Value::List(vec![Value::Int(7), Value::List(vec![Value::Bool(true)])]);
        assert_eq!(list.get("0"), Some(&Value::Int(7)));
        assert_eq!(list.at("1.0"), Some(&Value::Bool(true)));
        for other in ["01", "+1", "2", "-1", ""] {
            assert_eq!(list.get(other), None, "{other:?}");
        }
    }

    #[test]
    fn texts_are_trimmed_and_blank_ones_null() {
        assert_eq!(Value::from_text(" a ".to_owned()), Value::Text("a".to_owned()));
        assert_eq!(Value::from_text("\u{3000}\t".to_owned()), Value::Null);
        assert_eq!(Value::from_bytes(b" \xFF ".to_vec()), Value::Bytes(b"\xFF".to_vec()));
    }
}
