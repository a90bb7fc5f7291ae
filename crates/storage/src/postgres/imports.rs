//! Imports, their leases and their pieces.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use tokio_postgres::Row;
use zumra_core::import::STORED_PROBLEMS_MAX;
use zumra_core::{
    Import, ImportChunk, ImportId, ImportLease, Language, LeaseKey, MerchantId, NewCustomer, NewImport,
    Operation, OperationKind, RowProblem, Subject,
};

use super::PostgresStorage;
use super::connections::for_tx;
use super::errors::{Failure, Try};
use super::operations::{self, Mark};
use super::{customers, memberships};
use crate::Imports;
use crate::{Conflict, Resource, Result, StorageError};
use async_trait::async_trait;
use std::sync::Arc;

#[async_trait]
impl Imports for PostgresStorage {
    async fn create_import(
        &self,
        merchant: MerchantId,
        import: NewImport,
        operation: Operation,
    ) -> Result<Import> {
        let import = Arc::new(import);
        // Doing it twice is doing it once, so a broken connection needs no settling.
        self.connections
            .read(|db| {
                let import = Arc::clone(&import);
                Box::pin(async move { create(db, merchant, &import, &operation).await })
            })
            .await
    }

    async fn lease_import(
        &self,
        which: Option<(MerchantId, ImportId)>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<ImportLease>> {
        // A lease whose answer was lost is nobody's until it ends; then somebody takes it again.
        self.connections.read(|db| Box::pin(lease(db, which, now, until))).await
    }

    async fn write_import_chunk(
        &self,
        lease: LeaseKey,
        until: Timestamp,
        piece: ImportChunk,
        operation: Operation,
    ) -> Result<Import> {
        let write = for_tx(move |tx, piece, operation, mark| {
            Box::pin(write_piece(tx, lease, until, piece, operation, mark))
        });
        Ok(self.connections.change(lease.merchant, operation, piece, write).await?.0)
    }

    async fn list_imports(&self, merchant: MerchantId, limit: u32) -> Result<Vec<Import>> {
        self.connections.read(|db| Box::pin(list(db, merchant, limit))).await
    }

    async fn find_import(
        &self,
        merchant: MerchantId,
        import: ImportId,
    ) -> Result<Option<(Import, Vec<RowProblem>)>> {
        self.connections.read(|db| Box::pin(find(db, merchant, import))).await
    }
}

/// The columns that [`read`] reads.
const COLUMNS: &str = "id, at, finished_at, last_row, created_customers, rejected_rows, failure";

pub(super) async fn create<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    new: &NewImport,
    operation: &Operation,
) -> Try<Import> {
    // Writing it twice is writing it once: the id was made for it.
    let sql =
        "INSERT INTO imports (merchant_id, id, at, actor, language, file) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (merchant_id, id) DO NOTHING";
    let statement = db.prepare_cached(sql).await?;
    let (at, actor) = (operation.at.as_microsecond(), operation.actor.to_string());
    let (merchant_id, id, language) = (merchant.get(), new.id.get(), new.language.as_str());
    db.execute(&statement, &[&merchant_id, &id, &at, &actor, &language, &new.file]).await?;
    Ok(find(db, merchant, new.id).await?.ok_or(StorageError::NotFound(Resource::Import))?.0)
}

