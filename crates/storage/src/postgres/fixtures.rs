//! Loading a shop from a fixture.

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;
use zumra_core::fixture::MerchantFixture;
use zumra_core::{GroupId, MerchantId, NewToken, Operation, OperationKind, Subject, Token};

use super::PostgresStorage;
use super::errors::Try;
use super::operations::{self, Mark};
use super::{customers, groups, memberships, merchants, tokens};
use crate::{Conflict, GroupSelector, LoadOutcome};
use crate::{Fixtures, Result};
use async_trait::async_trait;
use std::sync::Arc;

#[async_trait]
impl Fixtures for PostgresStorage {
    async fn load_fixture(&self, fixture: MerchantFixture, operation: Operation) -> Result<LoadOutcome> {
        let (merchant, fixture) = (fixture.merchant.id, Arc::new(fixture));
        // No limit but the server's for each statement: whole shops take their time.
        self.connections
            .transact(
                merchant,
                &operation,
                None,
                |loaded: &LoadOutcome| loaded.operation.is_some(),
                move |tx, mark| {
                    let fixture = Arc::clone(&fixture);
                    Box::pin(async move { load(tx, &fixture, &operation, mark).await })
                },
            )
            .await
    }
}

/// Memberships that one statement adds.
const MEMBERS: usize = 10_000;

pub(super) async fn load<C: GenericClient>(
    tx: &C,
    fixture: &MerchantFixture,
    operation: &Operation,
    mark: Mark,
) -> Try<LoadOutcome> {
    let merchant = fixture.merchant.id;
    merchants::lock(tx, merchant).await?;
    let id = operations::next_id(tx, merchant, operation, mark).await?;
    let mut changes = merchants::put(tx, &fixture.merchant, operation.at).await?;
    for token in &fixture.tokens {
        changes += u64::from(put_token(tx, merchant, token, operation).await?);
    }
    changes += put_groups(tx, merchant, fixture, operation).await?;
    changes += customers::put(tx, merchant, &fixture.customers, operation.at, mark).await?;
    let mut members: BTreeMap<GroupId, Vec<i64>> = BTreeMap::new();
    for (customer, groups) in &fixture.customers {
        for &group in groups {
            members.entry(group).or_default().push(customer.id.get());
        }
    }
    for (group, ids) in members {
        // In pieces, each of which a statement's time is enough for.
        for ids in memberships::set(ids.into_iter()).chunks(MEMBERS) {
            changes += memberships::insert(tx, merchant, group, ids, id).await?;
        }
    }
    if changes == 0 {
        return Ok(LoadOutcome { operation: None, changes });
    }
    operations::record(tx, merchant, id, operation, OperationKind::Load, (Subject::Other, changes), mark)
        .await?;
    Ok(LoadOutcome { operation: Some(id), changes })
}

/// Adds groups and changes those that are there; a merchant who then has no default group gets one. How many rows came
/// to differ.
async fn put_groups<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    fixture: &MerchantFixture,
    operation: &Operation,
) -> Try<u64> {
    // A deleted group whose memberships have not moved yet would otherwise come back with them.
    groups::sweep_all_of(tx, merchant).await?;
    if let Some(default) = fixture.groups.iter().find(|group| group.is_default) {
        groups::resign_default(tx, merchant, default.id).await?;
    }
    let mut rows = 0;
    for group in &fixture.groups {
        rows += groups::put(tx, merchant, group, operation.at).await?;
    }
    if groups::find(tx, merchant, GroupSelector::Default).await?.is_none() {
        rows += groups::insert_default(tx, merchant, operation).await?;
    }
    Ok(rows)
}

/// Adds a token, or changes the scopes and the end of the one with this secret. Whether anything changed.
async fn put_token<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    new: &NewToken,
    operation: &Operation,
) -> Try<bool> {
    let Some((old, owner)) = tokens::find(tx, new.hash).await? else {
        let token = Token {
            id: tokens::next_id(tx, merchant, operation.proposed_id).await?,
            merchant,
            scopes: new.scopes,
            created_at: operation.at,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        tokens::insert(tx, &token, new.hash).await?;
        return Ok(true);
    };
    if owner.id != merchant {
        return Err(Conflict::Token.into());
    }
    if (old.scopes, old.expires_at, old.revoked_at) == (new.scopes, new.expires_at, None) {
        return Ok(false);
    }
    tokens::restore(tx, merchant, old.id, new).await?;
    Ok(true)
}
