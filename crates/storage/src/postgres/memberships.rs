//! Memberships: who is in which group.

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use zumra_core::{CustomerId, GroupId, MerchantId, Operation, OperationId, OperationKind};

use super::corrupt;
use super::errors::Try;
use super::operations::Mark;
use crate::{AddMembers, Ids, Result};

/// The bit of `source` that says "by hand".
const BY_HAND: i16 = 1;

/// One statement, and so one round trip and one transaction: what is unknown, who is new, and the operation's row.
/// Members by hand are left out before the insert, so that adding them again locks no row and writes nothing.
const ADD: &str = "
    WITH wanted AS (SELECT id FROM unnest($3::bigint[]) AS wanted (id)),
         target AS (SELECT id FROM groups WHERE merchant_id = $1 AND id = $2),
         unknown AS (
             SELECT id FROM wanted
             WHERE NOT EXISTS (SELECT 1 FROM customers WHERE merchant_id = $1 AND customers.id = wanted.id)),
         next AS (
             SELECT greatest($4::bigint, max(id) + $5::bigint) AS id FROM operations WHERE merchant_id = $1),
         added AS (
             INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
             SELECT $1, target.id, wanted.id, next.id, $6::smallint FROM wanted, target, next
             WHERE NOT EXISTS (SELECT 1 FROM unknown)
               AND NOT EXISTS (SELECT 1 FROM memberships
                               WHERE merchant_id = $1 AND group_id = $2 AND customer_id = wanted.id
                                 AND source & $6::smallint <> 0)
             ON CONFLICT (merchant_id, group_id, customer_id)
             DO UPDATE SET source = memberships.source | $6::smallint
             WHERE memberships.merchant_id = $1 AND memberships.source & $6::smallint = 0
             RETURNING customer_id),
         total AS (SELECT count(*) AS added FROM added),
         recorded AS (
             INSERT INTO operations (merchant_id, id, at, actor, kind, group_id, changes, nonce)
             SELECT $1, next.id, $7::bigint, $8::text, $9::text, $2, total.added, $10::bigint FROM next, total
             WHERE total.added > 0
             RETURNING id)
    SELECT EXISTS (SELECT 1 FROM target), ARRAY(SELECT id FROM unknown ORDER BY id), total.added, next.id
    FROM total, next";

pub(super) async fn add<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    group: GroupId,
    customers: &[i64],
    operation: &Operation,
    mark: Mark,
) -> Try<AddMembers> {
    let statement = db.prepare_cached(ADD).await?;
    let (at, actor) = (operation.at.as_microsecond(), operation.actor.to_string());
    let row = db
        .query_one(
            &statement,
            &[
                &merchant.get(),
                &group.get(),
                &customers,
                &operation.id.get(),
                &mark.stride,
                &BY_HAND,
                &at,
                &actor,
                &OperationKind::AddMembers.as_str(),
                &mark.nonce,
            ],
        )
        .await?;
    let known_group: bool = row.try_get(0)?;
    let unknown = Ids {
        groups: if known_group { Vec::new() } else { vec![group] },
        customers: customer_ids(row.try_get(1)?)?,
    };
    if unknown != Ids::default() {
        return Ok(AddMembers::Unknown(unknown));
    }
    let (added, id): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
    if added == 0 {
        return Ok(AddMembers::Unchanged);
    }
    let operation = OperationId::new(id).ok_or_else(|| corrupt("operations", "id", id))?;
    Ok(AddMembers::Added { operation, added: added.unsigned_abs() })
}

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

pub(super) async fn known_ids<C: GenericClient>(db: &C, merchant: MerchantId, ids: &Ids) -> Try<Ids> {
    let sql = "SELECT ARRAY(SELECT id FROM unnest($2::bigint[]) AS asked (id)
                            WHERE EXISTS (SELECT 1 FROM groups WHERE merchant_id = $1 AND groups.id = asked.id)
                            ORDER BY id),
                      ARRAY(SELECT id FROM unnest($3::bigint[]) AS asked (id)
                            WHERE EXISTS (SELECT 1 FROM customers WHERE merchant_id = $1 AND customers.id = asked.id)
                            ORDER BY id)";
    let statement = db.prepare_cached(sql).await?;
    let groups = set(ids.groups.iter().map(|id| id.get()));
    let customers = set(ids.customers.iter().map(|id| id.get()));
    let row = db.query_one(&statement, &[&merchant.get(), &groups, &customers]).await?;
    Ok(Ids { groups: group_ids(&row, 0)?, customers: customer_ids(row.try_get(1)?)? })
}

/// The groups in an array of a row.
pub(super) fn group_ids(row: &Row, index: usize) -> Result<Vec<GroupId>> {
    let ids: Vec<i64> = row.try_get(index).map_err(|e| corrupt("groups", "id", e))?;
    ids.into_iter().map(|id| GroupId::new(id).ok_or_else(|| corrupt("groups", "id", id))).collect()
}

fn customer_ids(ids: Vec<i64>) -> Result<Vec<CustomerId>> {
    ids.into_iter().map(|id| CustomerId::new(id).ok_or_else(|| corrupt("customers", "id", id))).collect()
}

/// The ids in ascending order, once each: writers that want the same rows then lock them in the same order.
pub(super) fn set(ids: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
