//! Finds the customers in a file: its table, its header and its columns. Checks whether it can be imported.

use std::ops::ControlFlow;

use zumra_core::message::format_message;
use zumra_core::{FileDetails, Language, MessageCode};
use zumra_spreadsheet::{FileError, FileLimits, Row, Spreadsheet, TextEncoding};

use super::columns::{Columns, NoHeader};

/// Rows with content among which the header is searched, in each table.
const HEADER_ROWS: usize = 20;

/// Why a file cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// No row names the required columns. Contains those that the most likely header lacks.
    #[error(
        "no row among the first {HEADER_ROWS} names a column for {}; run `zumra import template --names` to print the known names",
        .0.join(" and ")
    )]
    Columns(Vec<&'static str>),
}

impl ImportError {
    /// Returns the codes of the messages for users, with the arguments of each.
    pub(crate) fn codes(&self) -> Vec<(MessageCode, Vec<(&'static str, String)>)> {
        match self {
            Self::Columns(missing) => vec![
                (MessageCode::FileColumns, vec![]),
                (MessageCode::FileMissingColumns, vec![("columns", missing.join(", "))]),
            ],
            Self::File(FileError::Empty) => vec![(MessageCode::FileEmpty, vec![])],
            Self::File(FileError::Quote(row)) => {
                vec![(MessageCode::FileQuote, vec![("row", row.to_string())])]
            }
            Self::File(FileError::Encoding | FileError::GivenEncoding(_)) => {
                vec![(MessageCode::FileEncoding, vec![])]
            }
            Self::File(FileError::UnknownFormat | FileError::Damaged(_)) => {
                vec![(MessageCode::FileUnsupported, vec![])]
            }
            Self::File(_) => vec![(MessageCode::FileLimits, vec![])],
        }
    }

    /// Returns the message for users in `language`.
    pub(super) fn message(&self, language: Language) -> String {
        let format = |(code, arguments): (MessageCode, Vec<(&str, String)>)| {
            let arguments: Vec<_> = arguments.iter().map(|(name, text)| (*name, text.as_str())).collect();
            format_message(language, code, &arguments)
        };
        self.codes().into_iter().map(format).collect::<Vec<_>>().join(" ")
    }
}

/// A file that can be imported.
#[derive(Debug)]
pub struct CheckedFile {
    /// The file, as UTF-8 if it was in another encoding.
    pub file: Vec<u8>,
    /// Number of rows below the header that are not blank.
    pub rows: u32,
    /// How it was read.
    pub details: FileDetails,
}

/// Reads a whole file without storing any of it. Blocks.
///
/// # Errors
///
/// [`ImportError`] if the file is not readable, too large, empty or lacks a required column. Invalid rows are
/// not an error.
pub fn check_file(file: Vec<u8>, encoding: Option<TextEncoding>) -> Result<CheckedFile, ImportError> {
    let mut table = CustomerTable::open(&file, encoding)?;
    let mut rows = 0_u32;
    table.read_rows(&mut |_| {
        rows += 1;
        ControlFlow::Continue(())
    })?;
    if rows == 0 {
        // A file with only a header contains no customer.
        return Err(FileError::Empty.into());
    }
    let details = table.details();
    let converted = table.spreadsheet.into_converted().map(String::into_bytes);
    Ok(CheckedFile { file: converted.unwrap_or(file), rows, details })
}

/// The table of a file that has a header.
pub(super) struct CustomerTable<'f> {
    spreadsheet: Spreadsheet<'f>,
    table: usize,
    header_row: u32,
    pub(super) columns: Columns,
}

impl<'f> CustomerTable<'f> {
    /// Opens the file of a [`CheckedFile`]: a text is UTF-8, whatever it was.
    pub(super) fn open_checked(file: &'f [u8]) -> Result<Self, ImportError> {
        Self::open(file, Some(TextEncoding::UTF_8))
    }

