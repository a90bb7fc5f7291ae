//! The OpenAPI document at `/openapi.json`, and Swagger UI at `/docs`. Both are in the binary.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa_swagger_ui::Config;

use crate::app::App;
use crate::problem::Problem;

/// Returns the routes that serve `document` and Swagger UI.
pub(crate) fn routes(document: &'static str) -> Router<App> {
    Router::new()
        .route("/openapi.json", get(async move || ([(header::CONTENT_TYPE, "application/json")], document)))
        .route("/docs", get(async || Redirect::permanent("/docs/")))
        .route("/docs/", get(async || serve_file("")))
        .route("/docs/{file}", get(async |Path(file): Path<String>| serve_file(&file)))
}

/// Serves a file of Swagger UI; `""` is its page.
fn serve_file(file: &str) -> Response {
    static CONFIG: OnceLock<Arc<Config<'static>>> = OnceLock::new();
    // The default validator would send the document's URL to another service.
    let config = CONFIG.get_or_init(|| {
        Arc::new(Config::from("/openapi.json").validator_url("none").persist_authorization(true))
    });
    match utoipa_swagger_ui::serve(file, Arc::clone(config)) {
        Ok(Some(file)) => ([(header::CONTENT_TYPE, file.content_type)], file.bytes).into_response(),
        Ok(None) => Problem::NotFound.into_response(),
        Err(error) => Problem::Internal(error.to_string()).into_response(),
    }
}
