//! All rows of a database, for a copy from it or to it.

use async_trait::async_trait;
use deadpool_postgres::Client;
use tokio_postgres::types::ToSql;

use super::errors::{AttemptError, AttemptResult};
use super::{counters, search_terms, sql};
use crate::Result;
use crate::copy::{ColumnType, CopiedRow, CopyEndpoint, RowChunk, TABLES, Table, TableSlice, Value};

/// A database as the source or the target of a copy, on a connection of its own.
pub(super) struct PostgresEndpoint(Client);

/// The values of one column, as a parameter.
type ColumnArray = Box<dyn ToSql + Sync + Send>;

impl PostgresEndpoint {
    /// Starts a transaction that reads one snapshot.
    pub(super) async fn source(client: Client) -> AttemptResult<Self> {
        disable_statement_timeout(&client).await?;
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        Ok(Self(client))
    }

    pub(super) async fn target(client: Client) -> AttemptResult<Self> {
        disable_statement_timeout(&client).await?;
        Ok(Self(client))
    }

    async fn try_read(
        &self,
        TableSlice { table, merchant }: TableSlice,
        after: &[i64],
        limit: usize,
    ) -> AttemptResult<RowChunk> {
        // All integer types are read as bigint.
        let columns = join(table.columns.iter().map(|(name, kind)| match kind {
            ColumnType::SmallInt => format!("{name}::bigint"),
            ColumnType::Bool => format!("{name}::int::bigint"),
            ColumnType::Int | ColumnType::Text | ColumnType::Bytes => (*name).to_owned(),
        }));
        let key_placeholders = join((0..table.key_columns).map(|position| format!("${}", position + 2)));
        let key = table.key();
        let has_key = table.key_columns > 0;
        let condition = if has_key { format!("AND ({key}) > ({key_placeholders})") } else { String::new() };
        let order = if has_key { &key } else { "merchant_id" };
        let statement = format!(
            "SELECT {columns} FROM {} WHERE merchant_id = $1 {condition} ORDER BY {order} LIMIT {limit}",
            table.name
        );
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&merchant];
        parameters.extend(after.iter().map(|id| id as &(dyn ToSql + Sync)));
        let rows = sql::query(&self.0, &statement, &parameters).await?;
        let mut chunk = Vec::with_capacity(rows.len());
        for row in rows {
            let values = table.columns.iter().enumerate().map(|(column, (_, kind))| {
                let value = match kind {
                    ColumnType::Int | ColumnType::SmallInt | ColumnType::Bool => {
                        row.try_get::<_, Option<_>>(column)?.map(Value::Int)
                    }
                    ColumnType::Text => row.try_get::<_, Option<_>>(column)?.map(Value::Text),
                    ColumnType::Bytes => row.try_get::<_, Option<_>>(column)?.map(Value::Bytes),
                };
                Ok(value.unwrap_or(Value::Null))
            });
            chunk.push(values.collect::<AttemptResult<CopiedRow>>()?);
        }
        Ok(RowChunk(chunk))
    }

    async fn try_last_key(
        &self,
        TableSlice { table, merchant }: TableSlice,
    ) -> AttemptResult<Option<Vec<i64>>> {
        let keys = table.columns[..table.key_columns].iter().map(|(name, _)| *name);
        let columns: Vec<_> = std::iter::once("merchant_id").chain(keys).collect();
        let statement = format!(
            "SELECT {} FROM {} WHERE merchant_id = $1 ORDER BY {} LIMIT 1",
            columns.join(", "),
            table.name,
            join(columns.iter().map(|name| format!("{name} DESC")))
        );
        let Some(row) = self.0.query_opt(&statement, &[&merchant]).await? else { return Ok(None) };
        Ok(Some((1..=table.key_columns).map(|i| row.try_get(i)).collect::<std::result::Result<_, _>>()?))
    }

    /// Inserts a chunk with one statement. Each column is sent as an array.
    async fn try_write(
        &self,
        TableSlice { table, merchant }: TableSlice,
        rows: RowChunk,
    ) -> AttemptResult<()> {
        let names = join(table.columns.iter().map(|(name, _)| (*name).to_owned()));
        let values = join(table.columns.iter().map(|(name, kind)| match kind {
            ColumnType::SmallInt => format!("{name}::smallint"),
            ColumnType::Bool => format!("{name} <> 0"),
            ColumnType::Int | ColumnType::Text | ColumnType::Bytes => (*name).to_owned(),
        }));
        let arrays = join(table.columns.iter().enumerate().map(|(column, (_, kind))| match kind {
            ColumnType::Int | ColumnType::SmallInt | ColumnType::Bool => format!("${}::bigint[]", column + 2),
            ColumnType::Text => format!("${}::text[]", column + 2),
            ColumnType::Bytes => format!("${}::bytea[]", column + 2),
        }));
        // No attempt will look for the nonce of a copied operation.
        let (nonce, zero) = if table.name == "operations" { (", nonce", ", 0") } else { ("", "") };
        let derived = if table.name == "customers" {
            [search_terms::COPIED, counters::COPIED].concat()
        } else {
            String::new()
        };
        let statement = format!(
            "WITH copied AS (SELECT * FROM unnest({arrays}) AS copied ({names})){derived}
             INSERT INTO {} (merchant_id, {names}{nonce}) SELECT $1, {values}{zero} FROM copied",
            table.name
        );
        let columns = transpose(table, rows);
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&merchant];
        parameters.extend(columns.iter().map(|column| &**column as &(dyn ToSql + Sync)));
        sql::execute(&self.0, &statement, &parameters).await?;
        Ok(())
    }

    async fn try_count(&self) -> AttemptResult<u64> {
        let mut rows = 0;
        for table in TABLES {
            let statement = format!("SELECT count(*) FROM {}", table.name);
            rows += self.0.query_one(&statement, &[]).await?.try_get::<_, i64>(0)?.unsigned_abs();
        }
        Ok(rows)
    }

    async fn try_list_merchants(&self, after: i64, limit: usize) -> AttemptResult<Vec<i64>> {
        let statement = format!(
            "SELECT merchant_id FROM merchants WHERE merchant_id > $1 ORDER BY merchant_id LIMIT {limit}"
        );
        let rows = sql::query(&self.0, &statement, &[&after]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?)
    }
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// Disables the statement timeout, because statements of a copy may take longer than those of a request.
async fn disable_statement_timeout(client: &Client) -> AttemptResult<()> {
    Ok(client.batch_execute("SET statement_timeout = 0").await?)
}

