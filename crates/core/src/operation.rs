//! Operations: the audit record of every write.
//!
//! What belongs here: who changed what and when. Storage inserts one row per operation.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::{CustomerId, GroupId, OperationId, TokenId};

/// Who requested a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A client, identified by its token.
    Token(TokenId),
    /// An operator at the command line.
    Operator,
}

impl fmt::Display for Actor {
    /// Writes the stored form: `token:17` or `operator`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(id) => write!(formatter, "token:{id}"),
            Self::Operator => formatter.write_str("operator"),
        }
    }
}

impl FromStr for Actor {
    type Err = UnknownActor;

    fn from_str(text: &str) -> Result<Self, UnknownActor> {
        match text.strip_prefix("token:") {
            Some(id) => id.parse().map(Self::Token).map_err(|_| UnknownActor),
            None if text == "operator" => Ok(Self::Operator),
            None => Err(UnknownActor),
        }
    }
}

/// A text that is not an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is neither a token nor the operator")]
pub struct UnknownActor;

/// What an operation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Customers were added to a group.
    AddMembers,
    /// A merchant was created.
    CreateMerchant,
    /// A token was created.
    CreateToken,
    /// A token was revoked.
    RevokeToken,
    /// A fixture was loaded.
    Load,
    /// A group was created.
    CreateGroup,
    /// A group's name, conditions or features changed.
    UpdateGroup,
    /// A group was deleted, and all its memberships ended.
    DeleteGroup,
    /// A customer was created.
    CreateCustomer,
    /// A customer's details or groups changed.
    UpdateCustomer,
    /// A customer was deleted, and all memberships of the customer ended.
    DeleteCustomer,
    /// A customer was banned, or the reason for the ban changed.
    BanCustomer,
    /// A customer's ban was lifted.
    UnbanCustomer,
    /// Customers were created from rows of a file.
    Import,
}

/// The row that an operation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A group, or its memberships.
    Group(GroupId),
    /// A customer.
    Customer(CustomerId),
    /// Another row, or several rows.
    Other,
}

impl OperationKind {
    /// Returns the stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AddMembers => "add_members",
            Self::CreateMerchant => "create_merchant",
            Self::CreateToken => "create_token",
            Self::RevokeToken => "revoke_token",
            Self::Load => "load",
            Self::CreateGroup => "create_group",
            Self::UpdateGroup => "update_group",
            Self::DeleteGroup => "delete_group",
            Self::CreateCustomer => "create_customer",
            Self::UpdateCustomer => "update_customer",
            Self::DeleteCustomer => "delete_customer",
            Self::BanCustomer => "ban_customer",
            Self::UnbanCustomer => "unban_customer",
            Self::Import => "import",
        }
    }
}

impl Subject {
    /// Returns the group, or `None` if the subject is not a group.
    pub fn group(self) -> Option<GroupId> {
        if let Self::Group(id) = self { Some(id) } else { None }
    }

    /// Returns the customer, or `None` if the subject is not a customer.
    pub fn customer(self) -> Option<CustomerId> {
        if let Self::Customer(id) = self { Some(id) } else { None }
    }
}

/// The part of an operation that the caller provides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The proposed id. Storage assigns `max(proposed_id, newest id of the merchant + 1)`.
    pub proposed_id: OperationId,
    /// When the change was requested.
    pub at: Timestamp,
    /// Who requested the change.
    pub actor: Actor,
}
