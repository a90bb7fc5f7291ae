//! One queued write and the channel to its caller.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{Result, StorageError};

/// A write that the threads run and complete.
pub(super) trait WriteJob: Send {
    /// Returns true if the caller has gone away. Such a job is not run.
    fn is_abandoned(&self) -> bool;
    /// Returns true if the job runs in its own savepoint.
    fn has_savepoint(&self) -> bool;
    /// Runs the job and stores its result. Returns false if its changes must be rolled back.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Sends the result to the caller: the job's own, or the error that `committed` carries.
    fn complete(self: Box<Self>, committed: Result<()>);
}

/// A closure with the channel to the caller that waits for its result.
pub(super) struct WriteRequest<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    has_savepoint: bool,
}

impl<T, F> WriteRequest<T, F> {
    /// Returns a request whose changes can be rolled back alone.
    pub(super) fn with_savepoint(work: F, reply: oneshot::Sender<Result<T>>) -> Self {
        Self { work: Some(work), result: None, reply, has_savepoint: true }
    }

    /// Returns a request that validates before its first change, and so needs no savepoint.
    pub(super) fn validated(work: F, reply: oneshot::Sender<Result<T>>) -> Self {
        Self { work: Some(work), result: None, reply, has_savepoint: false }
    }
}

impl<T, F> WriteJob for WriteRequest<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn has_savepoint(&self) -> bool {
        self.has_savepoint
    }

    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        // A panic in one write must not end the writer thread and fail every later write.
        let result = catch_unwind(AssertUnwindSafe(|| work(connection)))
            .unwrap_or_else(|_| Err(StorageError::Internal("a write panicked".to_owned())));
        let is_ok = result.is_ok();
        self.result = Some(result);
        is_ok
    }

    fn complete(self: Box<Self>, committed: Result<()>) {
        let result = match (self.result, committed) {
            // A write that failed has changed nothing, so its own error is exact, whether or not the commit is durable.
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StorageError::Unavailable("the write was not run".to_owned())),
        };
        let _ = self.reply.send(result); // the caller may have gone away
    }
}
