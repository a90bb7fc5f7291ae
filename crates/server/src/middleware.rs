//! Middleware of every request: log line, time limit, panics, and the language of error bodies.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use crate::app::{App, BASE_PATH};
use crate::language::PreferredLanguage;
use crate::problem::{Problem, write_problem};
use crate::request::{InvalidHost, accepts_json};
use crate::telemetry::Started;

/// Runs a request: writes its log line and metrics, enforces the time limit, and responds with 500 after a panic.
pub(crate) async fn observe_request(State(app): State<App>, request: Request, next: Next) -> Response {
    let respond = async |request: Request| {
        let language = PreferredLanguage::from_headers(request.headers());
        let response = run_request(&app, request, next).await.unwrap_or_else(IntoResponse::into_response);
        write_problem(response, language)
    };
    app.telemetry.observe(request, respond).await
}

async fn run_request(app: &App, request: Request, next: Next) -> Result<Response, Problem> {
    check_head(&request)?;
    let elapsed = request.extensions().get::<Started>().map_or(Duration::ZERO, Started::elapsed);
    let is_read = request.method().is_safe();
    let response = AssertUnwindSafe(next.run(request)).catch_unwind();
    let timeout_problem = || {
        let cause = "request timed out (limits.request_seconds)".to_owned();
        // A commit may be in progress, and dropping the handler does not stop it.
        if is_read { Problem::Unavailable(cause) } else { Problem::OutcomeUnknown(cause) }
    };
    tokio::time::timeout(app.options.limits.request_timeout.saturating_sub(elapsed), response)
        .await
        .map_err(|_| timeout_problem())?
        .map_err(|_| Problem::Internal("handler panicked".to_owned()))
}

/// Checks what does not depend on the route.
///
/// # Errors
///
/// [`Problem::BadRequest`] or [`Problem::NotAcceptable`].
pub(crate) fn check_head(request: &Request) -> Result<(), Problem> {
    check_host(request)?;
    if request.uri().path().starts_with(BASE_PATH) && !accepts_json(request.headers()) {
        return Err(Problem::NotAcceptable);
    }
    Ok(())
}

/// Writes the body of a problem, for routers without [`observe_request`].
pub(crate) async fn write_problems(request: Request, next: Next) -> Response {
    let language = PreferredLanguage::from_headers(request.headers());
    let response = match check_host(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    write_problem(response, language)
}

/// HTTP requires a server to reject a request with a wrong `Host`.
fn check_host(request: &Request) -> Result<(), Problem> {
    if request.extensions().get::<InvalidHost>().is_some() { Err(Problem::BadRequest) } else { Ok(()) }
}

/// Writes the path as routes do. Runs before routing.
///
/// Decodes characters that need no encoding: to HTTP, both spellings are the same path. Other characters stay encoded,
/// `%2F` in particular, because a proxy may not take it for a slash. Removes trailing slashes below [`BASE_PATH`], as
/// Laravel's router does.
pub(crate) fn normalize_path(mut request: Request) -> Request {
    let path = request.uri().path();
    let mut normalized = decode_unreserved(path);
    if normalized.starts_with(BASE_PATH) && normalized.ends_with('/') {
        let length = normalized.trim_end_matches('/').len();
        normalized.to_mut().truncate(length);
    }
    if normalized == path {
        return request;
    }
    let path_and_query = match request.uri().query() {
        Some(query) => format!("{normalized}?{query}"),
        None => normalized.into_owned(),
    };
    if let Ok(uri) = path_and_query.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

/// Decodes `%XX` of letters, digits, `-`, `.`, `_` and `~` (RFC 3986, section 2.3).
fn decode_unreserved(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut parts = path.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = digits.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
            decoded.push(char::from(byte));
            decoded.push_str(&part[2..]);
        } else {
            decoded.push('%');
            decoded.push_str(part);
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::any;
    use tower::ServiceExt;
    use zumra_core::{SystemClock, SystemEntropy};
    use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};

    use super::*;
    use crate::app::{AppOptions, Limits};

    /// Returns status, `Retry-After` and body of the response to a request whose handler panics or never ends.
    async fn respond(method: &str, path: &str) -> (u16, Option<String>, String) {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(directory.path().join("zumra.db"));
        let storage = SqliteStorage::open(&options, jiff::Timestamp::UNIX_EPOCH).unwrap();
        let limits = Limits { request_timeout: Duration::from_millis(20), ..Limits::default() };
        let options = AppOptions {
            public_url: String::new(),
            token_cache_ttl: Duration::ZERO,
            limits,
            shown_tokens: Vec::new(),
        };
        let app = App::new(Arc::new(storage), Arc::new(SystemClock), &SystemEntropy, options);
        let panic = async || -> &'static str { panic!("a defect in a handler") };
        let routes = Router::new()
            .route("/panic", any(panic))
            .route("/endless", any(async || std::future::pending::<&'static str>().await))
            .layer(from_fn_with_state(app, observe_request));
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let Ok(response) = routes.oneshot(request).await;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        (status, retry_after, String::from_utf8(body.to_vec()).unwrap())
    }

    const SERVER_ERROR: &str =
        r#"{"status":500,"success":false,"error":{"code":"server_error","message":"Server Error"}}"#;
    const UNAVAILABLE: &str = r#"{"status":503,"success":false,"error":{"code":"service_unavailable","message":"Service Unavailable"}}"#;

    #[tokio::test]
    async fn panic_of_a_handler_returns_500() {
        assert_eq!(respond("GET", "/panic").await, (500, None, SERVER_ERROR.to_owned()));
    }

    #[tokio::test]
    async fn read_that_times_out_may_be_repeated() {
        let expected = (503, Some("1".to_owned()), UNAVAILABLE.to_owned());
        assert_eq!(respond("GET", "/endless").await, expected);
    }

    #[tokio::test]
    async fn write_that_times_out_has_an_unknown_outcome() {
        for method in ["POST", "PUT", "DELETE"] {
            assert_eq!(respond(method, "/endless").await, (503, None, UNAVAILABLE.to_owned()), "{method}");
        }
    }
}
