//! Memberships: which customer is in which group.

use async_trait::async_trait;
use zumra_core::{CustomerId, GroupId, IdSet, MerchantId, Operation, OperationId};

use crate::Result;

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
