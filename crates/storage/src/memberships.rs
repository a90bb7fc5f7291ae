//! Memberships: which customer is in which group.

use async_trait::async_trait;
use zumra_core::{CustomerId, GroupId, IdSet, MerchantId, Operation, OperationId};

use crate::{Result, StorageError};

/// Storage of memberships.
#[async_trait]
pub trait Memberships: Send + Sync {
    /// Adds customers to a group by hand. All or nothing: if one id does not exist, nothing is written.
    ///
    /// Idempotent: customers that are members already are not an error.
    async fn add_members(
        &self,
        merchant: MerchantId,
        group: GroupId,
        customers: IdSet<CustomerId>,
        operation: Operation,
    ) -> Result<AddMembersOutcome>;

    /// Returns those of `ids` that the merchant has. Validation runs this lookup to explain a rejected request.
    async fn find_existing_ids(&self, merchant: MerchantId, ids: Ids) -> Result<Ids>;
}

/// Ids of groups and customers of one merchant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// Ids of groups.
    pub groups: IdSet<GroupId>,
    /// Ids of customers.
    pub customers: IdSet<CustomerId>,
}

impl Ids {
    /// Returns true if there is no id of either kind.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.customers.is_empty()
    }
}

/// The outcome of [`Memberships::add_members`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddMembersOutcome {
    /// At least one membership was created.
    Added {
        /// The operation that created the memberships.
        operation: OperationId,
        /// Number of memberships created.
        added: u64,
    },
    /// All customers were members already: nothing was written, not even an operation.
    Unchanged,
    /// The merchant does not have these ids: nothing was written.
    MissingIds(Ids),
}

/// The bit of `memberships.source` for members that were added by hand.
pub(crate) const ADDED_BY_HAND: i16 = 1;

/// The changes that turn the current groups of a customer into the requested ones.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GroupDiff {
    /// The groups of the customer after the change.
    pub(crate) groups: IdSet<GroupId>,
    /// Groups in which the membership ends.
    pub(crate) ended: IdSet<GroupId>,
    /// Groups in which a membership is created.
    pub(crate) created: IdSet<GroupId>,
}

impl GroupDiff {
    /// Computes the difference. A customer who is in the `default` group stays in it, even if it is not
    /// requested.
    pub(crate) fn new(
        current: &[GroupId],
        requested: impl IntoIterator<Item = GroupId>,
        default: Option<GroupId>,
    ) -> Self {
        let kept = default.filter(|group| current.contains(group));
        let groups: IdSet<GroupId> = requested.into_iter().chain(kept).collect();
        let current: IdSet<GroupId> = current.iter().copied().collect();
        Self { ended: current.difference(&groups), created: groups.difference(&current), groups }
    }

    /// Returns true if nothing changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.created.is_empty()
    }
}

/// Decodes ids of groups.
pub(crate) fn decode_groups(ids: impl IntoIterator<Item = i64>) -> Result<IdSet<GroupId>> {
    decode_ids("groups", ids, GroupId::new)
}

/// Decodes ids of customers.
pub(crate) fn decode_customers(ids: impl IntoIterator<Item = i64>) -> Result<IdSet<CustomerId>> {
    decode_ids("customers", ids, CustomerId::new)
}

fn decode_ids<Id: Ord>(
    table: &str,
    ids: impl IntoIterator<Item = i64>,
    new: impl Fn(i64) -> Option<Id>,
) -> Result<IdSet<Id>> {
    ids.into_iter().map(|id| new(id).ok_or_else(|| StorageError::corrupt(table, "id", id))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(ids: &[i64]) -> IdSet<GroupId> {
        ids.iter().filter_map(|id| GroupId::new(*id)).collect()
    }

    #[test]
    fn requested_groups_replace_the_current_ones_except_the_default_group() {
        let diff = |current: &[i64], requested: &[i64]| {
            GroupDiff::new(&groups(current), groups(requested), GroupId::new(30))
        };
        let expected = GroupDiff { groups: groups(&[20, 30]), ended: groups(&[10]), created: groups(&[20]) };
        assert_eq!(diff(&[10, 30], &[20]), expected);
        assert!(diff(&[10, 30], &[30, 10]).is_empty());
        let outside = GroupDiff { groups: groups(&[20]), ended: groups(&[10]), created: groups(&[20]) };
        assert_eq!(diff(&[10], &[20]), outside, "the default group is not joined");
    }
}
