//! Memberships: who is in which group.

use std::rc::Rc;

use rusqlite::Connection;
use rusqlite::types::Value;
use zumra_core::{CustomerId, GroupId, MerchantId, Operation, OperationId, OperationKind};

use super::{corrupt, operations};
use crate::{AddMembers, Ids, Result};

/// The bit of `source` that says "by hand".
const BY_HAND: i64 = 1;

pub(super) fn add(
    tx: &Connection,
    merchant: MerchantId,
    group: GroupId,
    customers: &[CustomerId],
    operation: Operation,
) -> Result<AddMembers> {
    let customers = set(customers.iter().map(|id| id.get()));
    let unknown = Ids {
        groups: if group_exists(tx, merchant, group)? { Vec::new() } else { vec![group] },
        customers: unknown_customers(tx, merchant, &customers)?,
    };
    if unknown != Ids::default() {
        return Ok(AddMembers::Unknown(unknown));
    }
    let id = operations::next_id(tx, merchant, &operation)?;
    let added = insert(tx, merchant, group, customers, id)?;
    if added == 0 {
        return Ok(AddMembers::Unchanged);
    }
    operations::record(tx, merchant, id, &operation, OperationKind::AddMembers, Some(group), added)?;
    Ok(AddMembers::Added { operation: id, added })
}

/// Adds those who are not members yet, all of them known. How many they were.
pub(super) fn insert(
    tx: &Connection,
    merchant: MerchantId,
    group: GroupId,
    customers: Set,
    operation: OperationId,
) -> Result<u64> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
         SELECT ?1, ?2, value, ?4, ?5 FROM rarray(?3) WHERE true
         ON CONFLICT (merchant_id, group_id, customer_id)
         DO UPDATE SET source = source | ?5 WHERE source & ?5 = 0",
    )?;
    let added = statement.execute((merchant.get(), group.get(), customers, operation.get(), BY_HAND))?;
    Ok(added as u64)
}

pub(super) fn known_ids(db: &Connection, merchant: MerchantId, ids: &Ids) -> Result<Ids> {
    let mut known = Ids::default();
    for &group in &ids.groups {
        if group_exists(db, merchant, group)? {
            known.groups.push(group);
        }
    }
    known.groups.sort_unstable();
    known.groups.dedup();
    let customers = set(ids.customers.iter().map(|id| id.get()));
    let mut statement = db.prepare_cached(
        "SELECT value FROM rarray(?2)
         WHERE EXISTS (SELECT 1 FROM customers WHERE merchant_id = ?1 AND id = value)",
    )?;
    let rows = statement.query_map((merchant.get(), customers), |row| row.get(0))?;
    known.customers = customer_ids(rows)?;
    Ok(known)
}

fn group_exists(db: &Connection, merchant: MerchantId, group: GroupId) -> Result<bool> {
    let mut statement =
        db.prepare_cached("SELECT EXISTS (SELECT 1 FROM groups WHERE merchant_id = ?1 AND id = ?2)")?;
    Ok(statement.query_row((merchant.get(), group.get()), |row| row.get(0))?)
}

fn unknown_customers(tx: &Connection, merchant: MerchantId, customers: &Set) -> Result<Vec<CustomerId>> {
    let mut statement = tx.prepare_cached(
        "SELECT value FROM rarray(?2)
         WHERE NOT EXISTS (SELECT 1 FROM customers WHERE merchant_id = ?1 AND id = value)",
    )?;
    let rows = statement.query_map((merchant.get(), customers), |row| row.get(0))?;
    customer_ids(rows)
}

fn customer_ids(rows: impl Iterator<Item = rusqlite::Result<i64>>) -> Result<Vec<CustomerId>> {
    rows.map(|id| {
        let id = id?;
        CustomerId::new(id).ok_or_else(|| corrupt("customers", "id", id))
    })
    .collect()
}

/// A set of ids as one parameter of a statement.
pub(super) type Set = Rc<Vec<Value>>;

/// The ids in ascending order, once each: rows then go in in the order in which they are kept.
pub(super) fn set(ids: impl Iterator<Item = i64>) -> Set {
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    Rc::new(ids.into_iter().map(Value::Integer).collect())
}
