//! Decoding of database rows, the same for both drivers.
//!
//! Each noun's file holds the list of its columns and a `decode` function that reads them in that order.

use std::fmt::Display;

use jiff::Timestamp;

use crate::{Result, StorageError};

/// A row of a driver's result.
pub(crate) trait Row {
    /// Returns an integer of at most 64 bits, or `None` for NULL.
    fn int(&self, index: usize) -> Result<Option<i64>>;
    /// Returns a text, or `None` for NULL.
    fn text(&self, index: usize) -> Result<Option<String>>;
    /// Returns a boolean that is not NULL.
    fn flag(&self, index: usize) -> Result<bool>;
}

/// A reader of the columns of a row, from left to right. Its errors name the column of the invalid value.
pub(crate) struct RowReader<'r, R> {
    row: &'r R,
    table: &'static str,
    next: usize,
}

impl<'r, R: Row> RowReader<'r, R> {
    /// Starts at the first column.
    pub(crate) fn new(row: &'r R, table: &'static str) -> Self {
        Self::starting_at(row, table, 0)
    }

    /// Starts at the column with this index, for rows that join tables.
    pub(crate) fn starting_at(row: &'r R, table: &'static str, first: usize) -> Self {
        Self { row, table, next: first }
    }

    pub(crate) fn optional_int(&mut self) -> Result<Option<i64>> {
        let index = self.advance();
        self.row.int(index)
    }

    pub(crate) fn int(&mut self, column: &str) -> Result<i64> {
        let number = self.optional_int()?;
        number.ok_or_else(|| self.invalid(column, "is NULL"))
    }

    /// Reads an id with the constructor of its type.
    pub(crate) fn id<Id>(&mut self, column: &str, new: impl FnOnce(i64) -> Option<Id>) -> Result<Id> {
        let number = self.int(column)?;
        new(number).ok_or_else(|| self.invalid(column, number))
    }

    /// Reads a number that is never negative.
    pub(crate) fn count<N: TryFrom<i64, Error: Display>>(&mut self, column: &str) -> Result<N> {
        N::try_from(self.int(column)?).map_err(|e| self.invalid(column, e))
    }

    pub(crate) fn flag(&mut self) -> Result<bool> {
        let index = self.advance();
        self.row.flag(index)
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>> {
        let index = self.advance();
        self.row.text(index)
    }

    pub(crate) fn optional_parsed<T, E: Display>(
        &mut self,
        column: &str,
        parse: impl FnOnce(&str) -> std::result::Result<T, E>,
    ) -> Result<Option<T>> {
        let text = self.optional_text()?;
        text.as_deref().map(parse).transpose().map_err(|e| self.invalid(column, e))
    }

    pub(crate) fn parsed<T, E: Display>(
        &mut self,
        column: &str,
        parse: impl FnOnce(&str) -> std::result::Result<T, E>,
    ) -> Result<T> {
        let value = self.optional_parsed(column, parse)?;
        value.ok_or_else(|| self.invalid(column, "is NULL"))
    }

    /// Reads a time, stored as microseconds since 1970 in UTC.
    pub(crate) fn optional_time(&mut self, column: &str) -> Result<Option<Timestamp>> {
        let time = self.optional_int()?.map(Timestamp::from_microsecond);
        time.transpose().map_err(|e| self.invalid(column, e))
    }

    pub(crate) fn time(&mut self, column: &str) -> Result<Timestamp> {
        let time = self.optional_time(column)?;
        time.ok_or_else(|| self.invalid(column, "is NULL"))
    }

    fn advance(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn invalid(&self, column: &str, problem: impl Display) -> StorageError {
        StorageError::corrupt(self.table, column, problem)
    }
}

/// Returns a count as databases store it. Counts beyond 63 bits cannot occur.
pub(crate) fn stored_count(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
