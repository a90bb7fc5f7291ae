//! Copying an installation from one engine to the other, row by row.
//!
//! What belongs here: the algorithm. It checks that the target is empty or a prefix of the source, writes the missing
//! rows in chunks, and reads everything back. `tables.rs` lists the tables, `rows.rs` is the interface of the engines.

mod checksum;
mod rows;
mod tables;

use crate::StorageError;
use checksum::{TableSum, TableSums};
use rows::key;

pub use checksum::CopiedTable;
pub(crate) use rows::{CopiedRow, CopiedTerms, Value};
pub use rows::{CopyEndpoint, RowChunk, TableSlice};
pub(crate) use tables::{ColumnType, TABLES, Table};

/// Rows that are read or written at once. Each such chunk is one transaction.
const CHUNK_ROWS: usize = 10_000;

/// Progress of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyProgress {
    /// Number of rows to copy and then to verify.
    Total(u64),
    /// This many more rows are written, or were in the target already.
    Copied(u64),
    /// This many more rows are read back.
    Verified(u64),
}

/// Why a copy failed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the databases failed. Another copy of the same source continues from the rows written so far.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The target holds rows that are not a prefix of the source. Nothing was written.
    #[error(
        "the target differs from the source in {table} of merchant {merchant}; use an empty database, or one left by an interrupted copy of the same source"
    )]
    TargetDiffers {
        /// The table.
        table: &'static str,
        /// The merchant.
        merchant: i64,
    },
    /// The rows read back are not the rows written: another process writes to the target.
    #[error(
        "{table} of the target changed during the copy; stop other writers, empty the database, and copy again"
    )]
    TargetChanged {
        /// The table.
        table: &'static str,
    },
}

/// Copies all rows and reads them back. Continues an interrupted copy of the same source.
///
/// # Errors
///
/// [`CopyError::TargetDiffers`] if the target holds other rows, before anything is written.
pub async fn copy(
    from: &mut dyn CopyEndpoint,
    to: &mut dyn CopyEndpoint,
    progress: &mut dyn FnMut(CopyProgress),
) -> Result<Vec<CopiedTable>, CopyError> {
    require_prefix(from, to).await?;
    progress(CopyProgress::Total(from.count_rows().await?));
    let mut sums = TableSums::new();
    let mut after = 0;
    while let Some(merchant) = next_merchant(from, &mut after).await? {
        for (table, sum) in TABLES.iter().zip(&mut sums.0) {
            let slice = TableSlice { table, merchant };
            copy_slice(from, to, slice, sum, progress).await?;
        }
    }
    let mut found = TableSums::new();
    let mut after = 0;
    while let Some(merchant) = next_merchant(to, &mut after).await? {
        for (table, sum) in TABLES.iter().zip(&mut found.0) {
            let slice = TableSlice { table, merchant };
            read_back(to, slice, sum, progress).await?;
        }
    }
    let (copied, found) = (sums.finish(), found.finish());
    match copied.iter().zip(&found).find(|(copied, found)| copied != found) {
        Some((copied, _)) => Err(CopyError::TargetChanged { table: copied.table }),
        None => Ok(copied),
    }
}

async fn next_merchant(rows: &mut dyn CopyEndpoint, after: &mut i64) -> crate::Result<Option<i64>> {
    let next = rows.list_merchants(*after, 1).await?.pop();
    *after = next.unwrap_or(*after);
    Ok(next)
}

/// Checks that the rows of the target are a prefix of the rows of the source, table by table.
async fn require_prefix(from: &mut dyn CopyEndpoint, to: &mut dyn CopyEndpoint) -> Result<(), CopyError> {
    let mut after = 0;
    while let Some(merchant) = next_merchant(to, &mut after).await? {
        for table in TABLES {
            let slice = TableSlice { table, merchant };
            let mut last = vec![0; table.key_columns];
            loop {
                let in_target = to.read_chunk(slice, &last, CHUNK_ROWS).await?;
                let in_source = from.read_chunk(slice, &last, in_target.0.len()).await?;
                if in_target != in_source {
                    return Err(CopyError::TargetDiffers { table: table.name, merchant });
                }
                match in_target.last_key(table) {
                    Some(key) if in_target.0.len() == CHUNK_ROWS => last = key,
                    _ => break,
                }
            }
        }
    }
    Ok(())
}

/// Writes the rows of a slice that the target does not have yet.
async fn copy_slice(
    from: &mut dyn CopyEndpoint,
    to: &mut dyn CopyEndpoint,
    slice: TableSlice,
    sum: &mut TableSum,
    progress: &mut dyn FnMut(CopyProgress),
) -> Result<(), CopyError> {
    let last_in_target = to.last_key(slice).await?;
    let mut last = vec![0; slice.table.key_columns];
    loop {
        let mut rows = from.read_chunk(slice, &last, CHUNK_ROWS).await?;
        let read = rows.0.len();
        sum.add(slice.merchant, &rows);
        let next = rows.last_key(slice.table);
        if let Some(last_in_target) = &last_in_target {
            rows.0.retain(|row| key(row, slice.table) > *last_in_target);
        }
        if !rows.0.is_empty() {
            to.write_chunk(slice, rows).await?;
        }
        progress(CopyProgress::Copied(read as u64));
        match next {
            Some(key) if read == CHUNK_ROWS => last = key,
            _ => return Ok(()),
        }
    }
}

async fn read_back(
    rows: &mut dyn CopyEndpoint,
    slice: TableSlice,
    sum: &mut TableSum,
    progress: &mut dyn FnMut(CopyProgress),
) -> Result<(), CopyError> {
    let mut last = vec![0; slice.table.key_columns];
    loop {
        let chunk = rows.read_chunk(slice, &last, CHUNK_ROWS).await?;
        sum.add(slice.merchant, &chunk);
        progress(CopyProgress::Verified(chunk.0.len() as u64));
        match chunk.last_key(slice.table) {
            Some(key) if chunk.0.len() == CHUNK_ROWS => last = key,
            _ => return Ok(()),
        }
    }
}
