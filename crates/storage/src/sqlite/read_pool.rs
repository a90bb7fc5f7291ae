//! The read connections. Reads never wait for the writer, and the writer never waits for reads.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::gauge::Gauge;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::open;
use crate::metrics::Metrics;
use crate::{Result, StorageError};

/// The permit to use one connection. The metric counts the connection as busy until a return or a panic drops the
/// permit.
struct BusyPermit {
    _permit: OwnedSemaphorePermit,
    busy: Gauge,
}

impl BusyPermit {
    fn new(permit: OwnedSemaphorePermit, busy: &Gauge) -> Self {
        busy.inc();
        Self { _permit: permit, busy: busy.clone() }
    }
}

impl Drop for BusyPermit {
    fn drop(&mut self) {
        self.busy.dec();
    }
}

/// A pool of read connections, opened when they are first needed, up to a limit.
#[derive(Clone)]
pub(super) struct ReadPool {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    limit: u32,
    metrics: Metrics,
}

impl ReadPool {
    pub(super) fn new(path: PathBuf, limit: u32, metrics: Metrics) -> Self {
        metrics.connections.set(f64::from(limit));
        let permits = Arc::new(Semaphore::new(limit as usize));
        Self { path, idle: Arc::default(), permits, limit, metrics }
    }

    /// Runs `work` on a blocking thread, in one read transaction. Waits for a connection without a time limit.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] if the pool is closed, [`StorageError::Internal`] if `work` panics.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let closed = || StorageError::Unavailable("storage is closed".to_owned());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        let pool = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = BusyPermit::new(permit, &pool.metrics.connections_busy);
            pool.read_blocking(work)
        });
        reading.await.unwrap_or_else(|_| Err(StorageError::Internal("a read panicked".to_owned())))
    }

    /// Waits for running reads, closes the connections and rejects later reads.
    pub(super) async fn close(&self) {
        // Fails if the pool was closed before; then no read runs.
        let _ = self.permits.acquire_many(self.limit).await;
        self.permits.close();
        self.lock().clear();
    }

    fn read_blocking<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open::for_reading(&self.path)?,
        };
        // Use one transaction, so that the count and the rows of a page are of the same snapshot.
        let transaction = connection.unchecked_transaction()?;
        let result = work(&transaction);
        drop(transaction);
        // A panic in `work` drops the connection instead; the next read opens another.
        self.lock().push(connection);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        // No code panics while it holds the lock, and a list of connections cannot be inconsistent.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    /// Limit for each wait in a test.
    const DEADLINE: Duration = Duration::from_secs(30);

    /// Returns a pool on a new database, and the directory that holds it.
    fn pool(limit: u32) -> (ReadPool, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("zumra.db");
        open::for_writing(&path, Timestamp::UNIX_EPOCH).unwrap();
        (ReadPool::new(path, limit, Metrics::new()), directory)
    }

    fn count_merchants(db: &Connection) -> Result<i64> {
        Ok(db.query_row("SELECT count(*) FROM merchants", [], |row| row.get(0))?)
    }

    #[tokio::test]
    async fn panic_in_a_read_fails_that_read_alone() {
        let (pool, _directory) = pool(1);
        let panicked = pool.read(|_| -> Result<()> { panic!("a defect in a read") }).await;
        assert!(matches!(panicked, Err(StorageError::Internal(_))), "{panicked:?}");
        assert_eq!(pool.read(count_merchants).await.unwrap(), 0);
        assert_eq!(pool.metrics.connections_busy.get(), 0, "a panic releases its connection too");
    }

    #[tokio::test]
    async fn read_beyond_the_limit_waits_for_a_connection() {
        let (pool, _directory) = pool(1);
        let (start, started) = channel();
        let (resume, resumed) = channel();
        let reader = pool.clone();
        let first = tokio::spawn(async move {
            let read = move |db: &Connection| {
                start.send(()).unwrap();
                resumed.recv_timeout(DEADLINE).unwrap();
                count_merchants(db)
            };
            reader.read(read).await
        });
        tokio::task::spawn_blocking(move || started.recv_timeout(DEADLINE)).await.unwrap().unwrap();
        assert_eq!(pool.metrics.connections_busy.get(), 1);
        let mut second = Box::pin(pool.read(count_merchants));
        let waited = tokio::time::timeout(Duration::from_millis(20), &mut second).await;
        assert!(waited.is_err(), "the only connection is in use");
        resume.send(()).unwrap();
        assert_eq!(tokio::time::timeout(DEADLINE, second).await.unwrap().unwrap(), 0);
        assert_eq!(first.await.unwrap().unwrap(), 0);
        pool.close().await;
        let late = pool.read(count_merchants).await;
        assert!(matches!(late, Err(StorageError::Unavailable(_))), "{late:?}");
    }
}
