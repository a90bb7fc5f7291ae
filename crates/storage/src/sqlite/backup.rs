//! A copy of the database while it stays in use.

use std::fs::File;
use std::path::Path;

use super::open;
use crate::{Result, StorageError};

/// Writes a copy of the database at `from`, as it is at one moment, to `to`, where no file may be. Services go on
/// reading and writing. The copy is on the disk when this answers; until then it has another name. Blocks.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Err(StorageError::Unavailable(format!("{} is there already", to.display())));
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let problem = |error: std::io::Error| StorageError::Unavailable(format!("{}: {error}", to.display()));
    // What an interrupted copy left behind is nobody's backup.
    match std::fs::remove_file(partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(problem(error)),
        _ => {}
    }
    let connection = open::for_reading(from)?;
    let text = partial.to_str().ok_or_else(|| problem(std::io::Error::other("the path is not UTF-8")))?;
    // One read transaction, unlike the page-by-page backup, which begins anew whenever somebody writes.
    connection.execute("VACUUM INTO ?1", [text])?;
    File::open(partial).and_then(|file| file.sync_all()).map_err(problem)?;
    std::fs::rename(partial, to).map_err(problem)?;
    File::open(open::folder_of(to)).and_then(|folder| folder.sync_all()).map_err(problem)
}
