//! The HTTP service: Salla's Merchant API v2 over a [`Storage`](zumra_storage::Storage).
//!
//! What belongs here: everything that knows HTTP, and nothing that knows SQL. `router.rs` maps a path to a handler
//! and its scope, a file of `merchant_api/` per noun holds the handlers, and a handler calls the storage.

pub mod app;
mod archive;
mod auth;
mod body;
mod connection;
mod customer_fields;
mod envelope;
mod explorer;
mod fields;
mod home;
pub mod import;
mod language;
mod lookups;
mod merchant_api;
mod method_override;
mod middleware;
mod notifier;
mod openapi;
mod problem;
mod request;
mod request_body;
mod router;
mod search_index;
pub mod serve;
mod socket;
mod submitted;
pub mod telemetry;
mod token_cache;

pub use app::{App, AppOptions, Limits};
pub use router::{openapi_document, router};
pub use serve::{Listeners, serve};
