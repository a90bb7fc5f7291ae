//! Normalization: the fields of a valid input that rules know, in the types of the rules.

use crate::number::{to_integer, to_number};
use crate::rule::{Field, Rule, RuleSet};
use crate::{Input, Map, UniqueField, Value};

impl RuleSet {
    /// Returns the fields of an input that has passed [`RuleSet::check`].
    ///
    /// Integers and numbers have their type, whatever the input used. Lists have no keys. Absent fields stay absent. An
    /// object without any known field is left out.
    pub fn normalized(&self, input: &Input) -> Map {
        let top_level = self.fields.iter().filter(|field| !field.path.contains(['.', '*']));
        let value =
            |field: &Field| Some((field.path.to_owned(), self.normalize(field, input.get(field.path)?)?));
        top_level.filter_map(value).collect()
    }

    /// Normalizes the value of a field. Returns `None` to leave it out.
    fn normalize(&self, field: &Field, value: &Value) -> Option<Value> {
        if *value == Value::Null {
            return Some(Value::Null);
        }
        let children = self.children(field.path);
        match children.as_slice() {
            [] => Some(normalize_single(field, value)),
            [(first, _), ..] if first.starts_with('*') => Some(normalize_list(&children, value)),
            _ => {
                let map = self.normalize_object(&children, value);
                (!map.is_empty()).then(|| Value::from_map(map))
            }
        }
    }

    /// Returns the fields one level below a path, each with the rest of its path.
    fn children(&self, path: &str) -> Vec<(&'static str, &Field)> {
        let rest = |field: &'static str| field.strip_prefix(path)?.strip_prefix('.');
        let fields = self.fields.iter().filter_map(|field| Some((rest(field.path)?, field)));
        let is_child = |rest: &str| rest.starts_with('*') || !rest.contains('.');
        fields.filter(|(rest, _)| is_child(rest)).collect()
    }

    fn normalize_object(&self, fields: &[(&str, &Field)], value: &Value) -> Map {
        let entry = |(key, field): &(&str, &Field)| {
            Some(((*key).to_owned(), self.normalize(field, value.get(key)?)?))
        };
        fields.iter().filter_map(entry).collect()
    }
}

/// Normalizes the elements of a list; each is a single value or an object of single values.
fn normalize_list(fields: &[(&str, &Field)], value: &Value) -> Value {
    if let [("*", field)] = fields {
        // A container under the empty key was not checked: the rules do not count it as an element.
        let elements = value.entries().filter(|(key, element)| !(key.is_empty() && element.is_container()));
        return Value::List(elements.map(|(_, element)| normalize_single(field, element)).collect());
    }
    let entry = |rest: &str, field, element: &Value| {
        let key = rest.strip_prefix("*.")?;
        Some((key.to_owned(), normalize_single(field, element.get(key)?)))
    };
    let object = |element| fields.iter().filter_map(|(rest, field)| entry(rest, field, element)).collect();
    Value::List(value.entries().map(|(_, element)| Value::from_map(object(element))).collect())
}

/// Normalizes a value without fields below it.
fn normalize_single(field: &Field, value: &Value) -> Value {
    let converted = if field.has(Rule::Integer) {
        to_integer(value).map(Value::Int)
    } else if field.has(Rule::Unique(UniqueField::Mobile)) {
        // Mobile numbers are compared and stored as text.
        value.text().map(|text| Value::Text(text.into_owned()))
    } else if field.has(Rule::Numeric) {
        to_number(value)
    } else {
        None
    };
    converted.unwrap_or_else(|| value.clone())
}
