//! The service as clients see it, through its real router.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod add_customers;
mod auth;
mod cases;
mod customers;
mod customers_written;
mod groups;
mod groups_written;
mod http;
mod imports;
mod openapi;
mod shop;
