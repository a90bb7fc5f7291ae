//! The HTTP bound: a server that only parses the request body and returns a constant response.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use serde::Deserialize;

const RESPONSE_BODY: &str =
    r#"{"status":200,"success":true,"data":["The customers has been added to group successfully"]}"#;

#[derive(Deserialize)]
struct RequestBody {
    group_id: i64,
    customers: Vec<i64>,
}

/// Serves the HTTP bound with the service's HTTP stack, until the process is killed.
///
/// Nothing is stored, so a missing customer is recognized by its id: `i64::MAX` at the end of the list is
/// rejected.
pub(crate) fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let add_customers = async |body: Bytes| match serde_json::from_slice::<RequestBody>(&body) {
            Ok(body) if body.group_id > 0 && body.customers.last() != Some(&i64::MAX) => {
                constant_response(StatusCode::OK)
            }
            _ => constant_response(StatusCode::UNPROCESSABLE_ENTITY),
        };
        let routes = Router::new()
            .route("/admin/v2/customers/groups/add_customers", post(add_customers))
            .fallback(async || constant_response(StatusCode::OK));
        accept_connections(listener, routes).await
    })
}

fn constant_response(status: StatusCode) -> impl IntoResponse {
    (status, [(header::CONTENT_TYPE, "application/json")], RESPONSE_BODY)
}

async fn accept_connections(listener: tokio::net::TcpListener, routes: Router) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = hyper_util::service::TowerToHyperService::new(routes.clone());
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service),
        );
    }
}
