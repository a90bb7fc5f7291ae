//! Errors of the storage.
//!
//! One enum for both engines. Every variant but [`StorageError::OutcomeUnknown`] means that the call changed nothing.
//! Texts are for logs and operators: they carry no secret, no SQL parameter and no row content.

use std::fmt;

use zumra_core::{ASSIGNED_ID_MAX, CustomerId, GroupId, MerchantId};

use crate::Noun;

/// The result of a storage method.
pub type Result<T> = std::result::Result<T, StorageError>;

/// Why a storage method failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The write queue has reached its limit. Nothing was changed; retrying after a short delay may succeed.
    #[error("the write queue is full")]
    QueueFull,
    /// The database does not answer: unreachable, full, read-only or closed. Nothing was changed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The write may or may not be durable: an fsync failed, or the connection was lost during a commit that could
    /// not be resolved. Read the data back before repeating a write that is not idempotent.
    #[error("the outcome of the write is unknown: {0}")]
    OutcomeUnknown(String),
    /// The row that the call names does not exist. Nothing was changed.
    #[error("{0} not found")]
    NotFound(Resource),
    /// A write refers to a group that does not exist. Nothing was changed.
    #[error("there is no group {0}")]
    MissingGroup(GroupId),
    /// The write contradicts existing rows. Nothing was changed.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The merchant has no unused id of this noun. Nothing was changed.
    #[error(
        "the merchant has used up all ids of {0}: every number up to {ASSIGNED_ID_MAX} was assigned or skipped"
    )]
    IdsUsedUp(Noun),
    /// A newer version of Zumra has migrated the database.
    #[error(
        "the database has schema {found}, and this version of zumra supports up to {known}: use the newer version that wrote it"
    )]
    NewerSchema {
        /// Number of the newest migration in the database.
        found: u32,
        /// Number of the newest migration in this program.
        known: u32,
    },
    /// The database belongs to another program, or its schema is not the one that this program needs.
    #[error("{0}")]
    ForeignDatabase(String),
    /// A stored value violates an invariant of the schema.
    #[error("the database is corrupt: {0}")]
    Corrupt(String),
    /// Another process holds the lease now. Nothing was changed.
    #[error("lease lost: another process holds it")]
    LeaseLost,
    /// A defect in Zumra. Nothing was changed.
    #[error("internal storage error: {0}")]
    Internal(String),
}

impl StorageError {
    /// Returns the error for a stored value that no version of Zumra writes.
    pub(crate) fn corrupt(table: &str, column: &str, problem: impl fmt::Display) -> Self {
        Self::Corrupt(format!("{table}.{column}: {problem}"))
    }
}

/// The kind of a row that a call names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A merchant (tenant).
    Merchant,
    /// A bearer token.
    Token,
    /// A customer group.
    Group,
    /// A customer.
    Customer,
    /// The ban of a customer.
    Ban,
    /// An import.
    Import,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Merchant => "merchant",
            Self::Token => "token",
            Self::Group => "group",
            Self::Customer => "customer",
            Self::Ban => "ban",
            Self::Import => "import",
        })
    }
}

/// An existing row that a write contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A merchant with this id exists.
    #[error("there is already a merchant {0}")]
    Merchant(MerchantId),
    /// A group with this id exists.
    #[error("there is already a group {0}")]
    Group(GroupId),
    /// The group is the default group, which cannot be deleted.
    #[error("group {0} is the default group, which cannot be deleted")]
    DefaultGroup(GroupId),
    /// A customer with this id exists.
    #[error("there is already a customer {0}")]
    Customer(CustomerId),
    /// A token with this secret exists.
    #[error("there is already a token with the same secret")]
    Token,
    /// Another customer already uses the mobile number of this customer; `None` if the customer has no id yet.
    #[error("another customer already has the mobile number of {}", name_customer(*.0))]
    Mobile(Option<CustomerId>),
    /// Another customer already uses the email address of this customer; `None` if the customer has no id yet.
    #[error("another customer already has the email address of {}", name_customer(*.0))]
    Email(Option<CustomerId>),
}

fn name_customer(id: Option<CustomerId>) -> String {
    id.map_or_else(|| "the new customer".to_owned(), |id| format!("customer {id}"))
}
