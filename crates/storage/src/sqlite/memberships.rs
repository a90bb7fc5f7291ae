//! Memberships: which customer is in which group.

use std::rc::Rc;

use async_trait::async_trait;
use rusqlite::Connection;
use zumra_core::{
    Customer, CustomerId, GroupId, IdSet, MerchantId, Operation, OperationId, OperationKind, Subject,
};

use super::engine::SqliteStorage;
use super::sql::{self, id_array};
use super::tx::Tx;
use super::{groups, operations};
use crate::memberships::{ADDED_BY_HAND, GroupDiff, decode_customers};
use crate::row::stored_count;
use crate::{AddMembersOutcome, GroupSelector, Ids, Memberships, Result, StorageError};

#[async_trait]
impl Memberships for SqliteStorage {
    async fn add_members(
        &self,
        merchant: MerchantId,
        group: GroupId,
        customers: IdSet<CustomerId>,
        operation: Operation,
    ) -> Result<AddMembersOutcome> {
        self.write_validated(merchant, operation, move |tx| add(tx, group, &customers)).await
    }

    async fn find_existing_ids(&self, merchant: MerchantId, ids: Ids) -> Result<Ids> {
        self.read_pool.read(move |db| find_existing_ids(db, merchant, &ids)).await
    }
}

/// Adds customers to a group. Validates all ids before the first change, as writes without a savepoint must.
fn add(tx: &Tx<'_>, group: GroupId, customers: &IdSet<CustomerId>) -> Result<AddMembersOutcome> {
    let has_group = group_exists(tx.connection, tx.merchant, group)?;
    let missing = Ids {
        groups: if has_group { IdSet::default() } else { IdSet::from(vec![group]) },
        customers: find_missing_customers(tx, customers)?,
    };
    if !missing.is_empty() {
        return Ok(AddMembersOutcome::MissingIds(missing));
    }
    let operation = operations::next_id(tx)?;
    let added = insert(tx, group, customers, operation)?;
    if added == 0 {
        return Ok(AddMembersOutcome::Unchanged);
    }
    operations::record(tx, operation, OperationKind::AddMembers, Subject::Group(group), added)?;
    Ok(AddMembersOutcome::Added { operation, added })
}

/// Returns those of `ids` that exist.
fn find_existing_ids(db: &Connection, merchant: MerchantId, ids: &Ids) -> Result<Ids> {
    let mut existing = Vec::new();
    for &group in &ids.groups {
        if group_exists(db, merchant, group)? {
            existing.push(group);
        }
    }
    let statement = "SELECT value FROM rarray(?2)
                     WHERE EXISTS (SELECT 1 FROM customers WHERE merchant_id = ?1 AND id = value)";
    let wanted = id_array(ids.customers.iter().map(|id| id.get()));
    let customers: Vec<i64> = sql::query_values(db, statement, (merchant.get(), wanted))?;
    Ok(Ids { groups: existing.into(), customers: decode_customers(customers)? })
}

/// Creates the memberships that do not exist yet. All ids must exist. Returns the number of memberships created.
///
/// After an error, some of the rows may be inserted: the surrounding transaction or savepoint rolls them back. Without
/// `OR FAIL`, SQLite would write each changed page a second time, to a statement journal.
pub(super) fn insert(
    tx: &Tx<'_>,
    group: GroupId,
    customers: &IdSet<CustomerId>,
    operation: OperationId,
) -> Result<u64> {
    let (merchant_id, group_id) = (tx.merchant.get(), group.get());
    let ids = id_array(customers.iter().map(|id| id.get()));
    let inserted = tx.execute(
        "INSERT OR FAIL INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
         SELECT ?1, ?2, value, ?4, ?5 FROM rarray(?3) WHERE true
         ON CONFLICT (merchant_id, group_id, customer_id) DO NOTHING",
        (merchant_id, group_id, Rc::clone(&ids), operation.get(), ADDED_BY_HAND),
    )?;
    if inserted == customers.len() as u64 {
        return Ok(inserted);
    }
    // Some memberships exist already. Those that only a rule has created are now added by hand too, and count as
    // created. A separate statement does this, because it would slow down every new row in the first one.
    let added_by_hand = tx.execute(
        "UPDATE memberships SET source = source | ?4
         WHERE merchant_id = ?1 AND group_id = ?2 AND customer_id IN (SELECT value FROM rarray(?3))
           AND source & ?4 = 0",
        (merchant_id, group_id, ids, ADDED_BY_HAND),
    )?;
    Ok(inserted + added_by_hand)
}

/// Creates the memberships of one customer in `groups`, which must exist.
pub(super) fn join(
    tx: &Tx<'_>,
    customer: CustomerId,
    groups: &IdSet<GroupId>,
    operation: OperationId,
) -> Result<()> {
    let customer = IdSet::from(vec![customer]);
    for &group in groups {
        insert(tx, group, &customer, operation)?;
    }
    Ok(())
}

/// Replaces the groups of a customer, who stays in the default group. Returns true if anything changed.
pub(super) fn replace(
    tx: &Tx<'_>,
    customer: &mut Customer,
    groups: &[GroupId],
    operation: OperationId,
) -> Result<bool> {
    let requested = existing_groups(tx, groups)?;
    let diff = GroupDiff::new(&customer.groups, requested, default_group(tx)?);
    if diff.is_empty() {
        return Ok(false);
    }
    end(tx, customer.id, &diff.ended, operation)?;
    join(tx, customer.id, &diff.created, operation)?;
    customer.groups = diff.groups.into_vec();
    Ok(true)
}

