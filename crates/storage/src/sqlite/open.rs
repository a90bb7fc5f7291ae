//! Opens connections to a database file: flags, pragmas and limits.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{id_skips, schema};
use crate::{Result, StorageError};

/// Maximum time a connection waits for a lock of another process, such as a CLI command beside a running service.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two attempts where SQLite itself does not wait for a lock.
const BUSY_RETRY_INTERVAL: Duration = Duration::from_millis(5);
/// Maximum number of prepared statements per connection; more than the engine has.
const STATEMENT_CACHE_SIZE: usize = 64;
/// Page cache of the writer. SQLite's default of 2 MiB makes it read the pages of a larger shop again and again. A much
/// larger cache is slower, because each commit walks all of it. Measurements: `bench/README.md`.
const WRITER_CACHE_KIB: i64 = 8 << 10;

/// Opens the writer's connection. Commits do not fsync: see `group_commit`.
pub(super) fn for_writer(path: &Path, now: Timestamp) -> Result<Connection> {
    let connection = for_writing(path, now)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // Foreign keys are assertions here: every write checks what it refers to in its own transaction, and SQLite runs
    // only one write transaction at a time. A second check is a quarter of the time of a large add request (measured),
    // so only debug builds run it.
    connection.pragma_update(None, "foreign_keys", cfg!(debug_assertions))?;
    Ok(connection)
}

/// Opens the checkpointer's connection.
pub(super) fn for_checkpoints(path: &Path) -> Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Opens a connection whose commits are durable. Creates the file if it does not exist, and runs outstanding
/// migrations.
///
/// # Errors
///
/// [`StorageError::Unavailable`] if the directory does not exist, [`StorageError::ForeignDatabase`] and
/// [`StorageError::NewerSchema`] for files that this version did not write.
pub(super) fn for_writing(path: &Path, now: Timestamp) -> Result<Connection> {
    // SQLite's own message would not name the cause.
    let directory = directory_of(path);
    if !directory.exists() {
        let problem =
            format!("directory {} does not exist; create it or choose another path", directory.display());
        return Err(StorageError::Unavailable(problem));
    }
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    schema::reject_foreign_database(&connection)?;
    switch_to_wal(&connection)?;
    // Each commit is durable when it returns, so that it survives a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    schema::migrate(&mut connection, now)?;
    id_skips::leave_backup(&mut connection, now)?;
    Ok(connection)
}

/// Opens a read-only connection. The file must exist; its schema may be older than this program's.
pub(super) fn for_reading(path: &Path) -> Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    schema::reject_foreign_database(&connection)?;
    schema::outstanding(&connection)?; // rejects the database of a newer version
    Ok(connection)
}

/// Opens a read-only connection to a file whose schema is up to date.
pub(super) fn for_reading_all(path: &Path) -> Result<Connection> {
    let connection = for_reading(path)?;
    schema::require_up_to_date(&connection)?;
    Ok(connection)
}

/// Returns the directory of a file that may not exist yet.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE_SIZE);
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Query plans here do not depend on parameter values. Without this, SQLite prepares a statement again whenever its
    // parameters change: a fifth of the writer's time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    rusqlite::vtab::array::load_module(&connection)?;
    Ok(connection)
}

/// Switches the file to WAL mode. SQLite does not wait when several processes switch a new file at once, so this does.
fn switch_to_wal(connection: &Connection) -> Result<()> {
    Ok(retry_while_busy(BUSY_TIMEOUT, || connection.pragma_update(None, "journal_mode", "WAL"))?)
}

/// Repeats `attempt` while it fails with `SQLITE_BUSY`, for at most `timeout`.
fn retry_while_busy(
    timeout: Duration,
    mut attempt: impl FnMut() -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < timeout =>
            {
                std::thread::sleep(BUSY_RETRY_INTERVAL);
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    /// Returns the result of attempts that fail with `code` until there were `failures`, and their number.
    fn retry(code: i32, failures: u32, timeout: Duration) -> (bool, u32) {
        let mut attempts = 0;
        let result = retry_while_busy(timeout, || {
            attempts += 1;
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            if attempts > failures { Ok(()) } else { Err(error) }
        });
        (result.is_ok(), attempts)
    }

    #[test]
    fn only_busy_files_are_tried_again_until_the_timeout() {
        let hour = Duration::from_hours(1);
        assert_eq!(retry(ffi::SQLITE_BUSY, 2, hour), (true, 3));
        assert_eq!(retry(ffi::SQLITE_IOERR, 2, hour), (false, 1));
        assert_eq!(retry(ffi::SQLITE_BUSY, 2, Duration::ZERO), (false, 1));
    }
}
