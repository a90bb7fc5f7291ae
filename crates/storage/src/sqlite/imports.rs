//! Imports, their leases and their chunks.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;
use zumra_core::import::STORED_PROBLEMS_MAX;
use zumra_core::{
    Import, ImportChunk, ImportId, ImportLease, LeaseKey, MerchantId, NewImport, Operation, OperationKind,
    RowProblem, Subject,
};

use super::engine::SqliteStorage;
use super::tx::Tx;
use super::{customers, ids, memberships, operations, sql};
use crate::imports::{
    COLUMNS, ChunkPlan, ImportState, LEASE_COLUMN_COUNT, LEASE_COLUMNS, contacts, decode, decode_lease,
    details_json, plan_chunk,
};
use crate::row::stored_count;
use crate::{Imports, Resource, Result, StorageError};

#[async_trait]
impl Imports for SqliteStorage {
    async fn create_import(
        &self,
        merchant: MerchantId,
        import: NewImport,
        operation: Operation,
    ) -> Result<Import> {
        self.write(merchant, operation, move |tx| create(tx, &import)).await
    }

    async fn lease_import(
        &self,
        import: Option<(MerchantId, ImportId)>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<ImportLease>> {
        // Check on a read connection first. Pending imports are rare, and a check must not occupy the writer.
        if !self.read_pool.read(move |db| has_pending(db, now)).await? {
            return Ok(None);
        }
        self.writer.write(move |connection| lease(connection, import, now, until)).await
    }

    async fn write_import_chunk(
        &self,
        lease: LeaseKey,
        until: Timestamp,
        chunk: ImportChunk,
        operation: Operation,
    ) -> Result<Import> {
        self.write(lease.merchant, operation, move |tx| write_chunk(tx, lease, until, &chunk)).await
    }

    async fn list_imports(&self, merchant: MerchantId, limit: u32) -> Result<Vec<Import>> {
        self.read_pool.read(move |db| list(db, merchant, limit)).await
    }

    async fn find_import(
        &self,
        merchant: MerchantId,
        import: ImportId,
    ) -> Result<Option<(Import, Vec<RowProblem>)>> {
        self.read_pool.read(move |db| find(db, merchant, import)).await
    }
}

fn list(db: &Connection, merchant: MerchantId, limit: u32) -> Result<Vec<Import>> {
    let statement =
        format!("SELECT {COLUMNS} FROM imports WHERE merchant_id = ?1 ORDER BY at DESC, id DESC LIMIT ?2");
    sql::query(db, &statement, (merchant.get(), limit), |row| decode(row))
}

fn find(db: &Connection, merchant: MerchantId, id: ImportId) -> Result<Option<(Import, Vec<RowProblem>)>> {
    let key = (merchant.get(), id.get());
    let statement = format!("SELECT {COLUMNS} FROM imports WHERE merchant_id = ?1 AND id = ?2");
    let Some(import) = sql::query_opt(db, &statement, key, |row| decode(row))? else { return Ok(None) };
    let statement = "SELECT row_number, column_name, reason FROM import_problems
                     WHERE merchant_id = ?1 AND import_id = ?2 ORDER BY number";
    let problems = sql::query(db, statement, key, |row| {
        Ok(RowProblem { row: row.get(0)?, column: row.get(1)?, reason: row.get(2)? })
    })?;
    Ok(Some((import, problems)))
}

fn find_stored(tx: &Tx<'_>, id: ImportId) -> Result<Import> {
    let found = find(tx.connection, tx.merchant, id)?;
    found.map(|(import, _)| import).ok_or(StorageError::NotFound(Resource::Import))
}

fn create(tx: &Tx<'_>, new: &NewImport) -> Result<Import> {
    let id = ids::assign_import(tx)?;
    tx.execute(
        "INSERT INTO imports (merchant_id, id, at, actor, language, file, file_details)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (
            tx.merchant.get(),
            id.get(),
            tx.operation.at.as_microsecond(),
            tx.operation.actor.to_string(),
            new.language.as_str(),
            &new.file,
            details_json(&new.details)?,
        ),
    )?;
    find_stored(tx, id)
}

/// Returns true if an import of any merchant is unfinished and no process holds its lease at `now`.
fn has_pending(db: &Connection, now: Timestamp) -> Result<bool> {
    let statement = "SELECT EXISTS (SELECT 1 FROM imports WHERE finished_at IS NULL AND lease_until <= ?1)";
    sql::query_value(db, statement, [now.as_microsecond()])
}

