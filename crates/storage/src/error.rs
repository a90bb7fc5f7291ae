//! How storage fails.

use zumra_core::{CustomerId, GroupId, MerchantId};

/// The result of a storage method.
pub type Result<T> = std::result::Result<T, StorageError>;

/// Why a method failed. Whatever it is, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The queue to the writer is full. Trying again in a moment helps.
    #[error("the database has more waiting writes than its limit")]
    QueueFull,
    /// The database does not answer: away, full, read-only, closed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A row that the caller named is not there.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// What is there does not go together with what was asked for.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The database was written by a newer Zumra.
    #[error(
        "the database has schema {found}, and this version of zumra knows up to {known}: use the newer version that wrote it"
    )]
    NewerSchema {
        /// Number of the newest migration in the database.
        found: u32,
        /// Number of the newest migration in this program.
        known: u32,
    },
    /// What was opened is no database of Zumra's, or has been changed by hand.
    #[error("{0}")]
    ForeignDatabase(String),
    /// The database holds something that should not be possible.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// Somebody else has taken over the work that this was a part of.
    #[error("another process has taken over")]
    LeaseLost,
    /// A mistake in Zumra itself.
    #[error("internal error of the storage: {0}")]
    Internal(String),
}

/// What is in the way: something that is there already, or that must stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A merchant with this id.
    #[error("there is already a merchant {0}")]
    Merchant(MerchantId),
    /// A group of the merchant with this id.
    #[error("there is already a group {0}")]
    Group(GroupId),
    /// The group that every new customer joins, which cannot be deleted.
    #[error("group {0} is the default group, which cannot be deleted")]
    DefaultGroup(GroupId),
    /// No group of the merchant has this id.
    #[error("there is no group {0}")]
    NoGroup(GroupId),
    /// A customer of the merchant with this id.
    #[error("there is already a customer {0}")]
    Customer(CustomerId),
    /// A token with the same secret.
    #[error("there is already a token with the same secret")]
    Token,
    /// Another customer of the merchant with this one's mobile number.
    #[error("another customer already has the mobile number of customer {0}")]
    Mobile(CustomerId),
    /// Another customer of the merchant with this one's e-mail address.
    #[error("another customer already has the e-mail address of customer {0}")]
    Email(CustomerId),
}
