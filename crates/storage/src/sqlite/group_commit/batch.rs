//! One transaction of several writes. A write with a savepoint is rolled back alone. A write without one must fail before
//! its first change; otherwise the whole transaction is rolled back.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::job::WriteJob;
use crate::metrics::Metrics;
use crate::{Result, StorageError};

/// Maximum number of writes in one commit.
const BATCH_JOBS_MAX: usize = 256;
/// Soft limit: a batch is closed after this time if the syncer is idle.
const BATCH_TIME: Duration = Duration::from_micros(300);
/// Hard limit: a batch is closed after this time.
const BATCH_TIME_MAX: Duration = Duration::from_millis(2);

/// The writes of one transaction.
pub(super) struct Batch {
    jobs: Vec<Box<dyn WriteJob>>,
    /// Whether the transaction changed any row, so that it has to be made durable.
    has_changes: bool,
    /// Why the transaction was rolled back as a whole.
    failure: Option<String>,
}

impl Batch {
    /// Begins a transaction and runs `first` in it, then the jobs of `next_job` until a limit is reached.
    pub(super) fn collect(
        connection: &Connection,
        first: Box<dyn WriteJob>,
        next_job: impl Fn() -> Option<Box<dyn WriteJob>>,
        is_syncer_waiting: impl Fn() -> bool,
        metrics: &Metrics,
    ) -> Self {
        let mut batch = Self { jobs: Vec::new(), has_changes: false, failure: None };
        let started = Instant::now();
        if let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
            batch.failure = Some(error.to_string());
        }
        let changes_before = connection.total_changes();
        let mut next = Some(first);
        while let Some(job) = next {
            metrics.queue_depth.dec();
            batch.run(connection, job);
            let elapsed = started.elapsed();
            let is_full = batch.jobs.len() >= BATCH_JOBS_MAX
                || elapsed >= BATCH_TIME_MAX
                || (elapsed >= BATCH_TIME && is_syncer_waiting());
            next = if is_full || batch.failure.is_some() { None } else { next_job() };
        }
        batch.has_changes = connection.total_changes() != changes_before;
        batch
    }

    fn run(&mut self, connection: &Connection, mut job: Box<dyn WriteJob>) {
        let run = if job.has_savepoint() { run_in_savepoint } else { run_validated };
        if self.failure.is_none()
            && !job.is_abandoned()
            && let Err(error) = run(connection, &mut *job)
        {
            self.failure = Some(error.to_string());
        }
        self.jobs.push(job);
    }

    /// Returns the number of jobs, abandoned ones included.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Returns true if a committed change has to be made durable.
    pub(super) fn has_changes(&self) -> bool {
        self.has_changes
    }

    /// Commits without fsync. Rolls back if that fails or if a job has broken the transaction.
    pub(super) fn commit(&mut self, connection: &Connection) {
        if self.failure.is_none()
            && let Err(error) = execute(connection, "COMMIT")
        {
            self.failure = Some(error.to_string());
        }
        if let Some(error) = &self.failure {
            tracing::error!(error, writes = self.jobs.len(), "transaction rolled back; its writes fail");
            self.has_changes = false;
            if !connection.is_autocommit() {
                let _ = execute(connection, "ROLLBACK"); // SQLite may have rolled back already
            }
        }
    }

    /// Completes all jobs. `sync_failure` says why the commit could not be made durable.
    pub(super) fn complete(self, sync_failure: Option<&str>) {
        let (failure, has_changes) = (self.failure, self.has_changes);
        for job in self.jobs {
            job.complete(outcome(failure.as_deref(), has_changes, sync_failure));
        }
    }
}

/// Returns the outcome of a transaction for each of its jobs.
fn outcome(failure: Option<&str>, has_changes: bool, sync_failure: Option<&str>) -> Result<()> {
    match (failure, sync_failure) {
        (None, None) => Ok(()),
        // The commit is in the WAL. Whether it survives a power cut or a restart cannot be known.
        (None, Some(reason)) if has_changes => Err(StorageError::OutcomeUnknown(reason.to_owned())),
        // Rolled back, or nothing to lose.
        (Some(reason), _) | (None, Some(reason)) => Err(StorageError::Unavailable(reason.to_owned())),
    }
}

/// Runs a job in a savepoint, so that it is rolled back alone. An error means that the whole transaction is lost.
fn run_in_savepoint(connection: &Connection, job: &mut dyn WriteJob) -> rusqlite::Result<()> {
    execute(connection, "SAVEPOINT job")?;
    let succeeded = job.run(connection);
    require_transaction(connection)?;
    if !succeeded {
        execute(connection, "ROLLBACK TO job")?;
    }
    execute(connection, "RELEASE job")
}

/// Runs a job that validates before its first change. An error means that the whole transaction is lost.
fn run_validated(connection: &Connection, job: &mut dyn WriteJob) -> rusqlite::Result<()> {
    let changes_before = connection.total_changes();
    let succeeded = job.run(connection);
    require_transaction(connection)?;
    if succeeded || connection.total_changes() == changes_before {
        Ok(())
    } else {
        Err(failure(rusqlite::ffi::SQLITE_ABORT))
    }
}

