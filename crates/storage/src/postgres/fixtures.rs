//! Loading a merchant from a fixture.

use async_trait::async_trait;
use zumra_core::fixture::MerchantFixture;
use zumra_core::{NewToken, Operation, OperationKind, Subject};

use super::engine::PostgresStorage;
use super::errors::AttemptResult;
use super::tx::Tx;
use super::{customers, groups, memberships, merchants, operations, tokens};
use crate::fixtures::members_by_group;
use crate::tokens::{TokenMerge, merge};
use crate::{Fixtures, GroupSelector, LoadOutcome, Result};

/// Memberships per statement, so that each statement ends within its time limit.
const CHUNK_ROWS: usize = 10_000;

#[async_trait]
impl Fixtures for PostgresStorage {
    async fn load_fixture(&self, fixture: MerchantFixture, operation: Operation) -> Result<LoadOutcome> {
        // A large fixture takes longer than a single statement may.
        let merchant = fixture.merchant.id;
        self.connections
            .write_without_deadline(merchant, operation, fixture, |tx, fixture| Box::pin(load(tx, fixture)))
            .await
    }
}

async fn load(tx: &Tx<'_>, fixture: &MerchantFixture) -> AttemptResult<LoadOutcome> {
    merchants::lock(tx).await?;
    let operation = operations::next_id(tx).await?;
    let mut changes = merchants::upsert(tx, &fixture.merchant).await?;
    for token in &fixture.tokens {
        changes += u64::from(upsert_token(tx, token).await?);
    }
    changes += upsert_groups(tx, fixture).await?;
    let customers: Vec<_> =
        fixture.customers.iter().map(|customer| (customer.id, &customer.details)).collect();
    changes += customers::upsert(tx, &customers).await?;
    for (group, customers) in members_by_group(fixture) {
        for chunk in customers.chunks(CHUNK_ROWS) {
            changes += memberships::insert(tx, group, chunk, operation).await?;
        }
    }
    if changes == 0 {
        return Ok(LoadOutcome { operation: None, changes });
    }
    operations::record(tx, operation, OperationKind::Load, Subject::Other, changes).await?;
    Ok(LoadOutcome { operation: Some(operation), changes })
}

/// Inserts and updates groups, and ensures that the merchant has a default group. Returns the number of rows changed.
async fn upsert_groups(tx: &Tx<'_>, fixture: &MerchantFixture) -> AttemptResult<u64> {
    // Otherwise a soft-deleted group of the fixture would come back with its old memberships.
    groups::archive_merchant(tx).await?;
    if let Some(default) = fixture.groups.iter().find(|group| group.is_default) {
        groups::clear_default_except(tx, default.id).await?;
    }
    let mut rows = 0;
    for group in &fixture.groups {
        rows += groups::upsert(tx, group).await?;
    }
    if groups::find(&tx.client, tx.merchant, GroupSelector::Default).await?.is_none() {
        groups::insert_default(tx).await?;
        rows += 1;
    }
    Ok(rows)
}

/// Inserts a token, or updates scopes and expiry of the one with the same secret. Returns true if anything changed.
async fn upsert_token(tx: &Tx<'_>, new: &NewToken) -> AttemptResult<bool> {
    let Some((stored, _)) = tokens::find(&tx.client, new.hash).await? else {
        tokens::insert(tx, new, tx.operation.proposed_id).await?;
        return Ok(true);
    };
    match merge(&stored, tx.merchant, new)? {
        TokenMerge::Keep => Ok(false),
        TokenMerge::Restore(id) => {
            tokens::restore(tx, id, new).await?;
            Ok(true)
        }
    }
}
