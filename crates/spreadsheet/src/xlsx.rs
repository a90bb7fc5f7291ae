//! Workbooks in the format of Excel 2007 and later: XML files in a zip archive.

use std::io::{Cursor, Read};
use std::ops::ControlFlow;

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxError};
use zip::ZipArchive;

use crate::rows::{FileError, FileLimits, Row, RowBuilder};

/// Maximum number of files in the archive. A workbook has a few dozen.
const ARCHIVE_ENTRIES_MAX: usize = 1000;

pub(crate) fn read_rows(
    file: &[u8],
    limits: &FileLimits,
    visit: &mut dyn FnMut(Row) -> ControlFlow<()>,
) -> Result<(), FileError> {
    check_unpacked_size(file, limits)?;
    let mut workbook: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(file)).map_err(damaged)?;
    let Some(sheet) = workbook.sheet_names().into_iter().next() else { return Err(FileError::Empty) };
    let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(damaged)?;
    let mut builder = RowBuilder::new(limits);
    let mut current = None;
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        let (row, column) = cell.get_position();
        if *cell.get_value() == DataRef::Empty {
            continue; // formatted, without a value
        }
        if current != Some(row) {
            if current.is_some_and(|current| row < current) {
                return Err(FileError::Damaged("the rows are not in ascending order".to_owned()));
            }
            current = Some(row);
            if let Some(row) = builder.start_row(row.saturating_add(1))?
                && visit(row).is_break()
            {
                return Ok(());
            }
        }
        builder.set_cell(column, &format_value(cell.get_value()))?;
    }
    if let Some(row) = builder.finish() {
        let _ = visit(row); // no rows follow, so the result does not matter
    }
    Ok(())
}

/// Decompresses the whole archive without storing it, because the sizes in its directory cannot be trusted.
fn check_unpacked_size(file: &[u8], limits: &FileLimits) -> Result<(), FileError> {
    let damaged_archive = |error: &dyn ToString| FileError::Damaged(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|error| damaged_archive(&error))?;
    if archive.len() > ARCHIVE_ENTRIES_MAX {
        return Err(FileError::Damaged(format!(
            "the archive contains more than {ARCHIVE_ENTRIES_MAX} files"
        )));
    }
    let mut remaining_bytes = limits.unpacked_bytes;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| damaged_archive(&error))?;
        let unpacked_bytes = std::io::copy(&mut entry.take(remaining_bytes + 1), &mut std::io::sink())
            .map_err(|error| damaged_archive(&error))?;
        remaining_bytes =
            remaining_bytes.checked_sub(unpacked_bytes).ok_or(FileError::Unpacked(limits.unpacked_bytes))?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "passed to map_err")]
fn damaged(error: XlsxError) -> FileError {
    FileError::Damaged(error.to_string())
}

/// Formats a value as a user would type it: numbers without exponents, dates as `2026-11-24`.
fn format_value(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        // Integral floats are formatted without a decimal point.
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(date_time) => format_date(date_time),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

fn format_date(date_time: &ExcelDateTime) -> String {
    if !date_time.is_datetime() {
        return date_time.as_f64().to_string();
    }
    let (year, month, day, ..) = date_time.to_ymd_hms_milli();
    format!("{year:04}-{month:02}-{day:02}")
}