/// Ends the memberships of a customer in `groups`.
fn end(tx: &Tx<'_>, customer: CustomerId, groups: &IdSet<GroupId>, operation: OperationId) -> Result<()> {
    let (merchant_id, customer_id) = (tx.merchant.get(), customer.get());
    let ids = id_array(groups.iter().map(|id| id.get()));
    tx.execute(
        "INSERT INTO past_memberships (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
         SELECT merchant_id, group_id, customer_id, operation_id, ?4, source FROM memberships
         WHERE merchant_id = ?1 AND customer_id = ?2 AND group_id IN (SELECT value FROM rarray(?3))",
        (merchant_id, customer_id, Rc::clone(&ids), operation.get()),
    )?;
    tx.execute(
        "DELETE FROM memberships
         WHERE merchant_id = ?1 AND customer_id = ?2 AND group_id IN (SELECT value FROM rarray(?3))",
        (merchant_id, customer_id, ids),
    )?;
    Ok(())
}

/// Ends all memberships of a customer. Memberships in deleted groups get the operation that deleted the group.
pub(super) fn end_all(tx: &Tx<'_>, customer: CustomerId, operation: OperationId) -> Result<()> {
    tx.execute(
        "INSERT INTO past_memberships (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
         SELECT merchant_id, group_id, customer_id, operation_id,
                coalesce((SELECT deleted_by FROM groups WHERE merchant_id = ?1 AND id = group_id), ?3), source
         FROM memberships WHERE merchant_id = ?1 AND customer_id = ?2",
        (tx.merchant.get(), customer.get(), operation.get()),
    )?;
    let statement = "DELETE FROM memberships WHERE merchant_id = ?1 AND customer_id = ?2";
    tx.execute(statement, (tx.merchant.get(), customer.get()))?;
    Ok(())
}

/// Returns `ids` as a set.
///
/// # Errors
///
/// [`StorageError::MissingGroup`] if one of them does not exist.
pub(super) fn existing_groups(tx: &Tx<'_>, ids: &[GroupId]) -> Result<IdSet<GroupId>> {
    for &id in ids {
        if !group_exists(tx.connection, tx.merchant, id)? {
            return Err(StorageError::MissingGroup(id));
        }
    }
    Ok(ids.iter().copied().collect())
}

/// Like [`existing_groups`], with the default group.
pub(super) fn existing_groups_and_default(tx: &Tx<'_>, ids: &[GroupId]) -> Result<IdSet<GroupId>> {
    let groups = existing_groups(tx, ids)?;
    Ok(groups.into_iter().chain(default_group(tx)?).collect())
}

/// Returns the group that every new customer joins.
pub(super) fn default_group(tx: &Tx<'_>) -> Result<Option<GroupId>> {
    Ok(groups::find(tx.connection, tx.merchant, GroupSelector::Default)?.map(|group| group.id))
}

fn group_exists(db: &Connection, merchant: MerchantId, group: GroupId) -> Result<bool> {
    let statement =
        "SELECT EXISTS (SELECT 1 FROM groups WHERE merchant_id = ?1 AND id = ?2 AND deleted_by IS NULL)";
    sql::query_value(db, statement, (merchant.get(), group.get()))
}

/// Returns the ids of `wanted` that do not exist.
///
/// Large requests are often contiguous ranges: a page of a shop's customers, or a whole import. So this first scans the
/// index from the smallest id for as many rows as are wanted, which is about three times faster than one lookup per id.
/// Ids that the scan did not reach are looked up one by one.
fn find_missing_customers(tx: &Tx<'_>, wanted: &IdSet<CustomerId>) -> Result<IdSet<CustomerId>> {
    let (db, merchant_id) = (tx.connection, tx.merchant.get());
    let Some(first) = wanted.first() else { return Ok(IdSet::default()) };
    let mut scan = db.prepare_cached(
        "SELECT id FROM customers WHERE merchant_id = ?1 AND id >= ?2 ORDER BY id LIMIT ?3",
    )?;
    let scanned = scan.query_map((merchant_id, first.get(), stored_count(wanted.len())), |row| row.get(0))?;
    let not_scanned = exclude_ascending(wanted.iter().map(|id| id.get()), scanned)?;
    if not_scanned.is_empty() {
        return Ok(IdSet::default());
    }
    let statement = "SELECT value FROM rarray(?2)
                     WHERE NOT EXISTS (SELECT 1 FROM customers WHERE merchant_id = ?1 AND id = value)";
    let missing: Vec<i64> = sql::query_values(db, statement, (merchant_id, id_array(not_scanned)))?;
    decode_customers(missing)
}

/// Returns the ids of `wanted` that are not in `found`. Both must be in ascending order; `found` is read only as far as
/// needed.
fn exclude_ascending(
    wanted: impl IntoIterator<Item = i64>,
    mut found: impl Iterator<Item = rusqlite::Result<i64>>,
) -> rusqlite::Result<Vec<i64>> {
    let mut next_found = found.next().transpose()?;
    let mut missing = Vec::new();
    for id in wanted {
        while next_found.is_some_and(|found| found < id) {
            next_found = found.next().transpose()?;
        }
        if next_found != Some(id) {
            missing.push(id);
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_not_found_remain() {
        let exclude =
            |wanted: &[i64], found: &[i64]| exclude_ascending(wanted.to_vec(), found.iter().copied().map(Ok));
        assert_eq!(exclude(&[1, 2, 3], &[1, 2, 3]), Ok(vec![]));
        assert_eq!(exclude(&[1, 4, 9], &[1, 2, 3]), Ok(vec![4, 9]), "the scan ended before them");
        assert_eq!(exclude(&[2, 3, 5], &[3, 4]), Ok(vec![2, 5]));
        assert_eq!(exclude(&[1], &[]), Ok(vec![1]));
        assert_eq!(exclude(&[], &[1]), Ok(vec![]));
    }
}
