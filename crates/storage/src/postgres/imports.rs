//! Imports, their leases and their chunks.

use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use zumra_core::import::STORED_PROBLEMS_MAX;
use zumra_core::{
    ASSIGNED_ID_MAX, Import, ImportChunk, ImportId, ImportLease, LeaseKey, MerchantId, NewImport, Operation,
    OperationId, OperationKind, RowProblem, Subject,
};

use super::engine::PostgresStorage;
use super::errors::{AttemptError, AttemptResult};
use super::tx::Tx;
use super::{customers, ids, memberships, operations, sql};
use crate::imports::{
    COLUMNS, ChunkPlan, ImportState, LEASE_COLUMN_COUNT, LEASE_COLUMNS, contacts, created_import, decode,
    decode_lease, details_json, plan_chunk,
};
use crate::memberships::decode_customers;
use crate::row::{RowReader, stored_count};
use crate::{Conflict, Imports, Noun, Resource, Result, StorageError, Written};

#[async_trait]
impl Imports for PostgresStorage {
    async fn create_import(
        &self,
        merchant: MerchantId,
        import: NewImport,
        operation: Operation,
    ) -> Result<Import> {
        self.connections
            .run_idempotent(
                &(merchant, import, operation, AtomicI64::new(0)),
                |db, (merchant, import, operation, assigned)| {
                    Box::pin(create(db, *merchant, import, operation, assigned))
                },
            )
            .await
    }

    async fn lease_import(
        &self,
        import: Option<(MerchantId, ImportId)>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<ImportLease>> {
        // If the reply is lost, no process holds the lease until it expires. Then it can be acquired again.
        self.connections
            .run_idempotent(&(import, now, until), |db, &(import, now, until)| {
                Box::pin(lease(db, import, now, until))
            })
            .await
    }

    async fn write_import_chunk(
        &self,
        lease: LeaseKey,
        until: Timestamp,
        chunk: ImportChunk,
        operation: Operation,
    ) -> Result<Import> {
        let written = self.connections.write(
            lease.merchant,
            operation,
            (lease, until, chunk),
            |tx, (lease, until, chunk)| Box::pin(write_chunk(tx, *lease, *until, chunk)),
        );
        Ok(written.await?.value)
    }

    async fn list_imports(&self, merchant: MerchantId, limit: u32) -> Result<Vec<Import>> {
        let key = (merchant, limit);
        self.connections.read(&key, |db, &(merchant, limit)| Box::pin(list(db, merchant, limit))).await
    }

    async fn find_import(
        &self,
        merchant: MerchantId,
        import: ImportId,
    ) -> Result<Option<(Import, Vec<RowProblem>)>> {
        let key = (merchant, import);
        self.connections.read(&key, |db, &(merchant, id)| Box::pin(find(db, merchant, id))).await
    }
}

async fn list<C: GenericClient>(db: &C, merchant: MerchantId, limit: u32) -> AttemptResult<Vec<Import>> {
    let statement =
        format!("SELECT {COLUMNS} FROM imports WHERE merchant_id = $1 ORDER BY at DESC, id DESC LIMIT $2");
    sql::query(db, &statement, &[&merchant.get(), &i64::from(limit)])
        .await?
        .iter()
        .map(|row| Ok(decode(row)?))
        .collect()
}

async fn find<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    id: ImportId,
) -> AttemptResult<Option<(Import, Vec<RowProblem>)>> {
    let (merchant, id) = (merchant.get(), id.get());
    let statement = format!("SELECT {COLUMNS} FROM imports WHERE merchant_id = $1 AND id = $2");
    let Some(import) = sql::query_opt(db, &statement, &[&merchant, &id]).await? else { return Ok(None) };
    let statement = "SELECT row_number, column_name, reason FROM import_problems
                     WHERE merchant_id = $1 AND import_id = $2 ORDER BY number";
    let mut problems = Vec::new();
    for row in sql::query(db, statement, &[&merchant, &id]).await? {
        let number = RowReader::new(&row, "import_problems").count("row_number")?;
        problems.push(RowProblem { row: number, column: row.try_get(1)?, reason: row.try_get(2)? });
    }
    Ok(Some((decode(&import)?, problems)))
}

