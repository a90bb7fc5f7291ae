//! Tests of the HTTP API through the real router. `ZUMRA_TEST_ENGINE=postgres` runs them on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a failed setup fails the test")]

mod add_customers;
mod assigned_ids;
mod auth;
mod blacklist;
mod customers_read;
mod customers_write;
mod groups_read;
mod groups_write;
mod home;
mod http;
mod imports;
mod method_override;
mod openapi;
mod payments;
mod storage_errors;
mod store;
mod validation_cases;
