//! The only thread that writes to the database.

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::batch::Batch;
use super::checkpointer::{Checkpointer, is_fsync_failure};
use super::job::WriteJob;
use super::queue::Queue;
use super::syncer;
use crate::StorageError;
use crate::metrics::Metrics;

/// Runs queued jobs in batches until the queue is closed and drained, or has failed.
pub(super) fn run(
    connection: &Connection,
    queue: &Queue<Box<dyn WriteJob>, Batch>,
    mut checkpointer: Option<Checkpointer>,
    metrics: &Metrics,
) {
    let guard = ExitGuard { queue, metrics };
    while let Some(first) = queue.next_job() {
        let next_job = || queue.try_next_job();
        let is_syncer_waiting = || queue.is_syncer_waiting();
        let mut batch = Batch::collect(connection, first, next_job, is_syncer_waiting, metrics);
        batch.commit(connection);
        let jobs = batch.len();
        if let Err(batch) = queue.hand_over(batch, jobs) {
            batch.complete(Some(syncer::EXITED));
        }
        // After a failed fsync, the WAL may be the only copy: it must not be checkpointed and reset.
        if let Some(checkpointer) = &mut checkpointer
            && !queue.has_failed()
            && let Err(error) = checkpointer.bound_wal(connection)
        {
            if is_fsync_failure(&error) {
                tracing::error!(%error, "database file fsync failed; rejecting writes until restart");
                queue
                    .fail(&format!("database file fsync failed: {error}; writes are rejected until restart"));
            } else {
                tracing::warn!(%error, "WAL checkpoint failed; retrying after the next commit");
            }
        }
    }
    // The fsync of the last batches may still fail.
    drop(guard);
    queue.wait_for_syncer_exit();
    if queue.has_failed() {
        // A restart has to read the WAL, so closing the database must not checkpoint and delete it.
        let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

/// A guard that closes the queue when the thread exits, including by panic. Queued jobs then fail instead of hanging.
struct ExitGuard<'a> {
    queue: &'a Queue<Box<dyn WriteJob>, Batch>,
    metrics: &'a Metrics,
}

impl Drop for ExitGuard<'_> {
    fn drop(&mut self) {
        let (never_run, reason) =
            self.queue.writer_exited("the writer thread has exited; writes are rejected until restart");
        for job in never_run {
            self.metrics.queue_depth.dec();
            job.complete(Err(StorageError::Unavailable(reason.clone())));
        }
    }
}
