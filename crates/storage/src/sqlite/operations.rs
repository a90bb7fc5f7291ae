//! The operations table, and the view over all tables that operators ask for.

use jiff::Timestamp;
use rusqlite::Connection;
use zumra_core::{CustomerId, GroupId, MerchantId, Operation, OperationId, OperationKind, Subject};

use crate::{Inspection, Result, StorageError};

/// The id that an operation gets: the one that it would like, or the next one if operations have come past it.
/// Ids therefore ascend in the order of commits, whatever the clocks say.
pub(super) fn next_id(tx: &Connection, merchant: MerchantId, operation: &Operation) -> Result<OperationId> {
    let mut statement = tx.prepare_cached("SELECT max(id) FROM operations WHERE merchant_id = ?1")?;
    let newest: Option<i64> = statement.query_row([merchant.get()], |row| row.get(0))?;
    let id = newest.map_or(operation.proposed_id.get(), |newest| operation.proposed_id.get().max(newest + 1));
    OperationId::new(id).ok_or_else(|| StorageError::corrupt("operations", "id", id))
}

/// Writes the row of an operation that changed something.
pub(super) fn record(
    tx: &Connection,
    merchant: MerchantId,
    id: OperationId,
    operation: &Operation,
    kind: OperationKind,
    subject: Subject,
    changes: u64,
) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO operations (merchant_id, id, at, actor, kind, group_id, customer_id, changes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute((
        merchant.get(),
        id.get(),
        operation.at.as_microsecond(),
        operation.actor.to_string(),
        kind.as_str(),
        subject.group().map(GroupId::get),
        subject.customer().map(CustomerId::get),
        i64::try_from(changes).unwrap_or(i64::MAX),
    ))?;
    Ok(())
}

/// Writes the row of an operation that made one thing anew or different.
pub(super) fn record_one(
    tx: &Connection,
    merchant: MerchantId,
    operation: &Operation,
    kind: OperationKind,
    subject: Subject,
) -> Result<OperationId> {
    let id = next_id(tx, merchant, operation)?;
    record(tx, merchant, id, operation, kind, subject, 1)?;
    Ok(id)
}

/// Looks the whole database over.
pub(super) fn inspect(db: &Connection) -> Result<Inspection> {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let count = |sql| number(sql).map(i64::unsigned_abs);
    let mut check = db.prepare("PRAGMA quick_check")?;
    let problems =
        check.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let newest: Option<i64> = db.query_row("SELECT max(at) FROM operations", [], |row| row.get(0))?;
    let newest = newest.map(Timestamp::from_microsecond).transpose();
    let schema = number("SELECT max(number) FROM schema_migrations")?;
    let mut problems: Vec<String> = problems.into_iter().filter(|problem| problem != "ok").collect();
    let customers = count("SELECT count(*) FROM customers")?;
    problems.extend(crate::admin::count_mismatch(
        customers,
        count("SELECT coalesce(sum(customers), 0) FROM customer_counters")?,
    ));
    Ok(Inspection {
        engine: format!("SQLite {}", rusqlite::version()),
        schema: u32::try_from(schema).map_err(|e| StorageError::corrupt("schema_migrations", "number", e))?,
        problems,
        merchants: count("SELECT count(*) FROM merchants")?,
        customers,
        memberships: count("SELECT count(*) FROM memberships")?,
        past_memberships: count("SELECT count(*) FROM past_memberships")?,
        newest_operation: newest.map_err(|e| StorageError::corrupt("operations", "at", e))?,
    })
}
