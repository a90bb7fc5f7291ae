//! What is wrong with an input: codes with arguments, and the sentences that they become.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use zumra_core::message::{field_label, format_message};
use zumra_core::{Language, MessageCode};

/// One failure of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What failed.
    pub code: MessageCode,
    /// The arguments of its sentence by name, that of the field aside.
    pub arguments: Vec<(&'static str, Argument)>,
}

/// An argument of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A text that is the same in every language.
    Text(Cow<'static, str>),
    /// The name of a field.
    Field(FieldName),
}

/// The name of a field: as a key of the answer, and as sentences show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldName {
    /// Keys with dots between them.
    pub key: String,
    /// Whether sentences show the key as it stands, as they do for elements of a list.
    pub is_element: bool,
}

/// A field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field.
    pub name: FieldName,
    /// At least one failure, in the order of the rules.
    pub violations: Vec<Violation>,
}

/// What is wrong with an input, in the order of the rules. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldName {
    /// The name in a sentence: the language's own word, or the key, or the words of the key.
    pub fn label(&self, language: Language) -> Cow<'_, str> {
        if let Some(word) = field_label(language, &self.key) {
            return Cow::Borrowed(word);
        }
        if self.is_element { Cow::Borrowed(&self.key) } else { Cow::Owned(words(&self.key)) }
    }
}

/// The words of a key: underscores become spaces. A key that comes from the input may also be in camel case or have
/// white space; then each capital begins a word, the first letter after white space counts as one, and the white space
/// goes.
fn words(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    let mut starts_word = true;
    for c in key.chars() {
        let begins = c.is_ascii_uppercase() || starts_word && c.is_ascii_lowercase();
        starts_word = matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{C}' | '\u{B}');
        if c.is_whitespace() {
            continue;
        }
        if begins && !text.is_empty() {
            text.push(' ');
        }
        text.extend(c.to_lowercase());
    }
    text.replace('_', " ")
}

impl Violation {
    pub(crate) fn new(code: MessageCode) -> Self {
        Self { code, arguments: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, argument: Argument) -> Self {
        self.arguments.push((name, argument));
        self
    }

    /// The sentence that says this of `field`.
    pub fn sentence(&self, language: Language, field: &FieldName) -> String {
        let label = field.label(language);
        let labels: Vec<(&str, Cow<'_, str>)> =
            self.arguments.iter().map(|(name, argument)| (*name, argument.text(language))).collect();
        let mut arguments = vec![("attribute", &*label)];
        arguments.extend(labels.iter().map(|(name, text)| (*name, &**text)));
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

impl FieldErrors {
    /// These errors, if there are any.
    pub(crate) fn new(errors: Vec<FieldError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// One field with one failure, for what a rule cannot see.
    pub fn single(key: &str, code: MessageCode) -> Self {
        let name = FieldName { key: key.to_owned(), is_element: false };
        Self(vec![FieldError { name, violations: vec![Violation::new(code)] }])
    }

    /// The fields that something is wrong with.
    pub fn iter(&self) -> impl Iterator<Item = &FieldError> {
        self.0.iter()
    }

    /// How many fields there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each field with its sentences.
    pub fn messages(&self, language: Language) -> impl Iterator<Item = (&str, Vec<String>)> {
        self.0.iter().map(move |error| {
            let sentences = error.violations.iter().map(|failure| failure.sentence(language, &error.name));
            (error.name.key.as_str(), sentences.collect())
        })
    }

    /// The same as an object to serialise: keys are fields, values are lists of sentences.
    pub fn localized(&self, language: Language) -> Localized<'_> {
        Localized { errors: self, language }
    }
}

/// [`FieldErrors`] in a language. Serialises as an object in the order of the errors.
#[derive(Debug, Clone, Copy)]
pub struct Localized<'a> {
    errors: &'a FieldErrors,
    language: Language,
}

impl Serialize for Localized<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.errors.len()))?;
        for (field, sentences) in self.errors.messages(self.language) {
            map.serialize_entry(field, &sentences)?;
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
    fn labels() {
        let label = |key, is_element, language| name(key, is_element).label(language).into_owned();
        assert_eq!(label("group_id", false, Language::English), "group id");
        assert_eq!(label("features.payment_method", false, Language::English), "features.payment method");
        assert_eq!(label("conditions.a_b.min_value", true, Language::Arabic), "conditions.a_b.min_value");
        assert_eq!(label("first_name", false, Language::Arabic), "الاسم");
        assert_eq!(label("customers.A.b cD", false, Language::English), "customers. a.b c d");
    }

    #[test]
    fn errors_serialise_in_their_order() {
        let error = |key, violations| FieldError { name: name(key, false), violations };
        let max = Violation::new(MessageCode::MaxString).with("max", Argument::from_text("25"));
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
