//! Rows, the limits of a file, and the errors.

use zumra_core::digits::is_invisible;

/// Limits for one file. A file that exceeds one is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLimits {
    /// Maximum number of rows with content, including the header.
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
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Row number as a spreadsheet program shows it: the first row is 1.
    pub number: u32,
    /// Cells by column. Empty cells at the end may be omitted.
    pub cells: Vec<Cell>,
}

/// A cell of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell {
    /// The trimmed text; dates as `2026-11-24`, numbers without exponents. Empty if the cell has nothing that can be seen.
    pub text: String,
    /// The number that a cell of a workbook holds, regardless of its format; `None` for texts.
    pub number: Option<f64>,
}

/// Returns the name of a cell as a spreadsheet program shows it, such as `C7`. `column` counts from 0, `row` from 1.
pub fn cell_name(column: usize, row: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        letters.push(char::from(b'A' + u8::try_from((rest - 1) % 26).unwrap_or_default()));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect::<String>() + &row.to_string()
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
    /// The text is neither UTF-8 nor UTF-16, and not certainly Windows-1256.
    #[error(
        "the text is not UTF-8, and its encoding is uncertain; save it as \"CSV UTF-8\" or as xlsx, or name the encoding, such as windows-1256"
    )]
    Encoding,
    /// The text is not in the encoding that the user named, contained in the field.
    #[error("the text is not in the encoding {0}; save it as \"CSV UTF-8\" or as xlsx")]
    GivenEncoding(&'static str),
    /// A quotation mark is never closed, or closes in another row. The field contains the row where it opens.
    #[error(
        "a quotation mark that opens in row {0} is not closed, so the rows after it cannot be told apart; close or remove it"
    )]
    Quote(u32),
    /// The file violates its format; the field contains the details.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// The file exceeds the maximum number of rows, contained in the field.
    #[error("the file has more than {0} rows with content; split it")]
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
    /// Starts row `number`, counted from 1.
    pub(crate) fn new(number: u32, limits: &'a FileLimits) -> Self {
        Self { limits, row: Row { number, cells: Vec::new() } }
    }

    /// Sets a cell. `column` counts from 0. Blank cells are ignored.
    pub(crate) fn set_cell(&mut self, column: u32, text: &str, number: Option<f64>) -> Result<(), FileError> {
        let text = text.trim();
        if is_blank(text) {
            return Ok(());
        }
        if column >= self.limits.columns {
            return Err(FileError::Columns(self.limits.columns));
        }
        if text.len() > self.limits.cell_bytes {
            let (row, limit) = (self.row.number, self.limits.cell_bytes);
            // No field has many lines: more likely a quotation mark is not closed.
            return Err(if text.contains('\n') {
                FileError::Quote(row)
            } else {
                FileError::Cell { row, limit }
            });
        }
        let column = column as usize;
        if self.row.cells.len() <= column {
            self.row.cells.resize(column + 1, Cell::default());
        }
        self.row.cells[column] = Cell { text: text.to_owned(), number };
        Ok(())
    }

    /// Returns the row, or `None` if it is blank.
    pub(crate) fn finish(self) -> Option<Row> {
        (!self.row.cells.is_empty()).then_some(self.row)
    }
}

/// Returns true if a cell has nothing that can be seen: white space, invisible characters, or a formula without text.
fn is_blank(text: &str) -> bool {
    let mut visible = text.chars().filter(|c| !c.is_whitespace() && !is_invisible(*c));
    match visible.next() {
        None => true,
        Some('=') => visible.eq(['"', '"']),
        // The mark that makes a cell of a spreadsheet a text.
        Some('\'') => visible.next().is_none(),
        Some(_) => false,
    }
}
