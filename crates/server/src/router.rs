//! Every route, and what surrounds them all.
//!
//! A new endpoint is a line in [`merchant_api`] here, a handler in `merchant_api/`, and methods of the storage.
//! `ROUTES` in `tests/it/openapi.rs` is the whole surface on one screen, and fails when it is not.

use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use futures_util::FutureExt;
use tower::Layer;
use tower::util::MapRequestLayer;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::auth::{AnyScope, CustomersRead, CustomersWrite, NeededScope, PaymentsRead};
use crate::envelope::Problem;
use crate::merchant_api::{add_customers, blacklist, customers, groups, imports, payments, store};
use crate::request::{accepts_json, language_of_not_found};
use crate::{App, explorer, openapi};

/// Where the API lives, as at Salla.
const BASE: &str = "/admin/v2";

/// The routes of the API, each with the scope that it needs.
fn merchant_api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(needs::<CustomersWrite>(routes!(add_customers::add_customers)))
        .routes(needs::<CustomersRead>(routes!(groups::list)))
        .routes(needs::<CustomersWrite>(routes!(groups::create)))
        .routes(needs::<CustomersWrite>(routes!(groups::update_default)))
        .routes(needs::<CustomersWrite>(routes!(groups::update, groups::delete)))
        .routes(needs::<CustomersRead>(routes!(customers::list)))
        .routes(needs::<CustomersWrite>(routes!(customers::create)))
        .routes(needs::<CustomersRead>(routes!(customers::details)))
        .routes(needs::<CustomersWrite>(routes!(customers::update, customers::delete)))
        .routes(needs::<CustomersWrite>(routes!(imports::create)))
        .routes(needs::<CustomersRead>(routes!(imports::details)))
        .routes(needs::<CustomersWrite>(routes!(blacklist::ban, blacklist::unban)))
        .routes(needs::<AnyScope>(routes!(store::info)))
        .routes(needs::<PaymentsRead>(routes!(payments::methods)))
}

/// Words that stand where an id may stand are no ids: as at Salla, these methods look for one, and answer 404.
fn words_for_ids() -> OpenApiRouter<App> {
    let no_customer = || put(customers::update).delete(customers::delete);
    let no_group = || put(groups::update).delete(groups::delete);
    OpenApiRouter::new()
        .route("/customers/groups", no_customer())
        .route("/customers/import", no_customer().get(customers::details))
        .route("/customers/groups/add_customers", no_group())
        .route("/customers/groups/default", no_group())
}

/// Writes the scope into the document. The handler's [`Caller`](crate::auth::Caller) proves it.
fn needs<S: NeededScope>(mut routes: UtoipaMethodRouter<App>) -> UtoipaMethodRouter<App> {
    openapi::require_scope(&mut routes.1, S::SCOPE);
    routes
}

/// The OpenAPI document of the API: pretty-printed JSON with a newline at the end.
pub fn openapi_document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| openapi::document(BASE, merchant_api()));
    &DOCUMENT
}

/// The whole service.
pub fn router(app: App) -> Router {
    let (api, _) = OpenApiRouter::new().nest(BASE, merchant_api().merge(words_for_ids())).split_for_parts();
    let routes = api
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/avatar.svg", get(customers::avatar))
        .merge(explorer::routes(openapi_document()))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(app.clone(), surround))
        .with_state(app);
    // Before routing, so that a slash at the end finds the same route.
    let service = MapRequestLayer::new(without_last_slash).layer(routes);
    Router::new().fallback_service(service)
}

/// The service on the admin address: metrics, and nothing of any shop.
pub(crate) fn admin_router(app: App) -> Router {
    Router::new().route("/metrics", get(metrics)).fallback(not_found).with_state(app)
}

/// What happens around every request: its log line, its time, and a 500 instead of a lost connection.
async fn surround(State(app): State<App>, request: Request, next: Next) -> Response {
    let limit = app.options.limits.request_timeout;
    let answer = async |request: Request| {
        if request.uri().path().starts_with(BASE) && !accepts_json(request.headers()) {
            return Problem::NotAcceptable.into_response();
        }
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => Problem::Internal("a handler panicked".to_owned()).into_response(),
            Err(_) => Problem::Unavailable("the request took too long".to_owned()).into_response(),
        }
    };
    app.telemetry.observe(request, answer).await
}

fn without_last_slash(mut request: Request) -> Request {
    let path = request.uri().path();
    if !path.starts_with(BASE) || !path.ends_with('/') {
        return request;
    }
    let path = path.trim_end_matches('/');
    let path_and_query = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    if let Ok(uri) = path_and_query.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

async fn not_found(request: Request) -> Problem {
    Problem::NotFound(language_of_not_found(request.headers()))
}

/// The framework adds `Allow`. `OPTIONS` is no mistake: it asks for just that header.
async fn method_not_allowed(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::OK.into_response();
    }
    Problem::MethodNotAllowed.into_response()
}

/// Whether the process runs.
async fn livez() -> &'static str {
    "ok\n"
}

/// Whether it can serve: the database answers.
async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    app.storage.ping().await?;
    Ok("ok\n")
}

async fn metrics(State(app): State<App>) -> Response {
    let form = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, form)], app.telemetry.metrics()).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::body::Body;
    use tower::ServiceExt;
    use zumra_core::{SystemClock, SystemEntropy};
    use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};

    use super::*;
    use crate::{AppOptions, Limits};

    /// What surrounds a route that goes wrong: its status and its body.
    async fn answer(path: &str) -> (StatusCode, String) {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(folder.path().join("zumra.db"));
        let storage = SqliteStorage::open(&options, jiff::Timestamp::UNIX_EPOCH).unwrap();
        let limits = Limits { request_timeout: Duration::from_millis(20), ..Limits::default() };
        let options = AppOptions { public_url: String::new(), token_cache_ttl: Duration::ZERO, limits };
        let app = App::new(Arc::new(storage), Arc::new(SystemClock), &SystemEntropy, options);
        let broken = async || -> &'static str { panic!("a mistake in a handler") };
        let routes = Router::new()
            .route("/broken", get(broken))
            .route("/endless", get(async || std::future::pending::<&'static str>().await))
            .layer(from_fn_with_state(app, surround));
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let Ok(response) = routes.oneshot(request).await;
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_500_in_the_envelope() {
        let expected =
            r#"{"status":500,"success":false,"error":{"code":"server_error","message":"Server Error"}}"#;
        assert_eq!(answer("/broken").await, (StatusCode::INTERNAL_SERVER_ERROR, expected.to_owned()));
    }

    #[tokio::test]
    async fn a_request_without_end_is_503_in_the_envelope() {
        let (status, body) = answer("/endless").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("service_unavailable"), "{body}");
    }
}