    /// Opens the first table that has a header among its first rows.
    pub(super) fn open(file: &'f [u8], encoding: Option<TextEncoding>) -> Result<Self, ImportError> {
        let mut spreadsheet = Spreadsheet::open(file, &FileLimits::default(), encoding)?;
        let mut closest: Option<NoHeader> = None;
        let mut first_error = None;
        for table in 0..spreadsheet.tables() {
            match find_header(&mut spreadsheet, table) {
                Ok(Ok((header_row, columns))) => return Ok(Self { spreadsheet, table, header_row, columns }),
                Ok(Err(candidate)) => {
                    if closest.as_ref().is_none_or(|closest| candidate.known > closest.known) {
                        closest = Some(candidate);
                    }
                }
                Err(FileError::Empty) => {}
                // Another delimiter may be the right one.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        let is_text = spreadsheet.encoding().is_some();
        Err(match (first_error, closest) {
            // The delimiter by which a column is known is the right one: an error of another one says nothing.
            (Some(_), Some(NoHeader { missing, known: 1.. })) if is_text => ImportError::Columns(missing),
            (Some(error), _) => error.into(),
            (None, Some(NoHeader { missing, .. })) => ImportError::Columns(missing),
            (None, None) => FileError::Empty.into(),
        })
    }

    /// Passes every row below the header that is not blank to `visit`, until it returns `Break`.
    pub(super) fn read_rows(
        &mut self,
        visit: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), FileError> {
        let header_row = self.header_row;
        self.spreadsheet.read_rows(self.table, &mut |row| {
            if row.number > header_row { visit(row) } else { ControlFlow::Continue(()) }
        })
    }

    /// Returns how the file is read.
    pub(super) fn details(&self) -> FileDetails {
        FileDetails {
            sheet: self.spreadsheet.sheet(self.table).map(str::to_owned),
            encoding: self.spreadsheet.encoding().map(str::to_owned),
            header_row: self.header_row,
            unknown_columns: self.columns.unknown.clone(),
        }
    }
}

/// Returns number and columns of the header of a table, or the row that is most like one.
fn find_header(
    spreadsheet: &mut Spreadsheet<'_>,
    table: usize,
) -> Result<Result<(u32, Columns), NoHeader>, FileError> {
    let mut searched_rows = 0;
    let mut found: Option<Result<(u32, Columns), NoHeader>> = None;
    let result = spreadsheet.read_rows(table, &mut |row| {
        searched_rows += 1;
        match (Columns::read(&row.cells), &found) {
            (Ok(columns), _) => {
                found = Some(Ok((row.number, columns)));
                return ControlFlow::Break(());
            }
            (Err(candidate), Some(Err(closest))) if candidate.known <= closest.known => {}
            (Err(candidate), _) => found = Some(Err(candidate)),
        }
        if searched_rows == HEADER_ROWS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    result?;
    found.ok_or(FileError::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_file_is_read_again_in_the_same_way() {
        let text = "name,mobile\nSara\0,512345678\n";
        let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (file, encoding) in [
            ([b"\xFF\xFE".as_slice(), &utf_16].concat(), None),
            (utf_16, TextEncoding::from_label("utf-16le")),
            (text.as_bytes().to_vec(), Some(TextEncoding::UTF_8)),
        ] {
            let checked = check_file(file, encoding).unwrap();
            let mut rows = 0;
            let mut table = CustomerTable::open_checked(&checked.file).unwrap();
            table
                .read_rows(&mut |_| {
                    rows += 1;
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert_eq!((rows, checked.rows), (1, 1), "{encoding:?}");
        }
    }

    #[test]
    fn missing_column_is_named_despite_cells_of_several_lines() {
        let file = b"\"name\",email\n\"Sara\nS\",s@example.com\n".to_vec();
        let error = check_file(file, None).unwrap_err();
        assert_eq!(error, ImportError::Columns(vec!["mobile (رقم الجوال)"]));
        let file = b"title, 2026\n\n\"a;b\n".to_vec();
        assert_eq!(check_file(file, None).unwrap_err(), ImportError::File(FileError::Quote(3)));
    }
}
