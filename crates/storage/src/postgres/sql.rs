//! Running statements. Each is prepared once per connection and cached there.

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::errors::{AttemptResult, describe};
use crate::{Result, StorageError, row};

pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Runs a statement that returns no rows. Returns the number of rows it wrote.
pub(super) async fn execute<C: GenericClient>(
    db: &C,
    sql: &str,
    parameters: Parameters<'_>,
) -> AttemptResult<u64> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.execute(&statement, parameters).await?)
}

/// Returns all rows.
pub(super) async fn query<C: GenericClient>(
    db: &C,
    sql: &str,
    parameters: Parameters<'_>,
) -> AttemptResult<Vec<Row>> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.query(&statement, parameters).await?)
}

/// Returns the row of a statement that returns exactly one.
pub(super) async fn query_one<C: GenericClient>(
    db: &C,
    sql: &str,
    parameters: Parameters<'_>,
) -> AttemptResult<Row> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.query_one(&statement, parameters).await?)
}

/// Returns the row of a statement that returns at most one.
pub(super) async fn query_opt<C: GenericClient>(
    db: &C,
    sql: &str,
    parameters: Parameters<'_>,
) -> AttemptResult<Option<Row>> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.query_opt(&statement, parameters).await?)
}

impl row::Row for Row {
    fn int(&self, index: usize) -> Result<Option<i64>> {
        self.try_get(index).map_err(|error| undecodable(&error))
    }

    fn text(&self, index: usize) -> Result<Option<String>> {
        self.try_get(index).map_err(|error| undecodable(&error))
    }

    fn flag(&self, index: usize) -> Result<bool> {
        self.try_get(index).map_err(|error| undecodable(&error))
    }
}

fn undecodable(error: &tokio_postgres::Error) -> StorageError {
    StorageError::Corrupt(describe(error))
}
