//! The language of messages, chosen by `Accept-Language` (contract §1.7).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use zumra_core::Language;

/// The supported language that `Accept-Language` prefers, if it names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PreferredLanguage(Option<Language>);

impl PreferredLanguage {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let mut best: Option<(f32, Language)> = None;
        for (quality, language) in header.unwrap_or_default().split(',').filter_map(read_item) {
            // Of equal qualities the first counts.
            if best.is_none_or(|(best_quality, _)| quality > best_quality) {
                best = Some((quality, language));
            }
        }
        Self(best.map(|(_, language)| language))
    }

    /// Returns the language of messages about fields: Arabic by default.
    pub(crate) fn for_fields(self) -> Language {
        self.0.unwrap_or_default()
    }

    /// Returns the language of a 404: English by default (contract §4.2).
    pub(crate) fn for_not_found(self) -> Language {
        self.0.unwrap_or(Language::English)
    }
}

/// Reads an item as `en-GB;q=0.8`. Returns `None` if its language is not supported, or excluded by `q=0`.
fn read_item(item: &str) -> Option<(f32, Language)> {
    let (tag, parameters) = item.split_once(';').unwrap_or((item, "q=1"));
    let quality = parameters.trim().strip_prefix("q=")?.parse().ok().filter(|quality| *quality > 0.0)?;
    let primary = tag.trim().split('-').next()?;
    [Language::Arabic, Language::English]
        .into_iter()
        .find(|language| primary.eq_ignore_ascii_case(language.as_str()))
        .map(|language| (quality, language))
}

impl<S: Sync> FromRequestParts<S> for PreferredLanguage {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::from_headers(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(value: &'static str) -> PreferredLanguage {
        let header = (header::ACCEPT_LANGUAGE, HeaderValue::from_static(value));
        PreferredLanguage::from_headers(&HeaderMap::from_iter([header]))
    }

    #[test]
    fn supported_language_with_the_highest_quality_is_used() {
        for value in ["en", "EN-us, ar;q=0.5", "ar;q=0.2, en;q=0.8", "en, ar", "fr, en;q=0.1"] {
            assert_eq!(read(value).for_fields(), Language::English, "{value}");
        }
        for value in ["", "*", "fr", "fr, ar", "ar, en", "en;q=0", "garbage;;;"] {
            assert_eq!(read(value).for_fields(), Language::Arabic, "{value}");
        }
    }

    #[test]
    fn not_found_is_english_unless_arabic_is_named() {
        assert_eq!(PreferredLanguage::from_headers(&HeaderMap::new()).for_not_found(), Language::English);
        for (value, language) in [("fr", Language::English), ("ar", Language::Arabic)] {
            assert_eq!(read(value).for_not_found(), language, "{value}");
        }
    }
}
