//! Imports, their leases and their pieces.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};
use zumra_core::import::STORED_PROBLEMS_MAX;
use zumra_core::{
    GroupId, Import, ImportChunk, ImportId, ImportLease, Language, LeaseKey, MerchantId, NewImport,
    Operation, OperationKind, RowProblem, Subject,
};

use super::SqliteStorage;
use super::memberships::{self, set};
use super::{customers, operations};
use crate::Imports;
use crate::{Resource, Result, StorageError};
use async_trait::async_trait;

#[async_trait]
impl Imports for SqliteStorage {
    async fn create_import(
        &self,
        merchant: MerchantId,
        import: NewImport,
        operation: Operation,
    ) -> Result<Import> {
        self.writer.write(move |tx| create(tx, merchant, &import, &operation)).await
    }

    async fn lease_import(
        &self,
        which: Option<(MerchantId, ImportId)>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<ImportLease>> {
        // The writer is not troubled when there is nothing to do, which is nearly always.
        if !self.read_pool.read(move |db| is_any_waiting(db, now)).await? {
            return Ok(None);
        }
        self.writer.write(move |tx| lease(tx, which, now, until)).await
    }

    async fn write_import_chunk(
        &self,
        lease: LeaseKey,
        until: Timestamp,
        piece: ImportChunk,
        operation: Operation,
    ) -> Result<Import> {
        self.writer.write(move |tx| write_piece(tx, lease, until, &piece, &operation)).await
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

/// The columns that [`read`] reads.
const COLUMNS: &str = "id, at, finished_at, last_row, created_customers, rejected_rows, failure";

pub(super) fn create(
    tx: &Connection,
    merchant: MerchantId,
    new: &NewImport,
    operation: &Operation,
) -> Result<Import> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO imports (merchant_id, id, at, actor, language, file) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let (at, actor) = (operation.at.as_microsecond(), operation.actor.to_string());
    statement.execute((merchant.get(), new.id.get(), at, actor, new.language.as_str(), &new.file))?;
    Ok(find(tx, merchant, new.id)?.ok_or(StorageError::NotFound(Resource::Import))?.0)
}

/// Whether there is an import that is not finished and that nobody holds.
pub(super) fn is_any_waiting(db: &Connection, now: Timestamp) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM imports WHERE finished_at IS NULL AND lease_until <= ?1)";
    Ok(db.prepare_cached(sql)?.query_row([now.as_microsecond()], |row| row.get(0))?)
}

pub(super) fn lease(
    tx: &Connection,
    which: Option<(MerchantId, ImportId)>,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<ImportLease>> {
    let (merchant, id) = which.map(|(merchant, id)| (merchant.get(), id.get())).unzip();
    let mut statement = tx.prepare_cached(
        "SELECT merchant_id, id FROM imports WHERE finished_at IS NULL AND lease_until <= ?3
         AND (?1 IS NULL OR merchant_id = ?1 AND id = ?2) ORDER BY at LIMIT 1",
    )?;
    let key = (merchant, id, now.as_microsecond());
    let found = statement.query_row(key, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((merchant, id)): Option<(i64, i64)> = found else { return Ok(None) };
    let mut statement = tx.prepare_cached(
        "UPDATE imports SET fencing_token = fencing_token + 1, lease_until = ?3 WHERE merchant_id = ?1 AND id = ?2
         RETURNING fencing_token, last_row, actor, language, file",
    )?;
    let lease = statement.query_row((merchant, id, until.as_microsecond()), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?, row.get(4)?))
    })?;
    let (fencing_token, last_row, actor, language, file): (i64, u32, String, String, Option<Vec<u8>>) = lease;
    Ok(Some(ImportLease {
        key: LeaseKey {
            merchant: MerchantId::new(merchant)
                .ok_or_else(|| StorageError::corrupt("imports", "merchant_id", merchant))?,
            import: ImportId::new(id).ok_or_else(|| StorageError::corrupt("imports", "id", id))?,
            fencing_token,
        },
        last_row,
        actor: actor.parse().map_err(|e| StorageError::corrupt("imports", "actor", e))?,
        language: Language::from_code(&language)
            .ok_or_else(|| StorageError::corrupt("imports", "language", &language))?,
        file: file.unwrap_or_default(),
    }))
}

