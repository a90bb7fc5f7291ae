//! Skipping ids after a backup was restored, and the mark of a backup that no program has written to.
//!
//! The mark is a table that exists only in backups. Opening one for writing skips ids and drops the table.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use zumra_core::ASSIGNED_ID_MAX;

use crate::ids::skipped_after;
use crate::{Result, StorageError};

/// Marks a copy of a database as a backup that was taken now.
pub(super) fn mark(backup: &Connection, now: Timestamp) -> Result<()> {
    backup.execute_batch("CREATE TABLE IF NOT EXISTS backup_mark (taken_at INTEGER NOT NULL) STRICT")?;
    backup.execute("INSERT INTO backup_mark (taken_at) VALUES (?1)", [now.as_microsecond()])?;
    Ok(())
}

/// Skips ids if the database is a marked backup, and removes the mark. Any number of processes may call this at once.
pub(super) fn leave_backup(connection: &mut Connection, now: Timestamp) -> Result<()> {
    if !is_marked(connection)? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !is_marked(&transaction)? {
        return Ok(());
    }
    let taken_at = "SELECT max(taken_at) FROM backup_mark";
    let taken_at: Option<i64> = transaction.query_row(taken_at, [], |row| row.get(0)).optional()?.flatten();
    let taken_at = taken_at.map_or(Ok(now), Timestamp::from_microsecond);
    let taken_at = taken_at.map_err(|error| StorageError::corrupt("backup_mark", "taken_at", error))?;
    let count = skipped_after(taken_at, now);
    skip(&transaction, count)?;
    transaction.execute_batch("DROP TABLE backup_mark")?;
    transaction.commit()?;
    tracing::info!(
        count,
        "the database is a backup taken at {taken_at}; skipped {count} ids of every merchant, so that ids assigned since are not assigned again"
    );
    Ok(())
}

/// Fails if the database is a marked backup: reading its counters would lose the skip.
pub(super) fn require_unmarked(connection: &Connection) -> Result<()> {
    if is_marked(connection)? {
        return Err(StorageError::ForeignDatabase(
            "it is a backup that was not used yet: start `zumra serve` on it once, so that it skips the ids assigned since"
                .to_owned(),
        ));
    }
    Ok(())
}

fn is_marked(connection: &Connection) -> Result<bool> {
    let statement = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'backup_mark')";
    Ok(connection.query_row(statement, [], |row| row.get(0))?)
}

/// Advances every counter by `count`. Returns the number of merchants.
pub(super) fn skip(connection: &Connection, count: u32) -> Result<u64> {
    connection.execute(
        "INSERT INTO id_counters (merchant_id, noun, shard, last)
         SELECT merchant_id, nouns.noun, 0, min(?2, ?1 + coalesce(
             (SELECT max(last) FROM id_counters AS counters
              WHERE counters.merchant_id = merchants.merchant_id AND counters.noun = nouns.noun), 0))
         FROM merchants, (SELECT 1 AS noun UNION ALL SELECT 2 UNION ALL SELECT 3) AS nouns WHERE true
         ON CONFLICT (merchant_id, noun, shard) DO UPDATE SET last = excluded.last",
        (count, ASSIGNED_ID_MAX),
    )?;
    let merchants: i64 = connection.query_row("SELECT count(*) FROM merchants", [], |row| row.get(0))?;
    Ok(merchants.unsigned_abs())
}
