//! The OpenAPI document at `/openapi.json`, and the page at `/docs` that explores it. All of it is in the binary.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa_swagger_ui::Config;
use zumra_core::Language;

use crate::App;
use crate::envelope::Problem;

/// The routes; `document` is what there is to explore.
pub(crate) fn routes(document: &'static str) -> Router<App> {
    Router::new()
        .route("/openapi.json", get(async move || ([(header::CONTENT_TYPE, "application/json")], document)))
        .route("/docs", get(async || Redirect::permanent("/docs/")))
        .route("/docs/", get(async || explorer("")))
        .route("/docs/{file}", get(async |Path(file): Path<String>| explorer(&file)))
}

fn explorer(file: &str) -> Response {
    static CONFIG: OnceLock<Arc<Config<'static>>> = OnceLock::new();
    // No validator: it would send the address of the document to a service elsewhere.
    let config = CONFIG.get_or_init(|| {
        Arc::new(Config::from("/openapi.json").validator_url("none").persist_authorization(true))
    });
    match utoipa_swagger_ui::serve(file, Arc::clone(config)) {
        Ok(Some(file)) => ([(header::CONTENT_TYPE, file.content_type)], file.bytes).into_response(),
        Ok(None) => Problem::NotFound(Language::English).into_response(),
        Err(error) => Problem::Internal(error.to_string()).into_response(),
    }
}
