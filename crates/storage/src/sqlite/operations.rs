//! The operations table: one row for every write that changed something.

use zumra_core::{CustomerId, GroupId, OperationId, OperationKind, Subject};

use super::sql;
use super::tx::Tx;
use crate::row::stored_count;
use crate::{Result, operations};

/// The writer assigns ids one by one, so the next id is free.
const ID_GAP: i64 = 1;

/// Returns the id of the transaction's operation: the proposed id, or the id after the merchant's newest operation if
/// that is greater.
pub(super) fn next_id(tx: &Tx<'_>) -> Result<OperationId> {
    let statement = "SELECT max(id) FROM operations WHERE merchant_id = ?1";
    let newest = sql::query_value(tx.connection, statement, [tx.merchant.get()])?;
    operations::next_id(newest, &tx.operation, ID_GAP)
}

/// Inserts the row of the operation. `changes` is the number of rows that changed, as the caller counts them.
pub(super) fn record(
    tx: &Tx<'_>,
    id: OperationId,
    kind: OperationKind,
    subject: Subject,
    changes: u64,
) -> Result<()> {
    tx.execute(
        "INSERT INTO operations (merchant_id, id, at, actor, kind, group_id, customer_id, changes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            tx.merchant.get(),
            id.get(),
            tx.operation.at.as_microsecond(),
            tx.operation.actor.to_string(),
            kind.as_str(),
            subject.group().map(GroupId::get),
            subject.customer().map(CustomerId::get),
            stored_count(changes),
        ),
    )?;
    Ok(())
}

/// Inserts the row of an operation that changed one row. Returns its id.
pub(super) fn record_one(tx: &Tx<'_>, kind: OperationKind, subject: Subject) -> Result<OperationId> {
    let id = next_id(tx)?;
    record(tx, id, kind, subject, 1)?;
    Ok(id)
}
