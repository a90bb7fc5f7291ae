//! The schema of a database file: which program it belongs to, and its migrations.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use crate::{Result, StorageError, migrate};

/// "Zumr" in ASCII: the `application_id` of a database file of Zumra.
const APPLICATION_ID: i64 = 0x5a75_6d72;

/// Fails with [`StorageError::ForeignDatabase`] if another program has created the file.
pub(super) fn reject_foreign_database(connection: &Connection) -> Result<()> {
    // Count the tables first: another process may create them now, in one transaction with the id.
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != APPLICATION_ID && tables > 0 {
        return Err(StorageError::ForeignDatabase("it is a database of another program".to_owned()));
    }
    Ok(())
}

/// Runs outstanding migrations in one transaction. Any number of processes may call this at once.
pub(super) fn migrate(connection: &mut Connection, now: Timestamp) -> Result<()> {
    if outstanding(connection)?.is_empty() {
        return Ok(());
    }
    // Another process may have migrated meanwhile, so look again while holding the write lock.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
            number     INTEGER NOT NULL PRIMARY KEY,
            name       TEXT    NOT NULL,
            hash       TEXT    NOT NULL,
            applied_at INTEGER NOT NULL
        ) STRICT",
    )?;
    for migration in outstanding(&transaction)? {
        transaction.execute_batch(migration.sql)?;
        transaction.execute(
            "INSERT INTO schema_migrations (number, name, hash, applied_at) VALUES (?1, ?2, ?3, ?4)",
            (migration.number, migration.name, migration.hash(), now.as_microsecond()),
        )?;
    }
    Ok(transaction.commit()?)
}

/// Fails with [`StorageError::ForeignDatabase`] if migrations are outstanding.
pub(super) fn require_up_to_date(connection: &Connection) -> Result<()> {
    if outstanding(connection)?.is_empty() { Ok(()) } else { Err(migrate::schema_outdated()) }
}

/// Returns the migrations that the database has not applied.
///
/// # Errors
///
/// [`StorageError::NewerSchema`] if a newer version has migrated the database, [`StorageError::ForeignDatabase`] if the
/// SQL of an applied migration differs from the one in this program.
pub(super) fn outstanding(connection: &Connection) -> Result<&'static [migrate::Migration]> {
    let has_table = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations')";
    if !connection.query_row(has_table, [], |row| row.get(0))? {
        return Ok(migrate::SQLITE);
    }
    let mut statement = connection.prepare("SELECT number, hash FROM schema_migrations ORDER BY number")?;
    let applied = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    migrate::outstanding(migrate::SQLITE, &applied.collect::<rusqlite::Result<Vec<_>>>()?)
}
