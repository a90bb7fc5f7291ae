//! The write-ahead log of the file: making what is in it durable, and moving it into the file.
//!
//! The writer commits into the log without waiting for the disk. What makes a commit durable is a sync of the log, and
//! that is the keeper's work, on its own thread: see `queue.rs`. Moving pages from the log into the file takes several
//! syncs and is done beside the writer too; only the last of them, after which the log can begin anew, are moved by the
//! writer itself, because the log has no end as long as it writes.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::{Result, StorageError};

/// Pages behind the file at which moving them is worth two syncs: 4 MiB.
const STEP_PAGES: i64 = 1000;
/// Pages of a log that should begin anew: 32 MiB. After a crash, this is what has to be read before the first answer.
const LOG_PAGES: i64 = 8 * STEP_PAGES;
/// Pages of a log at which the writer waits until it is moved, however long that takes.
const LOG_PAGES_MAX: i64 = 4 * LOG_PAGES;

/// Syncs the log of a database file.
pub(super) type SyncLog = Box<dyn Fn() -> io::Result<()> + Send>;

/// What makes the log of the database at `path` durable. The writer's connection must have the log open.
pub(super) fn sync(path: &Path) -> Result<SyncLog> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    // As long as a connection is there, the log stays this file: it is only ever begun anew.
    let log = File::open(&name)
        .map_err(|error| StorageError::Unavailable(format!("{}: {error}", Path::new(&name).display())))?;
    Ok(Box::new(move || log.sync_data()))
}

/// Moves the log into the file, on a thread and a connection of its own.
pub(super) struct Checkpoints {
    wake: Option<SyncSender<()>>,
    is_busy: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The writer tries to finish the log when it has this many pages.
    finish_at: i64,
}

impl Checkpoints {
    pub(super) fn start(connection: Connection) -> Result<Self> {
        let (wake, woken) = sync_channel(1);
        let is_busy = Arc::new(AtomicBool::new(false));
        let of_thread = Arc::clone(&is_busy);
        let thread = std::thread::Builder::new()
            .name("zumra-log".to_owned())
            .spawn(move || run(&connection, &woken, &of_thread))
            .map_err(|error| StorageError::Unavailable(format!("no thread for the log: {error}")))?;
        Ok(Self { wake: Some(wake), is_busy, thread: Some(thread), finish_at: LOG_PAGES })
    }

    /// Sees to it that the log does not grow for ever. The writer calls this between two transactions.
    pub(super) fn look_after(&mut self, writer: &Connection) -> rusqlite::Result<()> {
        if self.is_busy.load(Ordering::Acquire) {
            return Ok(());
        }
        let (pages, moved) = checkpoint(writer, "PRAGMA wal_checkpoint(NOOP)")?;
        if pages < LOG_PAGES {
            self.finish_at = LOG_PAGES;
        }
        let behind = pages - moved;
        if pages >= self.finish_at && (behind < STEP_PAGES || pages >= LOG_PAGES_MAX) {
            // If somebody still reads what is older, the log goes on growing, and it is tried again later.
            self.finish_at = pages + STEP_PAGES;
            checkpoint(writer, "PRAGMA wal_checkpoint(PASSIVE)")?;
        } else if behind >= STEP_PAGES {
            self.is_busy.store(true, Ordering::Release);
            if let Some(wake) = &self.wake {
                let _ = wake.try_send(()); // it is not busy, so there is room
            }
        }
        Ok(())
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // what is not moved now is moved when the file is closed
        }
    }
}

fn run(connection: &Connection, woken: &Receiver<()>, is_busy: &AtomicBool) {
    while woken.recv().is_ok() {
        if let Err(error) = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)") {
            tracing::warn!(%error, "the log could not be moved into the file");
        }
        is_busy.store(false, Ordering::Release);
    }
}

/// Pages in the log, and how many of them are in the file too.
fn checkpoint(connection: &Connection, pragma: &str) -> rusqlite::Result<(i64, i64)> {
    connection.prepare_cached(pragma)?.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))
}
