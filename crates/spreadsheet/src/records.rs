//! The records of a delimited text, by the quoting rules of RFC 4180.
//!
//! The crate `csv` is not used to read files: it skips empty lines without counting them, and an unclosed quotation mark
//! makes it swallow the rest of a file silently. Otherwise both read alike, which a test shows.

use std::borrow::Cow;

use crate::rows::FileError;

/// Reads cells one after the other.
pub(crate) struct Records<'t> {
    text: &'t str,
    position: usize,
    delimiter: u8,
}

/// What follows a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Cell,
    Row,
}

impl<'t> Records<'t> {
    pub(crate) fn new(text: &'t str, delimiter: u8) -> Self {
        debug_assert!(delimiter.is_ascii(), "a delimiter must not split a character");
        Self { text, position: 0, delimiter }
    }

    /// Returns true if there are no more rows.
    pub(crate) fn is_at_end(&self) -> bool {
        self.position >= self.text.len()
    }

    /// Reads the next cell, which is in row `row`.
    ///
    /// # Errors
    ///
    /// [`FileError::Quote`] if a quotation mark that opens in the cell is not closed, or text follows the mark that
    /// closes a cell of several lines: then the mark belongs to another cell, and the rows between have vanished.
    pub(crate) fn next_cell(&mut self, row: u32) -> Result<(Cow<'t, str>, Next), FileError> {
        let text = self.text;
        if !text[self.position..].starts_with('"') {
            let (cell, next) = self.rest_of_cell();
            return Ok((Cow::Borrowed(cell), next));
        }
        let start = self.position + 1;
        let mut end = start;
        let mut is_escaped = false;
        loop {
            let Some(mark) = text[end..].find('"') else { return Err(FileError::Quote(row)) };
            end += mark;
            if !text[end + 1..].starts_with('"') {
                break;
            }
            is_escaped = true;
            end += 2;
        }
        let quoted = &text[start..end];
        self.position = end + 1;
        let (rest, next) = self.rest_of_cell();
        if !rest.trim().is_empty() && quoted.contains(['\n', '\r']) {
            return Err(FileError::Quote(row));
        }
        let mut cell = Cow::Borrowed(quoted);
        if is_escaped {
            cell = Cow::Owned(quoted.replace("\"\"", "\""));
        }
        if !rest.is_empty() {
            cell.to_mut().push_str(rest);
        }
        Ok((cell, next))
    }

    /// Returns the text up to the next delimiter or the end of the line, and skips it and what ends it.
    fn rest_of_cell(&mut self) -> (&'t str, Next) {
        let rest = &self.text[self.position..];
        let is_end = |byte: u8| byte == self.delimiter || byte == b'\n' || byte == b'\r';
        let length = rest.bytes().position(is_end).unwrap_or(rest.len());
        self.position += length;
        let ending = &rest.as_bytes()[length..];
        let (skipped, next) = match ending {
            [] => (0, Next::Row),
            [b'\r', b'\n', ..] => (2, Next::Row),
            [b'\r' | b'\n', ..] => (1, Next::Row),
            _ => (1, Next::Cell),
        };
        self.position += skipped;
        (&rest[..length], next)
    }
}
