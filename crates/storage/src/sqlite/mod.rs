//! The embedded engine: one SQLite file, one thread that writes, connections beside it that read.
//!
//! What belongs here: opening the file, and the list of methods. Each noun's statements stand in a file of its own,
//! under the same name as in every other engine.

mod admin;
mod backup;
mod copy;
mod customers;
mod fixtures;
mod group_commit;
mod groups;
mod imports;
mod lists;
mod memberships;
mod merchants;
mod open;
mod operations;
mod read_pool;
mod schema;
mod tokens;
mod words;

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::copy::CopyEndpoint;
use crate::metrics::Metrics;
use crate::{Inspection, Result, StorageError};
use group_commit::{Checkpointer, Writer, database_fsync, wal_fsync};
use read_pool::ReadPool;

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file. Made, with its folder's permission, if it is not there.
    pub path: PathBuf,
    /// Writes that may wait at once; the next one is refused with [`StorageError::QueueFull`].
    pub queue_limit: usize,
    /// Reads that may run at once; the next one waits.
    pub read_connections: u32,
}

impl SqliteOptions {
    /// The options for `path` with the limits that suit one machine: 1,024 waiting writes, 4 readers.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), queue_limit: 1024, read_connections: 4 }
    }
}

/// A database file, opened.
pub struct SqliteStorage {
    read_pool: ReadPool,
    /// After the readers also when dropped, for the reason that `close` gives.
    writer: Writer,
    metrics: Metrics,
}

impl SqliteStorage {
    /// Opens the database and brings its schema up to date. Blocks; call it before serving.
    pub fn open(options: &SqliteOptions, now: jiff::Timestamp) -> Result<Self> {
        let metrics = Metrics::new();
        let connection = open::for_writer(&options.path, now)?;
        let fsync = wal_fsync(&options.path)?;
        let checkpoints = open::for_checkpoints(&options.path)?;
        let checkpointer = Checkpointer::start(checkpoints, database_fsync(&options.path)?)?;
        let writer =
            Writer::start(connection, options.queue_limit, metrics.clone(), fsync, Some(checkpointer))?;
        let read_pool = ReadPool::new(options.path.clone(), options.read_connections, metrics.clone());
        Ok(Self { read_pool, writer, metrics })
    }

    /// Writes a copy of the database at `from`, as it is at one moment, to `to`, where no file may be. Services may go
    /// on using it. Blocks.
    pub fn backup(from: &Path, to: &Path) -> Result<()> {
        backup::copy(from, to)
    }

    /// All rows of the file as they are now, for copying them elsewhere. Blocks.
    pub fn source(path: &Path) -> Result<impl CopyEndpoint + use<>> {
        copy::SqliteEndpoint::source(open::for_reading_all(path)?)
    }

    /// A file to copy rows into, made if it is not there. Blocks.
    pub fn target(path: &Path, now: jiff::Timestamp) -> Result<impl CopyEndpoint + use<>> {
        Ok(copy::SqliteEndpoint::target(open::for_writing(path, now)?))
    }

    /// Looks a database over without changing it, not even its schema. Blocks.
    pub fn inspect(path: &Path) -> Result<Inspection> {
        operations::inspect(&open::for_reading(path)?)
    }
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory,
            ) => Self::Unavailable(error.to_string()),
            Some(ErrorCode::NotADatabase) => Self::ForeignDatabase("it is not a database".to_owned()),
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt(error.to_string()),
            _ => Self::Internal(error.to_string()),
        }
    }
}
