//! The open database, which every noun's trait is implemented for.

use super::group_commit::Writer;
use super::read_pool::ReadPool;
use crate::metrics::Metrics;

/// Storage in a SQLite file.
pub struct SqliteStorage {
    pub(super) read_pool: ReadPool,
    // Dropped after the read connections, for the reason in `Admin::close`.
    pub(super) writer: Writer,
    pub(super) metrics: Metrics,
}
