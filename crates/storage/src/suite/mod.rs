//! The behavior suite: what every engine must do. Behavior that has no case here is not promised.
//!
//! What belongs here: a file for each noun with its cases. They use only the traits. `tests/suite.rs` lists the
//! engines.

mod admin;
mod context;
mod customer_search;
mod customers;
mod fixtures;
mod groups;
mod ids;
mod imports;
mod memberships;
mod merchants;
mod operations;
mod tokens;

pub use context::{Case, Reopen, TestContext};

/// Returns all cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [
        merchants::CASES,
        tokens::CASES,
        groups::CASES,
        customer_search::CASES,
        customers::CASES,
        memberships::CASES,
        imports::CASES,
        ids::CASES,
        operations::CASES,
        fixtures::CASES,
        admin::CASES,
    ]
    .into_iter()
    .flatten()
}
