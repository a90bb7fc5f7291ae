//! Fixtures: a merchant with its groups and customers, loaded by a developer or a test.

use async_trait::async_trait;
use zumra_core::fixture::MerchantFixture;
use zumra_core::{NewToken, Operation, OperationKind, Subject};

use super::engine::SqliteStorage;
use super::tx::Tx;
use super::{customers, groups, memberships, merchants, operations, tokens};
use crate::fixtures::members_by_group;
use crate::tokens::{TokenMerge, build_token, merge};
use crate::{Fixtures, GroupSelector, LoadOutcome, Result};

#[async_trait]
impl Fixtures for SqliteStorage {
    async fn load_fixture(&self, fixture: MerchantFixture, operation: Operation) -> Result<LoadOutcome> {
        self.write(fixture.merchant.id, operation, move |tx| load(tx, &fixture)).await
    }
}

fn load(tx: &Tx<'_>, fixture: &MerchantFixture) -> Result<LoadOutcome> {
    let operation = operations::next_id(tx)?;
    let mut changes = merchants::upsert(tx, &fixture.merchant)?;
    for token in &fixture.tokens {
        changes += upsert_token(tx, token)?;
    }
    changes += upsert_groups(tx, fixture)?;
    for customer in &fixture.customers {
        changes += customers::upsert(tx, customer.id, &customer.details)?;
    }
    for (group, members) in members_by_group(fixture) {
        changes += memberships::insert(tx, group, &members, operation)?;
    }
    if changes == 0 {
        return Ok(LoadOutcome { operation: None, changes });
    }
    operations::record(tx, operation, OperationKind::Load, Subject::Other, changes)?;
    Ok(LoadOutcome { operation: Some(operation), changes })
}

/// Upserts the groups of a fixture, and a default group if the merchant then has none. Returns the number of rows
/// changed.
fn upsert_groups(tx: &Tx<'_>, fixture: &MerchantFixture) -> Result<u64> {
    // Otherwise a deleted group that the fixture inserts again would get its former memberships back.
    groups::archive_merchant(tx)?;
    if let Some(default) = fixture.groups.iter().find(|group| group.is_default) {
        groups::clear_default_except(tx, default.id)?;
    }
    let mut changes = 0;
    for group in &fixture.groups {
        changes += groups::upsert(tx, group)?;
    }
    if groups::find(tx.connection, tx.merchant, GroupSelector::Default)?.is_none() {
        groups::insert_default(tx)?;
        changes += 1;
    }
    Ok(changes)
}

/// Inserts a token, or merges it into the stored token with the same hash. Returns the number of rows changed: 0 or 1.
fn upsert_token(tx: &Tx<'_>, new: &NewToken) -> Result<u64> {
    let Some((stored, _)) = tokens::find(tx.connection, new.hash)? else {
        let id = tokens::next_id(tx, tx.operation.proposed_id)?;
        tokens::insert(tx, &build_token(tx.merchant, id, new, tx.operation.at), new.hash)?;
        return Ok(1);
    };
    match merge(&stored, tx.merchant, new)? {
        TokenMerge::Keep => Ok(0),
        TokenMerge::Restore(id) => {
            tokens::restore(tx, id, new)?;
            Ok(1)
        }
    }
}
