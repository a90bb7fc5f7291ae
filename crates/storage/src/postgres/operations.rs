//! The operations table: one row for every write that changed something.

use zumra_core::{CustomerId, GroupId, OperationId, OperationKind, Subject};

use super::errors::AttemptResult;
use super::sql;
use super::tx::Tx;
use crate::operations;
use crate::row::stored_count;

/// Returns the id of the transaction's operation: the proposed id, or the id of the merchant's newest operation plus the
/// attempt's id gap if that is greater.
pub(super) async fn next_id(tx: &Tx<'_>) -> AttemptResult<OperationId> {
    let statement = "SELECT max(id) FROM operations WHERE merchant_id = $1";
    let row = sql::query_one(&tx.client, statement, &[&tx.merchant.get()]).await?;
    Ok(operations::next_id(row.try_get(0)?, &tx.operation, tx.attempt.id_gap)?)
}

/// Inserts the row of the operation. `changes` is the number of rows that changed, as the caller counts them.
pub(super) async fn record(
    tx: &Tx<'_>,
    id: OperationId,
    kind: OperationKind,
    subject: Subject,
    changes: u64,
) -> AttemptResult<()> {
    let statement =
        "INSERT INTO operations (merchant_id, id, at, actor, kind, group_id, customer_id, changes, nonce)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let (at, actor) = (tx.operation.at.as_microsecond(), tx.operation.actor.to_string());
    let (group, customer) = (subject.group().map(GroupId::get), subject.customer().map(CustomerId::get));
    let (merchant, id, kind) = (tx.merchant.get(), id.get(), kind.as_str());
    let (changes, nonce) = (stored_count(changes), tx.attempt.nonce);
    let parameters: sql::Parameters<'_> =
        &[&merchant, &id, &at, &actor, &kind, &group, &customer, &changes, &nonce];
    sql::execute(&tx.client, statement, parameters).await?;
    Ok(())
}

/// Returns true if an earlier attempt of the transaction's write was committed.
pub(super) async fn is_recorded(tx: &Tx<'_>) -> AttemptResult<bool> {
    // No attempt takes an id below the proposed one.
    let statement = "SELECT 1 FROM operations WHERE merchant_id = $1 AND id >= $2 AND nonce = $3";
    let (merchant, proposed_id) = (tx.merchant.get(), tx.operation.proposed_id.get());
    let row = sql::query_opt(&tx.client, statement, &[&merchant, &proposed_id, &tx.attempt.nonce]).await?;
    Ok(row.is_some())
}

/// Inserts the row of an operation that changed one row. Returns its id.
pub(super) async fn record_one(
    tx: &Tx<'_>,
    kind: OperationKind,
    subject: Subject,
) -> AttemptResult<OperationId> {
    let id = next_id(tx).await?;
    record(tx, id, kind, subject, 1).await?;
    Ok(id)
}
