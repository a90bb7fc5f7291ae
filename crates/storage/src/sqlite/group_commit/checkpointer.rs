//! The thread that checkpoints: it moves pages from the WAL into the database file.
//!
//! A checkpoint takes several fsyncs, so it runs beside the writer. Only the last pages, after which SQLite resets the
//! WAL, are moved by the writer itself: a WAL that is being written cannot be checkpointed to its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::ffi::{Error as Code, SQLITE_IOERR_FSYNC};

use super::wal::Fsync;
use crate::{Result, StorageError};

/// Number of WAL pages not yet in the database file at which a checkpoint is worth its two fsyncs: 4 MiB.
const CHECKPOINT_PAGES: i64 = 1000;
/// Size at which the WAL should be reset: 32 MiB. After a crash, this much is read before the first response.
const RESET_PAGES: i64 = 8 * CHECKPOINT_PAGES;
/// Size at which the writer completes the checkpoint, even if that takes long: 128 MiB.
const RESET_PAGES_MAX: i64 = 4 * RESET_PAGES;

/// A handle to the thread, which has its own connection.
pub(in crate::sqlite) struct Checkpointer {
    wake_sender: Option<SyncSender<()>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// WAL size in pages at which the writer tries to complete a checkpoint.
    complete_at: i64,
}

/// What the thread reports to the writer.
#[derive(Default)]
struct Shared {
    is_busy: AtomicBool,
    /// Why an fsync of the database file failed.
    fsync_failure: OnceLock<String>,
}

impl Checkpointer {
    /// Starts the thread. `fsync` makes durable what `connection` has moved into the database file.
    pub(in crate::sqlite) fn start(connection: Connection, fsync: Fsync) -> Result<Self> {
        let (wake_sender, wake_receiver) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let thread_shared = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("zumra-checkpt".to_owned()) // Linux cuts names at 15 bytes
            .spawn(move || run(&connection, &fsync, &wake_receiver, &thread_shared))
            .map_err(|error| StorageError::Unavailable(format!("cannot start the checkpointer: {error}")))?;
        Ok(Self { wake_sender: Some(wake_sender), shared, thread: Some(thread), complete_at: RESET_PAGES })
    }

    /// Bounds the size of the WAL. The writer calls this between two transactions.
    ///
    /// # Errors
    /// After an error that [`is_fsync_failure`], the WAL must not be reset: it may be the only durable copy.
    pub(super) fn bound_wal(&mut self, writer: &Connection) -> rusqlite::Result<()> {
        if self.shared.is_busy.load(Ordering::Acquire) {
            return Ok(());
        }
        if let Some(reason) = self.shared.fsync_failure.get() {
            return Err(rusqlite::Error::SqliteFailure(Code::new(SQLITE_IOERR_FSYNC), Some(reason.clone())));
        }
        let wal = checkpoint(writer, "PRAGMA wal_checkpoint(NOOP)")?;
        let (action, complete_at) = plan(wal, self.complete_at);
        self.complete_at = complete_at;
        match action {
            Action::Wait => {}
            Action::Complete => drop(checkpoint(writer, "PRAGMA wal_checkpoint(PASSIVE)")?),
            Action::Wake => {
                self.shared.is_busy.store(true, Ordering::Release);
                if let Some(wake_sender) = &self.wake_sender {
                    let _ = wake_sender.try_send(()); // the thread is not busy, so the channel is empty
                }
            }
        }
        Ok(())
    }
}

/// The size of the WAL.
#[derive(Debug, Clone, Copy)]
struct WalSize {
    pages: i64,
    /// How many of the pages are in the database file too.
    checkpointed: i64,
}

/// What to do with a WAL.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    /// Nothing: too little to move.
    Wait,
    /// Wake the checkpointer; the writer continues meanwhile.
    Wake,
    /// Checkpoint on the writer's connection, so that the next transaction can reset the WAL.
    Complete,
}

