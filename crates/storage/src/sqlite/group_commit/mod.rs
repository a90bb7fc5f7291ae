//! Group commit: one thread writes, one makes commits durable, one checkpoints.
//!
//! The *writer* runs queued jobs in batches, one transaction each, and commits without fsync. The *syncer* fsyncs the
//! WAL and then completes the jobs: one fsync covers every commit made before it started. Neither waits for the other.
//! The *checkpointer* moves WAL pages into the database file.
//!
//! ```text
//!  caller              writer                    syncer                checkpointer
//!    |                   |                          |                        |
//!    | push(job) ------->|                          |                        |
//!    | awaits reply      | BEGIN IMMEDIATE          |                        |
//!    |                   | run job, and more jobs   |                        |
//!    |                   | COMMIT (no fsync)        |                        |
//!    |                   | hand_over(batch) ------->|                        |
//!    |                   | next batch …             | fsync WAL              |
//!    |<------------------+--- complete(result) -----|                        |
//!    |                   | next batch …             | takes all batches      |
//!    |                   |                          | committed meanwhile …  |
//!    |                   |                          |                        |
//!    |                   | 1,000 WAL pages behind: wake -------------------->|
//!    |                   | next batch …             |                        | checkpoint
//!    |                   |                          |                        | fsync database file
//!    |                   | 8,000 WAL pages: completes the checkpoint; the next commit resets the WAL
//! ```
//!
//! A write that fails is rolled back alone. After a failed fsync, committed writes get
//! [`StorageError::OutcomeUnknown`], queued writes get [`StorageError::Unavailable`], and the engine rejects writes
//! until a restart has read the WAL. Reasons and measurements: `docs/decisions/0011-group-commit.md`.

mod batch;
mod checkpointer;
mod job;
mod queue;
mod syncer;
#[cfg(test)]
mod tests;
mod wal;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::metrics::Metrics;
use crate::{Result, StorageError};
use batch::Batch;
pub(super) use checkpointer::Checkpointer;
use job::{WriteJob, WriteRequest};
use queue::Queue;
pub(super) use wal::{Fsync, database_fsync, wal_fsync};

/// A handle to the writer and syncer threads.
pub(super) struct Writer {
    queue: Arc<Queue<Box<dyn WriteJob>, Batch>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    metrics: Metrics,
}

impl Writer {
    /// Starts the threads. `fsync` makes commits of `connection` durable; at most `queue_limit` writes are pending.
    pub(super) fn start(
        connection: Connection,
        queue_limit: usize,
        metrics: Metrics,
        fsync: Fsync,
        checkpointer: Option<Checkpointer>,
    ) -> Result<Self> {
        let queue = Arc::new(Queue::new(queue_limit));
        let writer = Self { queue: Arc::clone(&queue), threads: Mutex::default(), metrics: metrics.clone() };
        let (syncer_queue, writer_metrics) = (Arc::clone(&queue), metrics.clone());
        writer.spawn("zumra-syncer", move || syncer::run(&syncer_queue, &fsync, &metrics))?;
        writer
            .spawn("zumra-writer", move || writer::run(&connection, &queue, checkpointer, &writer_metrics))?;
        Ok(writer)
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|error| {
            let reason = format!("cannot start thread {name}: {error}");
            self.queue.writer_exited(&reason); // ends the syncer if this is the writer
            StorageError::Unavailable(reason)
        })?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Runs `work` in a transaction and returns its result once the commit is durable.
    ///
    /// `work` has its own savepoint: an error rolls back its changes and no others.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        self.enqueue(Box::new(WriteRequest::with_savepoint(work, reply)), result).await
    }

    /// Like [`Writer::write`], but without a savepoint, which is faster.
    ///
    /// `work` must validate before its first change. If it fails after that, the whole transaction is rolled back, and
    /// every write in it fails with [`StorageError::Unavailable`].
    pub(super) async fn write_validated<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        self.enqueue(Box::new(WriteRequest::validated(work, reply)), result).await
    }

    async fn enqueue<T>(&self, job: Box<dyn WriteJob>, result: oneshot::Receiver<Result<T>>) -> Result<T> {
        // Increment before the push, because the writer may decrement at once.
        self.metrics.queue_depth.inc();
        if let Err(error) = self.queue.push(job) {
            self.metrics.queue_depth.dec();
            return Err(error);
        }
        // The reply is dropped only if the thread that runs the job panics. The write may have been committed before.
        let panicked = || StorageError::OutcomeUnknown("the thread that had the write panicked".to_owned());
        result.await.unwrap_or_else(|_| Err(panicked()))
    }

    /// Rejects new writes, and waits until all accepted writes are completed.
    pub(super) async fn close(&self) {
        let threads = self.stop();
        let _ = tokio::task::spawn_blocking(move || threads.into_iter().for_each(join)).await;
    }

    /// Closes the queue. Returns the threads on the first call, and no threads afterwards.
    fn stop(&self) -> Vec<JoinHandle<()>> {
        self.queue.close("storage is closed");
        std::mem::take(&mut self.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop().into_iter().for_each(join);
    }
}

fn join(thread: JoinHandle<()>) {
    let _ = thread.join(); // an error means that the thread panicked, and there is nothing left to do
}
