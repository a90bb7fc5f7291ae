//! Loading a shop from a fixture.

use std::collections::BTreeMap;

use rusqlite::Connection;
use zumra_core::fixture::MerchantFixture;
use zumra_core::{GroupId, MerchantId, NewToken, Operation, OperationKind, Subject, Token};

use super::SqliteStorage;
use super::{customers, groups, memberships, merchants, operations, tokens};
use crate::Fixtures;
use crate::{Conflict, GroupSelector, LoadOutcome, Result};
use async_trait::async_trait;

#[async_trait]
impl Fixtures for SqliteStorage {
    async fn load_fixture(&self, fixture: MerchantFixture, operation: Operation) -> Result<LoadOutcome> {
        self.writer.write(move |tx| load(tx, &fixture, operation)).await
    }
}

pub(super) fn load(tx: &Connection, fixture: &MerchantFixture, operation: Operation) -> Result<LoadOutcome> {
    let merchant = fixture.merchant.id;
    let id = operations::next_id(tx, merchant, &operation)?;
    let mut rows = merchants::put(tx, &fixture.merchant, operation.at)?;
    for token in &fixture.tokens {
        rows += usize::from(put_token(tx, merchant, token, &operation)?);
    }
    rows += put_groups(tx, merchant, fixture, &operation)?;
    let mut members: BTreeMap<GroupId, Vec<i64>> = BTreeMap::new();
    for (customer, groups) in &fixture.customers {
        rows += customers::put(tx, merchant, customer, operation.at)?;
        for &group in groups {
            members.entry(group).or_default().push(customer.id.get());
        }
    }
    let mut changes = rows as u64;
    for (group, ids) in members {
        changes += memberships::insert(tx, merchant, group, memberships::set(ids.into_iter()), id)?;
    }
    if changes == 0 {
        return Ok(LoadOutcome { operation: None, changes });
    }
    operations::record(tx, merchant, id, &operation, OperationKind::Load, Subject::Other, changes)?;
    Ok(LoadOutcome { operation: Some(id), changes })
}

/// Adds groups and changes those that are there; a merchant who then has no default group gets one. How many rows came
/// to differ.
fn put_groups(
    tx: &Connection,
    merchant: MerchantId,
    fixture: &MerchantFixture,
    operation: &Operation,
) -> Result<usize> {
    // A deleted group whose memberships have not moved yet would otherwise come back with them.
    groups::sweep_all_of(tx, merchant)?;
    if let Some(default) = fixture.groups.iter().find(|group| group.is_default) {
        groups::resign_default(tx, merchant, default.id)?;
    }
    let mut rows = 0;
    for group in &fixture.groups {
        rows += groups::put(tx, merchant, group, operation.at)?;
    }
    if groups::find(tx, merchant, GroupSelector::Default)?.is_none() {
        rows += usize::from(groups::insert_default(tx, merchant, operation)?);
    }
    Ok(rows)
}

/// Adds a token, or changes the scopes and the end of the one with this secret. Whether anything changed.
fn put_token(tx: &Connection, merchant: MerchantId, new: &NewToken, operation: &Operation) -> Result<bool> {
    let Some((old, owner)) = tokens::find(tx, new.hash)? else {
        let token = Token {
            id: tokens::next_id(tx, merchant, operation.proposed_id)?,
            merchant,
            scopes: new.scopes,
            created_at: operation.at,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        tokens::insert(tx, &token, new.hash)?;
        return Ok(true);
    };
    if owner.id != merchant {
        return Err(Conflict::Token.into());
    }
    if (old.scopes, old.expires_at, old.revoked_at) == (new.scopes, new.expires_at, None) {
        return Ok(false);
    }
    tokens::restore(tx, merchant, old.id, new)?;
    Ok(true)
}
