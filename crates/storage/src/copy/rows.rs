//! The rows that a copy reads and writes, and the trait that engines implement for it.

use async_trait::async_trait;

use super::tables::Table;
use crate::Result;

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The values of the columns of a [`Table`], without `merchant_id`.
pub(crate) type CopiedRow = Vec<Value>;

/// The rows of one table that belong to one merchant.
#[derive(Debug, Clone, Copy)]
pub struct TableSlice {
    pub(crate) table: &'static Table,
    pub(crate) merchant: i64,
}

/// Consecutive rows of a [`TableSlice`], in the order of their keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RowChunk(pub(crate) Vec<CopiedRow>);

/// The search terms of a copied customer, separated by spaces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CopiedTerms<'r> {
    pub(crate) id: i64,
    pub(crate) created_at: i64,
    pub(crate) terms: &'r str,
}

impl RowChunk {
    /// Returns the search terms of each row of `customers`.
    pub(crate) fn search_terms(&self, table: &Table) -> Vec<CopiedTerms<'_>> {
        debug_assert_eq!(table.name, "customers");
        let position =
            |column| table.columns.iter().position(|(name, _)| *name == column).unwrap_or_default();
        let (terms, created_at) = (position("search_terms"), position("created_at"));
        let mut found = Vec::with_capacity(self.0.len());
        for row in &self.0 {
            if let (Value::Int(id), Value::Int(created_at), Value::Text(terms)) =
                (&row[0], &row[created_at], &row[terms])
            {
                found.push(CopiedTerms { id: *id, created_at: *created_at, terms });
            }
        }
        found
    }

    /// Returns the key of the last row: the next chunk begins above it.
    pub(super) fn last_key(&self, table: &Table) -> Option<Vec<i64>> {
        self.0.last().map(|row| key(row, table))
    }
}

/// Returns the values of the key columns of a row, without `merchant_id`.
pub(super) fn key(row: &CopiedRow, table: &Table) -> Vec<i64> {
    let number = |value: &Value| if let Value::Int(number) = value { *number } else { 0 };
    row[..table.key_columns].iter().map(number).collect()
}

/// The source or the target of a copy. The engines create it.
///
/// A source shows one snapshot, whatever other processes write meanwhile.
#[async_trait(?Send)]
pub trait CopyEndpoint {
    /// Returns at most `limit` ids of merchants above `after`, ascending.
    #[doc(hidden)]
    async fn list_merchants(&mut self, after: i64, limit: usize) -> Result<Vec<i64>>;
    /// Returns at most `limit` rows with a key above `after`, by key.
    #[doc(hidden)]
    async fn read_chunk(&mut self, slice: TableSlice, after: &[i64], limit: usize) -> Result<RowChunk>;
    /// Returns the greatest key, or `None` if there are no rows.
    #[doc(hidden)]
    async fn last_key(&mut self, slice: TableSlice) -> Result<Option<Vec<i64>>>;
    /// Inserts rows durably, all or nothing.
    #[doc(hidden)]
    async fn write_chunk(&mut self, slice: TableSlice, rows: RowChunk) -> Result<()>;
    /// Returns the number of rows of all merchants.
    #[doc(hidden)]
    async fn count_rows(&mut self) -> Result<u64>;
}
