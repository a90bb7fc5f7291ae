//! The operations table, and the view over all tables that operators ask for.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use zumra_core::{CustomerId, GroupId, MerchantId, Operation, OperationId, OperationKind, Subject};

use super::errors::Try;
use crate::{Inspection, Result, StorageError};

/// What tells one try of an operation from others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// The same for all tries of one operation: by it a writer whose connection broke knows its own row.
    pub(super) nonce: i64,
    /// How far above the newest operation this try goes if others have come past it. Writers that stand side by
    /// side would otherwise all want the very next id.
    pub(super) stride: i64,
}

/// The id that an operation gets: the one that it would like, or one above the merchant's newest operation if
/// operations have come past it.
pub(super) async fn next_id<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    operation: &Operation,
    mark: Mark,
) -> Try<OperationId> {
    let sql = "SELECT max(id) FROM operations WHERE merchant_id = $1";
    let statement = tx.prepare_cached(sql).await?;
    let newest: Option<i64> = tx.query_one(&statement, &[&merchant.get()]).await?.try_get(0)?;
    let id = newest
        .map_or(operation.proposed_id.get(), |newest| operation.proposed_id.get().max(newest + mark.stride));
    Ok(OperationId::new(id).ok_or_else(|| StorageError::corrupt("operations", "id", id))?)
}

/// Writes the row of an operation that changed something.
pub(super) async fn record<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    id: OperationId,
    operation: &Operation,
    kind: OperationKind,
    (subject, changes): (Subject, u64),
    mark: Mark,
) -> Try<()> {
    let sql =
        "INSERT INTO operations (merchant_id, id, at, actor, kind, group_id, customer_id, changes, nonce)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let statement = tx.prepare_cached(sql).await?;
    let (at, actor) = (operation.at.as_microsecond(), operation.actor.to_string());
    let changes = i64::try_from(changes).unwrap_or(i64::MAX);
    let (group, customer) = (subject.group().map(GroupId::get), subject.customer().map(CustomerId::get));
    let (merchant, id, kind) = (merchant.get(), id.get(), kind.as_str());
    tx.execute(&statement, &[&merchant, &id, &at, &actor, &kind, &group, &customer, &changes, &mark.nonce])
        .await?;
    Ok(())
}

/// Writes the row of an operation that made one thing anew or different.
pub(super) async fn record_one<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    operation: &Operation,
    (kind, subject): (OperationKind, Subject),
    mark: Mark,
) -> Try<OperationId> {
    let id = next_id(tx, merchant, operation, mark).await?;
    record(tx, merchant, id, operation, kind, (subject, 1), mark).await?;
    Ok(id)
}

/// The row of an operation whose answer was lost, if it was written: its id, and how many rows it changed.
pub(super) async fn find<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    from: OperationId,
    nonce: i64,
) -> Try<Option<(OperationId, u64)>> {
    let sql = "SELECT id, changes FROM operations WHERE merchant_id = $1 AND id >= $2 AND nonce = $3";
    let statement = db.prepare_cached(sql).await?;
    let Some(row) = db.query_opt(&statement, &[&merchant.get(), &from.get(), &nonce]).await? else {
        return Ok(None);
    };
    let (id, changes): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let id = OperationId::new(id).ok_or_else(|| StorageError::corrupt("operations", "id", id))?;
    Ok(Some((id, changes.unsigned_abs())))
}

/// Looks the whole database over.
pub(super) async fn inspect<C: GenericClient>(db: &C) -> Try<Inspection> {
    let sql = "SELECT current_setting('server_version'),
                      (SELECT max(number) FROM schema_migrations),
                      (SELECT count(*) FROM merchants),
                      (SELECT count(*) FROM customers),
                      (SELECT count(*) FROM memberships),
                      (SELECT max(at) FROM operations),
                      (SELECT count(*) FROM past_memberships),
                      (SELECT coalesce(sum(customers), 0)::bigint FROM customer_counters)";
    // It counts whole tables, which is best done from end to end: the one statement for which that is right.
    db.batch_execute("SET enable_seqscan = on").await?;
    let row = db.query_one(sql, &[]).await;
    db.batch_execute("RESET enable_seqscan").await?;
    let row = row?;
    let version: String = row.try_get(0)?;
    let count = |i| row.try_get::<_, i64>(i).map(i64::unsigned_abs);
    Ok(Inspection {
        engine: format!("PostgreSQL {}", version.split(' ').next().unwrap_or_default()),
        schema: schema(row.try_get(1)?)?,
        problems: crate::admin::count_mismatch(count(3)?, count(7)?).into_iter().collect(),
        merchants: count(2)?,
        customers: count(3)?,
        memberships: count(4)?,
        past_memberships: count(6)?,
        newest_operation: newest(row.try_get(5)?)?,
    })
}

fn schema(number: Option<i32>) -> Result<u32> {
    let number = number.unwrap_or_default();
    u32::try_from(number).map_err(|e| StorageError::corrupt("schema_migrations", "number", e))
}

fn newest(at: Option<i64>) -> Result<Option<Timestamp>> {
    at.map(Timestamp::from_microsecond).transpose().map_err(|e| StorageError::corrupt("operations", "at", e))
}
