//! The SQLite engine: one database file, one thread that writes, and a pool of read connections.
//!
//! What belongs here: the options, and opening a database. Each noun has a file of the same name as in the other
//! engine, with its trait implementation and its SQL. The threads are in `group_commit`.

mod admin;
mod backup;
mod copy;
mod counters;
mod customer_search;
mod customers;
mod engine;
mod errors;
mod fixtures;
mod group_commit;
mod groups;
mod id_skips;
mod ids;
mod imports;
mod memberships;
mod merchants;
mod open;
mod operations;
mod read_pool;
mod schema;
mod search_rebuild;
mod search_terms;
mod sql;
mod tokens;
mod tx;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::copy::CopyEndpoint;
use crate::metrics::Metrics;
use crate::{Inspection, Result};
use group_commit::{Checkpointer, Writer, database_fsync, wal_fsync};
use read_pool::ReadPool;

pub use engine::SqliteStorage;

/// The location of a database, and its limits.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file. Created if it does not exist; its directory must exist.
    pub path: PathBuf,
    /// Maximum number of writes that are not completed; further writes fail with
    /// [`QueueFull`](crate::StorageError::QueueFull).
    pub queue_limit: usize,
    /// Maximum number of concurrent reads; further reads wait.
    pub read_connections: u32,
}

impl SqliteOptions {
    /// Returns the options for `path` with default limits: 1,024 pending writes, 4 read connections.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), queue_limit: 1024, read_connections: 4 }
    }
}

impl SqliteStorage {
    /// Opens a database and runs outstanding migrations. Blocks; call it before serving.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::StorageError::Unavailable) if the file cannot be opened,
    /// [`ForeignDatabase`](crate::StorageError::ForeignDatabase) if another program has created it,
    /// [`NewerSchema`](crate::StorageError::NewerSchema) if a newer version has migrated it.
    pub fn open(options: &SqliteOptions, now: Timestamp) -> Result<Self> {
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

    /// Writes a snapshot of the database at `source` to `target`, marked as a backup of `now`. Services may keep using the
    /// database. Blocks.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::StorageError::Unavailable) if `source` cannot be read, or if `target` exists or cannot be
    /// written; [`ForeignDatabase`](crate::StorageError::ForeignDatabase) or
    /// [`NewerSchema`](crate::StorageError::NewerSchema) if this version did not write `source`.
    pub fn backup(source: &Path, target: &Path, now: Timestamp) -> Result<()> {
        backup::copy(source, target, now)
    }

    /// Returns a snapshot of all rows of a file, to copy them to another database. Blocks.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and [`ForeignDatabase`](crate::StorageError::ForeignDatabase) if migrations are
    /// outstanding, which this does not run, or if the file is a backup that was never opened for writing.
    pub fn source(path: &Path) -> Result<impl CopyEndpoint + use<>> {
        let connection = open::for_reading_all(path)?;
        id_skips::require_unmarked(&connection)?;
        copy::SqliteEndpoint::source(connection)
    }

    /// Returns a file to copy rows into. Creates it if it does not exist, and runs outstanding migrations. Blocks.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn target(path: &Path, now: Timestamp) -> Result<impl CopyEndpoint + use<>> {
        Ok(copy::SqliteEndpoint::target(open::for_writing(path, now)?))
    }

    /// Checks the integrity of a database and counts its rows. Changes nothing, not even the schema. Blocks.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open). Integrity problems are part of the result.
    pub fn inspect(path: &Path) -> Result<Inspection> {
        admin::inspect(&open::for_reading(path)?)
    }
}
