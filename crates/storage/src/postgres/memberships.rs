//! Memberships: who is in which group.

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use zumra_core::{Customer, CustomerId, GroupId, IdSet, MerchantId, OperationId};

use super::PostgresStorage;
use super::batch::Addition;
use super::errors::Try;
use crate::{AddMembersOutcome, Memberships};
use crate::{Contacts, Ids, Result, StorageError};
use async_trait::async_trait;
use std::sync::Arc;
use zumra_core::Operation;

#[async_trait]
impl Memberships for PostgresStorage {
    async fn find_existing_ids(&self, merchant: MerchantId, ids: Ids) -> Result<Ids> {
        let ids = Arc::new(ids);
        self.connections
            .read(|db| {
                let ids = Arc::clone(&ids);
                Box::pin(async move { find_existing_ids(db, merchant, &ids).await })
            })
            .await
    }

    async fn add_members(
        &self,
        merchant: MerchantId,
        group: GroupId,
        customers: IdSet<CustomerId>,
        operation: Operation,
    ) -> Result<AddMembersOutcome> {
        let customers = customers.iter().map(|id| id.get()).collect();
        let addition = Addition { group, customers, operation };
        self.connections.write(merchant, &operation, &self.additions.attempt(merchant, addition)).await
    }
}

/// The bit of `source` that says "by hand".
pub(super) const BY_HAND: i16 = 1;

/// Adds those who are not members yet, all of them known. How many they were.
pub(super) async fn insert<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    group: GroupId,
    customers: &[i64],
    operation: OperationId,
) -> Try<u64> {
    let sql = "INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
               SELECT $1, $2, id, $4, $5 FROM unnest($3::bigint[]) AS wanted (id)
               ON CONFLICT (merchant_id, group_id, customer_id)
               DO UPDATE SET source = memberships.source | $5
               WHERE memberships.merchant_id = $1 AND memberships.source & $5 = 0";
    let statement = tx.prepare_cached(sql).await?;
    let (merchant, group) = (merchant.get(), group.get());
    Ok(tx.execute(&statement, &[&merchant, &group, &customers, &operation.get(), &BY_HAND]).await?)
}

/// These groups, once it is sure that all of them are there, and with `default` the one that every new customer joins.
/// Ascending, and they stay until the end of the transaction.
pub(super) async fn live_groups<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    ids: &[GroupId],
    default: bool,
) -> Try<Vec<GroupId>> {
    let sql = "SELECT id FROM groups WHERE merchant_id = $1 AND (id = ANY($2) OR is_default AND $3)
               AND deleted_by IS NULL ORDER BY id FOR KEY SHARE";
    let statement = tx.prepare_cached(sql).await?;
    let wanted = set(ids.iter().map(|id| id.get()));
    let rows = tx.query(&statement, &[&merchant.get(), &wanted, &default]).await?;
    let there: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?;
    if let Some(id) = ids.iter().find(|id| !there.contains(&id.get())) {
        return Err(StorageError::MissingGroup(*id).into());
    }
    let id = |id| GroupId::new(id).ok_or_else(|| StorageError::corrupt("groups", "id", id));
    Ok(there.into_iter().map(id).collect::<Result<_>>()?)
}

/// Adds one customer to groups of which it is no member.
pub(super) async fn join<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    customer: CustomerId,
    groups: &[GroupId],
    operation: OperationId,
) -> Try<()> {
    let sql = "INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
               SELECT $1, id, $2, $4, $5 FROM unnest($3::bigint[]) AS wanted (id)
               ON CONFLICT (merchant_id, group_id, customer_id)
               DO UPDATE SET source = memberships.source | $5 WHERE memberships.merchant_id = $1";
    let statement = tx.prepare_cached(sql).await?;
    let groups = set(groups.iter().map(|id| id.get()));
    let (merchant, customer, operation) = (merchant.get(), customer.get(), operation.get());
    tx.execute(&statement, &[&merchant, &customer, &groups, &operation, &BY_HAND]).await?;
    Ok(())
}

/// Makes `groups` the groups of a customer, who stays in the default group. Whether that changed anything.
pub(super) async fn replace<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    customer: &mut Customer,
    groups: &[GroupId],
    operation: OperationId,
) -> Try<bool> {
    let id = customer.details.id;
    // Whoever is not in the default group does not join it by this.
    let mut wanted = live_groups(tx, merchant, groups, true).await?;
    wanted.retain(|group| groups.contains(group) || customer.groups.contains(group));
    let ended: Vec<GroupId> = customer.groups.iter().filter(|id| !wanted.contains(id)).copied().collect();
    let begun: Vec<GroupId> = wanted.iter().filter(|id| !customer.groups.contains(id)).copied().collect();
    if !ended.is_empty() {
        end(tx, merchant, id, &ended, operation).await?;
    }
    if !begun.is_empty() {
        join(tx, merchant, id, &begun, operation).await?;
    }
    customer.groups = wanted;
    Ok(!ended.is_empty() || !begun.is_empty())
}

