//! Workbooks of Excel from 2007 on: XML files in a zip file.

use std::io::{Cursor, Read};
use std::ops::ControlFlow;

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxError};
use zip::ZipArchive;

use crate::{Builder, FileError, FileLimits, Row};

/// Files in the zip file at most. A workbook has some dozens.
const ENTRIES: usize = 1000;

pub(crate) fn read_rows(
    file: &[u8],
    limits: &FileLimits,
    take: &mut dyn FnMut(Row) -> ControlFlow<()>,
) -> Result<(), FileError> {
    measure(file, limits)?;
    let mut workbook: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(file)).map_err(damaged)?;
    let Some(sheet) = workbook.sheet_names().into_iter().next() else { return Err(FileError::Empty) };
    let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(damaged)?;
    let mut builder = Builder::new(limits);
    let mut current = None;
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        let (row, column) = cell.get_position();
        if *cell.get_value() == DataRef::Empty {
            continue; // formatted, and nothing in it
        }
        if current != Some(row) {
            if current.is_some_and(|current| row < current) {
                return Err(FileError::Damaged("its rows are not in order".to_owned()));
            }
            current = Some(row);
            if let Some(row) = builder.next(row.saturating_add(1))?
                && take(row).is_break()
            {
                return Ok(());
            }
        }
        builder.put(column, &text(cell.get_value()))?;
    }
    if let Some(row) = builder.finish() {
        let _ = take(row); // there is nothing after it to leave out
    }
    Ok(())
}

/// Unpacks everything once and keeps nothing of it: what the directory of a zip file says of sizes may be a lie.
fn measure(file: &[u8], limits: &FileLimits) -> Result<(), FileError> {
    let damaged = |error: &dyn ToString| FileError::Damaged(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|error| damaged(&error))?;
    if archive.len() > ENTRIES {
        return Err(FileError::Damaged(format!("it is a zip file with more than {ENTRIES} files in it")));
    }
    let mut left = limits.unpacked_bytes;
    for i in 0..archive.len() {
        let entry = archive.by_index(i).map_err(|error| damaged(&error))?;
        let read = std::io::copy(&mut entry.take(left + 1), &mut std::io::sink())
            .map_err(|error| damaged(&error))?;
        left = left.checked_sub(read).ok_or(FileError::Unpacked(limits.unpacked_bytes))?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "errors are mapped by it")]
fn damaged(error: XlsxError) -> FileError {
    FileError::Damaged(error.to_string())
}

/// A value as people would type it: numbers without exponents, days as `2026-11-24`.
fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        // Whole numbers write without a point.
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(yes) => yes.to_string(),
        DataRef::DateTime(moment) => day(moment),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

fn day(moment: &ExcelDateTime) -> String {
    if !moment.is_datetime() {
        return moment.as_f64().to_string();
    }
    let (year, month, day, ..) = moment.to_ymd_hms_milli();
    format!("{year:04}-{month:02}-{day:02}")
}
