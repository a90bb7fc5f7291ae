//! Connections that read. They never wait for the writer, and the writer never waits for them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use prometheus_client::metrics::gauge::Gauge;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::open;
use crate::metrics::Metrics;
use crate::{Result, StorageError};

/// The right to use a connection, counted while it is held, also through a panic.
struct Seat {
    _permit: OwnedSemaphorePermit,
    busy: Gauge,
}

impl Seat {
    fn take(permit: OwnedSemaphorePermit, busy: &Gauge) -> Self {
        busy.inc();
        Self { _permit: permit, busy: busy.clone() }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.busy.dec();
    }
}

/// A pool that opens connections when they are first needed, up to its limit.
#[derive(Clone)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    limit: u32,
    metrics: Metrics,
}

impl Readers {
    pub(super) fn new(path: PathBuf, limit: u32, metrics: Metrics) -> Self {
        metrics.readers.set(f64::from(limit));
        let permits = Arc::new(Semaphore::new(limit as usize));
        Self { path, idle: Arc::default(), permits, limit, metrics }
    }

    /// Runs `work` on a thread where it may block. All its statements see the database at one moment.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let closed = || StorageError::Unavailable("it is closed".to_owned());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        let readers = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _seat = Seat::take(permit, &readers.metrics.readers_busy);
            readers.read_now(work)
        });
        reading.await.unwrap_or_else(|_| Err(StorageError::Internal("a read panicked".to_owned())))
    }

    /// Waits for the reads that run, and lets go of the connections; reads that come later are refused.
    pub(super) async fn close(&self) {
        // It fails if it was closed before: then there is nothing left to wait for.
        let _ = self.permits.acquire_many(self.limit).await;
        self.permits.close();
        self.lock().clear();
    }

    fn read_now<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open::for_reading(&self.path)?,
        };
        // One transaction, so that the count and the rows of a page agree.
        let transaction = connection.unchecked_transaction()?;
        let result = work(&transaction);
        drop(transaction);
        // A connection whose read panicked never gets here; it is closed, and the next read opens another.
        self.lock().push(connection);
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // Nothing panics while it holds the lock, and a list of connections has no broken state.
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
