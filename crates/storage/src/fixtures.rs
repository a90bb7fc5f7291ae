//! Whole shops from fixture files.

use std::collections::BTreeMap;

use async_trait::async_trait;
use zumra_core::fixture::MerchantFixture;
use zumra_core::{CustomerId, GroupId, IdSet, Operation, OperationId};

use crate::Result;

/// Storage of fixtures.
#[async_trait]
pub trait Fixtures: Send + Sync {
    /// Makes a shop match a fixture in one operation: inserts what is missing, updates what differs.
    ///
    /// Rows that the fixture does not name stay as they are. Writes no operation if nothing differs.
    ///
    /// # Errors
    ///
    /// [`Conflict`](crate::Conflict) if a row of the fixture contradicts an existing row.
    async fn load_fixture(&self, fixture: MerchantFixture, operation: Operation) -> Result<LoadOutcome>;
}

/// The outcome of [`Fixtures::load_fixture`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadOutcome {
    /// The operation, if anything was written.
    pub operation: Option<OperationId>,
    /// Number of rows inserted or updated.
    pub changes: u64,
}

/// Returns the members of each group that the fixture names.
pub(crate) fn members_by_group(fixture: &MerchantFixture) -> BTreeMap<GroupId, IdSet<CustomerId>> {
    let mut members: BTreeMap<GroupId, Vec<CustomerId>> = BTreeMap::new();
    for customer in &fixture.customers {
        for &group in &customer.groups {
            members.entry(group).or_default().push(customer.id);
        }
    }
    members.into_iter().map(|(group, customers)| (group, customers.into())).collect()
}
