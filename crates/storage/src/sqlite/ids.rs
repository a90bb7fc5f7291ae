//! The ids that the storage assigns: counters, and ids that were deleted above their counter.

use zumra_core::{ASSIGNED_ID_MAX, CustomerId, GroupId, ImportId};

use super::sql;
use super::tx::Tx;
use crate::ids::FreeIds;
use crate::{Noun, Result, StorageError};

/// The shard that this engine writes. The others are those of a copy from PostgreSQL.
const SHARD: i64 = 0;

pub(super) fn assign_customers(tx: &Tx<'_>, count: usize) -> Result<Vec<CustomerId>> {
    let ids = assign(tx, Noun::Customer, count)?.into_iter();
    ids.map(|id| CustomerId::new(id).ok_or_else(|| invalid(id))).collect()
}

pub(super) fn assign_customer(tx: &Tx<'_>) -> Result<CustomerId> {
    assign_customers(tx, 1)?.pop().ok_or(StorageError::IdsUsedUp(Noun::Customer))
}

pub(super) fn assign_group(tx: &Tx<'_>) -> Result<GroupId> {
    let id = assign_one(tx, Noun::Group)?;
    GroupId::new(id).ok_or_else(|| invalid(id))
}

pub(super) fn assign_import(tx: &Tx<'_>) -> Result<ImportId> {
    let id = assign_one(tx, Noun::Import)?;
    ImportId::new(id).ok_or_else(|| invalid(id))
}

fn invalid(id: i64) -> StorageError {
    StorageError::corrupt("id_counters", "last", id)
}

fn assign_one(tx: &Tx<'_>, noun: Noun) -> Result<i64> {
    assign(tx, noun, 1)?.pop().ok_or(StorageError::IdsUsedUp(noun))
}

/// Returns `count` ids that nothing has or had, ascending, and advances the counter.
fn assign(tx: &Tx<'_>, noun: Noun, count: usize) -> Result<Vec<i64>> {
    let statement = "SELECT coalesce(max(last), 0) FROM id_counters WHERE merchant_id = ?1 AND noun = ?2";
    let last = sql::query_value(tx.connection, statement, (tx.merchant.get(), noun.number()))?;
    let mut search = FreeIds::after(last, 1, count);
    loop {
        let candidates = search.candidates();
        if candidates.is_empty() {
            break;
        }
        let unused = find_unused(tx, noun, &candidates)?;
        search.take(&candidates, &unused);
    }
    let last = search.last();
    let ids = search.into_found();
    if ids.len() < count {
        return Err(StorageError::IdsUsedUp(noun));
    }
    tx.execute(
        "INSERT INTO id_counters (merchant_id, noun, shard, last) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (merchant_id, noun, shard) DO UPDATE SET last = excluded.last",
        (tx.merchant.get(), noun.number(), SHARD, last),
    )?;
    Ok(ids)
}

/// Returns those of `ids` that no row has and that are not retired, ascending.
fn find_unused(tx: &Tx<'_>, noun: Noun, ids: &[i64]) -> Result<Vec<i64>> {
    let statement = format!(
        "SELECT value FROM rarray(?2)
         WHERE NOT EXISTS (SELECT 1 FROM {} WHERE merchant_id = ?1 AND id = value)
           AND NOT EXISTS (SELECT 1 FROM retired_ids WHERE merchant_id = ?1 AND noun = ?3 AND id = value)
         ORDER BY value",
        noun.table()
    );
    let ids = sql::id_array(ids.iter().copied());
    sql::query_values(tx.connection, &statement, (tx.merchant.get(), ids, noun.number()))
}

/// Remembers the id of a row that is deleted, if the counter has not passed it yet.
pub(super) fn retire(tx: &Tx<'_>, noun: Noun, id: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO retired_ids (merchant_id, noun, id)
         SELECT ?1, ?2, ?3 WHERE ?3 <= ?5 AND ?3 > coalesce(
             (SELECT last FROM id_counters WHERE merchant_id = ?1 AND noun = ?2 AND shard = ?4), 0)
         ON CONFLICT (merchant_id, noun, id) DO NOTHING",
        (tx.merchant.get(), noun.number(), id, SHARD, ASSIGNED_ID_MAX),
    )?;
    Ok(())
}