/// Turns rows into columns.
fn transpose(table: &Table, rows: RowChunk) -> Vec<ColumnArray> {
    let mut rows = rows.0;
    let columns = table.columns.iter().enumerate().map(|(column, (_, kind))| -> ColumnArray {
        let values = rows.iter_mut().map(|row| std::mem::replace(&mut row[column], Value::Null));
        match kind {
            ColumnType::Int | ColumnType::SmallInt | ColumnType::Bool => {
                let numbers = values.map(|value| if let Value::Int(n) = value { Some(n) } else { None });
                Box::new(numbers.collect::<Vec<_>>())
            }
            ColumnType::Text => {
                let texts = values.map(|value| if let Value::Text(text) = value { Some(text) } else { None });
                Box::new(texts.collect::<Vec<_>>())
            }
            ColumnType::Bytes => {
                let blobs = values.map(|value| if let Value::Bytes(b) = value { Some(b) } else { None });
                Box::new(blobs.collect::<Vec<_>>())
            }
        }
    });
    columns.collect()
}

#[async_trait(?Send)]
impl CopyEndpoint for PostgresEndpoint {
    async fn list_merchants(&mut self, after: i64, limit: usize) -> Result<Vec<i64>> {
        self.try_list_merchants(after, limit).await.map_err(AttemptError::into_storage_error)
    }

    async fn read_chunk(&mut self, slice: TableSlice, after: &[i64], limit: usize) -> Result<RowChunk> {
        self.try_read(slice, after, limit).await.map_err(AttemptError::into_storage_error)
    }

    async fn last_key(&mut self, slice: TableSlice) -> Result<Option<Vec<i64>>> {
        self.try_last_key(slice).await.map_err(AttemptError::into_storage_error)
    }

    async fn write_chunk(&mut self, slice: TableSlice, rows: RowChunk) -> Result<()> {
        self.try_write(slice, rows).await.map_err(AttemptError::into_storage_error)
    }

    async fn count_rows(&mut self) -> Result<u64> {
        self.try_count().await.map_err(AttemptError::into_storage_error)
    }
}
