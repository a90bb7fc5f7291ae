//! The rule sets of the requests, one file a resource, in the order in which their fields are checked.

pub mod add_customers;
pub mod ban;
pub mod customers;
pub mod groups;

/// Elements that a list may have where no limit can be set. Laravel has none; an error sentence for each of millions
/// of elements would be a way to exhaust this service.
pub const LIST_ITEMS_MAX: usize = 10_000;