fn lease(
    connection: &Connection,
    import: Option<(MerchantId, ImportId)>,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<ImportLease>> {
    let (merchant, id) = import.map(|(merchant, id)| (merchant.get(), id.get())).unzip();
    let statement = format!(
        "UPDATE imports SET fencing_token = fencing_token + 1, lease_until = ?4
         WHERE (merchant_id, id) = (
             SELECT merchant_id, id FROM imports WHERE finished_at IS NULL AND lease_until <= ?3
             AND (?1 IS NULL OR merchant_id = ?1 AND id = ?2) ORDER BY at LIMIT 1)
         RETURNING {LEASE_COLUMNS}, file"
    );
    let parameters = (merchant, id, now.as_microsecond(), until.as_microsecond());
    sql::query_opt(connection, &statement, parameters, |row| {
        let file: Option<Vec<u8>> = row.get(LEASE_COLUMN_COUNT)?;
        decode_lease(row, file.unwrap_or_default())
    })
}

fn write_chunk(tx: &Tx<'_>, lease: LeaseKey, until: Timestamp, chunk: &ImportChunk) -> Result<Import> {
    let statement = "SELECT fencing_token, last_row, finished_at IS NOT NULL FROM imports
                     WHERE merchant_id = ?1 AND id = ?2";
    let key = (tx.merchant.get(), lease.import.get());
    let state = sql::query_opt(tx.connection, statement, key, |row| ImportState::decode(row))?;
    let state = state.ok_or(StorageError::NotFound(Resource::Import))?;
    if state.accepts(&lease, chunk)? {
        let used = customers::find_used_contacts(tx.connection, tx.merchant, &contacts(chunk), None)?;
        let plan = plan_chunk(chunk, used);
        insert_customers(tx, &plan)?;
        insert_problems(tx, lease.import, &plan.problems)?;
        update_progress(tx, lease.import, until, chunk, &plan)?;
    }
    find_stored(tx, lease.import)
}

/// Inserts the customers of a chunk as members of the default group and of theirs, in one operation.
fn insert_customers(tx: &Tx<'_>, plan: &ChunkPlan<'_>) -> Result<()> {
    let customers = &plan.customers;
    if customers.is_empty() {
        return Ok(());
    }
    memberships::existing_groups(tx, &plan.all_groups().into_vec())?;
    let operation = operations::next_id(tx)?;
    operations::record(tx, operation, OperationKind::Import, Subject::Other, customers.len() as u64)?;
    let ids = ids::assign_customers(tx, customers.len())?;
    for (id, customer) in ids.iter().zip(customers) {
        customers::insert_new(tx, *id, customer)?;
    }
    for (group, members) in plan.members(&ids) {
        memberships::insert(tx, group, &members, operation)?;
    }
    if let Some(group) = memberships::default_group(tx)? {
        memberships::insert(tx, group, &ids.into(), operation)?;
    }
    Ok(())
}

/// Inserts problems of rows, as far as the limit per import allows.
fn insert_problems(tx: &Tx<'_>, import: ImportId, problems: &[RowProblem]) -> Result<()> {
    let (merchant_id, import_id) = (tx.merchant.get(), import.get());
    let statement =
        "SELECT coalesce(max(number), 0) FROM import_problems WHERE merchant_id = ?1 AND import_id = ?2";
    let stored: u32 = sql::query_value(tx.connection, statement, (merchant_id, import_id))?;
    for (number, problem) in (stored + 1..=STORED_PROBLEMS_MAX).zip(problems) {
        tx.execute(
            "INSERT INTO import_problems (merchant_id, import_id, number, row_number, column_name, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (merchant_id, import_id, number, problem.row, &problem.column, &problem.reason),
        )?;
    }
    Ok(())
}

/// Adds what a chunk has written to the state of the import, and extends the lease. The last chunk deletes the file.
fn update_progress(
    tx: &Tx<'_>,
    import: ImportId,
    until: Timestamp,
    chunk: &ImportChunk,
    plan: &ChunkPlan<'_>,
) -> Result<()> {
    tx.execute(
        "UPDATE imports
         SET last_row = ?3, created_customers = created_customers + ?4, rejected_rows = rejected_rows + ?5,
             lease_until = ?6, finished_at = ?7, failure = ?8, file = CASE WHEN ?7 IS NULL THEN file END
         WHERE merchant_id = ?1 AND id = ?2",
        (
            tx.merchant.get(),
            import.get(),
            chunk.last_row,
            stored_count(plan.customers.len()),
            stored_count(plan.rejected_rows),
            until.as_microsecond(),
            chunk.is_last.then(|| tx.operation.at.as_microsecond()),
            &chunk.failure,
        ),
    )?;
    Ok(())
}
