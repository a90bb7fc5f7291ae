//! Health, inspection, metrics and shutdown.

use async_trait::async_trait;
use deadpool_postgres::Client;
use jiff::Timestamp;
use prometheus_client::registry::Registry;

use super::engine::PostgresStorage;
use super::errors::AttemptResult;
use super::{ids, schema, sql};
use crate::admin::count_mismatch;
use crate::{Admin, Inspection, Result, StorageError};

#[async_trait]
impl Admin for PostgresStorage {
    async fn ping(&self) -> Result<()> {
        self.connections.read(&(), |db, ()| Box::pin(ping(db))).await
    }

    async fn inspect(&self) -> Result<Inspection> {
        self.connections.read(&(), |db, ()| Box::pin(inspect(db))).await
    }

    async fn skip_ids(&self, count: u32) -> Result<u64> {
        // Skipping twice does no harm.
        self.connections.run_idempotent(&count, |db, &count| Box::pin(ids::skip(db, count))).await
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    async fn close(&self) {
        self.connections.close().await;
        if let Some(replica) = &self.replica {
            replica.close();
        }
    }
}

/// Checks that the tables can be read.
async fn ping(db: &Client) -> AttemptResult<()> {
    sql::query_opt(db, "SELECT 1 FROM merchants LIMIT 1", &[]).await?;
    Ok(())
}

/// Inspects the whole database without a time limit. The connection keeps no statement timeout.
pub(super) async fn inspect_without_timeout(client: &Client) -> AttemptResult<Inspection> {
    client.batch_execute("SET statement_timeout = 0").await?;
    inspect(client).await
}

/// Counts the rows of the whole database and compares the counters with them.
async fn inspect(db: &Client) -> AttemptResult<Inspection> {
    // An older schema has its counters elsewhere. They are compared after the migration.
    let counted = if schema::outstanding(db).await?.is_empty() {
        "(SELECT coalesce(sum(customers), 0)::bigint FROM customer_counters)"
    } else {
        "NULL::bigint"
    };
    let statement = format!(
        "SELECT current_setting('server_version'),
                            (SELECT max(number) FROM schema_migrations),
                            (SELECT count(*) FROM merchants),
                            (SELECT count(*) FROM customers),
                            (SELECT count(*) FROM memberships),
                            (SELECT max(at) FROM operations),
                            (SELECT count(*) FROM past_memberships),
                            {counted}"
    );
    // The pool disables sequential scans, but they are best for a statement that reads whole tables.
    db.batch_execute("SET enable_seqscan = on").await?;
    let row = db.query_one(&statement, &[]).await;
    db.batch_execute("RESET enable_seqscan").await?;
    let row = row?;
    let version: String = row.try_get(0)?;
    let count = |column| row.try_get::<_, i64>(column).map(i64::unsigned_abs);
    let (customers, counted) = (count(3)?, row.try_get::<_, Option<i64>>(7)?);
    let mismatch = counted.and_then(|counted| count_mismatch(customers, counted.unsigned_abs()));
    Ok(Inspection {
        engine: format!("PostgreSQL {}", version.split(' ').next().unwrap_or_default()),
        schema: schema_number(row.try_get(1)?)?,
        problems: mismatch.into_iter().collect(),
        merchants: count(2)?,
        customers,
        memberships: count(4)?,
        past_memberships: count(6)?,
        newest_operation: newest_operation(row.try_get(5)?)?,
    })
}

fn schema_number(number: Option<i32>) -> Result<u32> {
    let number = number.unwrap_or_default();
    u32::try_from(number).map_err(|e| StorageError::corrupt("schema_migrations", "number", e))
}

fn newest_operation(at: Option<i64>) -> Result<Option<Timestamp>> {
    at.map(Timestamp::from_microsecond).transpose().map_err(|e| StorageError::corrupt("operations", "at", e))
}
