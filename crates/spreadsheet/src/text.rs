//! Delimited text: comma, semicolon or tab, in UTF-8 or UTF-16.

use std::borrow::Cow;
use std::ops::ControlFlow;

use csv::{ReaderBuilder, StringRecord};

use crate::rows::{FileError, FileLimits, Row, RowBuilder};

pub(crate) fn read_rows(
    file: &[u8],
    limits: &FileLimits,
    visit: &mut dyn FnMut(Row) -> ControlFlow<()>,
) -> Result<(), FileError> {
    let text = decode(file)?;
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(detect_delimiter(&text))
        .from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    let mut builder = RowBuilder::new(limits);
    while reader.read_record(&mut record).map_err(|error| FileError::Damaged(error.to_string()))? {
        // Spreadsheet programs count records, not lines: a cell may contain line breaks.
        let number = reader.position().record().saturating_sub(1);
        let number = u32::try_from(number).unwrap_or(u32::MAX - 1).saturating_add(1);
        if let Some(row) = builder.start_row(number)?
            && visit(row).is_break()
        {
            return Ok(());
        }
        for (column, cell) in (0..).zip(&record) {
            builder.set_cell(column, cell)?;
        }
    }
    if let Some(row) = builder.finish() {
        let _ = visit(row); // no rows follow, so the result does not matter
    }
    Ok(())
}

fn decode(file: &[u8]) -> Result<Cow<'_, str>, FileError> {
    let decode_utf_16 = |read: fn([u8; 2]) -> u16| {
        let units = file[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
        let text = char::decode_utf16(units).collect::<Result<String, _>>();
        text.map(Cow::Owned).map_err(|_| FileError::Encoding)
    };
    match file {
        [0xFF, 0xFE, ..] => decode_utf_16(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => decode_utf_16(u16::from_be_bytes),
        _ => {
            let text = str::from_utf8(file).map_err(|_| FileError::Encoding)?;
            Ok(Cow::Borrowed(text.strip_prefix('\u{FEFF}').unwrap_or(text)))
        }
    }
}

/// Returns the most frequent delimiter outside of quotation marks in the first line that is not blank.
fn detect_delimiter(text: &str) -> u8 {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut is_quoted = false;
    for byte in line.bytes() {
        is_quoted ^= byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| *delimiter == byte && !is_quoted) {
            *count += 1;
        }
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| delimiter)
}
