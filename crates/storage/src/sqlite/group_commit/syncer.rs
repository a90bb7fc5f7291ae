//! The thread that fsyncs the WAL and completes writes.

use std::thread;
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::job::WriteJob;
use super::queue::Queue;
use super::wal::Fsync;
use crate::metrics::Metrics;

/// Makes committed batches durable and completes their jobs, until the writer has exited.
pub(super) fn run(queue: &Queue<Box<dyn WriteJob>, Batch>, fsync: &Fsync, metrics: &Metrics) {
    let _guard = ExitGuard(queue);
    let mut failure: Option<String> = None;
    let (mut last_jobs, mut last_fsync) = (0, Duration::ZERO);
    loop {
        // Clients completed by one fsync tend to write again together. Wait for half of the previous group, for at most
        // half of the last fsync time. Otherwise an fsync for the first write alone would delay all the others.
        let batches = queue.take_committed(last_jobs / 2, last_fsync / 2);
        if batches.is_empty() {
            return;
        }
        let started = Instant::now();
        // Do not retry a failed fsync. A successful retry would prove nothing, because the kernel reports a failure
        // once and drops the pages that it could not write.
        if failure.is_none()
            && batches.iter().any(Batch::has_changes)
            && let Err(error) = fsync()
        {
            tracing::error!(%error, "WAL fsync failed; rejecting writes until restart");
            let reason = format!("WAL fsync failed: {error}; writes are rejected until restart");
            queue.fail(&reason);
            failure = Some(reason);
        }
        last_fsync = started.elapsed();
        last_jobs = batches.iter().map(Batch::len).sum();
        if failure.is_none() {
            metrics.commit_seconds.observe(last_fsync.as_secs_f64());
            metrics.batch_operations.observe(u32::try_from(last_jobs).map_or(f64::MAX, f64::from));
            metrics.operations.inc_by(last_jobs as u64);
        }
        queue.complete(last_jobs);
        for batch in batches {
            batch.complete(failure.as_deref());
        }
    }
}

/// A guard that completes committed batches when the thread exits by panic, so that their callers do not hang.
struct ExitGuard<'a>(&'a Queue<Box<dyn WriteJob>, Batch>);

impl Drop for ExitGuard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail(EXITED);
        }
        for batch in self.0.syncer_exited() {
            batch.complete(Some(EXITED));
        }
    }
}

/// Why commits are not made durable after a panic of this thread.
pub(super) const EXITED: &str = "the syncer thread has exited; writes are rejected until restart";
