//! Rows of a spreadsheet that somebody has uploaded: xlsx, or text with separators.
//!
//! What belongs here: from bytes to rows of text, and limits, so that no file takes more memory or time than it may. What
//! the columns mean is the caller's business.

mod text;
mod xlsx;

use std::ops::ControlFlow;

/// How much of everything a file may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLimits {
    /// Rows, the header among them.
    pub rows: u32,
    /// Columns.
    pub columns: u32,
    /// Bytes of one cell.
    pub cell_bytes: usize,
    /// Bytes of an xlsx file once it is unpacked. Reading takes at most some times as much memory.
    pub unpacked_bytes: u64,
}

impl Default for FileLimits {
    /// 200,000 rows, 64 columns, 4 KiB a cell, 128 MiB unpacked.
    fn default() -> Self {
        Self { rows: 200_000, columns: 64, cell_bytes: 4096, unpacked_bytes: 128 << 20 }
    }
}

/// A row that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number as a spreadsheet program shows it: the first row is 1.
    pub number: u32,
    /// Its cells, trimmed; those at the end that are empty may be missing.
    pub cells: Vec<String>,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Nothing, or nothing but blank rows.
    #[error("the file is empty")]
    Empty,
    /// Neither xlsx nor text.
    #[error("the file is neither xlsx nor csv: save it as one of these")]
    UnknownFormat,
    /// Text in another encoding.
    #[error("the text of the file is not in UTF-8: save it as \"CSV UTF-8\" or as xlsx")]
    Encoding,
    /// It breaks the rules of its format. The text says where.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// More rows than the limit, which it carries.
    #[error("the file has more than {0} rows: split it")]
    Rows(u32),
    /// More columns than the limit, which it carries.
    #[error("the file has more than {0} columns: remove those that are not needed")]
    Columns(u32),
    /// A cell longer than the limit.
    #[error("a cell in row {row} has more than {limit} bytes")]
    Cell {
        /// The row.
        row: u32,
        /// The limit.
        limit: usize,
    },
    /// More than the limit once it is unpacked, which it carries in bytes.
    #[error("the file has more than {} MiB once it is unpacked", .0 >> 20)]
    Unpacked(u64),
}

/// Gives every row that is not blank to `take`, in order, until that breaks off.
///
/// An xlsx file is measured before any of it is kept. Of its sheets the first is read.
pub fn read_rows(
    file: &[u8],
    limits: &FileLimits,
    take: &mut dyn FnMut(Row) -> ControlFlow<()>,
) -> Result<(), FileError> {
    let mut taken = 0_u32;
    let mut counted = |row: Row| {
        taken += 1;
        take(row)
    };
    match format(file) {
        Format::Xlsx => xlsx::read_rows(file, limits, &mut counted)?,
        Format::Text => text::read_rows(file, limits, &mut counted)?,
        Format::Other => return Err(FileError::UnknownFormat),
    }
    if taken == 0 { Err(FileError::Empty) } else { Ok(()) }
}

enum Format {
    Xlsx,
    Text,
    Other,
}

/// By what a file begins with: names lie.
fn format(file: &[u8]) -> Format {
    const UTF_16: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];
    if file.starts_with(b"PK\x03\x04") {
        Format::Xlsx
    } else if file.iter().take(1024).any(|byte| *byte == 0)
        && !UTF_16.iter().any(|mark| file.starts_with(mark))
    {
        Format::Other
    } else {
        Format::Text
    }
}

/// Collects the cells of a row within the limits.
struct Builder<'a> {
    limits: &'a FileLimits,
    row: Row,
}

impl<'a> Builder<'a> {
    fn new(limits: &'a FileLimits) -> Self {
        Self { limits, row: Row { number: 0, cells: Vec::new() } }
    }

    /// Puts a cell at its place; both numbers count from 0.
    fn put(&mut self, column: u32, text: &str) -> Result<(), FileError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        if column >= self.limits.columns {
            return Err(FileError::Columns(self.limits.columns));
        }
        if text.len() > self.limits.cell_bytes {
            return Err(FileError::Cell { row: self.row.number, limit: self.limits.cell_bytes });
        }
        let column = column as usize;
        if self.row.cells.len() <= column {
            self.row.cells.resize(column + 1, String::new());
        }
        text.clone_into(&mut self.row.cells[column]);
        Ok(())
    }

    /// The row that is collected, if there is anything in it; the next one is `number`, from 1.
    fn next(&mut self, number: u32) -> Result<Option<Row>, FileError> {
        let done = std::mem::replace(&mut self.row, Row { number, cells: Vec::new() });
        let row = (!done.cells.is_empty()).then_some(done);
        // The last row of a file asks for none after it.
        if number > self.limits.rows && number != u32::MAX {
            return Err(FileError::Rows(self.limits.rows));
        }
        Ok(row)
    }

    /// The last row.
    fn finish(mut self) -> Option<Row> {
        self.next(u32::MAX).ok().flatten()
    }
}
