//! The database as operators see it: health, inspection, metrics, shutdown.

use async_trait::async_trait;
use prometheus_client::registry::Registry;

use crate::Result;

/// Administration of an open database.
#[async_trait]
pub trait Admin: Send + Sync {
    /// Checks that the database answers a query.
    async fn ping(&self) -> Result<()>;

    /// Checks the integrity of the whole database and counts its rows. Reads all of it: may take minutes.
    async fn inspect(&self) -> Result<Inspection>;

    /// Advances every counter of ids by `count`, for a database that was restored from an older state: ids assigned
    /// after that state are then not assigned again. Returns the number of merchants.
    async fn skip_ids(&self, count: u32) -> Result<u64>;

    /// Registers the metrics of the engine.
    fn register_metrics(&self, registry: &mut Registry);

    /// Completes accepted calls and closes the database.
    ///
    /// Later calls fail with [`StorageError::Unavailable`](crate::StorageError::Unavailable).
    async fn close(&self);
}

/// The result of [`Admin::inspect`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The engine and its version, such as `SQLite 3.53.0`.
    pub engine: String,
    /// Number of the newest migration in the database.
    pub schema: u32,
    /// Integrity problems, in the engine's words, and count mismatches. Empty if there are none.
    pub problems: Vec<String>,
    /// Number of merchants.
    pub merchants: u64,
    /// Number of customers of all merchants.
    pub customers: u64,
    /// Number of memberships of all merchants, including those of soft-deleted groups that are not archived yet.
    pub memberships: u64,
    /// Number of past memberships of all merchants.
    pub past_memberships: u64,
    /// Time of the newest operation.
    pub newest_operation: Option<jiff::Timestamp>,
}

/// Returns a problem if the number of customers differs from the sum of the counters.
pub(crate) fn count_mismatch(customers: u64, counter_sum: u64) -> Option<String> {
    (customers != counter_sum)
        .then(|| format!("there are {customers} customers, but the counters add up to {counter_sum}"))
}
