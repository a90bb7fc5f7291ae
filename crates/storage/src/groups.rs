//! Customer groups.

use async_trait::async_trait;
use zumra_core::{Group, GroupChange, GroupId, MerchantId, Operation, OperationId, Page, PageRequest};

use crate::{Result, Written};

/// Storage of customer groups.
#[async_trait]
pub trait Groups: Send + Sync {
    /// Returns one page of the merchant's groups, oldest first.
    async fn list_groups(&self, merchant: MerchantId, page: PageRequest) -> Result<Page<Group>>;

    /// Returns one group, or `None` if the merchant has no such group.
    async fn find_group(&self, merchant: MerchantId, group: GroupSelector) -> Result<Option<Group>>;

    /// Inserts a group.
    ///
    /// # Errors
    ///
    /// [`Conflict::Group`](crate::Conflict::Group) if the id is used.
    async fn create_group(
        &self,
        merchant: MerchantId,
        group: Group,
        operation: Operation,
    ) -> Result<Written<Group>>;

    /// Updates a group. A change without effect writes nothing.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`](crate::StorageError::NotFound) if the merchant has no such group.
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
    /// [`StorageError::NotFound`](crate::StorageError::NotFound) if the merchant has no such group,
    /// [`Conflict::DefaultGroup`](crate::Conflict::DefaultGroup) if it is the default group.
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

/// Selects one group of a merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupSelector {
    /// The group with this id.
    Id(GroupId),
    /// The default group, which every new customer joins.
    Default,
}
