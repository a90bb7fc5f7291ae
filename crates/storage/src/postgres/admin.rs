//! Health, inspection, metrics and shutdown.

use super::PostgresStorage;
use super::open;
use super::operations;
use crate::{Admin, Inspection, Result};
use async_trait::async_trait;
use prometheus_client::registry::Registry;

#[async_trait]
impl Admin for PostgresStorage {
    async fn ping(&self) -> Result<()> {
        self.connections.read(|db| Box::pin(open::ping(db))).await
    }

    async fn inspect(&self) -> Result<Inspection> {
        self.connections.read(|db| Box::pin(operations::inspect(db))).await
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