/// Inserts an import. Idempotent: `assigned` keeps the id for a second run, 0 before it is assigned.
async fn create<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    new: &NewImport,
    operation: &Operation,
    assigned: &AtomicI64,
) -> AttemptResult<Import> {
    let is_second_run = assigned.load(Ordering::Relaxed) > 0;
    if !is_second_run {
        // Commits by itself, so no other import gets this id.
        assigned.store(ids::advance(db, merchant, Noun::Import, 0, 1).await?, Ordering::Relaxed);
    }
    let is_inserted = insert(db, merchant, new, operation, decode_id(assigned)?).await?;
    // In a second run, an existing row is that of the first one.
    if !is_inserted && !is_second_run {
        let unused = ids::assign_from_shard(db, merchant, Noun::Import, 0, 1).await?;
        assigned.store(unused.first().copied().unwrap_or(i64::MAX), Ordering::Relaxed);
        if !insert(db, merchant, new, operation, decode_id(assigned)?).await? {
            return Err(ids::taken_meanwhile());
        }
    }
    Ok(created_import(decode_id(assigned)?, new, operation.at))
}

/// Returns an assigned id.
///
/// # Errors
///
/// [`StorageError::IdsUsedUp`] if the counter is beyond the last id.
fn decode_id(assigned: &AtomicI64) -> Result<ImportId> {
    let id = Some(assigned.load(Ordering::Relaxed)).filter(|id| *id <= ASSIGNED_ID_MAX);
    id.and_then(ImportId::new).ok_or(StorageError::IdsUsedUp(Noun::Import))
}

/// Inserts an import. Returns false if its id is used.
async fn insert<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    new: &NewImport,
    operation: &Operation,
    id: ImportId,
) -> AttemptResult<bool> {
    let details = details_json(&new.details)?;
    let statement = "INSERT INTO imports (merchant_id, id, at, actor, language, file, file_details)
                     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (merchant_id, id) DO NOTHING";
    let (at, actor) = (operation.at.as_microsecond(), operation.actor.to_string());
    let (merchant, id, language) = (merchant.get(), id.get(), new.language.as_str());
    let parameters: sql::Parameters<'_> = &[&merchant, &id, &at, &actor, &language, &new.file, &details];
    Ok(sql::execute(db, statement, parameters).await? == 1)
}

/// Acquires the lease of the oldest import without one.
async fn lease<C: GenericClient>(
    db: &C,
    import: Option<(MerchantId, ImportId)>,
    now: Timestamp,
    until: Timestamp,
) -> AttemptResult<Option<ImportLease>> {
    let (now, until) = (now.as_microsecond(), until.as_microsecond());
    let (merchant, id) = import.map(|(merchant, id)| (merchant.get(), id.get())).unzip();
    let statement = "SELECT merchant_id, id FROM imports WHERE finished_at IS NULL AND lease_until <= $3
                     AND ($1::bigint IS NULL OR merchant_id = $1 AND id = $2::bigint) ORDER BY at LIMIT 1";
    let Some(row) = sql::query_opt(db, statement, &[&merchant, &id, &now]).await? else { return Ok(None) };
    let (merchant, id): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    // Of two processes that saw the import without a lease, the second updates no row.
    let statement = format!(
        "UPDATE imports SET fencing_token = fencing_token + 1, lease_until = $4
         WHERE merchant_id = $1 AND id = $2 AND finished_at IS NULL AND lease_until <= $3
         RETURNING {LEASE_COLUMNS}, file"
    );
    let row = sql::query_opt(db, &statement, &[&merchant, &id, &now, &until]).await?;
    let Some(row) = row else { return Ok(None) };
    let file: Option<Vec<u8>> = row.try_get(LEASE_COLUMN_COUNT)?;
    Ok(Some(decode_lease(&row, file.unwrap_or_default())?))
}

