//! Laravel's method override: a `POST` that names another method is routed as that method.
//!
//! PHP reads the forms of `POST` only, so PHP clients send `POST` with the header [`HEADER`] or the field [`FIELD`].

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use memchr::{memchr, memmem};
use zumra_validation::{Input, Value, is_json};

use crate::app::{App, BASE_PATH};
use crate::auth::authenticate;
use crate::middleware::check_head;
use crate::problem::Problem;
use crate::submitted::{EarlyBody, SentAsPost, Submitted};
use crate::telemetry::Started;

/// The header that names the method.
const HEADER: HeaderName = HeaderName::from_static("x-http-method-override");

/// The field of the body or the query that names the method if the header does not.
const FIELD: &str = "_method";

/// Gives a `POST` of the Merchant API the method that it names. Runs before routing.
pub(crate) async fn override_method(State(app): State<App>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Started::now());
    if request.method() == Method::POST && request.uri().path().starts_with(BASE_PATH) {
        request = with_meant_method(&app, request).await;
    }
    next.run(request).await
}

async fn with_meant_method(app: &App, mut request: Request) -> Request {
    if check_head(&request).is_err() {
        return request; // rejected before its handler
    }
    let name = match request.headers().get(HEADER).filter(|value| !value.is_empty()) {
        Some(value) => Some(value.to_str().unwrap_or_default().to_owned()),
        None if has_fields(request.headers()) => {
            let (mut parts, body) = request.into_parts();
            let read = async {
                // Only clients with a token may occupy memory. Their scope depends on the method.
                let owner = authenticate(app, &parts.headers).await?;
                parts.extensions.insert(owner);
                let submitted = Submitted::read(&parts, body, app).await?;
                let name = named_in_body(app, &submitted).await?;
                Ok::<_, Problem>((submitted, name))
            };
            let (early, name) = match read.await {
                Ok((submitted, name)) => (Ok(submitted), name),
                Err(problem) => (Err(problem), None),
            };
            parts.extensions.insert(EarlyBody(early));
            request = Request::from_parts(parts, Body::empty());
            name
        }
        None => request.uri().query().and_then(|query| named_in(&Input::from_query(query))),
    };
    if let Some(method) = name.map(|name| parse(&name)).filter(|method| *method != Method::POST) {
        request.extensions_mut().insert(SentAsPost);
        *request.method_mut() = method;
    }
    request
}

/// Returns true if the body has a type whose fields are read.
fn has_fields(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
    content_type.is_some_and(|value| {
        is_json(Some(value.as_slice()))
            || value.starts_with(b"application/x-www-form-urlencoded")
            || value.starts_with(b"multipart/form-data")
    })
}

/// Returns the method that the body or, if the body does not have the field, the query names.
async fn named_in_body(app: &App, submitted: &Submitted) -> Result<Option<String>, Problem> {
    let query = submitted.query().unwrap_or_default();
    if !may_contain_field(submitted) && !may_name_field(query.as_bytes()) {
        return Ok(None); // most bodies are not parsed twice
    }
    Ok(named_in(&submitted.read_input(app).await?))
}

/// Returns false if the body cannot contain [`FIELD`] in any spelling.
fn may_contain_field(submitted: &Submitted) -> bool {
    let body = &submitted.body;
    if is_json(submitted.content_type()) {
        // A key may contain escapes.
        return memmem::find(body, FIELD.as_bytes()).is_some() || memchr(b'\\', body).is_some();
    }
    may_name_field(body)
}

/// Returns false if a form cannot contain [`FIELD`]. PHP takes a dot or a space for an underscore.
fn may_name_field(form: &[u8]) -> bool {
    memmem::find(form, b"method").is_some() || memchr(b'%', form).is_some()
}

/// Returns the method that a field names. A value that is no text names `POST`, and a list no known method.
fn named_in(input: &Input) -> Option<String> {
    match input.get(FIELD)? {
        Value::Text(name) => Some(name.clone()),
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => Some(String::new()),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Double(_) => None,
    }
}

/// Returns the method with this name, in any case. Others get a method that no route has, and so 405.
fn parse(name: &str) -> Method {
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let unknown = || Method::from_bytes(b"UNKNOWN").expect("letters are a valid method");
    known.into_iter().find(|method| name.eq_ignore_ascii_case(method.as_str())).unwrap_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_methods_in_any_case() {
        assert_eq!(parse("put"), Method::PUT);
        assert_eq!(parse("DELETE"), Method::DELETE);
        for name in ["", "BREW", "HEAD", "PUT ", "ＰＵＴ"] {
            assert_eq!(parse(name).as_str(), "UNKNOWN", "{name}");
        }
    }

    #[test]
    fn only_a_text_names_a_method() {
        let named = |query: &str| named_in(&Input::from_query(query));
        assert_eq!(named("_method=PUT"), Some("PUT".to_owned()));
        assert_eq!(named(".method=PUT"), Some("PUT".to_owned()), "as PHP reads names");
        assert_eq!(named("_method[]=PUT"), Some(String::new()));
        assert_eq!((named("_method="), named("method=PUT")), (None, None));
    }
}
