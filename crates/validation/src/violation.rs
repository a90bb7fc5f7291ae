//! Violations: message codes with arguments, grouped by field, and the messages rendered from them.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use zumra_core::message::{field_label, format_message};
use zumra_core::{Language, MessageCode};

/// A rule that a field violates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Code of the message.
    pub code: MessageCode,
    /// Arguments of the message by name, without `attribute`, the name of the field.
    pub arguments: Vec<(&'static str, Argument)>,
}

/// An argument of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// The same text in every language.
    Text(Cow<'static, str>),
    /// The name of a field, which depends on the language.
    Field(FieldName),
}

/// The name of a field in an error response and in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldName {
    /// Path of keys separated by dots; the key in the error response.
    pub key: String,
    /// True if messages show the key unchanged, as for elements of a list.
    pub is_element: bool,
}

/// A field with its violations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Name of the field.
    pub name: FieldName,
    /// Violations in the order of the rules; never empty.
    pub violations: Vec<Violation>,
}

/// Fields with violations, in the order of the rule set. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldName {
    /// Returns the name that messages show: the one in `i18n/`, or else the key. The key is split into words, except
    /// for an element of a list.
    ///
    /// See Laravel's `FormatsMessages::getDisplayableAttribute`.
    pub fn label(&self, language: Language) -> Cow<'_, str> {
        if let Some(label) = field_label(language, &self.key) {
            return Cow::Borrowed(label);
        }
        if self.is_element { Cow::Borrowed(&self.key) } else { Cow::Owned(to_words(&self.key)) }
    }
}

/// Splits a key into words, like Laravel's `Str::snake` with spaces.
///
/// Underscores become spaces. Capitals, and letters after white space, start a new word. White space is removed.
fn to_words(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    let mut starts_word = true;
    for character in key.chars() {
        let is_start = character.is_ascii_uppercase() || starts_word && character.is_ascii_lowercase();
        starts_word = matches!(character, ' ' | '\t' | '\r' | '\n' | '\u{C}' | '\u{B}');
        if character.is_whitespace() {
            continue;
        }
        if is_start && !text.is_empty() {
            text.push(' ');
        }
        text.extend(character.to_lowercase());
    }
    text.replace('_', " ")
}

impl Violation {
    pub(crate) fn new(code: MessageCode) -> Self {
        Self { code, arguments: Vec::new() }
    }

    pub(crate) fn with_argument(mut self, name: &'static str, argument: Argument) -> Self {
        self.arguments.push((name, argument));
        self
    }

    /// Returns the message for this violation of `field`.
    pub fn message(&self, language: Language, field: &FieldName) -> String {
        let label = field.label(language);
        let texts: Vec<(&str, Cow<'_, str>)> =
            self.arguments.iter().map(|(name, argument)| (*name, argument.text(language))).collect();
        let mut arguments = vec![("attribute", &*label)];
        arguments.extend(texts.iter().map(|(name, text)| (*name, &**text)));
        format_message(language, self.code, &arguments)
    }
}

impl Argument {
    pub(crate) fn from_text(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Text(text.into())
    }

    fn text(&self, language: Language) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Field(name) => name.label(language),
        }
    }
}

impl FieldError {
    fn single(key: &str, code: MessageCode) -> Self {
        let name = FieldName { key: key.to_owned(), is_element: false };
        Self { name, violations: vec![Violation::new(code)] }
    }
}

impl FieldErrors {
    /// Returns `Ok` if `errors` is empty, and the errors otherwise.
    pub(crate) fn ok_if_empty(errors: Vec<FieldError>) -> Result<(), Self> {
        debug_assert!(errors.iter().all(|error| !error.violations.is_empty()), "field without violations");
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// Creates an error with one violation of one field, for checks outside of the rules.
    pub fn single(key: &str, code: MessageCode) -> Self {
        Self(vec![FieldError::single(key, code)])
    }

    /// Returns `Ok` if `invalid` is empty, and otherwise one violation for each of its fields, for checks outside of the
    /// rules.
    pub fn from_codes<'a>(invalid: impl IntoIterator<Item = (&'a str, MessageCode)>) -> Result<(), Self> {
        Self::ok_if_empty(invalid.into_iter().map(|(key, code)| FieldError::single(key, code)).collect())
    }

    /// Creates an error with violations of one field, whose messages have the given arguments.
    pub fn of_field(
        key: &str,
        violations: impl IntoIterator<Item = (MessageCode, Vec<(&'static str, String)>)>,
    ) -> Self {
        let name = FieldName { key: key.to_owned(), is_element: false };
        let violation = |(code, arguments): (MessageCode, Vec<(&'static str, String)>)| {
            arguments.into_iter().fold(Violation::new(code), |violation, (name, text)| {
                violation.with_argument(name, Argument::from_text(text))
            })
        };
        Self(vec![FieldError { name, violations: violations.into_iter().map(violation).collect() }])
    }

    /// Returns the fields with violations.
    pub fn iter(&self) -> impl Iterator<Item = &FieldError> {
        self.0.iter()
    }

    /// Returns the number of fields with violations, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns each field with its messages.
    pub fn messages(&self, language: Language) -> impl Iterator<Item = (&str, Vec<String>)> {
        self.0.iter().map(move |error| {
            let messages = error.violations.iter().map(|violation| violation.message(language, &error.name));
            (error.name.key.as_str(), messages.collect())
        })
    }

    /// Returns the messages as a serializable object: field names with lists of messages.
    pub fn localized(&self, language: Language) -> Localized<'_> {
        Localized { errors: self, language }
    }
}

/// [`FieldErrors`] in one language. Serializes as an object in the order of the errors.
#[derive(Debug, Clone, Copy)]
pub struct Localized<'a> {
    errors: &'a FieldErrors,
    language: Language,
}

impl Serialize for Localized<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.errors.len()))?;
        for (field, messages) in self.errors.messages(self.language) {
            map.serialize_entry(field, &messages)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: &str, is_element: bool) -> FieldName {
        FieldName { key: key.to_owned(), is_element }
    }

    #[test]
    fn label_depends_on_language_and_kind_of_field() {
        let label = |key, is_element, language| name(key, is_element).label(language).into_owned();
        assert_eq!(label("group_id", false, Language::English), "group id");
        assert_eq!(label("features.payment_method", false, Language::English), "features.payment method");
        assert_eq!(label("conditions.a_b.min_value", true, Language::Arabic), "conditions.a_b.min_value");
        assert_eq!(label("first_name", false, Language::Arabic), "الاسم");
        assert_eq!(label("customers.A.b cD", false, Language::English), "customers. a.b c d");
    }

    #[test]
    fn errors_serialize_in_field_order() {
        let error = |key, violations| FieldError { name: name(key, false), violations };
        let max = Violation::new(MessageCode::MaxString).with_argument("max", Argument::from_text("25"));
        let errors = FieldErrors(vec![
            error("z", vec![Violation::new(MessageCode::String), max]),
            error("group_id", vec![Violation::new(MessageCode::Required)]),
        ]);
        assert_eq!(
            serde_json::to_string(&errors.localized(Language::English)).unwrap(),
            r#"{"z":["The z must be a string.","The z may not be greater than 25 characters."],"group_id":["The group id field is required."]}"#
        );
    }
}
