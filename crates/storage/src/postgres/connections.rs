//! The connections of a process: acquiring them, running work that is safe to run twice, and closing.
//!
//! Writes that are not idempotent are in `retry.rs`.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{Client, Object, Pool};
use futures_util::future::BoxFuture;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::RwLock;
use zumra_core::Entropy;

use super::attempts::AttemptSource;
use super::errors::{AttemptError, AttemptResult};
use crate::metrics::Metrics;
use crate::{Result, StorageError};

/// How much longer than the server's statement timeout the client waits for a reply.
pub(super) const TIMEOUT_MARGIN: Duration = Duration::from_secs(2);

/// Connections to a server, each with its prepared statements.
pub(super) struct Connections {
    pool: Pool,
    /// Held for reading by every call, so that closing can wait for all of them.
    pub(super) closing: RwLock<()>,
    /// Time limit of one statement, as the client sees it. The server's own limit is shorter, so a statement that
    /// takes longer has lost its server.
    timeout: Duration,
    pub(super) attempts: AttemptSource,
    metrics: Metrics,
}

/// A connection taken from the pool. Returns to it when dropped.
pub(super) struct PooledConnection {
    pub(super) client: Client,
    _in_use: GaugeGuard,
}

impl PooledConnection {
    /// Closes the connection instead of returning it to the pool.
    pub(super) fn discard(self) {
        drop(Object::take(self.client));
    }
}

/// A guard that counts one on a gauge until it is dropped.
struct GaugeGuard(Gauge);

impl GaugeGuard {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Connections {
    pub(super) fn new(pool: Pool, timeout: Duration, entropy: &dyn Entropy, metrics: Metrics) -> Self {
        metrics.connections.set(u32::try_from(pool.status().max_size).map_or(f64::MAX, f64::from));
        let (closing, attempts) = (RwLock::new(()), AttemptSource::new(entropy));
        Self { pool, closing, timeout, attempts, metrics }
    }

    /// Runs `work`, which only reads, on `input`. Runs it once more if the connection is lost: after a restart of the
    /// server the pool still holds closed connections.
    pub(super) async fn read<W, T, F>(&self, input: &W, work: F) -> Result<T>
    where
        F: for<'c> Fn(&'c Client, &'c W) -> BoxFuture<'c, AttemptResult<T>>,
    {
        let _open = self.closing.read().await;
        let mut result = self.run_once(input, &work).await;
        if !matches!(result, Ok(_) | Err(AttemptError::Permanent(_))) {
            result = self.run_once(input, &work).await;
        }
        result.map_err(AttemptError::into_storage_error)
    }

    /// Runs `work`, an idempotent write, on `input`. Running it twice has the same effect as running it once, so a lost
    /// connection needs no lookup of an operation. Its statements commit by themselves.
    ///
    /// Fails with [`StorageError::OutcomeUnknown`] if a connection was lost and the second run did not succeed.
    pub(super) async fn run_idempotent<W, T, F>(&self, input: &W, work: F) -> Result<T>
    where
        F: for<'c> Fn(&'c Client, &'c W) -> BoxFuture<'c, AttemptResult<T>>,
    {
        let _open = self.closing.read().await;
        let is_lost = match self.run_once(input, &work).await {
            Err(AttemptError::ConnectionLost(_)) => true,
            Err(AttemptError::Retryable(_) | AttemptError::StaleConnection(_)) => false,
            result => return result.map_err(AttemptError::into_storage_error),
        };
        self.run_once(input, &work).await.map_err(|error| match error {
            AttemptError::ConnectionLost(error) => error.into_unknown_outcome(),
            error if is_lost => error.into_storage_error().into_unknown_outcome(),
            error => error.into_storage_error(),
        })
    }

    /// Runs `work` on one connection, within the time limit. A lost or stale connection is discarded.
    pub(super) async fn run_once<W, T, F>(&self, input: &W, work: &F) -> AttemptResult<T>
    where
        F: for<'c> Fn(&'c Client, &'c W) -> BoxFuture<'c, AttemptResult<T>>,
    {
        let connection = self.acquire().await?;
        let result = within(self.timeout, work(&connection.client, input)).await;
        if result.as_ref().is_err_and(AttemptError::needs_new_connection) {
            connection.discard();
        }
        result
    }

    /// Takes a connection from the pool as soon as one is free.
    pub(super) async fn acquire(&self) -> AttemptResult<PooledConnection> {
        let waiting = GaugeGuard::new(&self.metrics.queue_depth);
        let client = self.pool.get().await?;
        drop(waiting);
        Ok(PooledConnection { client, _in_use: GaugeGuard::new(&self.metrics.connections_busy) })
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Returns the time limit of one statement.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn is_closed(&self) -> bool {
        self.pool.is_closed()
    }

    /// Waits for running calls and closes the pool. Later calls fail.
    pub(super) async fn close(&self) {
        let _all = self.closing.write().await;
        self.pool.close();
    }
}

/// Awaits `work` for at most `limit`. A connection that takes longer counts as lost.
pub(super) async fn within<T, E: Into<AttemptError>>(
    limit: Duration,
    work: impl Future<Output = std::result::Result<T, E>>,
) -> AttemptResult<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(AttemptError::timeout()),
    }
}

impl StorageError {
    /// Returns this error for a write of which an attempt may have been committed. Errors that depend on rows in the
    /// database stay as they are: reading those rows waited for the attempt to end.
    pub(super) fn into_unknown_outcome(self) -> Self {
        match self {
            Self::Unavailable(why) | Self::Internal(why) => Self::OutcomeUnknown(why),
            error => error,
        }
    }
}
