//! Reads the rows of an uploaded spreadsheet: xlsx, or delimited text (CSV).
//!
//! What belongs here: converting bytes to rows of cells, and the limits that bound memory and time. The meaning of columns
//! belongs to the caller.
//!
//! ```
//! use std::ops::ControlFlow;
//! use zumra_spreadsheet::{FileLimits, Spreadsheet};
//!
//! let mut rows = Vec::new();
//! let mut file = Spreadsheet::open(b"name;city\nSara;Riyadh\n", &FileLimits::default(), None)?;
//! file.read_rows(0, &mut |row| {
//!     rows.push(row);
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!((rows[1].number, rows[1].cells[1].text.as_str()), (2, "Riyadh"));
//! # Ok::<(), zumra_spreadsheet::FileError>(())
//! ```

mod encoding;
mod records;
mod rows;
mod text;
mod xlsx;

// Compiles and runs the examples in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

use std::ops::ControlFlow;

pub use encoding::TextEncoding;
pub use rows::{Cell, FileError, FileLimits, Row, cell_name};

use text::TextFile;
use xlsx::Workbook;

/// Maximum number of characters of the name of a sheet, by Excel's specification.
const SHEET_NAME_CHARACTERS_MAX: usize = 31;

/// An opened file: one or more tables of rows.
///
/// A workbook has a table for each visible sheet. A text has one for each delimiter that it may use, the most likely
/// first; if it names its delimiter (`sep=;`), only that one.
pub struct Spreadsheet<'f> {
    content: Content<'f>,
    limits: FileLimits,
}

enum Content<'f> {
    Workbook(Box<Workbook<'f>>),
    Text(TextFile<'f>),
}

impl<'f> Spreadsheet<'f> {
    /// Opens a file. `encoding` is that of a text; if it is `None`, the encoding is detected. Blocks.
    ///
    /// The decompressed size of an xlsx file is checked before any content is stored.
    ///
    /// # Errors
    /// Returns an error if the file is damaged, not in a known format or encoding, or too large after decompression.
    pub fn open(
        file: &'f [u8],
        limits: &FileLimits,
        encoding: Option<TextEncoding>,
    ) -> Result<Self, FileError> {
        let content = match detect_format(file) {
            Format::Xlsx => Content::Workbook(Box::new(Workbook::open(file, limits)?)),
            // An encoding that the user names may contain zero bytes.
            Format::Unknown if encoding.is_none() => return Err(FileError::UnknownFormat),
            Format::Text | Format::Unknown => Content::Text(TextFile::open(file, encoding)?),
        };
        Ok(Self { content, limits: limits.clone() })
    }

    /// Returns the number of tables.
    pub fn tables(&self) -> usize {
        match &self.content {
            Content::Workbook(workbook) => workbook.sheets.len(),
            Content::Text(text) => text.delimiters.len(),
        }
    }

    /// Returns the name of a sheet, cut after the characters that Excel allows, or `None` for a text.
    pub fn sheet(&self, table: usize) -> Option<&str> {
        match &self.content {
            Content::Workbook(workbook) => workbook.sheets.get(table).map(|name| {
                let end = name.char_indices().nth(SHEET_NAME_CHARACTERS_MAX);
                end.map_or(&**name, |(end, _)| &name[..end])
            }),
            Content::Text(_) => None,
        }
    }

    /// Returns the name of the encoding of a text, such as `UTF-8` or `windows-1256`; `None` for a workbook.
    pub fn encoding(&self) -> Option<&'static str> {
        match &self.content {
            Content::Workbook(_) => None,
            Content::Text(text) => Some(text.encoding),
        }
    }

    /// Returns a text that was converted from another encoding, in UTF-8; `None` if the file is read as it is.
    pub fn into_converted(self) -> Option<String> {
        match self.content {
            Content::Workbook(_) => None,
            Content::Text(text) => text.into_converted(),
        }
    }

    /// Passes every row of a table that is not blank to `visit`, in order, until `visit` returns `Break`. Blocks.
    ///
    /// # Errors
    /// Returns an error if the table is damaged, has no rows, or exceeds a limit. Rows before the error have been passed
    /// to `visit`.
    pub fn read_rows(
        &mut self,
        table: usize,
        visit: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), FileError> {
        let mut visited_rows = 0_u32;
        let limits = &self.limits;
        let mut count_and_visit = |row: Row| {
            visited_rows += 1;
            if visited_rows > limits.rows {
                return Err(FileError::Rows(limits.rows));
            }
            Ok(visit(row))
        };
        match &mut self.content {
            Content::Workbook(workbook) => workbook.read_rows(table, limits, &mut count_and_visit)?,
            Content::Text(text) => text.read_rows(table, limits, &mut count_and_visit)?,
        }
        if visited_rows == 0 { Err(FileError::Empty) } else { Ok(()) }
    }
}

/// Receives rows; an error ends reading.
type Visit<'v> = &'v mut dyn FnMut(Row) -> Result<ControlFlow<()>, FileError>;

enum Format {
    Xlsx,
    Text,
    Unknown,
}

/// Detects the format from the first bytes, because file names are unreliable.
fn detect_format(file: &[u8]) -> Format {
    const UTF_16_MARKS: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];
    if file.starts_with(b"PK\x03\x04") {
        Format::Xlsx
    } else if file.iter().take(1024).any(|byte| *byte == 0)
        && !UTF_16_MARKS.iter().any(|mark| file.starts_with(mark))
    {
        Format::Unknown
    } else {
        Format::Text
    }
}
