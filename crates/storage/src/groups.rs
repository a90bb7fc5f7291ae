//! Customer groups.

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zumra_core::text::Name;
use zumra_core::{
    Group, GroupChange, GroupId, MerchantId, NewGroup, Operation, OperationId, Page, PageRequest,
};

use crate::row::{Row, RowReader};
use crate::{Conflict, Result, StorageError, Written};

/// Storage of customer groups.
#[async_trait]
pub trait Groups: Send + Sync {
    /// Returns one page of the merchant's groups, oldest first.
    async fn list_groups(&self, merchant: MerchantId, page: PageRequest) -> Result<Page<Group>>;

    /// Returns one group, or `None` if the merchant has no such group.
    async fn find_group(&self, merchant: MerchantId, group: GroupSelector) -> Result<Option<Group>>;

    /// Inserts a group under a new id.
    ///
    /// # Errors
    ///
    /// [`StorageError::IdsUsedUp`] if no id is left.
    async fn create_group(
        &self,
        merchant: MerchantId,
        group: NewGroup,
        operation: Operation,
    ) -> Result<Written<Group>>;

    /// Updates a group. A change without effect writes nothing.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if the merchant has no such group.
    async fn update_group(
        &self,
        merchant: MerchantId,
        group: GroupSelector,
        change: GroupChange,
        operation: Operation,
    ) -> Result<Written<Group>>;

    /// Soft-deletes a group, which ends all its memberships. Cost does not depend on the number of members.
    ///
    /// Reads stop showing the group and its memberships as soon as this returns.
    /// [`Groups::archive_deleted_groups`] moves the rows later.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if the merchant has no such group,
    /// [`Conflict::DefaultGroup`] if it is the default group.
    async fn delete_group(
        &self,
        merchant: MerchantId,
        group: GroupId,
        operation: Operation,
    ) -> Result<OperationId>;

    /// Moves up to `limit` memberships of soft-deleted groups, of all merchants, to `past_memberships`.
    ///
    /// Returns true if more may remain. Idempotent, and safe to run in several processes at once.
    async fn archive_deleted_groups(&self, limit: u32) -> Result<bool>;
}

/// A selector of one group of a merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupSelector {
    /// The group with this id.
    Id(GroupId),
    /// The default group, which every new customer joins.
    Default,
}

/// The columns that [`decode`] reads.
pub(crate) const COLUMNS: &str = "id, name, conditions, features, is_default";

/// Decodes a row with the columns of [`COLUMNS`].
pub(crate) fn decode(row: &impl Row) -> Result<Group> {
    let mut row = RowReader::new(row, "groups");
    Ok(Group {
        id: row.id("id", GroupId::new)?,
        name: row.parsed("name", Name::parse)?,
        conditions: row.parsed("conditions", from_json)?,
        features: row.parsed("features", from_json)?,
        is_default: row.flag()?,
    })
}

fn from_json<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text)
}

/// Returns conditions or features in their stored form, JSON.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StorageError::Internal(e.to_string()))
}

/// Returns the group of a fixture merged with the stored one, or `None` if they are equal.
///
/// The stored default group stays the default group, even if the fixture does not mark it.
pub(crate) fn merge(stored: &Group, new: &Group) -> Option<Group> {
    let merged = Group { is_default: new.is_default || stored.is_default, ..new.clone() };
    (merged != *stored).then_some(merged)
}

/// Checks that a group may be deleted.
///
/// # Errors
///
/// [`Conflict::DefaultGroup`] for the default group.
pub(crate) fn require_deletable(group: &Group) -> Result<()> {
    if group.is_default { Err(Conflict::DefaultGroup(group.id).into()) } else { Ok(()) }
}
