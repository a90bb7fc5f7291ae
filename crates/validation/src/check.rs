//! Runs the rules of a [`RuleSet`] over an input, in the order of Laravel's `Illuminate\Validation\Validator`.
//!
//! Fields without a wildcard are checked first, then fields with one, each expanded over the keys in the input.
//!
//! Keys with a dot or an asterisk behave differently. Laravel masks these characters in attribute names
//! (`Validator::parseData`) and unmasks them before it stores a message (`Validator::addFailure`). A later lookup under
//! the other name finds nothing. `Attribute::is_masked` marks every such case.

use std::borrow::Cow;

use zumra_core::MessageCode;

use crate::Input;
use crate::date::is_date;
use crate::email::is_email;
use crate::lookups::{Entity, LookupResults, Lookups, Recorder, UniqueField};
use crate::number::{is_numeric, to_integer};
use crate::rule::{Field, Rule, RuleSet};
use crate::value::{Key, Value};
use crate::violation::{Argument, FieldError, FieldErrors, FieldName, Violation};

impl RuleSet {
    /// Returns every lookup that [`RuleSet::check`] can make for this input.
    pub fn lookups(&self, input: &Input) -> Lookups {
        let recorder = Recorder::default();
        // Only the recorded lookups matter, not the result.
        let _ = self.check(input, &recorder);
        recorder.into_lookups()
    }

    /// Checks an input. `results` must contain the results of [`RuleSet::lookups`] for the same input.
    ///
    /// # Errors
    /// Returns the violations of every field, in the order of the fields.
    pub fn check(&self, input: &Input, results: &dyn LookupResults) -> Result<(), FieldErrors> {
        let mut errors = Vec::new();
        let (wildcard_fields, plain_fields): (Vec<_>, Vec<_>) =
            self.fields.iter().partition(|field| field.path.contains('*'));
        for field in plain_fields {
            let value = input.root().get_path(field.path);
            errors.extend(Attribute { field, root: input.root(), key: None, value }.check(results));
        }
        for field in wildcard_fields {
            self.for_each_element(field, input.root(), |attribute| errors.extend(attribute.check(results)));
        }
        FieldErrors::ok_if_empty(errors)
    }

    /// Visits the elements that a field with a wildcard stands for, in the order of Laravel.
    ///
    /// `ValidationRuleParser::explodeWildcardRules` matches the path against the keys from
    /// `ValidationData::initializeAndGatherData`: first the flattened data (`Arr::dot`), then the keys that
    /// `extractValuesForWildcards` adds.
    fn for_each_element<'a>(&self, field: &'a Field, root: &'a Value, mut visit: impl FnMut(Attribute<'a>)) {
        let Some((container_path, element_path)) = field.wildcard() else { return };
        let Some(container) = root.get_path(container_path) else { return };
        if self.is_too_long(container_path, container) {
            return;
        }
        let attribute = |key, value| Attribute { field, root, key: Some(key), value };
        // A path that continues after the wildcard: `data_set` adds absent fields, so one pass visits every element.
        // - `conditions.*.type`, {"conditions": [{"type": 1}, {}]}: conditions.0.type, then conditions.1.type
        // - `conditions.*.type`, {"conditions": {"": 5}}: conditions..type
        if !element_path.is_empty() {
            for (key, element) in container.entries() {
                visit(attribute(key, element.get_path(element_path)));
            }
            return;
        }
        // First pass: `Arr::dot` keeps scalars and empty containers. Containers with entries become longer keys.
        // - `customers.*`, {"customers": [[1], "x", []]}: customers.1, then customers.2
        // - `customers.*`, {"customers": {"": 1}}: `customers.`, because `[^\.]*` matches the empty key
        let is_flat = |value: &Value| value.len().is_none_or(|len| len == 0);
        for (key, value) in container.entries().filter(|(_, value)| is_flat(value)) {
            visit(attribute(key, Some(value)));
        }
        // Second pass: `extractValuesForWildcards` shortens the longer keys again.
        // - `customers.*`, {"customers": [[1], "x", []]}: customers.0
        // - `customers.*`, {"customers": {"": [1]}}: nothing, because `[^\.]+` does not match the empty key
        for (key, value) in container.entries().filter(|(key, value)| !is_flat(value) && !key.is_empty()) {
            visit(attribute(key, Some(value)));
        }
    }

    /// Returns true if a container exceeds its [`Rule::MaxItems`], so that its elements are not checked.
    fn is_too_long(&self, path: &str, container: &Value) -> bool {
        let rules = self.fields.iter().filter(|field| field.path == path).flat_map(|field| &field.rules);
        rules.into_iter().any(|rule| matches!(rule, Rule::MaxItems(max) if container.len() > Some(*max)))
    }
}