/// Writes a chunk unless it was written before. There is an operation only if it creates customers.
async fn write_chunk(
    tx: &Tx<'_>,
    lease: LeaseKey,
    until: Timestamp,
    chunk: &ImportChunk,
) -> AttemptResult<Written<Import>> {
    let (merchant, id) = (lease.merchant.get(), lease.import.get());
    let statement = "SELECT fencing_token, last_row, finished_at IS NOT NULL FROM imports
                     WHERE merchant_id = $1 AND id = $2 FOR UPDATE";
    let row = sql::query_opt(&tx.client, statement, &[&merchant, &id]).await?;
    let row = row.ok_or(StorageError::NotFound(Resource::Import))?;
    let mut operation = None;
    if ImportState::decode(&row)?.accepts(&lease, chunk)? {
        let used = customers::find_used_contacts(&tx.client, tx.merchant, &contacts(chunk), None).await?;
        let plan = plan_chunk(chunk, used);
        if !plan.customers.is_empty() {
            operation = Some(insert_customers(tx, &plan).await?);
        }
        insert_problems(tx, lease.import, &plan.problems).await?;
        let statement =
            "UPDATE imports SET last_row = $3, created_customers = created_customers + $4,
                                rejected_rows = rejected_rows + $5, lease_until = $6, finished_at = $7::bigint, failure = $8,
                                file = CASE WHEN $7::bigint IS NULL THEN file END
                         WHERE merchant_id = $1 AND id = $2";
        let (created, rejected) = (stored_count(plan.customers.len()), stored_count(plan.rejected_rows));
        let (last_row, until) = (i64::from(chunk.last_row), until.as_microsecond());
        let finished_at = chunk.is_last.then_some(tx.operation.at.as_microsecond());
        let parameters: sql::Parameters<'_> =
            &[&merchant, &id, &last_row, &created, &rejected, &until, &finished_at, &chunk.failure];
        sql::execute(&tx.client, statement, parameters).await?;
    }
    let found = find(&tx.client, tx.merchant, lease.import).await?;
    Ok(Written { operation, value: found.ok_or(StorageError::NotFound(Resource::Import))?.0 })
}

/// Inserts the customers of a chunk, as members of the default group and of theirs.
async fn insert_customers(tx: &Tx<'_>, plan: &ChunkPlan<'_>) -> AttemptResult<OperationId> {
    let new = &plan.customers;
    let operation = operations::next_id(tx).await?;
    operations::record(tx, operation, OperationKind::Import, Subject::Other, new.len() as u64).await?;
    let ids = ids::assign(tx, Noun::Customer, new.len()).await?;
    let ids = decode_customers(ids)?;
    let new: Vec<_> = ids.iter().copied().zip(new.iter().copied()).collect();
    customers::insert_all(tx, &new).await.map_err(|error| match error {
        // A concurrent transaction used a mobile number or email address first. The next attempt sees that.
        AttemptError::Permanent(StorageError::Conflict(
            conflict @ (Conflict::Mobile(_) | Conflict::Email(_)),
        )) => AttemptError::Retryable(conflict.into()),
        error => error,
    })?;
    let locked = memberships::lock_groups_and_default(tx, &plan.all_groups().into_vec()).await?;
    for (group, members) in plan.members(&ids) {
        memberships::insert(tx, group, &members, operation).await?;
    }
    if let Some(default) = locked.default {
        memberships::insert(tx, default, &ids, operation).await?;
    }
    Ok(operation)
}

/// Appends problems to those of the import, up to [`STORED_PROBLEMS_MAX`] in all.
async fn insert_problems(tx: &Tx<'_>, import: ImportId, problems: &[RowProblem]) -> AttemptResult<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let statement =
        "INSERT INTO import_problems (merchant_id, import_id, number, row_number, column_name, reason)
                     SELECT $1, $2, stored.number + problems.number, problems.row_number, column_name, reason
                     FROM unnest($3::bigint[], $4::text[], $5::text[]) WITH ORDINALITY
                              AS problems (row_number, column_name, reason, number),
                          (SELECT coalesce(max(number), 0) AS number FROM import_problems
                           WHERE merchant_id = $1 AND import_id = $2) AS stored
                     WHERE stored.number + problems.number <= $6";
    let rows: Vec<i64> = problems.iter().map(|problem| i64::from(problem.row)).collect();
    let columns: Vec<&str> = problems.iter().map(|problem| problem.column.as_str()).collect();
    let reasons: Vec<&str> = problems.iter().map(|problem| problem.reason.as_str()).collect();
    let (merchant, id, limit) = (tx.merchant.get(), import.get(), i64::from(STORED_PROBLEMS_MAX));
    sql::execute(&tx.client, statement, &[&merchant, &id, &rows, &columns, &reasons, &limit]).await?;
    Ok(())
}
