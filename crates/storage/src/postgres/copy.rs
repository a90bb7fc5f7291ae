//! All rows of a database, for a copy from it or to it.

use async_trait::async_trait;
use deadpool_postgres::Client;
use tokio_postgres::types::ToSql;

use super::errors::{Failure, Try};
use super::words;
use crate::Result;
use crate::copy::{ColumnType, CopyEndpoint, Row, RowChunk, TABLES, Table, TableSlice, Value};

/// The rows of a database, on a connection of their own.
pub(super) struct PostgresEndpoint(Client);

type Parameter = Box<dyn ToSql + Sync + Send>;

impl PostgresEndpoint {
    /// What is in the database at this moment.
    pub(super) async fn source(client: Client) -> Try<Self> {
        unhurried(&client).await?;
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        Ok(Self(client))
    }

    pub(super) async fn target(client: Client) -> Try<Self> {
        unhurried(&client).await?;
        Ok(Self(client))
    }

    async fn try_read(
        &self,
        TableSlice { table, merchant }: TableSlice,
        after: &[i64],
        limit: usize,
    ) -> Try<RowChunk> {
        let columns = table.columns.iter().map(|(name, kind)| match kind {
            ColumnType::SmallInt => format!("{name}::bigint"),
            ColumnType::Bool => format!("{name}::int::bigint"),
            ColumnType::Int | ColumnType::Text | ColumnType::Bytes => (*name).to_owned(),
        });
        let columns = columns.collect::<Vec<_>>().join(", ");
        let behind = (0..table.key_columns).map(|i| format!("${}", i + 2)).collect::<Vec<_>>().join(", ");
        let key = table.key();
        let condition =
            if table.key_columns == 0 { String::new() } else { format!("AND ({key}) > ({behind})") };
        let order = if table.key_columns == 0 { "merchant_id" } else { &key };
        let sql = format!(
            "SELECT {columns} FROM {} WHERE merchant_id = $1 {condition} ORDER BY {order} LIMIT {limit}",
            table.name
        );
        let statement = self.0.prepare_cached(&sql).await?;
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&merchant];
        parameters.extend(after.iter().map(|id| id as &(dyn ToSql + Sync)));
        let rows = self.0.query(&statement, &parameters).await?;
        let mut batch = Vec::with_capacity(rows.len());
        for row in rows {
            let values = table.columns.iter().enumerate().map(|(i, (_, kind))| {
                Ok(match kind {
                    ColumnType::Int | ColumnType::SmallInt | ColumnType::Bool => {
                        row.try_get::<_, Option<_>>(i)?.map(Value::Int)
                    }
                    ColumnType::Text => row.try_get::<_, Option<_>>(i)?.map(Value::Text),
                    ColumnType::Bytes => row.try_get::<_, Option<_>>(i)?.map(Value::Bytes),
                }
                .unwrap_or(Value::Null))
            });
            batch.push(values.collect::<Try<Row>>()?);
        }
        Ok(RowChunk(batch))
    }

    async fn try_newest(&self, TableSlice { table, merchant }: TableSlice) -> Try<Option<Vec<i64>>> {
        let keys = table.columns[..table.key_columns].iter().map(|(name, _)| *name);
        let order = std::iter::once("merchant_id").chain(keys);
        let (columns, order): (Vec<_>, Vec<_>) = order.map(|name| (name, format!("{name} DESC"))).unzip();
        let sql = format!(
            "SELECT {} FROM {} WHERE merchant_id = $1 ORDER BY {} LIMIT 1",
            columns.join(", "),
            table.name,
            order.join(", ")
        );
        let Some(row) = self.0.query_opt(&sql, &[&merchant]).await? else { return Ok(None) };
        Ok(Some((1..=table.key_columns).map(|i| row.try_get(i)).collect::<std::result::Result<_, _>>()?))
    }

    /// One statement for a batch: each column goes over as an array.
    async fn try_write(&self, TableSlice { table, merchant }: TableSlice, rows: RowChunk) -> Try<()> {
        let names = table.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let values = table.columns.iter().map(|(name, kind)| match kind {
            ColumnType::SmallInt => format!("{name}::smallint"),
            ColumnType::Bool => format!("{name} <> 0"),
            ColumnType::Int | ColumnType::Text | ColumnType::Bytes => (*name).to_owned(),
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let arrays = table.columns.iter().enumerate().map(|(i, (_, kind))| match kind {
            ColumnType::Int | ColumnType::SmallInt | ColumnType::Bool => format!("${}::bigint[]", i + 2),
            ColumnType::Text => format!("${}::text[]", i + 2),
            ColumnType::Bytes => format!("${}::bytea[]", i + 2),
        });
        let arrays = arrays.collect::<Vec<_>>().join(", ");
        // Nobody waits for the answer to an operation that came from elsewhere.
        let (nonce, none) = if table.name == "operations" { (", nonce", ", 0") } else { ("", "") };
        let beside = if table.name == "customers" { words::COPIED } else { "" };
        let sql = format!(
            "WITH copied AS (SELECT * FROM unnest({arrays}) AS copied ({names})){beside}
             INSERT INTO {} (merchant_id, {names}{nonce}) SELECT $1, {values}{none} FROM copied",
            table.name
        );
        let statement = self.0.prepare_cached(&sql).await?;
        let columns = columns(table, rows);
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&merchant];
        parameters.extend(columns.iter().map(|column| &**column as &(dyn ToSql + Sync)));
        self.0.execute(&statement, &parameters).await?;
        Ok(())
    }

    async fn try_count(&self) -> Try<u64> {
        let mut rows = 0;
        for table in TABLES {
            let sql = format!("SELECT count(*) FROM {}", table.name);
            rows += self.0.query_one(&sql, &[]).await?.try_get::<_, i64>(0)?.unsigned_abs();
        }
        Ok(rows)
    }

    async fn try_merchants(&self, after: i64, limit: usize) -> Try<Vec<i64>> {
        let sql = format!(
            "SELECT merchant_id FROM merchants WHERE merchant_id > $1 ORDER BY merchant_id LIMIT {limit}"
        );
        let statement = self.0.prepare_cached(&sql).await?;
        let rows = self.0.query(&statement, &[&after]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?)
    }
}

/// A copy of everything may take longer than a request.
async fn unhurried(client: &Client) -> Try<()> {
    Ok(client.batch_execute("SET statement_timeout = 0").await?)
}

/// CopyEndpoint turned into columns.
fn columns(table: &Table, rows: RowChunk) -> Vec<Parameter> {
    let mut rows = rows.0;
    let columns = table.columns.iter().enumerate().map(|(i, (_, kind))| -> Parameter {
        let values = rows.iter_mut().map(|row| std::mem::replace(&mut row[i], Value::Null));
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
        self.try_merchants(after, limit).await.map_err(Failure::into_error)
    }

    async fn read_chunk(&mut self, slice: TableSlice, after: &[i64], limit: usize) -> Result<RowChunk> {
        self.try_read(slice, after, limit).await.map_err(Failure::into_error)
    }

    async fn last_key(&mut self, slice: TableSlice) -> Result<Option<Vec<i64>>> {
        self.try_newest(slice).await.map_err(Failure::into_error)
    }

    async fn write_chunk(&mut self, slice: TableSlice, rows: RowChunk) -> Result<()> {
        self.try_write(slice, rows).await.map_err(Failure::into_error)
    }

    async fn count_rows(&mut self) -> Result<u64> {
        self.try_count().await.map_err(Failure::into_error)
    }
}
