//! The OpenAPI document at `/openapi.json`, and Swagger UI at `/docs`. Both are in the binary.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa_swagger_ui::Config;

use crate::app::App;
use crate::openapi;
use crate::problem::Problem;

/// Returns the routes that serve `document` and Swagger UI.
pub(crate) fn routes(document: &'static str) -> Router<App> {
    Router::new()
        .route("/openapi.json", get(async move || ([(header::CONTENT_TYPE, "application/json")], document)))
        .route("/docs", get(async || Redirect::permanent("/docs/")))
        .route("/docs/", get(async |State(app): State<App>| serve_file(&app, "")))
        .route(
            "/docs/{file}",
            get(async |State(app): State<App>, Path(file): Path<String>| serve_file(&app, &file)),
        )
}

/// Serves a file of Swagger UI; `""` is its page.
fn serve_file(app: &App, file: &str) -> Response {
    let token = app.options.shown_tokens.first();
    // The default validator would send the document's URL to another service. A token that was entered stays for the next
    // visit, except where a visit starts with the token of a throwaway service.
    let config = Config::from("/openapi.json").validator_url("none").persist_authorization(token.is_none());
    match utoipa_swagger_ui::serve(file, Arc::new(config)) {
        Ok(Some(found)) => {
            let bytes = match token {
                Some(token) if file == INITIALIZER => fill_in_token(&found.bytes, token).into_bytes().into(),
                _ => found.bytes,
            };
            ([(header::CONTENT_TYPE, found.content_type)], bytes).into_response()
        }
        Ok(None) => Problem::NotFound.into_response(),
        Err(error) => Problem::Internal(error.to_string()).into_response(),
    }
}

/// The script that starts Swagger UI.
const INITIALIZER: &str = "swagger-initializer.js";

/// Returns the script with a statement that authorizes requests with `token`.
fn fill_in_token(script: &[u8], token: &str) -> String {
    const START: &str = "SwaggerUIBundle({";
    let (scheme, token) = (serde_json::json!(openapi::BEARER), serde_json::json!(token));
    let authorize = format!("window.ui.preauthorizeApiKey({scheme}, {token})");
    String::from_utf8_lossy(script).replacen(
        START,
        &format!("{START}\n    onComplete: () => {authorize},"),
        1,
    )
}
