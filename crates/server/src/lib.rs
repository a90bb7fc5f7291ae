//! The HTTP service: Salla's Merchant API v2 over a [`Storage`](zumra_storage::Storage).
//!
//! What belongs here: everything that knows HTTP, and nothing that knows SQL. A request makes three hops: `router.rs`
//! names the route and its scope, `merchant_api/` does the work, the storage keeps it.

pub mod app;
mod auth;
mod body;
mod checked;
mod envelope;
mod explorer;
pub mod import;
mod merchant_api;
mod openapi;
mod request;
mod router;
pub mod serve;
mod sweep;
pub mod telemetry;

pub use app::{App, AppOptions, Limits};
pub use router::{openapi_document, router};
pub use serve::{Listeners, serve};
