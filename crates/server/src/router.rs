//! Every route, each with the scope that it requires.
//!
//! A new endpoint is a line in [`merchant_api`], a handler in `merchant_api/`, and the methods of the storage that it
//! calls. The OpenAPI document takes the rest from these.

use std::sync::LazyLock;

use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Extension, Router};
use tower::Layer;
use tower::util::MapRequestLayer;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::app::{App, BASE_PATH};
use crate::auth::{AnyScope, CustomersRead, CustomersWrite, PaymentsRead, RequiredScope};
use crate::merchant_api::{add_customers, blacklist, customers, groups, imports, payments, store};
use crate::method_override::override_method;
use crate::middleware::{normalize_path, observe_request, write_problems};
use crate::problem::Problem;
use crate::submitted::EarlyBody;
use crate::{explorer, home, openapi};

/// Returns the routes of the Merchant API.
fn merchant_api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(requires::<CustomersWrite>(routes!(add_customers::add_customers)))
        .routes(requires::<CustomersRead>(routes!(groups::list)))
        .routes(requires::<CustomersWrite>(routes!(groups::create)))
        .routes(requires::<CustomersWrite>(routes!(groups::update_default)))
        .routes(requires::<CustomersWrite>(routes!(groups::update, groups::delete)))
        .routes(requires::<CustomersRead>(routes!(customers::list)))
        .routes(requires::<CustomersWrite>(routes!(customers::create)))
        .routes(requires::<CustomersRead>(routes!(customers::details)))
        .routes(requires::<CustomersWrite>(routes!(customers::update, customers::delete)))
        .routes(requires::<CustomersWrite>(routes!(imports::create)))
        .routes(requires::<CustomersRead>(routes!(imports::details)))
        .routes(requires::<CustomersWrite>(routes!(blacklist::ban, blacklist::unban)))
        .routes(requires::<AnyScope>(routes!(store::info)))
        .routes(requires::<PaymentsRead>(routes!(payments::methods)))
}

/// Returns routes whose last segment is a word where other routes have an id. As at Salla, these methods take the word
/// for an id and respond with 404 instead of 405.
fn words_for_ids() -> OpenApiRouter<App> {
    let no_customer = || put(customers::update).delete(customers::delete);
    let no_group = || put(groups::update).delete(groups::delete);
    OpenApiRouter::new()
        .route("/customers/groups", no_customer())
        .route("/customers/import", no_customer().get(customers::details))
        .route("/customers/groups/add_customers", no_group())
        .route("/customers/groups/default", no_group())
}

/// Documents the scope `S` of a route. The handler's [`Caller`](crate::auth::Caller) enforces it.
fn requires<S: RequiredScope>(mut routes: UtoipaMethodRouter<App>) -> UtoipaMethodRouter<App> {
    openapi::describe_operations(&mut routes.1, S::SCOPE);
    routes
}

/// Returns the OpenAPI document of the API: pretty-printed JSON with a newline at the end.
pub fn openapi_document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| openapi::document(BASE_PATH, merchant_api()));
    &DOCUMENT
}

/// Returns the service on the public address.
pub fn router(app: App) -> Router {
    let (api, _) =
        OpenApiRouter::new().nest(BASE_PATH, merchant_api().merge(words_for_ids())).split_for_parts();
    let routes = api
        .route("/", get(home::home))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/avatar.svg", get(customers::avatar))
        .merge(explorer::routes(openapi_document()))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(app.clone(), observe_request))
        .with_state(app.clone());
    let routes: Router =
        Router::new().fallback_service(routes).layer(from_fn_with_state(app, override_method));
    let service = MapRequestLayer::new(normalize_path).layer(routes);
    Router::new().fallback_service(service)
}

/// Returns the service on the admin address: metrics, and no data of any merchant.
pub(crate) fn admin_router(app: App) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .layer(from_fn(write_problems))
        .with_state(app)
}

async fn not_found() -> Problem {
    Problem::NotFound
}

/// Responds with 405, or to `OPTIONS` with 200. The framework adds `Allow` to both. If the body of a `POST` could not be
/// read, the method that it means is unknown, and the response says why.
async fn method_not_allowed(method: Method, body: Option<Extension<EarlyBody>>) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::OK.into_response();
    }
    match body {
        Some(Extension(EarlyBody(Err(problem)))) => problem.into_response(),
        _ => Problem::MethodNotAllowed.into_response(),
    }
}

/// Responds while the process runs.
async fn livez() -> &'static str {
    "ok\n"
}

/// Responds with 200 if the database answers, so that a load balancer can route requests here.
async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    app.storage.ping().await?;
    Ok("ok\n")
}

async fn metrics(State(app): State<App>) -> Response {
    let content_type = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], app.telemetry.metrics()).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;
    use zumra_core::{SystemClock, SystemEntropy};
    use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};

    use super::*;
    use crate::app::{AppOptions, Limits};

    /// Returns status and body of the admin address's response to a GET request.
    async fn get_admin(path: &str) -> (u16, String) {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(directory.path().join("zumra.db"));
        let storage = SqliteStorage::open(&options, jiff::Timestamp::UNIX_EPOCH).unwrap();
        let options = AppOptions {
            public_url: String::new(),
            token_cache_ttl: Duration::ZERO,
            limits: Limits::default(),
            shown_tokens: Vec::new(),
        };
        let app = App::new(Arc::new(storage), Arc::new(SystemClock), &SystemEntropy, options);
        let request =
            Request::builder().uri(path).header("accept-language", "en").body(Body::empty()).unwrap();
        let Ok(response) = admin_router(app).oneshot(request).await;
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 100_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn admin_address_serves_metrics_and_the_documented_404() {
        let (status, metrics) = get_admin("/metrics").await;
        assert_eq!(status, 200);
        assert!(metrics.ends_with("# EOF\n"), "{metrics}");
        for path in ["/", "/readyz", "/admin/v2/customers"] {
            let (status, body) = get_admin(path).await;
            assert_eq!(status, 404, "{path}");
            assert!(
                body.starts_with(r#"{"success":false,"status":404,"error":{"code":404,"#),
                "{path}: {body}"
            );
        }
    }
}
