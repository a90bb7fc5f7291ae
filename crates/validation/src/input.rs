//! Parses a request into the map of fields that the rules check.

use std::borrow::Cow;

use crate::budget::{Budget, InputTooLarge};
use crate::{Map, Value, form, json, multipart};

/// Method of a request with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `POST`
    Post,
    /// `PUT`, `PATCH` or `DELETE`
    Put,
}

/// The parts of a request that may contain input.
#[derive(Debug, Clone, Copy)]
pub struct RawRequest<'a> {
    /// HTTP method; only [`Method::Post`] has multipart forms.
    pub method: Method,
    /// Value of the header `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// Query string, without the question mark.
    pub query: Option<&'a str>,
    /// Body, not decoded.
    pub body: &'a [u8],
}

/// The input of a request: an ordered map. Texts are trimmed, and blank texts are null.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    fields: Value,
}

impl Input {
    /// Parses a request. An invalid body counts as empty. The query string adds fields that the body lacks.
    ///
    /// # Errors
    ///
    /// [`InputTooLarge`] if the fields of the body would take more than seven times its size and 640 KiB of memory.
    pub fn read(request: &RawRequest<'_>) -> Result<Self, InputTooLarge> {
        let mut fields = parse_body(request, &mut Budget::new(request.body.len()))?;
        for (key, value) in request.query.map(|query| form::parse_query(query.as_bytes())).unwrap_or_default()
        {
            fields.entry(key).or_insert(value);
        }
        Ok(Self { fields: Value::from_map(fields) })
    }

    /// Parses a query string. Pairs that would take too much memory are dropped, as PHP drops all after the first 1,000.
    pub fn from_query(query: &str) -> Self {
        Self { fields: Value::from_map(form::parse_query(query.as_bytes())) }
    }

    /// Returns true if a query string has a field, even one that [`Input::from_query`] drops.
    pub fn is_in_query(query: &str, key: &str) -> bool {
        form::has_variable(query.as_bytes(), key)
    }

    /// Returns the value of a field.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key)
    }

    /// Returns a single value as text, or `None` if the field is absent, null, a list or an object.
    pub fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.get(key).filter(|value| **value != Value::Null)?.text()
    }

    /// Creates an input from texts, trimmed and null if blank, as in a request.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let fields: Map =
            texts.into_iter().map(|(key, text)| (key.to_owned(), Value::from_text(text))).collect();
        Self { fields: Value::from_map(fields) }
    }

    /// Returns the texts in the list of a field, or its single text.
    pub fn texts(&self, field: &str) -> Vec<Cow<'_, str>> {
        match self.get(field) {
            Some(value) if value.is_container() => {
                value.entries().filter_map(|(_, value)| value.text()).collect()
            }
            Some(value) => value.text().into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Returns the whole map as a value, for lookups by path.
    pub(crate) fn root(&self) -> &Value {
        &self.fields
    }
}

/// Returns true if a content type means JSON to Laravel: it contains `/json` or `+json`, in lower case.
pub fn is_json(content_type: Option<&[u8]>) -> bool {
    content_type.is_some_and(|value| value.windows(5).any(|part| part == b"/json" || part == b"+json"))
}

fn parse_body(request: &RawRequest<'_>, budget: &mut Budget) -> Result<Map, InputTooLarge> {
    const URL_ENCODED: &[u8] = b"application/x-www-form-urlencoded";
    let Some(content_type) = request.content_type else { return Ok(Map::new()) };
    if is_json(Some(content_type)) {
        return Ok(match json::parse(request.body, budget)? {
            Some(Value::Map(map)) => *map,
            // Other documents have no keys, or numeric keys, which do not name a field.
            _ => Map::new(),
        });
    }
    let media_type = content_type.split(|byte| matches!(byte, b';' | b',' | b' ')).next().unwrap_or_default();
    match request.method {
        Method::Post if media_type.eq_ignore_ascii_case(URL_ENCODED) => form::parse(request.body, budget),
        Method::Post if media_type.eq_ignore_ascii_case(b"multipart/form-data") => {
            multipart::parse(content_type, request.body, budget)
        }
        Method::Put if content_type.starts_with(URL_ENCODED) => form::parse(request.body, budget),
        _ => Ok(Map::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: Method, content_type: &str, query: Option<&str>, body: &str) -> Input {
        Input::read(&RawRequest {
            method,
            content_type: Some(content_type.as_bytes()),
            query,
            body: body.as_bytes(),
        })
        .unwrap()
    }

    #[test]
    fn query_adds_fields_that_the_body_lacks() {
        let input = read(Method::Post, "application/json", Some("a=1&b=2&c[]=3"), r#"{"a":null,"c":[]}"#);
        assert_eq!(input.get("a"), Some(&Value::Null));
        assert_eq!(input.text("a"), None);
        assert_eq!(input.text("b").as_deref(), Some("2"));
        assert_eq!(input.get("c"), Some(&Value::List(Vec::new())));
    }

    #[test]
    fn query_is_parsed_without_a_body() {
        let input = Input::from_query("page=%202&keyword=++&fields[]=a&n=");
        assert_eq!(input.text("page").as_deref(), Some("2"));
        assert_eq!((input.text("keyword"), input.text("fields"), input.text("x")), (None, None, None));
        assert_eq!(input.get("n"), Some(&Value::Null));
    }

    #[test]
    fn dropped_field_is_in_the_query() {
        let query = format!("a{}=1&b=2", "[x]".repeat(65));
        let input = Input::from_query(&query);
        assert_eq!((input.get("a"), input.text("b").as_deref()), (None, Some("2")));
        assert!(["a", "b"].iter().all(|key| Input::is_in_query(&query, key)));
        assert!(!Input::is_in_query(&query, "x"));
    }

    #[test]
    fn content_type_selects_the_parser() {
        for (method, content_type, is_parsed) in [
            (Method::Post, "Application/X-WWW-Form-URLEncoded; charset=utf-8", true),
            (Method::Put, "Application/X-WWW-Form-URLEncoded", false),
            (Method::Put, "application/x-www-form-urlencodedx", true),
            (Method::Post, "application/x-www-form-urlencodedx", false),
            (Method::Post, "text/plain", false),
        ] {
            let input = read(method, content_type, None, "a=1");
            assert_eq!(input.get("a").is_some(), is_parsed, "{content_type}");
        }
        assert!(is_json(Some(b"application/problem+json")) && is_json(Some(b"text/plain; x=a/json")));
        assert!(!is_json(Some(b"application/JSON")) && !is_json(Some(b"json")) && !is_json(None));
    }
}
