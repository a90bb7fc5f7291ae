//! Running rules over an input.
//!
//! Fields without a wildcard come first, then those with one, each expanded over the keys that are there. Keys that
//! hold a dot or an asterisk are the one oddity: Laravel masks them in its paths and unmasks them in its messages, so
//! what it looks up by a message it does not find again. `Attribute::is_masked` marks every place where that shows.

use std::borrow::Cow;

use zumra_core::MessageCode;

use crate::Input;
use crate::date::is_date;
use crate::email::is_email;
use crate::lookups::{Entity, LookupResults, Lookups, Recorder, UniqueField};
use crate::number::{integer, is_numeric};
use crate::rule::{Field, Rule, RuleSet};
use crate::value::{Key, Value};
use crate::violation::{Argument, FieldError, FieldErrors, FieldName, Violation};

impl RuleSet {
    /// What the rules would ask of the storage: everything that [`RuleSet::check`] can ask for this input.
    pub fn lookups(&self, input: &Input) -> Lookups {
        let recorder = Recorder::default();
        // Only the questions matter here.
        let _ = self.check(input, &recorder);
        recorder.into_lookups()
    }

    /// Checks an input.
    pub fn check(&self, input: &Input, facts: &dyn LookupResults) -> Result<(), FieldErrors> {
        let mut errors = Vec::new();
        let (elements, plain): (Vec<_>, Vec<_>) =
            self.fields.iter().partition(|field| field.path.contains('*'));
        for field in plain {
            let value = input.root().at(field.path);
            errors.extend(Attribute { field, root: input.root(), key: None, value }.check(facts));
        }
        for field in elements {
            self.for_each_element(field, input.root(), |attribute| errors.extend(attribute.check(facts)));
        }
        FieldErrors::new(errors)
    }

    /// Expands a field with a wildcard.
    fn for_each_element<'a>(&self, field: &'a Field, root: &'a Value, mut visit: impl FnMut(Attribute<'a>)) {
        let Some((list, after)) = field.wildcard() else { return };
        let Some(container) = root.at(list).filter(|container| !self.is_too_long(list, container)) else {
            return;
        };
        let attribute = |key, value| Attribute { field, root, key: Some(key), value };
        if !after.is_empty() {
            container.members().for_each(|(key, element)| visit(attribute(key, element.at(after))));
            return;
        }
        // Laravel looks for elements in the flattened list. One that has members is not in it, since its members are;
        // such elements are found in a second pass, which sees no empty key.
        let is_flat = |value: &Value| value.len().is_none_or(|len| len == 0);
        for (key, value) in container.members().filter(|(_, value)| is_flat(value)) {
            visit(attribute(key, Some(value)));
        }
        for (key, value) in container.members().filter(|(key, value)| !is_flat(value) && !key.is_empty()) {
            visit(attribute(key, Some(value)));
        }
    }

    /// Whether a list has crossed its limit, so that its elements are not looked at.
    fn is_too_long(&self, list: &str, container: &Value) -> bool {
        let rules = self.fields.iter().filter(|field| field.path == list).flat_map(|field| &field.rules);
        rules.into_iter().any(|rule| matches!(rule, Rule::MaxItems(max) if container.len() > Some(*max)))
    }
}

/// A field without a wildcard, or one element that a wildcard stands for.
struct Attribute<'a> {
    field: &'a Field,
    root: &'a Value,
    /// What the wildcard stands for.
    key: Option<Key<'a>>,
    /// None if the key is absent.
    value: Option<&'a Value>,
}

