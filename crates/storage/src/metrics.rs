//! Metrics of the engines.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The label of a list query: the server that answered it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Listed {
    from: &'static str,
}

impl Listed {
    pub(crate) const PRIMARY: Self = Self { from: "primary" };
    pub(crate) const REPLICA: Self = Self { from: "replica" };
}

/// Handles to the metrics. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Write requests completed, including those that changed nothing (SQLite), or operations committed (PostgreSQL).
    pub(crate) operations: Counter,
    /// Write requests that share one fsync (SQLite), add requests that share one statement (PostgreSQL).
    pub(crate) batch_operations: Histogram,
    /// Duration of one fsync (SQLite) or one write transaction (PostgreSQL), in seconds.
    pub(crate) commit_seconds: Histogram,
    /// Write requests in the queue (SQLite), requests that wait for a pooled connection (PostgreSQL).
    pub(crate) queue_depth: Gauge,
    /// Read connections (SQLite) or pooled connections (PostgreSQL) in use.
    pub(crate) connections_busy: Gauge,
    /// Limit of these connections.
    pub(crate) connections: Gauge<f64, AtomicU64>,
    /// List queries by server, if a read replica is configured.
    pub(crate) lists: Family<Listed, Counter>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            operations: Counter::default(),
            batch_operations: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            commit_seconds: Histogram::new([0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]),
            queue_depth: Gauge::default(),
            connections_busy: Gauge::default(),
            connections: Gauge::default(),
            lists: Family::default(),
        }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("storage");
        registry.register(
            "operations",
            "Write requests completed (SQLite) or operations committed (PostgreSQL)",
            self.operations.clone(),
        );
        registry.register(
            "batch_operations",
            "Write requests that share one commit",
            self.batch_operations.clone(),
        );
        registry.register("commit_seconds", "Duration of one commit in seconds", self.commit_seconds.clone());
        registry.register(
            "queue_depth",
            "Write requests (SQLite) or requests for a connection (PostgreSQL) that wait",
            self.queue_depth.clone(),
        );
        registry.register("connections_busy", "Connections in use", self.connections_busy.clone());
        registry.register("connections", "Limit of connections", self.connections.clone());
        registry.register("lists", "List queries by server, with a read replica", self.lists.clone());
    }
}
