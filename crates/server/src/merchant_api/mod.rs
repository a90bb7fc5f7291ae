//! Salla's Merchant API v2: one file per noun.
//!
//! What belongs here: handlers, and the JSON of their requests and responses. A handler reads its request, calls the
//! storage, and returns [`Success`](crate::envelope::Success), [`Listing`](crate::envelope::Listing) or a
//! [`Problem`](crate::problem::Problem).

pub(crate) mod add_customers;
pub(crate) mod blacklist;
mod customer_filter;
mod customer_view;
pub(crate) mod customers;
pub(crate) mod groups;
pub(crate) mod imports;
pub(crate) mod payments;
mod php_date;
pub(crate) mod store;
mod store_url;