impl Attribute<'_> {
    fn check(&self, facts: &dyn LookupResults) -> Option<FieldError> {
        if self.value.is_none() && self.field.has(Rule::Sometimes) {
            return None;
        }
        let is_skipped = match self.value {
            None => true,
            Some(Value::Null) => self.field.has(Rule::Nullable),
            Some(_) => false,
        };
        let value = self.value.unwrap_or(&Value::Null);
        let mut violations = Vec::new();
        for rule in &self.field.rules {
            let is_quiet = rule.asks() && !violations.is_empty() && !self.is_masked();
            if is_quiet || is_skipped && !rule.is_implicit() {
                continue;
            }
            if let Some(failure) = self.failure(*rule, value, facts) {
                violations.push(failure);
                if rule.is_implicit() {
                    break;
                }
            }
        }
        (!violations.is_empty()).then(|| FieldError { name: self.name(self.field.path), violations })
    }

    fn failure(&self, rule: Rule, value: &Value, facts: &dyn LookupResults) -> Option<Violation> {
        let (passes, code) = match rule {
            Rule::Sometimes | Rule::Nullable => return None,
            Rule::Required(code) => (!value.is_empty(), code),
            Rule::RequiredIf { other, values } => return self.required_if(value, other, values),
            Rule::RequiredUnless { other, values } => return self.required_unless(value, other, values),
            Rule::Integer => (integer(value).is_some(), MessageCode::Integer),
            Rule::Numeric => (is_numeric(value), MessageCode::Numeric),
            Rule::Array => (value.is_container(), MessageCode::Array),
            Rule::String => (matches!(value, Value::Text(_) | Value::Bytes(_)), MessageCode::String),
            Rule::MaxLength(max) => return exceeds(length(value), max, MessageCode::MaxString),
            Rule::MaxItems(max) => return exceeds(value.len().unwrap_or(0), max, MessageCode::MaxArray),
            Rule::In(texts) => (value.text().is_some_and(|text| texts.contains(&&*text)), MessageCode::In),
            Rule::Email => (matches!(value, Value::Text(text) if is_email(text)), MessageCode::Email),
            Rule::Exists(table) => (exists(value, table, facts), MessageCode::Exists),
            Rule::Unique(column) => (!is_used(value, column, facts), MessageCode::Unique),
            Rule::Date if matches!(value, Value::Text(text) if is_date(text)) => return None,
            Rule::Date => {
                return Some(
                    Violation::new(MessageCode::DateFormat).with("format", Argument::from_text("Y-m-d")),
                );
            }
        };
        (!passes).then(|| Violation::new(code))
    }

    fn required_if(&self, value: &Value, other: &str, values: &[&str]) -> Option<Violation> {
        if !value.is_empty() || !is_one_of(self.other(other), values) {
            return None;
        }
        let name = self.name(other);
        // The message looks the value up by the name that it shows.
        let shown = if self.is_masked() { self.root.at(&name.key) } else { self.other(other) };
        let shown = Argument::from_text(display(shown).into_owned());
        Some(
            Violation::new(MessageCode::RequiredIf).with("other", Argument::Field(name)).with("value", shown),
        )
    }

    fn required_unless(&self, value: &Value, other: &str, values: &[&str]) -> Option<Violation> {
        if !value.is_empty() || is_one_of(self.other(other), values) {
            return None;
        }
        let values = Argument::from_text(values.join(", "));
        Some(
            Violation::new(MessageCode::RequiredUnless)
                .with("other", Argument::Field(self.name(other)))
                .with("values", values),
        )
    }

    /// The value of another field, whose wildcard stands for what this one's does.
    fn other(&self, path: &str) -> Option<&Value> {
        match (self.key, path.split_once(".*.")) {
            // The empty key is put in for no wildcard.
            (Some(key), Some((list, after))) if !key.is_empty() => self.root.at(list)?.member(key)?.at(after),
            (_, Some(_)) => None,
            (_, None) => self.root.at(path),
        }
    }

    /// The name of a field whose wildcard stands for what this one's does. Names are made when something failed.
    fn name(&self, path: &str) -> FieldName {
        let is_own = path == self.field.path;
        let key = match self.key {
            Some(key) if is_own || !key.is_empty() => path.replacen('*', &key.to_string(), 1),
            _ => path.to_owned(),
        };
        // Unmasked, a key is a part of no wildcard any more: unless it is the wildcard.
        FieldName { is_element: self.key.is_some() && (!self.is_masked() || key == path), key }
    }

    fn is_masked(&self) -> bool {
        matches!(self.key, Some(Key::Name(key)) if key.contains(['.', '*']))
    }
}

fn exceeds(length: usize, max: usize, code: MessageCode) -> Option<Violation> {
    (length > max).then(|| Violation::new(code).with("max", Argument::from_text(max.to_string())))
}

/// Members of a list or object, or else characters of the text.
fn length(value: &Value) -> usize {
    match value {
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Bytes(bytes) => count_characters(bytes),
        other => other.text().map_or(0, |text| text.chars().count()),
    }
}

/// The characters that bytes begin, whether or not they go on to end them: a leading byte takes those after it with it.
fn count_characters(bytes: &[u8]) -> usize {
    let (mut count, mut position) = (0, 0);
    while let Some(byte) = bytes.get(position) {
        position += match byte {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            _ => 1,
        };
        count += 1;
    }
    count
}

fn is_one_of(value: Option<&Value>, values: &[&str]) -> bool {
    match value {
        Some(value @ (Value::Int(_) | Value::Double(_) | Value::Text(_))) => {
            value.text().is_some_and(|text| values.contains(&&*text))
        }
        _ => false,
    }
}

/// A value as messages show it.
fn display(value: Option<&Value>) -> Cow<'_, str> {
    match value {
        None | Some(Value::Null) => "empty".into(),
        Some(Value::Bool(value)) => value.to_string().into(),
        Some(Value::List(_) | Value::Map(_)) => "array".into(),
        Some(other) => other.text().unwrap_or_default(),
    }
}

/// Of a list or object every member must exist. No list comes here that failed before, so only the elements whose keys
/// are masked do.
fn exists(value: &Value, table: Entity, facts: &dyn LookupResults) -> bool {
    if value.is_container() {
        return value.members().all(|(_, member)| !member.is_container() && exists(member, table, facts));
    }
    integer(value).is_some_and(|id| facts.exists(table, id))
}

fn is_used(value: &Value, column: UniqueField, facts: &dyn LookupResults) -> bool {
    value.text().is_some_and(|text| match column {
        UniqueField::Email => facts.is_used(column, &text.to_lowercase()),
        UniqueField::Mobile => facts.is_used(column, &text),
    })
}
