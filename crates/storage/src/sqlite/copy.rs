//! Reads and writes all rows of a file, for copies between engines.

use async_trait::async_trait;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use zumra_core::MerchantId;

use super::counters;
use super::search_terms::IndexedCustomer;
use crate::copy::{CopiedRow, CopiedTerms, CopyEndpoint, RowChunk, TABLES, Table, TableSlice, Value};
use crate::row::stored_count;
use crate::{Result, StorageError};

/// The rows of a file. Its methods block.
pub(super) struct SqliteEndpoint(Connection);

impl SqliteEndpoint {
    /// Starts a transaction that reads one snapshot of the file.
    pub(super) fn source(connection: Connection) -> Result<Self> {
        // The first read of a transaction takes the snapshot.
        connection.execute_batch("BEGIN; SELECT 1 FROM merchants")?;
        Ok(Self(connection))
    }

    pub(super) fn target(connection: Connection) -> Self {
        Self(connection)
    }
}

/// Returns `count` parameters from number `first` on: `?2, ?3, ?4`.
fn parameter_list(first: usize, count: usize) -> String {
    (first..first + count).map(|i| format!("?{i}")).collect::<Vec<_>>().join(", ")
}

#[async_trait(?Send)]
impl CopyEndpoint for SqliteEndpoint {
    async fn list_merchants(&mut self, after: i64, limit: usize) -> Result<Vec<i64>> {
        let sql = format!(
            "SELECT merchant_id FROM merchants WHERE merchant_id > ?1 ORDER BY merchant_id LIMIT {limit}"
        );
        let mut statement = self.0.prepare_cached(&sql)?;
        let ids = statement.query_map([after], |row| row.get(0))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    async fn read_chunk(
        &mut self,
        TableSlice { table, merchant }: TableSlice,
        after: &[i64],
        limit: usize,
    ) -> Result<RowChunk> {
        let (key, after_key) = (table.key(), parameter_list(2, table.key_columns));
        let condition =
            if table.key_columns == 0 { String::new() } else { format!("AND ({key}) > ({after_key})") };
        let order = if table.key_columns == 0 { "merchant_id".to_owned() } else { key };
        let sql = format!(
            "SELECT {} FROM {} WHERE merchant_id = ?1 {condition} ORDER BY {order} LIMIT {limit}",
            table.column_names(),
            table.name
        );
        let mut statement = self.0.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(std::iter::once(&merchant).chain(after)))?;
        let mut chunk = Vec::new();
        while let Some(row) = rows.next()? {
            let values = table.columns.iter().enumerate();
            let values = values.map(|(i, (name, _))| decode_value(row.get_ref(i)?, table, name));
            chunk.push(values.collect::<Result<CopiedRow>>()?);
        }
        Ok(RowChunk(chunk))
    }

    async fn last_key(&mut self, TableSlice { table, merchant }: TableSlice) -> Result<Option<Vec<i64>>> {
        let keys = table.columns[..table.key_columns].iter().map(|(name, _)| *name);
        let order = std::iter::once("merchant_id").chain(keys);
        let (columns, order): (Vec<_>, Vec<_>) = order.map(|name| (name, format!("{name} DESC"))).unzip();
        let sql = format!(
            "SELECT {} FROM {} WHERE merchant_id = ?1 ORDER BY {} LIMIT 1",
            columns.join(", "),
            table.name,
            order.join(", ")
        );
        let mut statement = self.0.prepare_cached(&sql)?;
        let mut rows = statement.query([merchant])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some((1..=table.key_columns).map(|i| row.get(i)).collect::<rusqlite::Result<_>>()?))
    }

    async fn write_chunk(
        &mut self,
        TableSlice { table, merchant }: TableSlice,
        rows: RowChunk,
    ) -> Result<()> {
        let sql = format!(
            "INSERT INTO {} (merchant_id, {}) VALUES (?1, {})",
            table.name,
            table.column_names(),
            parameter_list(2, table.columns.len())
        );
        let transaction = self.0.transaction()?;
        let mut statement = transaction.prepare_cached(&sql)?;
        for row in &rows.0 {
            let values = row.iter().map(|value| value as &dyn ToSql);
            statement.execute(params_from_iter(std::iter::once(&merchant as &dyn ToSql).chain(values)))?;
        }
        drop(statement);
        if table.name == "customers" {
            index_customers(&transaction, merchant, &rows.search_terms(table))?;
        }
        Ok(transaction.commit()?)
    }

    async fn count_rows(&mut self) -> Result<u64> {
        let mut rows = 0;
        for table in TABLES {
            let sql = format!("SELECT count(*) FROM {}", table.name);
            rows += self.0.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs();
        }
        Ok(rows)
    }
}

/// Writes the derived rows of copied customers: search terms, and the counter of customers.
fn index_customers(connection: &Connection, merchant: i64, customers: &[CopiedTerms<'_>]) -> Result<()> {
    for &CopiedTerms { id, created_at, terms } in customers {
        IndexedCustomer { merchant, id, created_at }.add(connection, terms)?;
    }
    let invalid = || StorageError::corrupt("customers", "merchant_id", merchant);
    let merchant = MerchantId::new(merchant).ok_or_else(invalid)?;
    counters::add_copied(connection, merchant, stored_count(customers.len()))
}

fn decode_value(value: ValueRef<'_>, table: &Table, column: &str) -> Result<Value> {
    let invalid = |problem: &dyn std::fmt::Display| StorageError::corrupt(table.name, column, problem);
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => Value::Text(str::from_utf8(text).map_err(|e| invalid(&e))?.to_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
        ValueRef::Real(number) => return Err(invalid(&number)),
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
