//! One change, as asked by one caller: who, when, what kind, how many. Every write is one.

use std::fmt;

use jiff::Timestamp;

use crate::{OperationId, TokenId};

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
        }
    }
}

/// What a caller knows of a change before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The id it would like. The storage gives the next higher one if operations have come past it.
    pub id: OperationId,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked.
    pub actor: Actor,
}
