//! Health, inspection, metrics and shutdown.

use async_trait::async_trait;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use rusqlite::Connection;

use super::engine::SqliteStorage;
use super::{id_skips, schema, sql};
use crate::admin::count_mismatch;
use crate::{Admin, Inspection, Result, StorageError};

#[async_trait]
impl Admin for SqliteStorage {
    async fn ping(&self) -> Result<()> {
        let ping = |db: &Connection| sql::query_opt(db, "SELECT 1 FROM merchants LIMIT 1", [], |_| Ok(()));
        self.read_pool.read(ping).await.map(drop)
    }

    async fn inspect(&self) -> Result<Inspection> {
        self.read_pool.read(inspect).await
    }

    async fn skip_ids(&self, count: u32) -> Result<u64> {
        self.writer.write(move |connection| id_skips::skip(connection, count)).await
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    async fn close(&self) {
        // The last connection to close checkpoints and deletes the WAL. A read connection cannot do that, so the writer
        // closes last.
        self.read_pool.close().await;
        self.writer.close().await;
    }
}

/// Checks the integrity of the database and counts its rows.
pub(super) fn inspect(db: &Connection) -> Result<Inspection> {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let count = |sql| number(sql).map(i64::unsigned_abs);
    let mut check = db.prepare("PRAGMA quick_check")?;
    let findings = check.query_map([], |row| row.get::<_, String>(0))?;
    let findings = findings.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut problems: Vec<String> = findings.into_iter().filter(|finding| finding != "ok").collect();
    let customers = count("SELECT count(*) FROM customers")?;
    // An older schema has its counters elsewhere. They are compared after the migration.
    if schema::outstanding(db)?.is_empty() {
        let counter_sum = count("SELECT coalesce(sum(customers), 0) FROM customer_counters")?;
        problems.extend(count_mismatch(customers, counter_sum));
    }
    let newest_migration = number("SELECT max(number) FROM schema_migrations")?;
    let newest: Option<i64> = db.query_row("SELECT max(at) FROM operations", [], |row| row.get(0))?;
    let newest = newest.map(Timestamp::from_microsecond).transpose();
    Ok(Inspection {
        engine: format!("SQLite {}", rusqlite::version()),
        schema: u32::try_from(newest_migration)
            .map_err(|e| StorageError::corrupt("schema_migrations", "number", e))?,
        problems,
        merchants: count("SELECT count(*) FROM merchants")?,
        customers,
        memberships: count("SELECT count(*) FROM memberships")?,
        past_memberships: count("SELECT count(*) FROM past_memberships")?,
        newest_operation: newest.map_err(|e| StorageError::corrupt("operations", "at", e))?,
    })
}
