//! Sentences by code and language. The texts stand in `i18n/`, one line a code; nothing else holds one.

use std::sync::LazyLock;

use serde::Deserialize;

/// A language that answers are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Language {
    /// Arabic, unless somebody asks for another.
    #[default]
    Arabic,
    /// English.
    English,
}

impl Language {
    /// Its code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arabic => "ar",
            Self::English => "en",
        }
    }

    /// The language with this code, if it is one that we speak.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Arabic, Self::English].into_iter().find(|language| language.as_str() == code)
    }
}

macro_rules! codes {
    ($($variant:ident $key:ident),* $(,)?) => {
        /// What a sentence says, without its words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum MessageCode {
            $(#[doc = concat!("`", stringify!($key), "` in `i18n/`")] $variant,)*
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
    String string, Array array, In r#in, Exists exists, Unique unique, Email email, DateFormat date_format,
    MaxString max_string, MaxArray max_array, FirstNameRequired first_name_required,
    LastNameRequired last_name_required, MobileCodeCountryRequired mobile_code_country_required,
    MobileRequired mobile_required, NotFound not_found, DefaultGroupStays default_group_stays,
    FileEmpty file_empty, FileUnsupported file_unsupported, FileColumns file_columns, FileLimits file_limits,
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
    toml::from_str(text).expect("the tables in i18n/ are complete, as a test shows")
}

/// The sentence for `code`, its `:placeholders` filled from `arguments` (names without the colon).
pub fn format_message(language: Language, code: MessageCode, arguments: &[(&str, &str)]) -> String {
    let template = table(language).template(code);
    let mut sentence = String::with_capacity(template.len() + 32);
    let mut rest = template;
    // One pass, so that an argument that looks like a placeholder stays as it is.
    while let Some(colon) = rest.find(':') {
        sentence.push_str(&rest[..colon]);
        let after = &rest[colon + 1..];
        let end = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
        match arguments.iter().find(|(name, _)| *name == &after[..end]) {
            Some((_, value)) => sentence.push_str(value),
            None => sentence.push_str(&rest[colon..=colon + end]),
        }
        rest = &after[end..];
    }
    sentence.push_str(rest);
    sentence
}

/// The word that a language has for a field, if it has one of its own.
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
    fn both_languages_fill_in_the_same_arguments() {
        for code in ALL {
            let [arabic, english] =
                [Language::Arabic, Language::English].map(|language| table(language).template(*code));
            let custom = format!("{code:?}").ends_with("Required") && *code != MessageCode::Required;
            // The four sentences for customers name their field in Arabic words.
            if !custom {
                assert_eq!(placeholders(arabic), placeholders(english), "{code:?}");
            }
        }
    }

    #[test]
    fn arguments_are_not_read_as_templates() {
        let text =
            format_message(Language::English, MessageCode::Required, &[("attribute", ":attribute :max")]);
        assert_eq!(text, "The :attribute :max field is required.");
    }
}
