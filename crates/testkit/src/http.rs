//! Requests to a router and its responses.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// A request builder that sends to a router, without a socket.
pub struct TestRequest {
    router: Router,
    request: Request<Body>,
}

impl TestRequest {
    /// Returns a request without headers and body.
    pub fn new(router: Router, method: &str, path: &str) -> Self {
        let request = Request::builder().method(method).uri(path).body(Body::empty());
        Self { router, request: request.expect("the method and the path are valid") }
    }

    /// Appends a header; an earlier one of the same name stays.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = value.parse().expect("the header value is valid");
        self.request.headers_mut().append(name, value);
        self
    }

    /// Adds a bearer token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Adds `Accept-Language`, the language of error messages.
    #[must_use]
    pub fn language(self, language: &str) -> Self {
        self.header("accept-language", language)
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Sets the body, without a content type.
    #[must_use]
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// Sends the request and reads the complete response.
    pub async fn send(self) -> TestResponse {
        let Ok(response) = self.router.oneshot(self.request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body is complete").to_bytes().to_vec();
        TestResponse { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

/// A complete response.
#[derive(Debug)]
pub struct TestResponse {
    /// The HTTP status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The complete body; empty if the response has none.
    pub body: Vec<u8>,
}

impl TestResponse {
    /// Returns the body as text. Panics if it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    /// Returns the body as JSON. Panics with the body if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Returns the first value of a header, or `None` if it is missing. Panics if it is not visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("the header is ASCII"))
    }
}
