//! Delimited text: comma, semicolon, tab, or the delimiter that the file names.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::Visit;
use crate::encoding::{TextEncoding, decode};
use crate::records::{Next, Records};
use crate::rows::{FileError, FileLimits, RowBuilder};

/// The delimiters that a text may use without naming them.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Maximum number of cells of a row, empty ones included: the columns of a sheet of Excel.
const ROW_CELLS_MAX: u32 = 16_384;

/// Lines in which delimiters are counted.
const COUNTED_LINES: usize = 20;

/// An opened text.
pub(crate) struct TextFile<'f> {
    text: Cow<'f, str>,
    /// Name of its encoding.
    pub(crate) encoding: &'static str,
    /// The delimiters that it may use, the most likely first.
    pub(crate) delimiters: Vec<u8>,
    /// Where the rows begin, in bytes: after a line that names the delimiter.
    start: usize,
}

impl<'f> TextFile<'f> {
    pub(crate) fn open(file: &'f [u8], encoding: Option<TextEncoding>) -> Result<Self, FileError> {
        let (text, encoding) = decode(file, encoding)?;
        let (delimiters, start) = match named_delimiter(&text) {
            Some((delimiter, start)) => (vec![delimiter], start),
            None => (likely_delimiters(&text), 0),
        };
        Ok(Self { text, encoding, delimiters, start })
    }

    pub(crate) fn into_converted(self) -> Option<String> {
        match self.text {
            Cow::Owned(text) => Some(text),
            Cow::Borrowed(_) => None,
        }
    }

    pub(crate) fn read_rows(
        &self,
        table: usize,
        limits: &FileLimits,
        visit: Visit<'_>,
    ) -> Result<(), FileError> {
        let Some(delimiter) = self.delimiters.get(table) else { return Err(FileError::Empty) };
        let mut records = Records::new(&self.text[self.start..], *delimiter);
        let mut number = 0_u32;
        while !records.is_at_end() {
            // A spreadsheet program counts empty lines, and counts a cell of several lines as part of one row.
            number = number.saturating_add(1);
            let mut builder = RowBuilder::new(number, limits);
            let mut column = 0;
            loop {
                let (cell, next) = records.next_cell(number)?;
                builder.set_cell(column, &cell, None)?;
                if next == Next::Row {
                    break;
                }
                column += 1;
                if column >= ROW_CELLS_MAX {
                    return Err(FileError::Columns(limits.columns));
                }
            }
            if let Some(row) = builder.finish()
                && visit(row)? == ControlFlow::Break(())
            {
                break;
            }
        }
        Ok(())
    }
}

/// Returns the delimiter that the first line names, and where the next line begins. Excel writes and hides such a line.
fn named_delimiter(text: &str) -> Option<(u8, usize)> {
    let end = text.find(['\n', '\r']).unwrap_or(text.len());
    let line = text[..end].trim_end().trim_matches('"');
    let name = line.get(..4).filter(|name| name.eq_ignore_ascii_case("sep="))?;
    let delimiter = match &line.as_bytes()[name.len()..] {
        // A tab at the end of the line is trimmed.
        [] => b'\t',
        [delimiter] if delimiter.is_ascii() && !delimiter.is_ascii_alphanumeric() => *delimiter,
        _ => return None,
    };
    let rest = &text[end..];
    let line_break = if rest.starts_with("\r\n") { 2 } else { rest.len().min(1) };
    Some((delimiter, end + line_break))
}

/// Returns all delimiters, in the order of their frequency outside of quotation marks in the first line that has one.
fn likely_delimiters(text: &str) -> Vec<u8> {
    let mut counts = [0_usize; DELIMITERS.len()];
    for line in text.lines().take(COUNTED_LINES) {
        let mut is_quoted = false;
        for byte in line.bytes() {
            is_quoted ^= byte == b'"';
            if let Some(index) = DELIMITERS.iter().position(|delimiter| *delimiter == byte && !is_quoted) {
                counts[index] += 1;
            }
        }
        if counts != [0; DELIMITERS.len()] {
            break;
        }
    }
    let mut likely: Vec<_> = DELIMITERS.into_iter().zip(counts).collect();
    likely.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    likely.into_iter().map(|(delimiter, _)| delimiter).collect()
}
