//! Health, inspection, metrics and shutdown.

use super::SqliteStorage;
use super::operations;
use crate::{Admin, Inspection, Result};
use async_trait::async_trait;
use prometheus_client::registry::Registry;

#[async_trait]
impl Admin for SqliteStorage {
    async fn ping(&self) -> Result<()> {
        self.read_pool
            .read(|db| Ok(db.query_row("SELECT 1 FROM merchants LIMIT 1", [], |_| Ok(())).or_else(no_row)?))
            .await
    }

    async fn inspect(&self) -> Result<Inspection> {
        self.read_pool.read(operations::inspect).await
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    async fn close(&self) {
        // The writer last: the last connection tidies up, and only one that may write can.
        self.read_pool.close().await;
        self.writer.close().await;
    }
}

/// "No row" as nothing, every other failure as it is.
fn no_row(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        other => Err(other),
    }
}