/// A field without a wildcard, or one element of a field with a wildcard.
struct Attribute<'a> {
    field: &'a Field,
    root: &'a Value,
    /// The key that replaces the wildcard; `None` for a field without one.
    key: Option<Key<'a>>,
    /// `None` if the key is absent from the input.
    value: Option<&'a Value>,
}

impl Attribute<'_> {
    fn check(&self, results: &dyn LookupResults) -> Option<FieldError> {
        if self.value.is_none() && self.field.has(Rule::Sometimes) {
            return None;
        }
        let is_optional = match self.value {
            None => true,
            Some(Value::Null) => self.field.has(Rule::Nullable),
            Some(_) => false,
        };
        let value = self.value.unwrap_or(&Value::Null);
        let mut violations = Vec::new();
        for rule in &self.field.rules {
            // `Validator::hasNotFailedPreviousRuleIfPresenceRule` skips lookups after a violation. It does not find the
            // violation under a masked name.
            let skips_lookup = rule.needs_lookup() && !violations.is_empty() && !self.is_masked();
            if skips_lookup || is_optional && !rule.is_implicit() {
                continue;
            }
            if let Some(violation) = self.apply(*rule, value, results) {
                violations.push(violation);
                if rule.is_implicit() {
                    break;
                }
            }
        }
        (!violations.is_empty()).then(|| FieldError { name: self.name(self.field.path), violations })
    }

    fn apply(&self, rule: Rule, value: &Value, results: &dyn LookupResults) -> Option<Violation> {
        let (passes, code) = match rule {
            Rule::Sometimes | Rule::Nullable => return None,
            Rule::Required(code) => (!value.is_empty(), code),
            Rule::RequiredIf { other, values } => return self.required_if(value, other, values),
            Rule::RequiredUnless { other, values } => return self.required_unless(value, other, values),
            Rule::Integer => (to_integer(value).is_some(), MessageCode::Integer),
            Rule::Numeric => (is_numeric(value), MessageCode::Numeric),
            Rule::Array => (value.is_container(), MessageCode::Array),
            Rule::String => (matches!(value, Value::Text(_) | Value::Bytes(_)), MessageCode::String),
            Rule::MaxLength(max) => return exceeds(length(value), max, MessageCode::MaxString),
            Rule::MaxItems(max) => return exceeds(value.len().unwrap_or(0), max, MessageCode::MaxArray),
            Rule::In(texts) => (value.text().is_some_and(|text| texts.contains(&&*text)), MessageCode::In),
            Rule::Email => (matches!(value, Value::Text(text) if is_email(text)), MessageCode::Email),
            Rule::Exists(entity) => (exists(value, entity, results), MessageCode::Exists),
            Rule::Unique(field) => (!is_used(value, field, results), MessageCode::Unique),
            Rule::Date if matches!(value, Value::Text(text) if is_date(text)) => return None,
            Rule::Date => {
                let format = Argument::from_text("Y-m-d");
                return Some(Violation::new(MessageCode::DateFormat).with_argument("format", format));
            }
        };
        (!passes).then(|| Violation::new(code))
    }

    fn required_if(&self, value: &Value, other: &str, values: &[&str]) -> Option<Violation> {
        if !value.is_empty() || !is_one_of(self.other_value(other), values) {
            return None;
        }
        let name = self.name(other);
        // `ReplacesAttributes::replaceRequiredIf` reads the value under the unmasked name that the message shows.
        // It finds none for a masked key, and the message says "empty".
        let shown = if self.is_masked() { self.root.get_path(&name.key) } else { self.other_value(other) };
        let shown = Argument::from_text(display(shown).into_owned());
        let violation = Violation::new(MessageCode::RequiredIf);
        Some(violation.with_argument("other", Argument::Field(name)).with_argument("value", shown))
    }

    fn required_unless(&self, value: &Value, other: &str, values: &[&str]) -> Option<Violation> {
        if !value.is_empty() || is_one_of(self.other_value(other), values) {
            return None;
        }
        let other = Argument::Field(self.name(other));
        let values = Argument::from_text(values.join(", "));
        let violation = Violation::new(MessageCode::RequiredUnless);
        Some(violation.with_argument("other", other).with_argument("values", values))
    }

    /// Returns the value of another field. Its wildcard stands for the same key as the wildcard of this field.
    fn other_value(&self, path: &str) -> Option<&Value> {
        match (self.key, path.split_once(".*.")) {
            // The empty key does not replace a wildcard in a parameter; see `name`.
            (Some(key), Some((container_path, element_path))) if !key.is_empty() => {
                self.root.get_path(container_path)?.get_key(key)?.get_path(element_path)
            }
            (_, Some(_)) => None,
            (_, None) => self.root.get_path(path),
        }
    }

    /// Returns the name of this field or of a field in a parameter of its rules, with this element's key.
    ///
    /// Built only for violations, because most elements have none.
    fn name(&self, path: &str) -> FieldName {
        let is_own = path == self.field.path;
        let key = match self.key {
            // The key replaces the wildcard.
            // - own path `customers.*`, key 0: `customers.0`
            // - parameter `conditions.*.symbol`, key `a.b`: `conditions.a.b.symbol`
            Some(key) if is_own || !key.is_empty() => path.replacen('*', &key.to_string(), 1),
            // The path is unchanged. `Validator::getExplicitKeys` matches no empty key, so
            // `replaceAsterisksInParameters` keeps the wildcard.
            // - parameter `conditions.*.type`, empty key: `conditions.*.type`
            // - `group_id`, no wildcard: `group_id`
            _ => path.to_owned(),
        };
        // `FormatsMessages::getDisplayableAttribute` shows a name unchanged if `getPrimaryAttribute` knows it or if it
        // equals a path with a wildcard. An unmasked name is not known.
        // - `conditions.0.min_value`: shown as `conditions.0.min_value`
        // - `conditions.a.b.min_value`, key `a.b`: shown as `conditions.a.b.min value`
        // - `customers.*`, key `*`: equals the path, shown as `customers.*`
        let is_element = self.key.is_some() && (!self.is_masked() || key == path);
        FieldName { key, is_element }
    }

    /// Returns true if Laravel masks characters of the key; see the module documentation.
    fn is_masked(&self) -> bool {
        matches!(self.key, Some(Key::Name(key)) if key.contains(['.', '*']))
    }
}

