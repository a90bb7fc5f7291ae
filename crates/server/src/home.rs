//! `GET /`: what this service is, and where to go next. A page for browsers, JSON for other clients.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::app::{App, BASE_PATH};
use crate::envelope::json_response;

/// Returns the page if `Accept` prefers HTML, and otherwise JSON with the same links.
pub(crate) async fn home(State(app): State<App>, headers: HeaderMap) -> Response {
    let links = Links::new(&app);
    let mut response = if prefers_html(&headers) {
        let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
        let headers =
            [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)];
        (headers, links.page()).into_response()
    } else {
        json_response(StatusCode::OK, &links)
    };
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("accept"));
    response
}

/// The links of the page, as JSON.
#[derive(Serialize)]
struct Links<'a> {
    name: &'static str,
    description: &'static str,
    api: String,
    docs: String,
    openapi: String,
    live: String,
    ready: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tokens: &'a [String],
}

impl<'a> Links<'a> {
    fn new(app: &'a App) -> Self {
        let url = |path: &str| format!("{}{path}", app.options.public_url);
        Self {
            name: "Zumra",
            description: "Customers and customer groups of a shop, over the wire format of Salla's Merchant API v2",
            api: url(BASE_PATH),
            docs: url("/docs"),
            openapi: url("/openapi.json"),
            live: url("/livez"),
            ready: url("/readyz"),
            tokens: &app.options.shown_tokens,
        }
    }

    fn page(&self) -> String {
        const PAGE: &str = include_str!("home.html");
        let tokens: Vec<_> =
            self.tokens.iter().map(|token| format!("<code>{}</code>", escape(token))).collect();
        let for_tokens = |introduction: &str| match tokens.as_slice() {
            [] => String::new(),
            tokens => format!("<p>{introduction} {}</p>", tokens.join(" ")),
        };
        PAGE.replace("{api}", &escape(&self.api))
            .replace("{tokens_ar}", &for_tokens("رموز وصول للتجربة:"))
            .replace("{tokens_en}", &for_tokens("Tokens to try it with:"))
    }
}

/// Escapes text for HTML, in content and in quoted attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Returns true if `Accept` names HTML with a higher quality than JSON. Ranges with a wildcard do not count: every
/// browser names HTML, and other clients do not.
fn prefers_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut html, mut json) = (0.0_f32, 0.0_f32);
    for (range, quality) in values.flat_map(|value| value.split(',')).map(read_range) {
        match range.as_str() {
            "text/html" | "application/xhtml+xml" => html = html.max(quality),
            "application/json" => json = json.max(quality),
            _ => {}
        }
    }
    html > json
}

/// Reads an item of `Accept`: the media range in lower case, and its quality.
fn read_range(item: &str) -> (String, f32) {
    let mut parts = item.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|parameter| parameter.strip_prefix("q=")?.parse().ok());
    (range, quality.unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn browsers_prefer_html_and_other_clients_do_not() {
        let prefers = |value: &'static str| {
            prefers_html(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]))
        };
        assert!(!prefers_html(&HeaderMap::new()));
        let browsers = [
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html, application/xhtml+xml, image/jxr, */*",
            "text/html",
            "Text/HTML, application/json;q=0.9",
        ];
        for value in browsers {
            assert!(prefers(value), "{value}");
        }
        let others =
            ["*/*", "", "application/json, text/plain, */*", "application/json, text/html", "text/html;q=0"];
        for value in others {
            assert!(!prefers(value), "{value}");
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape(r#"<a href="x">&"#), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
