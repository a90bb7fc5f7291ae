//! Backup of a database file that stays in use.

use std::fs::File;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::Connection;

use super::{id_skips, open};
use crate::{Result, StorageError};

/// Writes a snapshot of the database at `source` to `target`, where no file may exist, and marks it as a backup. Services
/// keep reading and writing. Blocks.
///
/// The backup has a temporary name until it is complete and durable.
///
/// # Errors
///
/// [`StorageError::Unavailable`] if `source` cannot be read, or if `target` exists or cannot be written;
/// [`StorageError::ForeignDatabase`] or [`StorageError::NewerSchema`] if this version did not write `source`.
pub(super) fn copy(source: &Path, target: &Path, now: Timestamp) -> Result<()> {
    if target.exists() {
        return Err(StorageError::Unavailable(format!("{} already exists", target.display())));
    }
    let mut partial = target.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let problem = |error: io::Error| StorageError::Unavailable(format!("{}: {error}", target.display()));
    // An interrupted backup leaves this file, and `VACUUM INTO` needs a free name.
    match std::fs::remove_file(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(problem(error)),
        _ => {}
    }
    let connection = open::for_reading(source)?;
    let partial_name = partial.to_str().ok_or_else(|| problem(io::Error::other("the path is not UTF-8")))?;
    // One read transaction. The page-by-page backup API starts again whenever another connection writes.
    connection.execute("VACUUM INTO ?1", [partial_name])?;
    id_skips::mark(&Connection::open(partial)?, now)?;
    File::open(partial).and_then(|file| file.sync_all()).map_err(problem)?;
    std::fs::rename(partial, target).map_err(problem)?;
    File::open(open::directory_of(target)).and_then(|directory| directory.sync_all()).map_err(problem)
}