fn exceeds(length: usize, max: usize, code: MessageCode) -> Option<Violation> {
    (length > max).then(|| Violation::new(code).with_argument("max", Argument::from_text(max.to_string())))
}

/// Returns the number of entries of a container, or of characters of a text.
fn length(value: &Value) -> usize {
    match value {
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Bytes(bytes) => count_characters(bytes),
        other => other.text().map_or(0, |text| text.chars().count()),
    }
}

/// Returns the number of characters that PHP's `mb_strlen` counts in invalid UTF-8.
///
/// A leading byte counts as one character together with the bytes that it announces, whatever these are.
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

/// Returns a value as messages show it (`FormatsMessages::getDisplayableValue`).
fn display(value: Option<&Value>) -> Cow<'_, str> {
    match value {
        None | Some(Value::Null) => "empty".into(),
        Some(Value::Bool(value)) => value.to_string().into(),
        Some(Value::List(_) | Value::Map(_)) => "array".into(),
        Some(other) => other.text().unwrap_or_default(),
    }
}

/// Returns true if a row with this id exists. In a container, every entry must exist.
///
/// Only elements with a masked key reach this rule as containers: others have violated [`Rule::Integer`] before.
fn exists(value: &Value, entity: Entity, results: &dyn LookupResults) -> bool {
    if value.is_container() {
        return value.entries().all(|(_, entry)| !entry.is_container() && exists(entry, entity, results));
    }
    to_integer(value).is_some_and(|id| results.exists(entity, id))
}

fn is_used(value: &Value, field: UniqueField, results: &dyn LookupResults) -> bool {
    value.text().is_some_and(|text| match field {
        UniqueField::Email => results.is_used(field, &text.to_lowercase()),
        UniqueField::Mobile => results.is_used(field, &text),
    })
}
