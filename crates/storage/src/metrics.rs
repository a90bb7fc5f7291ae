//! What engines measure of themselves.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Which server answered a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Listed {
    from: &'static str,
}

impl Listed {
    pub(crate) const PRIMARY: Self = Self { from: "primary" };
    pub(crate) const REPLICA: Self = Self { from: "replica" };
}

/// Handles to the numbers; cloning one shares it.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Operations written.
    pub(crate) operations: Counter,
    /// Operations per commit: how many share one fsync.
    pub(crate) batch: Histogram,
    /// Time of one commit, in seconds.
    pub(crate) commit_seconds: Histogram,
    /// Writes that wait for the writer.
    pub(crate) queue_depth: Gauge,
    /// Readers in use.
    pub(crate) readers_busy: Gauge,
    /// Readers there are.
    pub(crate) readers: Gauge<f64, AtomicU64>,
    /// Lists, where there is a replica to read them from.
    pub(crate) lists: Family<Listed, Counter>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            operations: Counter::default(),
            batch: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            commit_seconds: Histogram::new([0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]),
            queue_depth: Gauge::default(),
            readers_busy: Gauge::default(),
            readers: Gauge::default(),
            lists: Family::default(),
        }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("storage");
        registry.register("operations", "Operations written", self.operations.clone());
        registry.register("batch_operations", "Operations in one commit", self.batch.clone());
        registry.register("commit_seconds", "Time of one commit", self.commit_seconds.clone());
        registry.register("queue_depth", "Writes that wait for the writer", self.queue_depth.clone());
        registry.register("readers_busy", "Readers in use", self.readers_busy.clone());
        registry.register("readers", "Readers there are", self.readers.clone());
        registry.register("lists", "Lists read, beside a replica", self.lists.clone());
    }
}