/// Ends a customer's memberships in some groups.
async fn end<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    customer: CustomerId,
    groups: &[GroupId],
    operation: OperationId,
) -> Try<()> {
    let sql = "WITH ended AS (
                   DELETE FROM memberships WHERE merchant_id = $1 AND customer_id = $2 AND group_id = ANY($3)
                   RETURNING group_id, operation_id, source)
               INSERT INTO past_memberships
                   (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
               SELECT $1, group_id, $2, operation_id, $4, source FROM ended";
    let statement = tx.prepare_cached(sql).await?;
    let groups: Vec<i64> = groups.iter().map(|id| id.get()).collect();
    tx.execute(&statement, &[&merchant.get(), &customer.get(), &groups, &operation.get()]).await?;
    Ok(())
}

/// Ends all memberships of a customer. Those in groups that are deleted already ended with the group.
pub(super) async fn end_all<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    customer: CustomerId,
    operation: OperationId,
) -> Try<()> {
    let sql = "WITH ended AS (
                   DELETE FROM memberships WHERE merchant_id = $1 AND customer_id = $2
                   RETURNING group_id, operation_id, source)
               INSERT INTO past_memberships
                   (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
               SELECT $1, group_id, $2, operation_id,
                      coalesce((SELECT deleted_by FROM groups WHERE merchant_id = $1 AND id = group_id), $3), source
               FROM ended";
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, &[&merchant.get(), &customer.get(), &operation.get()]).await?;
    Ok(())
}

/// Which of these another customer than `except` has.
pub(super) async fn find_used_contacts<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    contacts: &Contacts,
    except: Option<CustomerId>,
) -> Try<Contacts> {
    let sql = "SELECT ARRAY(SELECT mobile FROM customers
                            WHERE merchant_id = $1 AND mobile = ANY($2) AND id IS DISTINCT FROM $4::bigint),
                      ARRAY(SELECT email_key FROM customers
                            WHERE merchant_id = $1 AND email_key = ANY($3) AND id IS DISTINCT FROM $4::bigint)";
    let statement = db.prepare_cached(sql).await?;
    let except = except.map(CustomerId::get);
    let row =
        db.query_one(&statement, &[&merchant.get(), &contacts.mobiles, &contacts.emails, &except]).await?;
    Ok(Contacts { mobiles: row.try_get(0)?, emails: row.try_get(1)? })
}

pub(super) async fn find_existing_ids<C: GenericClient>(db: &C, merchant: MerchantId, ids: &Ids) -> Try<Ids> {
    let sql = "SELECT ARRAY(SELECT id FROM unnest($2::bigint[]) AS asked (id)
                            WHERE EXISTS (SELECT 1 FROM groups
                                          WHERE merchant_id = $1 AND groups.id = asked.id AND deleted_by IS NULL)
                            ORDER BY id),
                      ARRAY(SELECT id FROM unnest($3::bigint[]) AS asked (id)
                            WHERE EXISTS (SELECT 1 FROM customers WHERE merchant_id = $1 AND customers.id = asked.id)
                            ORDER BY id)";
    let statement = db.prepare_cached(sql).await?;
    let groups = set(ids.groups.iter().map(|id| id.get()));
    let customers = set(ids.customers.iter().map(|id| id.get()));
    let row = db.query_one(&statement, &[&merchant.get(), &groups, &customers]).await?;
    Ok(Ids { groups: group_ids(&row, 0)?.into(), customers: customer_ids(row.try_get(1)?)? })
}

/// The groups in an array of a row.
pub(super) fn group_ids(row: &Row, index: usize) -> Result<Vec<GroupId>> {
    let ids: Vec<i64> = row.try_get(index).map_err(|e| StorageError::corrupt("groups", "id", e))?;
    ids.into_iter()
        .map(|id| GroupId::new(id).ok_or_else(|| StorageError::corrupt("groups", "id", id)))
        .collect()
}

pub(super) fn customer_ids(ids: Vec<i64>) -> Result<IdSet<CustomerId>> {
    ids.into_iter()
        .map(|id| CustomerId::new(id).ok_or_else(|| StorageError::corrupt("customers", "id", id)))
        .collect()
}

/// The ids in ascending order, once each: writers that want the same rows then lock them in the same order.
pub(super) fn set(ids: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
