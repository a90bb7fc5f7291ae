//! Extractors for what is not in the body: the id in the path, the page of a list, and `Accept`.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::{FromRequestParts, OriginalUri, RawPathParams};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Request, Version, header};
use zumra_core::{Page, PageRequest};
use zumra_validation::{Input, Value};

use crate::app::App;
use crate::envelope::Listing;
use crate::problem::Problem;

/// Marks a request whose `Host` is not valid. Requests without a connection have no mark.
#[derive(Clone)]
pub(crate) struct InvalidHost;

/// Returns true if `Host` is as HTTP requires: exactly one with HTTP/1.1, at most one before, and an authority or empty.
pub(crate) fn has_valid_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let Some(host) = hosts.next() else { return request.version() < Version::HTTP_11 };
    let is_authority = |host: &[u8]| !host.contains(&b'@') && Authority::try_from(host).is_ok();
    hosts.next().is_none() && (host.is_empty() || is_authority(host.as_bytes()))
}

/// Returns true if `Accept` admits JSON. An empty list, or no list, admits everything.
pub(crate) fn accepts_json(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut items =
        values.flat_map(|value| value.split(',')).map(str::trim).filter(|item| !item.is_empty()).peekable();
    items.peek().is_none() || items.any(admits_json)
}

fn admits_json(item: &str) -> bool {
    let mut parts = item.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_excluded = parts
        .filter_map(|parameter| parameter.strip_prefix("q="))
        .any(|quality| quality.parse::<f32>().is_ok_and(|quality| quality <= 0.0));
    let is_json = matches!(range.as_str(), "*/*" | "*" | "application/*" | "application/json")
        || range.ends_with("+json");
    is_json && !is_excluded
}

/// The id in the path. A segment that is not an id names no row: 404.
pub(crate) struct PathId<T>(pub(crate) T);

impl<T: FromStr> FromRequestParts<App> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let parameters =
            RawPathParams::from_request_parts(parts, app).await.map_err(|_| Problem::NotFound)?;
        let id = parameters.iter().next().and_then(|(_, text)| text.parse().ok());
        id.map(Self).ok_or(Problem::NotFound)
    }
}

/// A request for one page of a list.
pub(crate) struct ListRequest {
    /// The page.
    pub(crate) page: PageRequest,
    /// All parameters of the query string.
    pub(crate) query: Input,
    /// The URL of the list, without its query string.
    url: String,
    raw_query: Option<String>,
}

/// A query parameter that filters a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterParameter<'r> {
    /// Absent or blank: no filter.
    Absent,
    /// A text, trimmed.
    Text(&'r str),
    /// Not a text, not UTF-8, or dropped because of its size. Never the same as no filter: a client that writes to the
    /// first match would write to the wrong row.
    Unreadable,
}

impl ListRequest {
    /// Returns the parameter with this name.
    pub(crate) fn filter(&self, name: &str) -> FilterParameter<'_> {
        match self.query.get(name) {
            Some(Value::Null) => FilterParameter::Absent,
            Some(Value::Text(text)) => FilterParameter::Text(text),
            Some(_) => FilterParameter::Unreadable,
            None if self.raw_query.as_ref().is_some_and(|query| Input::is_in_query(query, name)) => {
                FilterParameter::Unreadable
            }
            None => FilterParameter::Absent,
        }
    }

    /// Returns the response: the page `found`, each item as `view` shows it.
    pub(crate) fn respond<T, V>(self, found: Page<T>, view: impl FnMut(T) -> V) -> Listing<V> {
        let views = Page { items: found.items.into_iter().map(view).collect(), total: found.total };
        Listing::new(views, self.page, &self.url, self.raw_query.as_deref())
    }
}

impl FromRequestParts<App> for ListRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        // Nested routes see a shortened URI; links need the original one.
        let OriginalUri(uri) = OriginalUri::from_request_parts(parts, app).await?;
        let query = Input::from_query(uri.query().unwrap_or_default());
        let page = PageRequest::from_query(query.text("page").as_deref(), query.text("per_page").as_deref());
        let url = format!("{}{}", app.options.public_url, uri.path());
        Ok(Self { page, query, url, raw_query: uri.query().map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_clients_that_exclude_json_are_rejected() {
        let accept = |value: &'static str| {
            accepts_json(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]))
        };
        assert!(accepts_json(&HeaderMap::new()));
        for value in [
            "*/*",
            "text/html, */*;q=0.1",
            "application/*",
            "application/json",
            "application/ld+json",
            "",
            " ",
            ",",
            " , ,",
        ] {
            assert!(accept(value), "{value}");
        }
        for value in ["text/html", "application/xml, text/*", "application/json;q=0"] {
            assert!(!accept(value), "{value}");
        }
    }
}
