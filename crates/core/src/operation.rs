//! One change, as asked by one caller: who, when, what kind, how many. Every write is one.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::{CustomerId, GroupId, OperationId, TokenId};

/// Who asked for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A program, by its token.
    Token(TokenId),
    /// A person at the command line.
    Operator,
}

impl fmt::Display for Actor {
    /// The form in which it is kept: `token:17`, `operator`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Operator => f.write_str("operator"),
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

/// Text that names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("names neither a token nor the operator")]
pub struct UnknownActor;

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Customers joined a group.
    AddMembers,
    /// A merchant was created.
    CreateMerchant,
    /// A token was created.
    CreateToken,
    /// A token was revoked.
    RevokeToken,
    /// Fixtures were loaded.
    Load,
    /// A group was created.
    CreateGroup,
    /// A group's name, conditions or features changed.
    UpdateGroup,
    /// A group was deleted, and all memberships in it ended.
    DeleteGroup,
    /// A customer was created.
    CreateCustomer,
    /// A customer's details or groups changed.
    UpdateCustomer,
    /// A customer was deleted, and all the customer's memberships ended.
    DeleteCustomer,
    /// A customer was banned, or the reason for it changed.
    BanCustomer,
    /// A customer's ban was lifted.
    UnbanCustomer,
    /// Customers were made from rows of a file.
    Import,
}

/// What a change was made to, if it was made to one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A group, or memberships in it.
    Group(GroupId),
    /// A customer.
    Customer(CustomerId),
    /// Something else, or several things.
    Other,
}

impl OperationKind {
    /// The form in which it is kept.
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
    /// The group, if it is one.
    pub fn group(self) -> Option<GroupId> {
        if let Self::Group(id) = self { Some(id) } else { None }
    }

    /// The customer, if it is one.
    pub fn customer(self) -> Option<CustomerId> {
        if let Self::Customer(id) = self { Some(id) } else { None }
    }
}

/// What a caller knows of a change before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The proposed id. Storage assigns `max(proposed_id, newest id of the merchant + 1)`.
    pub proposed_id: OperationId,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked.
    pub actor: Actor,
}
