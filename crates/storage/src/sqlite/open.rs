//! Opening a database file: what every connection is told, and the schema.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::{Result, StorageError, migrate};

/// "Zumr" in ASCII: tells our files from other people's.
const APPLICATION_ID: i64 = 0x5a75_6d72;
/// How long a connection waits for another process, such as the command line beside a running service.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it waits between two tries where SQLite itself does not wait.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// Statements a connection keeps prepared; above the number that there are.
const STATEMENTS: usize = 64;

/// Memory for pages that the writer has read: more than the two megabytes that SQLite takes by itself, or it reads the
/// pages of a larger shop again and again; not much more, because commits look through all of them. See
/// `bench/README.md`.
const WRITER_CACHE_KIB: i64 = 8 << 10;

/// The connection of the writer, who syncs the log and moves it into the file in its own way: see `log.rs`.
pub(super) fn for_writer(path: &Path, now: Timestamp) -> Result<Connection> {
    let connection = for_writing(path, now)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // Foreign keys are assertions: whatever writes has made sure in the same transaction, and there is no other writer.
    // Looking twice is a quarter of the time of a large addition, so it is left to tests and other debug builds.
    connection.pragma_update(None, "foreign_keys", cfg!(debug_assertions))?;
    Ok(connection)
}

/// The connection that moves the log into the file.
pub(super) fn for_checkpoints(path: &Path) -> Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// A connection that writes alone. Makes the file if it is not there and runs outstanding migrations.
pub(super) fn for_writing(path: &Path, now: Timestamp) -> Result<Connection> {
    // SQLite would say that it cannot open the file.
    let folder = folder_of(path);
    if !folder.exists() {
        let problem = format!("there is no folder {}; make it, or name another file", folder.display());
        return Err(StorageError::Unavailable(problem));
    }
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    refuse_foreign(&connection)?;
    switch_to_wal(&connection)?;
    // What was acknowledged survives a power cut: every commit waits for the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    migrate(&mut connection, now)?;
    Ok(connection)
}

/// A connection that reads, of a file that is there.
pub(super) fn for_reading(path: &Path) -> Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    refuse_foreign(&connection)?;
    outstanding(&connection)?; // fails on the database of a newer version
    Ok(connection)
}

/// The same, of a file whose schema is up to date.
pub(super) fn for_reading_all(path: &Path) -> Result<Connection> {
    let connection = for_reading(path)?;
    if !outstanding(&connection)?.is_empty() {
        return Err(migrate::behind());
    }
    Ok(connection)
}

/// Where a file is or will be.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Plans do not depend on the values of parameters. Without this, SQLite plans a statement again whenever its
    // parameters change: a fifth of the writer's time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    rusqlite::vtab::array::load_module(&connection)?;
    Ok(connection)
}

/// SQLite does not wait when several processes switch a fresh file at once, so we do.
fn switch_to_wal(connection: &Connection) -> Result<()> {
    let started = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < BUSY_TIMEOUT =>
            {
                std::thread::sleep(BUSY_PAUSE);
            }
            switched => return Ok(switched?),
        }
    }
}

fn refuse_foreign(connection: &Connection) -> Result<()> {
    // The tables first: they come in one transaction with the id, and another process may be at it.
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != APPLICATION_ID && tables > 0 {
        return Err(StorageError::ForeignDatabase("it is a database of another program".to_owned()));
    }
    Ok(())
}

fn migrate(connection: &mut Connection, now: Timestamp) -> Result<()> {
    if outstanding(connection)?.is_empty() {
        return Ok(());
    }
    // Another process may be at it too: the lock first, then look again.
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

fn outstanding(connection: &Connection) -> Result<&'static [migrate::Migration]> {
    let tracked = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations')";
    if !connection.query_row(tracked, [], |row| row.get(0))? {
        return Ok(migrate::SQLITE);
    }
    let mut statement = connection.prepare("SELECT number, hash FROM schema_migrations ORDER BY number")?;
    let applied = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    migrate::outstanding(migrate::SQLITE, &applied.collect::<rusqlite::Result<Vec<_>>>()?)
}
