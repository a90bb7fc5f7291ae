//! Importing customers from a file: what its columns are, what its rows say, and going through them piece by piece.
//!
//! What belongs here: everything between a file and the storage. Whoever works on an import holds its lease; a piece is
//! one operation in one transaction, and a process that dies or is overtaken leaves nothing half done.

mod columns;
mod rows;
mod worker;

use std::ops::ControlFlow;

use zumra_core::message::format_message;
use zumra_core::{Language, MessageCode};
use zumra_spreadsheet::{FileError, FileLimits, read_rows};

use columns::Columns;

pub use columns::TEMPLATE;
pub(crate) use worker::{Bell, run};
pub use worker::{ImportContext, process_import};

/// Why a file cannot be imported at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It has no columns that make a customer.
    #[error(
        "the first row names no columns for a first name and a mobile number: `zumra import template` prints those that are known"
    )]
    Columns,
}

impl ImportError {
    /// What is said of it.
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

    fn sentence(&self, language: Language) -> String {
        format_message(language, self.code(), &[])
    }
}

/// Goes through a whole file without keeping any of it. How many rows it has below its header. Blocks.
pub fn check_file(file: &[u8]) -> Result<u32, ImportError> {
    let (mut rows, mut is_known) = (0_u32, None);
    read_rows(file, &FileLimits::default(), &mut |row| {
        if is_known.is_some() {
            rows += 1;
            return ControlFlow::Continue(());
        }
        let known = Columns::read(&row.cells).is_some();
        is_known = Some(known);
        if known { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    match (is_known, rows) {
        (Some(false), _) => Err(ImportError::Columns),
        // A header alone brings nobody.
        (_, 0) => Err(FileError::Empty.into()),
        _ => Ok(rows),
    }
}
