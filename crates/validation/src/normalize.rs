//! What an operation acts on: the fields that rules know, in the types that the rules ask for.

use crate::number::{integer, number};
use crate::rule::{Field, Rule, RuleSet};
use crate::{Input, Map, UniqueField, Value};

impl RuleSet {
    /// The checked fields of an input that [`RuleSet::check`] has passed. Integers and numbers are that whatever they
    /// were written as; lists have no keys; what is absent stays absent. An object with no field that the rules know
    /// is left out.
    pub fn normalized(&self, input: &Input) -> Map {
        let plain = self.fields.iter().filter(|field| !field.path.contains(['.', '*']));
        let value =
            |field: &Field| Some((field.path.to_owned(), self.normalize(field, input.get(field.path)?)?));
        plain.filter_map(value).collect()
    }

    /// A value under its field; none if it is to be left out.
    fn normalize(&self, field: &Field, value: &Value) -> Option<Value> {
        if *value == Value::Null {
            return Some(Value::Null);
        }
        let below = self.below(field.path);
        match below.as_slice() {
            [] => Some(single(field, value)),
            [(first, _), ..] if first.starts_with('*') => Some(list(&below, value)),
            _ => {
                let map = self.object(&below, value);
                (!map.is_empty()).then(|| Value::from_map(map))
            }
        }
    }

    /// Fields one step below a path, with the rest of their paths.
    fn below(&self, path: &str) -> Vec<(&'static str, &Field)> {
        let rest = |field: &'static str| field.strip_prefix(path)?.strip_prefix('.');
        let fields = self.fields.iter().filter_map(|field| Some((rest(field.path)?, field)));
        let is_next = |rest: &str| rest.starts_with('*') || !rest.contains('.');
        fields.filter(|(rest, _)| is_next(rest)).collect()
    }

    fn object(&self, fields: &[(&str, &Field)], value: &Value) -> Map {
        let member = |(key, field): &(&str, &Field)| {
            Some(((*key).to_owned(), self.normalize(field, value.get(key)?)?))
        };
        fields.iter().filter_map(member).collect()
    }
}

/// The elements of a list, each a single value or an object of single values.
fn list(fields: &[(&str, &Field)], value: &Value) -> Value {
    if let [("*", field)] = fields {
        // A list under the empty key is no element to the rules: nobody has looked at it.
        let elements = value.members().filter(|(key, element)| !(key.is_empty() && element.is_container()));
        return Value::List(elements.map(|(_, element)| single(field, element)).collect());
    }
    let member = |rest: &str, field, element: &Value| {
        let key = rest.strip_prefix("*.")?;
        Some((key.to_owned(), single(field, element.get(key)?)))
    };
    let object = |element| fields.iter().filter_map(|(rest, field)| member(rest, field, element)).collect();
    Value::List(value.members().map(|(_, element)| Value::from_map(object(element))).collect())
}

/// A value that has no fields below it.
fn single(field: &Field, value: &Value) -> Value {
    let converted = if field.has(Rule::Integer) {
        integer(value).map(Value::Int)
    } else if field.has(Rule::Unique(UniqueField::Mobile)) {
        // A mobile number is compared as text, and kept as what is compared.
        value.text().map(|text| Value::Text(text.into_owned()))
    } else if field.has(Rule::Numeric) {
        number(value)
    } else {
        None
    };
    converted.unwrap_or_else(|| value.clone())
}
