//! Messages for users, by code and language.
//!
//! What belongs here: looking up and filling in the templates in `i18n/`, one line per code. No other file contains the
//! text of a message.

use std::sync::LazyLock;

use serde::Deserialize;

/// A language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Language {
    /// The default.
    #[default]
    Arabic,
    /// Used on request.
    English,
}

impl Language {
    /// Returns the language code, `ar` or `en`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arabic => "ar",
            Self::English => "en",
        }
    }

    /// Returns the language with this code, or `None` if it is not supported.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Arabic, Self::English].into_iter().find(|language| language.as_str() == code)
    }
}

macro_rules! codes {
    ($($variant:ident $key:ident),* $(,)?) => {
        /// The code of a message, independent of language.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum MessageCode {
            $(#[doc = concat!("The key `", stringify!($key), "` in `i18n/`.")] $variant,)*
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            $($key: String,)*
            attributes: std::collections::HashMap<String, String>,
        }

        impl Table {
            fn template(&self, code: MessageCode) -> &str {
                match code { $(MessageCode::$variant => &self.$key,)* }
            }
        }

        #[cfg(test)]
        const ALL: &[MessageCode] = &[$(MessageCode::$variant),*];
    };
}

codes! {
    Required required, RequiredIf required_if, RequiredUnless required_unless, Integer integer, Numeric numeric,
    String string, Array array, In r#in, Exists exists, Unique unique, Email email, Date date, DateFormat date_format,
    MaxString max_string, MaxArray max_array, FirstNameRequired first_name_required,
    LastNameRequired last_name_required, MobileCodeCountryRequired mobile_code_country_required,
    MobileRequired mobile_required, NotFound not_found, DefaultGroupStays default_group_stays,
    FileEmpty file_empty, FileUnsupported file_unsupported, FileColumns file_columns, FileLimits file_limits,
    FileMissingColumns file_missing_columns, FileQuote file_quote, FileEncoding file_encoding,
    NumberChanged number_changed, PhoneLength phone_length, PhoneCountry phone_country,
    UnknownCountry unknown_country, UnknownGroup unknown_group, AmbiguousGroup ambiguous_group,
    HiddenCharacters hidden_characters,
}

fn table(language: Language) -> &'static Table {
    static ARABIC: LazyLock<Table> = LazyLock::new(|| read(include_str!("../../../i18n/ar.toml")));
    static ENGLISH: LazyLock<Table> = LazyLock::new(|| read(include_str!("../../../i18n/en.toml")));
    match language {
        Language::Arabic => &ARABIC,
        Language::English => &ENGLISH,
    }
}

fn read(text: &str) -> Table {
    toml::from_str(text).expect("i18n/ defines every key; a test checks it")
}

/// Returns the message for `code`, with `:placeholders` replaced from `arguments` (names without the colon).
pub fn format_message(language: Language, code: MessageCode, arguments: &[(&str, &str)]) -> String {
    let template = table(language).template(code);
    let mut message = String::with_capacity(template.len() + 32);
    let mut rest = template;
    // A single pass, so that a placeholder inside an argument is not replaced.
    while let Some(colon) = rest.find(':') {
        message.push_str(&rest[..colon]);
        let tail = &rest[colon + 1..];
        let name_length = tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len());
        match arguments.iter().find(|(name, _)| *name == &tail[..name_length]) {
            Some((_, value)) => message.push_str(value),
            None => message.push_str(&rest[colon..=colon + name_length]),
        }
        rest = &tail[name_length..];
    }
    message.push_str(rest);
    message
}

/// Returns the name of a field in a language, or `None` if `i18n/` does not define one.
pub fn field_label(language: Language, field: &str) -> Option<&'static str> {
    table(language).attributes.get(field).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(template: &str) -> Vec<&str> {
        let mut names: Vec<_> = template
            .split(':')
            .skip(1)
            .map(|rest| &rest[..rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len())])
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn both_languages_use_the_same_placeholders() {
        for code in ALL {
            let [arabic, english] =
                [Language::Arabic, Language::English].map(|language| table(language).template(*code));
            let has_field_name = format!("{code:?}").ends_with("Required") && *code != MessageCode::Required;
            // The four messages about customers contain the Arabic name of their field.
            if !has_field_name {
                assert_eq!(placeholders(arabic), placeholders(english), "{code:?}");
            }
        }
    }

    #[test]
    fn placeholders_inside_arguments_are_not_replaced() {
        let text =
            format_message(Language::English, MessageCode::Required, &[("attribute", ":attribute :max")]);
        assert_eq!(text, "The :attribute :max field is required.");
    }
}
