//! Reads the rows of an uploaded spreadsheet: xlsx, or delimited text (CSV).
//!
//! What belongs here: converting bytes to rows of text, and the limits that bound memory and time. The meaning of columns
//! belongs to the caller.
//!
//! ```
//! use std::ops::ControlFlow;
//! use zumra_spreadsheet::{FileLimits, read_rows};
//!
//! let mut rows = Vec::new();
//! read_rows(b"name;city\nSara;Riyadh\n", &FileLimits::default(), &mut |row| {
//!     rows.push(row);
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!((rows[1].number, rows[1].cells[1].as_str()), (2, "Riyadh"));
//! # Ok::<(), zumra_spreadsheet::FileError>(())
//! ```

mod rows;
mod text;
mod xlsx;

// Compiles and runs the examples in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

use std::ops::ControlFlow;

pub use rows::{FileError, FileLimits, Row};

/// Passes every row that is not blank to `visit`, in order, until `visit` returns `Break`.
///
/// Reads the first sheet of an xlsx file. Its decompressed size is checked before any content is stored. Blocks.
///
/// # Errors
/// Returns an error if the file is empty, damaged, not in a known format, or exceeds a limit. Rows before the error have
/// been passed to `visit`.
pub fn read_rows(
    file: &[u8],
    limits: &FileLimits,
    visit: &mut dyn FnMut(Row) -> ControlFlow<()>,
) -> Result<(), FileError> {
    let mut visited_rows = 0_u32;
    let mut count_and_visit = |row: Row| {
        visited_rows += 1;
        visit(row)
    };
    match detect_format(file) {
        Format::Xlsx => xlsx::read_rows(file, limits, &mut count_and_visit)?,
        Format::Text => text::read_rows(file, limits, &mut count_and_visit)?,
        Format::Unknown => return Err(FileError::UnknownFormat),
    }
    if visited_rows == 0 { Err(FileError::Empty) } else { Ok(()) }
}

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
