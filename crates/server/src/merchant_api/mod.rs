//! Salla's Merchant API v2, one file a resource.
//!
//! What belongs here: handlers, and the JSON of what they show. A handler reads its request, asks the storage one
//! thing, and answers with the envelope.

pub(crate) mod add_customers;
pub(crate) mod blacklist;
mod customer_view;
pub(crate) mod customers;
pub(crate) mod groups;
pub(crate) mod imports;
pub(crate) mod payments;
pub(crate) mod store;
mod time;
