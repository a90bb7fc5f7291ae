//! What handlers read of a request's head: its language, what it accepts, the id in its path, the page of a list.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::{FromRequestParts, OriginalUri, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use zumra_core::{Language, Page, PageRequest};
use zumra_validation::Input;

use crate::App;
use crate::envelope::{Listing, Problem};

/// The languages that `Accept-Language` asks for, best first, as far as we speak them.
fn languages(headers: &HeaderMap) -> impl Iterator<Item = Language> {
    let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let mut wanted: Vec<(f32, Language)> = header
        .unwrap_or_default()
        .split(',')
        .filter_map(|item| {
            let (tag, parameters) = item.split_once(';').unwrap_or((item, "q=1"));
            let quality = parameters.trim().strip_prefix("q=")?.parse().ok().filter(|q| *q > 0.0)?;
            let primary = tag.trim().split('-').next()?;
            match primary {
                _ if primary.eq_ignore_ascii_case("ar") => Some((quality, Language::Arabic)),
                _ if primary.eq_ignore_ascii_case("en") => Some((quality, Language::English)),
                _ => None,
            }
        })
        .collect();
    wanted.sort_by(|a, b| b.0.total_cmp(&a.0)); // stable: the order of the header decides between equals
    wanted.into_iter().map(|(_, language)| language)
}

/// The language of sentences about fields: Arabic, unless the client asks for another that we speak.
pub(crate) fn language(headers: &HeaderMap) -> Language {
    languages(headers).next().unwrap_or_default()
}

/// The language of a 404: English, unless the client names Arabic (contract §4.2).
pub(crate) fn language_of_not_found(headers: &HeaderMap) -> Language {
    languages(headers).next().unwrap_or(Language::English)
}

/// Whether `Accept` admits JSON; nothing said admits everything.
pub(crate) fn accepts_json(headers: &HeaderMap) -> bool {
    let mut values =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    values.peek().is_none() || values.flat_map(|value| value.split(',')).any(admits_json)
}

fn admits_json(item: &str) -> bool {
    let mut parts = item.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default().to_ascii_lowercase();
    let refused =
        parts.filter_map(|p| p.strip_prefix("q=")).any(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
    let json = matches!(range.as_str(), "*/*" | "*" | "application/*" | "application/json")
        || range.ends_with("+json");
    json && !refused
}

/// What a list is asked: a page of it, and whatever else stands in the query.
pub(crate) struct ListRequest {
    /// The page.
    pub(crate) page: PageRequest,
    /// The query's fields, the page among them.
    pub(crate) query: Input,
    /// The address of the list, without its query.
    url: String,
    raw_query: Option<String>,
}

impl ListRequest {
    /// The answer: this page of the list.
    pub(crate) fn answer<T, V>(self, found: Page<T>, view: impl FnMut(T) -> V) -> Listing<V> {
        let views = found.items.into_iter().map(view).collect();
        Listing::new(
            Page { items: views, total: found.total },
            self.page,
            &self.url,
            self.raw_query.as_deref(),
        )
    }
}

impl FromRequestParts<App> for ListRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        // The address as it came: nested routes see a part of it only.
        let OriginalUri(uri) = OriginalUri::from_request_parts(parts, app).await?;
        let query = Input::from_query(uri.query().unwrap_or_default());
        let page = PageRequest::from_query(query.text("page").as_deref(), query.text("per_page").as_deref());
        let url = format!("{}{}", app.options.public_url, uri.path());
        Ok(Self { page, query, url, raw_query: uri.query().map(str::to_owned) })
    }
}

/// The id in the path. What is no id is no row either: 404.
pub(crate) struct PathId<T>(pub(crate) T);

impl<T: FromStr> FromRequestParts<App> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let language = language_of_not_found(&parts.headers);
        let Ok(parameters) = RawPathParams::from_request_parts(parts, app).await else {
            return Err(Problem::NotFound(language));
        };
        let id = parameters.iter().next().and_then(|(_, text)| text.parse().ok());
        id.map(Self).ok_or(Problem::NotFound(language))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_best_language_that_we_speak_wins() {
        let read = |value| language(&with(header::ACCEPT_LANGUAGE, value));
        assert_eq!(read("en"), Language::English);
        assert_eq!(read("EN-us, ar;q=0.5"), Language::English);
        assert_eq!(read("ar;q=0.2, en;q=0.8"), Language::English);
        for value in ["", "*", "fr", "fr, ar", "en;q=0", "garbage;;;"] {
            assert_eq!(read(value), Language::Arabic, "{value}");
        }
        assert_eq!(language_of_not_found(&HeaderMap::new()), Language::English);
    }

    #[test]
    fn only_a_client_that_excludes_json_is_refused() {
        let read = |value| accepts_json(&with(header::ACCEPT, value));
        assert!(accepts_json(&HeaderMap::new()));
        for value in
            ["*/*", "text/html, */*;q=0.1", "application/*", "application/json", "application/ld+json"]
        {
            assert!(read(value), "{value}");
        }
        for value in ["text/html", "application/xml, text/*", "application/json;q=0"] {
            assert!(!read(value), "{value}");
        }
    }
}
