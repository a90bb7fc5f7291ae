//! Workbooks in the format of Excel 2007 and later: XML files in a zip archive.

use std::borrow::Cow;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use calamine::{DataRef, ExcelDateTime, Reader, Sheet, SheetType, SheetVisible, Xlsx, XlsxError};
use zip::ZipArchive;

use crate::Visit;
use crate::rows::{FileError, FileLimits, RowBuilder};

/// Maximum number of files in the archive. A workbook has a few dozen.
const ARCHIVE_ENTRIES_MAX: usize = 1000;

/// Maximum number of sheets that are looked at.
const SHEETS_MAX: usize = 255;

/// How often the whole archive may be read: once to open it, twice for its sheets, and once more for its directory.
const ARCHIVE_READS_MAX: u64 = 4;
/// Bytes that may be read besides, for small archives.
const READ_BYTES_MIN: u64 = 64 << 10;

/// An opened workbook.
pub(crate) struct Workbook<'f> {
    xlsx: Xlsx<ArchiveBytes<'f>>,
    /// Names of the visible worksheets, in their order.
    pub(crate) sheets: Vec<String>,
}

impl<'f> Workbook<'f> {
    pub(crate) fn open(file: &'f [u8], limits: &FileLimits) -> Result<Self, FileError> {
        check_unpacked_size(file, limits)?;
        let xlsx: Xlsx<_> = calamine::open_workbook_from_rs(ArchiveBytes::new(file)).map_err(damaged)?;
        let is_readable =
            |sheet: &&Sheet| sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible;
        let sheets = xlsx.sheets_metadata().iter().filter(is_readable).take(SHEETS_MAX);
        let sheets = sheets.map(|sheet| sheet.name.clone()).collect();
        Ok(Self { xlsx, sheets })
    }

    pub(crate) fn read_rows(
        &mut self,
        table: usize,
        limits: &FileLimits,
        visit: Visit<'_>,
    ) -> Result<(), FileError> {
        let Some(sheet) = self.sheets.get(table) else { return Err(FileError::Empty) };
        let mut cells = self.xlsx.worksheet_cells_reader(sheet).map_err(damaged)?;
        let mut current: Option<(u32, RowBuilder<'_>)> = None;
        while let Some(cell) = cells.next_cell().map_err(damaged)? {
            let (row, column) = cell.get_position();
            let Some((text, number)) = read_value(cell.get_value()) else { continue };
            let (_, builder) = match &mut current {
                Some(started) if started.0 == row => started,
                _ => {
                    if let Some((finished, builder)) = current.take() {
                        if row < finished {
                            return Err(FileError::Damaged("the rows are not in ascending order".to_owned()));
                        }
                        if let Some(row) = builder.finish()
                            && visit(row)? == ControlFlow::Break(())
                        {
                            return Ok(());
                        }
                    }
                    current.insert((row, RowBuilder::new(row.saturating_add(1), limits)))
                }
            };
            builder.set_cell(column, &text, number)?;
        }
        if let Some(row) = current.and_then(|(_, builder)| builder.finish()) {
            let _ = visit(row)?; // no rows follow, so the result does not matter
        }
        Ok(())
    }
}

/// The bytes of an archive, of which only so many may be read: hundreds of sheets may name the same large part.
struct ArchiveBytes<'f> {
    file: Cursor<&'f [u8]>,
    remaining_bytes: u64,
}

impl<'f> ArchiveBytes<'f> {
    fn new(file: &'f [u8]) -> Self {
        let remaining_bytes = file.len() as u64 * ARCHIVE_READS_MAX + READ_BYTES_MIN;
        Self { file: Cursor::new(file), remaining_bytes }
    }
}

impl Read for ArchiveBytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read_bytes = self.file.read(buffer)?;
        let remaining_bytes = self.remaining_bytes.checked_sub(read_bytes as u64);
        self.remaining_bytes =
            remaining_bytes.ok_or_else(|| std::io::Error::other("its sheets are larger than the file"))?;
        Ok(read_bytes)
    }
}

impl Seek for ArchiveBytes<'_> {
    fn seek(&mut self, position: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(position)
    }
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

/// Returns the text of a value as a user would type it, and its number: numbers without exponents, dates as
/// `2026-11-24`. Returns `None` for a cell that has only a format, or an error.
fn read_value<'v>(value: &'v DataRef<'_>) -> Option<(Cow<'v, str>, Option<f64>)> {
    let text = |text: &'v str| Some((Cow::Borrowed(text), None));
    match value {
        #[expect(clippy::cast_precision_loss, reason = "a cell holds a double")]
        DataRef::Int(number) => Some((number.to_string().into(), Some(*number as f64))),
        // Integral floats are formatted without a decimal point.
        DataRef::Float(number) => Some((number.to_string().into(), Some(*number))),
        DataRef::String(value) | DataRef::DateTimeIso(value) | DataRef::DurationIso(value) => text(value),
        DataRef::SharedString(value) => text(value),
        DataRef::Bool(value) => Some((value.to_string().into(), None)),
        DataRef::DateTime(value) => Some((format_date(value).into(), Some(value.as_f64()))),
        DataRef::Error(_) | DataRef::Empty => None,
    }
}

fn format_date(date_time: &ExcelDateTime) -> String {
    if !date_time.is_datetime() {
        return date_time.as_f64().to_string();
    }
    let (year, month, day, ..) = date_time.to_ymd_hms_milli();
    format!("{year:04}-{month:02}-{day:02}")
}