/// Decides what to do with the WAL. Returns the action, and the next WAL size at which the writer completes a
/// checkpoint.
///
/// The writer completes once little is left to move, or once the WAL has reached its maximum. An open read transaction
/// can prevent the reset; the WAL then has to grow by one step before the next attempt.
fn plan(wal: WalSize, complete_at: i64) -> (Action, i64) {
    let complete_at = if wal.pages < RESET_PAGES { RESET_PAGES } else { complete_at };
    let remaining = wal.pages - wal.checkpointed;
    let can_complete = remaining < CHECKPOINT_PAGES || wal.pages >= RESET_PAGES_MAX;
    if wal.pages >= complete_at && can_complete {
        (Action::Complete, wal.pages + CHECKPOINT_PAGES)
    } else if remaining >= CHECKPOINT_PAGES {
        (Action::Wake, complete_at)
    } else {
        (Action::Wait, complete_at)
    }
}

/// Returns true if an fsync of the database file failed. A retry that succeeds would prove nothing, because the kernel
/// drops pages that it could not write.
pub(super) fn is_fsync_failure(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_FSYNC)
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.wake_sender.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // closing the database checkpoints the remaining pages
        }
    }
}

fn run(connection: &Connection, fsync: &Fsync, wake_receiver: &Receiver<()>, shared: &Shared) {
    while wake_receiver.recv().is_ok() {
        let fsync_failure = match checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)") {
            // SQLite fsyncs the file only after a complete checkpoint, which the writer runs. Fsync the file here, so
            // that the writer waits less.
            Ok(_) => fsync().err().map(|error| error.to_string()),
            Err(error) if is_fsync_failure(&error) => Some(error.to_string()),
            Err(error) => {
                tracing::warn!(%error, "WAL checkpoint failed; retrying after the next commit");
                None
            }
        };
        if let Some(reason) = fsync_failure {
            let _ = shared.fsync_failure.set(reason); // the first reason stays
        }
        shared.is_busy.store(false, Ordering::Release);
    }
}

/// Runs a checkpoint pragma and returns the size of the WAL after it.
fn checkpoint(connection: &Connection, pragma: &str) -> rusqlite::Result<WalSize> {
    let size = |row: &rusqlite::Row<'_>| Ok(WalSize { pages: row.get(1)?, checkpointed: row.get(2)? });
    connection.prepare_cached(pragma)?.query_row([], size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(pages: i64, checkpointed: i64) -> Action {
        plan(WalSize { pages, checkpointed }, RESET_PAGES).0
    }

    #[test]
    fn checkpointer_is_woken_when_a_checkpoint_is_worth_it() {
        assert_eq!(action(0, 0), Action::Wait);
        assert_eq!(action(999, 0), Action::Wait);
        assert_eq!(action(1000, 0), Action::Wake);
        assert_eq!(action(7999, 6999), Action::Wake);
    }

    #[test]
    fn writer_completes_a_large_wal_when_little_remains() {
        assert_eq!(action(7999, 7999), Action::Wait, "not large enough for a reset");
        assert_eq!(action(8000, 7001), Action::Complete);
        assert_eq!(action(8000, 7000), Action::Wake, "too much remains");
        assert_eq!(action(31_999, 0), Action::Wake);
        assert_eq!(action(32_000, 0), Action::Complete, "the maximum");
    }

    #[test]
    fn wal_that_cannot_be_reset_grows_by_one_step_before_the_next_attempt() {
        let (action, complete_at) = plan(WalSize { pages: 8000, checkpointed: 8000 }, RESET_PAGES);
        assert_eq!((action, complete_at), (Action::Complete, 9000));
        assert_eq!(plan(WalSize { pages: 8999, checkpointed: 8500 }, complete_at), (Action::Wait, 9000));
        assert_eq!(
            plan(WalSize { pages: 9000, checkpointed: 8500 }, complete_at),
            (Action::Complete, 10_000)
        );
        // After a reset the next attempt is at the first size again.
        assert_eq!(plan(WalSize { pages: 1, checkpointed: 0 }, 10_000), (Action::Wait, RESET_PAGES));
    }
}
