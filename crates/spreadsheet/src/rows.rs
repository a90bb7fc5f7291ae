//! Rows, the limits of a file, and the errors.

/// Limits for one file. A file that exceeds one is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLimits {
    /// Maximum number of rows, including the header and blank rows.
    pub rows: u32,
    /// Maximum number of columns.
    pub columns: u32,
    /// Maximum size of a cell, in bytes of UTF-8.
    pub cell_bytes: usize,
    /// Maximum size of an xlsx file after decompression, in bytes. Memory use is a small multiple of it.
    pub unpacked_bytes: u64,
}

impl Default for FileLimits {
    /// Returns 200,000 rows, 64 columns, 4 KiB per cell and 128 MiB decompressed.
    fn default() -> Self {
        Self { rows: 200_000, columns: 64, cell_bytes: 4096, unpacked_bytes: 128 << 20 }
    }
}

/// A row that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Row number as a spreadsheet program shows it: the first row is 1.
    pub number: u32,
    /// Trimmed cells. Empty cells at the end may be omitted.
    pub cells: Vec<String>,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file has no rows, or only blank ones.
    #[error("the file is empty")]
    Empty,
    /// The file is neither xlsx nor text.
    #[error("the file is neither xlsx nor csv; save it in one of these formats")]
    UnknownFormat,
    /// The text is neither UTF-8 nor UTF-16.
    #[error("the text of the file is not UTF-8; save it as \"CSV UTF-8\" or as xlsx")]
    Encoding,
    /// The file violates its format; the field contains the details.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// The file exceeds the maximum number of rows, contained in the field.
    #[error("the file has more than {0} rows; split it")]
    Rows(u32),
    /// The file exceeds the maximum number of columns, contained in the field.
    #[error("the file has more than {0} columns; remove unused columns")]
    Columns(u32),
    /// A cell exceeds the maximum size.
    #[error("a cell in row {row} has more than {limit} bytes")]
    Cell {
        /// Row number, starting at 1.
        row: u32,
        /// Maximum size in bytes.
        limit: usize,
    },
    /// The decompressed file exceeds the maximum size, contained in the field in bytes.
    #[error("the file has more than {} MiB after decompression", .0 >> 20)]
    Unpacked(u64),
}

/// A builder that collects the cells of a row and checks the limits.
pub(crate) struct RowBuilder<'a> {
    limits: &'a FileLimits,
    row: Row,
}

impl<'a> RowBuilder<'a> {
    pub(crate) fn new(limits: &'a FileLimits) -> Self {
        Self { limits, row: Row { number: 0, cells: Vec::new() } }
    }

    /// Sets a cell. `column` counts from 0. Blank cells are ignored.
    pub(crate) fn set_cell(&mut self, column: u32, text: &str) -> Result<(), FileError> {
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

    /// Returns the current row, or `None` if it is blank, and starts row `number`, counted from 1.
    pub(crate) fn start_row(&mut self, number: u32) -> Result<Option<Row>, FileError> {
        let finished = std::mem::replace(&mut self.row, Row { number, cells: Vec::new() });
        let row = (!finished.cells.is_empty()).then_some(finished);
        if number > self.limits.rows {
            return Err(FileError::Rows(self.limits.rows));
        }
        Ok(row)
    }

    /// Returns the last row, or `None` if it is blank.
    pub(crate) fn finish(self) -> Option<Row> {
        (!self.row.cells.is_empty()).then_some(self.row)
    }
}