pub(super) async fn lease<C: GenericClient>(
    db: &C,
    which: Option<(MerchantId, ImportId)>,
    now: Timestamp,
    until: Timestamp,
) -> Try<Option<ImportLease>> {
    let (merchant, id) = which.map(|(merchant, id)| (merchant.get(), id.get())).unzip();
    let sql = "SELECT merchant_id, id FROM imports WHERE finished_at IS NULL AND lease_until <= $3
               AND ($1::bigint IS NULL OR merchant_id = $1 AND id = $2::bigint) ORDER BY at LIMIT 1";
    let statement = db.prepare_cached(sql).await?;
    let Some(row) = db.query_opt(&statement, &[&merchant, &id, &now.as_microsecond()]).await? else {
        return Ok(None);
    };
    let (merchant, id): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    // Of two who saw it free, the second finds that it is no more.
    let sql = "UPDATE imports SET fencing_token = fencing_token + 1, lease_until = $4
               WHERE merchant_id = $1 AND id = $2 AND finished_at IS NULL AND lease_until <= $3
               RETURNING fencing_token, last_row, actor, language, file";
    let statement = db.prepare_cached(sql).await?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&merchant, &id, &now.as_microsecond(), &until.as_microsecond()];
    let Some(row) = db.query_opt(&statement, &parameters).await? else { return Ok(None) };
    let (actor, language): (String, String) = (row.try_get(2)?, row.try_get(3)?);
    Ok(Some(ImportLease {
        key: LeaseKey {
            merchant: MerchantId::new(merchant)
                .ok_or_else(|| StorageError::corrupt("imports", "merchant_id", merchant))?,
            import: ImportId::new(id).ok_or_else(|| StorageError::corrupt("imports", "id", id))?,
            fencing_token: row.try_get(0)?,
        },
        last_row: rows(row.try_get(1)?)?,
        actor: actor.parse().map_err(|e| StorageError::corrupt("imports", "actor", e))?,
        language: Language::from_code(&language)
            .ok_or_else(|| StorageError::corrupt("imports", "language", &language))?,
        file: row.try_get::<_, Option<Vec<u8>>>(4)?.unwrap_or_default(),
    }))
}

/// How the import stands, and whether an operation's row was written.
pub(super) async fn write_piece<C: GenericClient>(
    tx: &C,
    lease: LeaseKey,
    until: Timestamp,
    piece: &ImportChunk,
    operation: &Operation,
    mark: Mark,
) -> Try<(Import, bool)> {
    let LeaseKey { merchant, import: id, fencing_token } = lease;
    let sql = "SELECT fencing_token, last_row, finished_at IS NOT NULL FROM imports
               WHERE merchant_id = $1 AND id = $2 FOR UPDATE";
    let statement = tx.prepare_cached(sql).await?;
    let Some(row) = tx.query_opt(&statement, &[&merchant.get(), &id.get()]).await? else {
        return Err(StorageError::NotFound(Resource::Import).into());
    };
    let (current, done, is_finished): (i64, i64, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if current != fencing_token {
        return Err(StorageError::LeaseLost.into());
    }
    let mut is_written = false;
    if !is_finished && (i64::from(piece.last_row) > done || piece.is_last) {
        let taken =
            memberships::find_used_contacts(tx, merchant, &crate::imports::contacts(piece), None).await?;
        let crate::imports::ChunkPlan { customers: made, problems, rejected_rows } =
            crate::imports::plan_chunk(piece, taken);
        if !made.is_empty() {
            make(tx, merchant, &made, operation, mark).await?;
            is_written = true;
        }
        keep_problems(tx, (merchant, id), &problems).await?;
        let sql = "UPDATE imports SET last_row = $3, created_customers = created_customers + $4, rejected_rows = rejected_rows + $5,
                          lease_until = $6, finished_at = $7::bigint, failure = $8,
                          file = CASE WHEN $7::bigint IS NULL THEN file END
                   WHERE merchant_id = $1 AND id = $2";
        let statement = tx.prepare_cached(sql).await?;
        let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
        let (through, made) = (i64::from(piece.last_row), count(made.len() as u64));
        let refused = count(rejected_rows);
        let (until, at) = (until.as_microsecond(), operation.at.as_microsecond());
        let finished_at = piece.is_last.then_some(at);
        let (merchant, id) = (merchant.get(), id.get());
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
            [&merchant, &id, &through, &made, &refused, &until, &finished_at, &piece.failure];
        tx.execute(&statement, &parameters).await?;
    }
    let found = find(tx, merchant, id).await?;
    Ok((found.ok_or(StorageError::NotFound(Resource::Import))?.0, is_written))
}

async fn make<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    customers: &[&NewCustomer],
    operation: &Operation,
    mark: Mark,
) -> Try<()> {
    let id = operations::next_id(tx, merchant, operation, mark).await?;
    let changes = (Subject::Other, customers.len() as u64);
    operations::record(tx, merchant, id, operation, OperationKind::Import, changes, mark).await?;
    let made: Vec<_> = customers.iter().map(|customer| ((*customer).clone(), Vec::new())).collect();
    customers::put(tx, merchant, &made, operation.at, mark).await.map_err(|failure| match failure {
        // Somebody was faster with a number or an address: seen again, it is a problem of its row.
        Failure::Final(StorageError::Conflict(conflict @ (Conflict::Mobile(_) | Conflict::Email(_)))) => {
            Failure::InTheWay(conflict.into())
        }
        failure => failure,
    })?;
    for group in memberships::live_groups(tx, merchant, &[], true).await? {
        let ids = memberships::set(customers.iter().map(|customer| customer.id.get()));
        memberships::insert(tx, merchant, group, &ids, id).await?;
    }
    Ok(())
}

