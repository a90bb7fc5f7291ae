//! Checks whether a file can be imported.

use std::ops::ControlFlow;

use zumra_core::message::format_message;
use zumra_core::{Language, MessageCode};
use zumra_spreadsheet::{FileError, FileLimits, read_rows};

use super::columns::Columns;

/// Why a file cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The first row lacks a required column.
    #[error(
        "the first row names no columns for a first name and a mobile number; run `zumra import template` to print the known names"
    )]
    Columns,
}

impl ImportError {
    /// Returns the message code of this error.
    pub(crate) fn code(&self) -> MessageCode {
        match self {
            Self::Columns => MessageCode::FileColumns,
            Self::File(FileError::Empty) => MessageCode::FileEmpty,
            Self::File(FileError::UnknownFormat | FileError::Encoding | FileError::Damaged(_)) => {
                MessageCode::FileUnsupported
            }
            Self::File(_) => MessageCode::FileLimits,
        }
    }

    /// Returns the message for users in `language`.
    pub(super) fn message(&self, language: Language) -> String {
        format_message(language, self.code(), &[])
    }
}

/// Reads a whole file without storing any of it, and returns the number of rows below its header. Blocking.
///
/// # Errors
///
/// [`ImportError`] if the file is not readable, too large, empty or lacks a required column. Invalid rows are
/// not an error.
pub fn check_file(file: &[u8]) -> Result<u32, ImportError> {
    let mut rows = 0_u32;
    let mut has_columns = None;
    read_rows(file, &FileLimits::default(), &mut |row| {
        if has_columns.is_some() {
            rows += 1;
            return ControlFlow::Continue(());
        }
        let is_header = Columns::read(&row.cells).is_some();
        has_columns = Some(is_header);
        if is_header { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    match (has_columns, rows) {
        (Some(false), _) => Err(ImportError::Columns),
        // A file with only a header contains no customer.
        (_, 0) => Err(FileError::Empty.into()),
        _ => Ok(rows),
    }
}
