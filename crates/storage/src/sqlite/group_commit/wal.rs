//! File handles that make the WAL and the database file durable.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::{Result, StorageError};

/// A function that makes durable what was written to one file (`fdatasync`).
pub(in crate::sqlite) type Fsync = Box<dyn Fn() -> io::Result<()> + Send>;

/// Returns a function that fsyncs the WAL of the database at `path`. The writer's connection must have created the WAL.
pub(in crate::sqlite) fn wal_fsync(path: &Path) -> Result<Fsync> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    // The WAL is reset in place: it stays the same file as long as one connection is open.
    let wal = open(Path::new(&name))?;
    Ok(Box::new(move || wal.sync_data()))
}

/// Returns a function that fsyncs the database file at `path`.
pub(in crate::sqlite) fn database_fsync(path: &Path) -> Result<Fsync> {
    // Never closed: closing a descriptor releases all POSIX locks that the process has on the file, SQLite's too.
    let file: &'static File = Box::leak(Box::new(open(path)?));
    Ok(Box::new(|| file.sync_data()))
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| StorageError::Unavailable(format!("{}: {error}", path.display())))
}