async fn keep_problems<C: GenericClient>(
    tx: &C,
    (merchant, id): (MerchantId, ImportId),
    problems: &[RowProblem],
) -> Try<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO import_problems (merchant_id, import_id, number, row_number, column_name, reason)
               SELECT $1, $2, kept.number + problems.number, problems.row_number, column_name, reason
               FROM unnest($3::bigint[], $4::text[], $5::text[]) WITH ORDINALITY
                        AS problems (row_number, column_name, reason, number),
                    (SELECT coalesce(max(number), 0) AS number FROM import_problems
                     WHERE merchant_id = $1 AND import_id = $2) AS kept
               WHERE kept.number + problems.number <= $6";
    let statement = tx.prepare_cached(sql).await?;
    let rows: Vec<i64> = problems.iter().map(|problem| i64::from(problem.row)).collect();
    let columns: Vec<&str> = problems.iter().map(|problem| problem.column.as_str()).collect();
    let reasons: Vec<&str> = problems.iter().map(|problem| problem.reason.as_str()).collect();
    let (merchant, id, most) = (merchant.get(), id.get(), i64::from(STORED_PROBLEMS_MAX));
    tx.execute(&statement, &[&merchant, &id, &rows, &columns, &reasons, &most]).await?;
    Ok(())
}

pub(super) async fn list<C: GenericClient>(db: &C, merchant: MerchantId, limit: u32) -> Try<Vec<Import>> {
    let sql = format!("SELECT {COLUMNS} FROM imports WHERE merchant_id = $1 ORDER BY id DESC LIMIT $2");
    let statement = db.prepare_cached(&sql).await?;
    let rows = db.query(&statement, &[&merchant.get(), &i64::from(limit)]).await?;
    rows.iter().map(read).collect()
}

pub(super) async fn find<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    id: ImportId,
) -> Try<Option<(Import, Vec<RowProblem>)>> {
    let sql = format!("SELECT {COLUMNS} FROM imports WHERE merchant_id = $1 AND id = $2");
    let statement = db.prepare_cached(&sql).await?;
    let (merchant, id) = (merchant.get(), id.get());
    let Some(row) = db.query_opt(&statement, &[&merchant, &id]).await? else { return Ok(None) };
    let sql = "SELECT row_number, column_name, reason FROM import_problems
               WHERE merchant_id = $1 AND import_id = $2 ORDER BY number";
    let statement = db.prepare_cached(sql).await?;
    let mut problems = Vec::new();
    for row in db.query(&statement, &[&merchant, &id]).await? {
        let row_number = rows(row.try_get(0)?)?;
        problems.push(RowProblem { row: row_number, column: row.try_get(1)?, reason: row.try_get(2)? });
    }
    Ok(Some((read(&row)?, problems)))
}

fn rows(count: i64) -> Result<u32> {
    u32::try_from(count).map_err(|e| StorageError::corrupt("imports", "last_row", e))
}

/// Reads [`COLUMNS`].
fn read(row: &Row) -> Try<Import> {
    let id: i64 = row.try_get(0)?;
    let time =
        |at: i64| Timestamp::from_microsecond(at).map_err(|e| StorageError::corrupt("imports", "at", e));
    Ok(Import {
        id: ImportId::new(id).ok_or_else(|| StorageError::corrupt("imports", "id", id))?,
        at: time(row.try_get(1)?)?,
        finished_at: row.try_get::<_, Option<i64>>(2)?.map(time).transpose()?,
        last_row: rows(row.try_get(3)?)?,
        created_customers: row.try_get::<_, i64>(4)?.unsigned_abs(),
        rejected_rows: row.try_get::<_, i64>(5)?.unsigned_abs(),
        failure: row.try_get(6)?,
    })
}
