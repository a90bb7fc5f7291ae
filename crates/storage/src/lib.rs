//! Storage of merchants, tokens, groups, customers, memberships and imports.
//!
//! What belongs here: a trait for each noun, their sum [`Storage`], and a directory for each engine. No HTTP.
//! One method is one operation in one transaction. Every method that reads or writes rows of a merchant takes the
//! [`MerchantId`](zumra_core::MerchantId) first, so a handler cannot reach rows before it knows the tenant.

mod admin;
pub mod copy;
mod customers;
pub mod error;
mod fixtures;
mod groups;
mod ids;
mod imports;
mod memberships;
mod merchants;
mod metrics;
pub mod migrate;
mod noun;
mod operations;
pub mod postgres;
mod row;
mod search_index;
pub mod sqlite;
#[cfg(feature = "suite")]
pub mod suite;
mod tokens;

use zumra_core::OperationId;

pub use admin::{Admin, Inspection};
pub use customers::{Contacts, CustomerFilter, Customers, RebuiltChunk};
pub use error::{Conflict, Resource, Result, StorageError};
pub use fixtures::{Fixtures, LoadOutcome};
pub use groups::{GroupSelector, Groups};
pub use ids::SKIPPED_IDS_DEFAULT;
pub use imports::Imports;
pub use memberships::{AddMembersOutcome, Ids, Memberships};
pub use merchants::Merchants;
pub use noun::Noun;
pub use tokens::Tokens;

/// An engine on an open database whose schema is up to date: the sum of the noun traits, used as `Arc<dyn Storage>`.
///
/// A write returns `Ok` only after it is durable. An error means that nothing was changed, except
/// [`StorageError::OutcomeUnknown`]: then the write may or may not be durable.
pub trait Storage:
    Merchants + Tokens + Groups + Customers + Memberships + Imports + Fixtures + Admin + 'static
{
}

impl<T> Storage for T where
    T: Merchants + Tokens + Groups + Customers + Memberships + Imports + Fixtures + Admin + 'static
{
}

/// The result of a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Written<T> {
    /// The operation that recorded the change, or `None` if nothing had to be changed.
    pub operation: Option<OperationId>,
    /// The value after the change.
    pub value: T,
}
