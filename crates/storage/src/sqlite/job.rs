//! One operation on its way through the threads of the engine.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::writer::closed;
use crate::{Result, StorageError};

/// What the threads do with an operation.
pub(super) trait Job: Send {
    /// Whether nobody waits for the answer any more: then it is not begun.
    fn is_abandoned(&self) -> bool;
    /// Whether it runs so that its changes can be undone without those of others.
    fn can_be_undone(&self) -> bool;
    /// Does the work and keeps the result. False if the work is to be undone.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Sends the result, or why there is none after all.
    fn answer(self: Box<Self>, committed: Result<()>);
}

/// A job made of a closure.
pub(super) struct Task<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    can_be_undone: bool,
}

impl<T, F> Task<T, F> {
    /// Work, and who waits for its result.
    pub(super) fn new(work: F, reply: oneshot::Sender<Result<T>>, can_be_undone: bool) -> Self {
        Self { work: Some(work), result: None, reply, can_be_undone }
    }
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn can_be_undone(&self) -> bool {
        self.can_be_undone
    }

    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        // A mistake in one operation must not take the thread, and every later operation, with it.
        let result = catch_unwind(AssertUnwindSafe(|| work(connection)))
            .unwrap_or_else(|_| Err(StorageError::Internal("an operation panicked".to_owned())));
        self.result.insert(result).is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let result = match (self.result, committed) {
            // A result that is an error wrote nothing, so the commit is no news to it.
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(closed()),
        };
        let _ = self.reply.send(result); // nobody may be waiting any more
    }
}
