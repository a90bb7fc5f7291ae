//! Rule sets of the requests, one file per resource. Fields are listed in the order in which they are checked.

pub mod add_customers;
pub mod ban;
pub mod customers;
pub mod groups;

/// Maximum number of entries of a list whose limit is not configurable. Laravel has no limit; without one, a message
/// for each of millions of entries could exhaust this service.
pub const LIST_ITEMS_MAX: usize = 10_000;