/// Fails if no transaction is open. SQLite rolls the whole transaction back by itself when the disk is full.
fn require_transaction(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() { Err(failure(rusqlite::ffi::SQLITE_FULL)) } else { Ok(()) }
}

fn failure(code: std::ffi::c_int) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::super::job::WriteRequest;
    use super::*;
    use crate::Resource;

    /// Returns a job that inserts a row and then returns `result`, and the receiver of its outcome.
    fn insert(result: Result<()>, has_savepoint: bool) -> (Box<dyn WriteJob>, oneshot::Receiver<Result<()>>) {
        let (reply, outcome) = oneshot::channel();
        let work = |connection: &Connection| {
            connection.execute("INSERT INTO rows DEFAULT VALUES", [])?;
            result
        };
        let request = if has_savepoint {
            WriteRequest::with_savepoint(work, reply)
        } else {
            WriteRequest::validated(work, reply)
        };
        (Box::new(request), outcome)
    }

    /// Runs a write that succeeds and one that fails in one batch. Returns their outcomes and the number of rows.
    fn run_beside_failing_write(has_savepoint: bool) -> (Result<()>, Result<()>, i64) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY); BEGIN").unwrap();
        let mut batch = Batch { jobs: Vec::new(), has_changes: true, failure: None };
        let (good, mut good_outcome) = insert(Ok(()), true);
        let (bad, mut bad_outcome) = insert(Err(StorageError::NotFound(Resource::Group)), has_savepoint);
        batch.run(&connection, good);
        batch.run(&connection, bad);
        batch.commit(&connection);
        batch.complete(None);
        let rows = connection.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).unwrap();
        (good_outcome.try_recv().unwrap(), bad_outcome.try_recv().unwrap(), rows)
    }

    #[test]
    fn failing_write_with_savepoint_is_rolled_back_alone() {
        let (good, bad, rows) = run_beside_failing_write(true);
        assert!(good.is_ok(), "{good:?}");
        assert!(matches!(bad, Err(StorageError::NotFound(_))), "{bad:?}");
        assert_eq!(rows, 1);
    }

    #[test]
    fn failing_write_without_savepoint_rolls_back_its_neighbors() {
        let (good, bad, rows) = run_beside_failing_write(false);
        assert!(matches!(good, Err(StorageError::Unavailable(_))), "{good:?}");
        assert!(matches!(bad, Err(StorageError::NotFound(_))), "{bad:?}");
        assert_eq!(rows, 0);
    }

    #[test]
    fn only_a_commit_without_fsync_has_an_unknown_outcome() {
        assert!(outcome(None, true, None).is_ok());
        assert!(
            matches!(outcome(None, true, Some("disk")), Err(StorageError::OutcomeUnknown(why)) if why == "disk")
        );
        assert!(
            matches!(outcome(None, false, Some("disk")), Err(StorageError::Unavailable(why)) if why == "disk")
        );
        for sync_failure in [None, Some("disk")] {
            let rolled_back = outcome(Some("full"), false, sync_failure);
            assert!(matches!(rolled_back, Err(StorageError::Unavailable(why)) if why == "full"));
        }
    }

    /// Returns the size of a batch of jobs that each take `job_time`, taken from a queue that never ends.
    fn collected_jobs(job_time: Duration, is_syncer_waiting: bool) -> usize {
        let connection = Connection::open_in_memory().unwrap();
        let job = || -> Box<dyn WriteJob> {
            let (reply, outcome) = oneshot::channel();
            drop(outcome); // an abandoned job is not run: it takes the time of this closure alone
            if !job_time.is_zero() {
                std::thread::sleep(job_time);
            }
            Box::new(WriteRequest::validated(|_: &Connection| Ok(()), reply))
        };
        let mut batch =
            Batch::collect(&connection, job(), || Some(job()), || is_syncer_waiting, &Metrics::new());
        batch.commit(&connection);
        assert!(connection.is_autocommit() && !batch.has_changes());
        batch.len()
    }

    /// Returns true if an attempt succeeds. Time limits may close a batch early on a busy host.
    fn succeeds_once(attempt: impl Fn() -> bool) -> bool {
        (0..100).any(|_| attempt())
    }

    #[test]
    fn batch_is_closed_at_its_limit() {
        assert!(succeeds_once(|| {
            let jobs = collected_jobs(Duration::ZERO, false);
            assert!(jobs <= BATCH_JOBS_MAX, "{jobs}");
            jobs == BATCH_JOBS_MAX
        }));
    }

    #[test]
    fn batch_is_closed_early_if_the_syncer_waits() {
        // The second job begins after the soft limit and before the hard one.
        let job_time = BATCH_TIME * 2;
        assert!(collected_jobs(job_time, true) <= 2);
        assert!(succeeds_once(|| collected_jobs(job_time, false) > 2));
        assert!(collected_jobs(job_time, false) <= 5, "the hard limit applies to both");
    }
}