pub(super) fn write_piece(
    tx: &Connection,
    lease: LeaseKey,
    until: Timestamp,
    piece: &ImportChunk,
    operation: &Operation,
) -> Result<Import> {
    let LeaseKey { merchant, import: id, fencing_token } = lease;
    let key = (merchant.get(), id.get());
    let sql = "SELECT fencing_token, last_row, finished_at IS NOT NULL FROM imports WHERE merchant_id = ?1 AND id = ?2";
    let row = tx.prepare_cached(sql)?.query_row(key, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let Some((current, done, is_finished)): Option<(i64, u32, bool)> = row.optional()? else {
        return Err(StorageError::NotFound(Resource::Import));
    };
    if current != fencing_token {
        return Err(StorageError::LeaseLost);
    }
    if !is_finished && (piece.last_row > done || piece.is_last) {
        let taken = memberships::find_used_contacts(tx, merchant, &crate::imports::contacts(piece), None)?;
        let crate::imports::ChunkPlan { customers: made, problems, rejected_rows } =
            crate::imports::plan_chunk(piece, taken);
        if !made.is_empty() {
            let changes = made.len() as u64;
            let operation_id = operations::next_id(tx, merchant, operation)?;
            let (kind, subject) = (OperationKind::Import, Subject::Other);
            operations::record(tx, merchant, operation_id, operation, kind, subject, changes)?;
            for customer in &made {
                customers::put(tx, merchant, customer, operation.at)?;
            }
            let default: Option<GroupId> = memberships::default_group(tx, merchant)?;
            if let Some(group) = default {
                let ids = set(made.iter().map(|customer| customer.id.get()));
                memberships::insert(tx, merchant, group, ids, operation_id)?;
            }
        }
        keep_problems(tx, key, &problems)?;
        let mut statement = tx.prepare_cached(
            "UPDATE imports SET last_row = ?3, created_customers = created_customers + ?4, rejected_rows = rejected_rows + ?5, lease_until = ?6,
                    finished_at = ?7, failure = ?8, file = CASE WHEN ?7 IS NULL THEN file END
             WHERE merchant_id = ?1 AND id = ?2",
        )?;
        let finished_at = piece.is_last.then(|| operation.at.as_microsecond());
        let (made, refused) = (made.len() as u64, rejected_rows);
        let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
        let (made, refused) = (count(made), count(refused));
        let until = until.as_microsecond();
        statement.execute((
            key.0,
            key.1,
            piece.last_row,
            made,
            refused,
            until,
            finished_at,
            &piece.failure,
        ))?;
    }
    Ok(find(tx, merchant, id)?.ok_or(StorageError::NotFound(Resource::Import))?.0)
}

fn keep_problems(tx: &Connection, (merchant, id): (i64, i64), problems: &[RowProblem]) -> Result<()> {
    let sql =
        "SELECT coalesce(max(number), 0) FROM import_problems WHERE merchant_id = ?1 AND import_id = ?2";
    let kept: u32 = tx.prepare_cached(sql)?.query_row((merchant, id), |row| row.get(0))?;
    let mut statement = tx.prepare_cached(
        "INSERT INTO import_problems (merchant_id, import_id, number, row_number, column_name, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (number, problem) in (kept + 1..=STORED_PROBLEMS_MAX).zip(problems) {
        statement.execute((merchant, id, number, problem.row, &problem.column, &problem.reason))?;
    }
    Ok(())
}

pub(super) fn list(db: &Connection, merchant: MerchantId, limit: u32) -> Result<Vec<Import>> {
    let sql = format!("SELECT {COLUMNS} FROM imports WHERE merchant_id = ?1 ORDER BY id DESC LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((merchant.get(), limit))?;
    let mut imports = Vec::new();
    while let Some(row) = rows.next()? {
        imports.push(read(row)?);
    }
    Ok(imports)
}

pub(super) fn find(
    db: &Connection,
    merchant: MerchantId,
    id: ImportId,
) -> Result<Option<(Import, Vec<RowProblem>)>> {
    let key = (merchant.get(), id.get());
    let sql = format!("SELECT {COLUMNS} FROM imports WHERE merchant_id = ?1 AND id = ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let Some(import) = statement.query_row(key, |row| Ok(read(row))).optional()?.transpose()? else {
        return Ok(None);
    };
    let mut statement = db.prepare_cached(
        "SELECT row_number, column_name, reason FROM import_problems
         WHERE merchant_id = ?1 AND import_id = ?2 ORDER BY number",
    )?;
    let problem =
        |row: &Row<'_>| Ok(RowProblem { row: row.get(0)?, column: row.get(1)?, reason: row.get(2)? });
    let problems = statement.query_map(key, problem)?.collect::<rusqlite::Result<_>>()?;
    Ok(Some((import, problems)))
}

fn read(row: &Row<'_>) -> Result<Import> {
    let id: i64 = row.get(0)?;
    let time =
        |at: i64| Timestamp::from_microsecond(at).map_err(|e| StorageError::corrupt("imports", "at", e));
    Ok(Import {
        id: ImportId::new(id).ok_or_else(|| StorageError::corrupt("imports", "id", id))?,
        at: time(row.get(1)?)?,
        finished_at: row.get::<_, Option<i64>>(2)?.map(time).transpose()?,
        last_row: row.get(3)?,
        created_customers: row.get::<_, i64>(4)?.unsigned_abs(),
        rejected_rows: row.get::<_, i64>(5)?.unsigned_abs(),
        failure: row.get(6)?,
    })
}
