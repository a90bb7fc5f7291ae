//! The operations of one transaction: one after another, each kept or undone by itself.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::job::Job;
use super::queue::Queue;
use crate::StorageError;
use crate::metrics::Metrics;

/// Operations in one commit at most.
const BATCH_OPERATIONS: usize = 256;
/// A batch that has run this long takes no more if the disk waits for it, …
const BATCH_TIME: Duration = Duration::from_micros(300);
/// … and one that has run this long takes no more.
const BATCH_TIME_MAX: Duration = Duration::from_millis(2);

/// The operations of one transaction.
pub(super) struct Batch {
    jobs: Vec<Box<dyn Job>>,
    /// Whether there is anything to make durable.
    pub(super) has_changes: bool,
    /// What ended the transaction before its time, if anything did.
    broken: Option<String>,
}

impl Batch {
    /// Begins a transaction, and runs in it what waits.
    pub(super) fn collect(
        connection: &Connection,
        first: Box<dyn Job>,
        queue: &Queue,
        metrics: &Metrics,
    ) -> Self {
        let mut batch = Self { jobs: Vec::new(), has_changes: false, broken: None };
        let begun = Instant::now();
        if let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
            batch.broken = Some(error.to_string());
        }
        let before = connection.total_changes();
        let mut next = Some(first);
        while let Some(job) = next {
            metrics.queue_depth.dec();
            batch.take(connection, job);
            let took = begun.elapsed();
            let is_full = batch.jobs.len() >= BATCH_OPERATIONS
                || took >= BATCH_TIME_MAX
                || (took >= BATCH_TIME && queue.keeper_waits());
            next = if is_full || batch.broken.is_some() { None } else { queue.waiting_job() };
        }
        batch.has_changes = connection.total_changes() != before;
        batch
    }

    fn take(&mut self, connection: &Connection, mut job: Box<dyn Job>) {
        let run = if job.can_be_undone() { run_in_savepoint } else { run_checked };
        if self.broken.is_none()
            && !job.is_abandoned()
            && let Err(error) = run(connection, &mut *job)
        {
            self.broken = Some(error.to_string());
        }
        self.jobs.push(job);
    }

    /// How many there are.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Commits, without waiting for the disk.
    pub(super) fn commit(&mut self, connection: &Connection) {
        if self.broken.is_none()
            && let Err(error) = execute(connection, "COMMIT")
        {
            self.broken = Some(error.to_string());
        }
        if let Some(error) = &self.broken {
            tracing::error!(error, operations = self.jobs.len(), "a batch of operations was undone");
            self.has_changes = false;
            if !connection.is_autocommit() {
                let _ = execute(connection, "ROLLBACK"); // there is nothing left to undo if it fails
            }
        }
    }

    /// Answers its jobs, unless the disk refused to keep it.
    pub(super) fn answer(self, refused: Option<&str>) {
        let error = self.broken.as_deref().or(refused);
        for job in self.jobs {
            job.answer(error.map_or(Ok(()), |error| Err(StorageError::Unavailable(error.to_owned()))));
        }
    }
}

/// Runs a job so that it can be undone alone. An error means that the whole transaction is lost, not only this job.
fn run_in_savepoint(connection: &Connection, job: &mut dyn Job) -> rusqlite::Result<()> {
    execute(connection, "SAVEPOINT job")?;
    let keep = job.run(connection);
    require_transaction(connection)?;
    if !keep {
        execute(connection, "ROLLBACK TO job")?;
    }
    execute(connection, "RELEASE job")
}

/// Runs a job that makes sure of everything before it changes anything.
fn run_checked(connection: &Connection, job: &mut dyn Job) -> rusqlite::Result<()> {
    let before = connection.total_changes();
    let keep = job.run(connection);
    require_transaction(connection)?;
    if keep || connection.total_changes() == before {
        Ok(())
    } else {
        Err(failure(rusqlite::ffi::SQLITE_ABORT))
    }
}

/// A full disk makes SQLite undo the whole transaction by itself; then there is no part of it to go back to.
fn require_transaction(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() { Err(failure(rusqlite::ffi::SQLITE_FULL)) } else { Ok(()) }
}

fn failure(code: std::ffi::c_int) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
