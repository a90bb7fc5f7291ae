//! The write-ahead log of the file: making what is in it durable, and moving it into the file.
//!
//! The writer commits into the log without waiting for the disk. What makes a commit durable is a sync of the log, and
//! that is the keeper's work, on its own thread: see `queue.rs`. Moving pages from the log into the file takes several
//! syncs and is done beside the writer too; only the last of them, after which the log can begin anew, are moved by the
//! writer itself, because the log has no end as long as it writes.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::ffi::{Error as Code, SQLITE_IOERR_FSYNC};

use crate::{Result, StorageError};

/// Pages behind the file at which moving them is worth two syncs: 4 MiB.
const STEP_PAGES: i64 = 1000;
/// Pages of a log that should begin anew: 32 MiB. After a crash, this is what has to be read before the first answer.
const LOG_PAGES: i64 = 8 * STEP_PAGES;
/// Pages of a log at which the writer waits until it is moved, however long that takes.
const LOG_PAGES_MAX: i64 = 4 * LOG_PAGES;

/// Makes durable what was written to a file.
pub(super) type SyncFile = Box<dyn Fn() -> io::Result<()> + Send>;

/// What makes the log of the database at `path` durable. The writer's connection must have the log open.
pub(super) fn sync_log(path: &Path) -> Result<SyncFile> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    // As long as a connection is there, the log stays this file: it is only ever begun anew.
    let log = open(Path::new(&name))?;
    Ok(Box::new(move || log.sync_data()))
}

/// What makes the database file at `path` itself durable.
pub(super) fn sync_database(path: &Path) -> Result<SyncFile> {
    // It is never closed: whoever closes a file gives up all locks that the process has on it, SQLite's too.
    let file: &'static File = Box::leak(Box::new(open(path)?));
    Ok(Box::new(|| file.sync_data()))
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| StorageError::Unavailable(format!("{}: {error}", path.display())))
}

/// Moves the log into the file, on a thread and a connection of its own.
pub(super) struct Checkpoints {
    wake: Option<SyncSender<()>>,
    progress: Arc<Progress>,
    thread: Option<JoinHandle<()>>,
    /// The writer tries to finish the log when it has this many pages.
    finish_at: i64,
}

/// How far the thread is.
#[derive(Default)]
struct Progress {
    is_busy: AtomicBool,
    /// Why the disk did not keep what was moved.
    refused: OnceLock<String>,
}

impl Checkpoints {
    /// `sync` makes durable what `connection` has moved into the file.
    pub(super) fn start(connection: Connection, sync: SyncFile) -> Result<Self> {
        let (wake, woken) = sync_channel(1);
        let progress = Arc::new(Progress::default());
        let of_thread = Arc::clone(&progress);
        let thread = std::thread::Builder::new()
            .name("zumra-log".to_owned())
            .spawn(move || run(&connection, &sync, &woken, &of_thread))
            .map_err(|error| StorageError::Unavailable(format!("no thread for the log: {error}")))?;
        Ok(Self { wake: Some(wake), progress, thread: Some(thread), finish_at: LOG_PAGES })
    }

    /// Sees to it that the log does not grow for ever. The writer calls this between two transactions. After an error
    /// that [`is_refusal`], the log must not begin anew: it is all that is sure to be there.
    pub(super) fn look_after(&mut self, writer: &Connection) -> rusqlite::Result<()> {
        if self.progress.is_busy.load(Ordering::Acquire) {
            return Ok(());
        }
        if let Some(why) = self.progress.refused.get() {
            return Err(rusqlite::Error::SqliteFailure(Code::new(SQLITE_IOERR_FSYNC), Some(why.clone())));
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
            self.progress.is_busy.store(true, Ordering::Release);
            if let Some(wake) = &self.wake {
                let _ = wake.try_send(()); // it is not busy, so there is room
            }
        }
        Ok(())
    }
}

/// Whether the disk did not keep what was written to the file. A second try that works would prove nothing: what the
/// system could not write it forgets.
pub(super) fn is_refusal(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_FSYNC)
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // what is not moved now is moved when the file is closed
        }
    }
}

fn run(connection: &Connection, sync: &SyncFile, woken: &Receiver<()>, progress: &Progress) {
    while woken.recv().is_ok() {
        let refused = match checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)") {
            // SQLite syncs the file only when the whole log is in it, which is when the writer waits for it.
            Ok(_) => sync().err().map(|error| error.to_string()),
            Err(error) if is_refusal(&error) => Some(error.to_string()),
            Err(error) => {
                tracing::warn!(%error, "the log could not be moved into the file");
                None
            }
        };
        if let Some(why) = refused {
            let _ = progress.refused.set(why); // the first reason counts
        }
        progress.is_busy.store(false, Ordering::Release);
    }
}

/// Pages in the log, and how many of them are in the file too.
fn checkpoint(connection: &Connection, pragma: &str) -> rusqlite::Result<(i64, i64)> {
    connection.prepare_cached(pragma)?.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::metrics::Metrics;
    use crate::sqlite::open;
    use crate::sqlite::writer::Writer;

    #[tokio::test]
    async fn a_log_that_was_not_moved_for_sure_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zumra.db");
        let connection = open::for_writer(&path, Timestamp::UNIX_EPOCH).unwrap();
        connection.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL)").unwrap();
        let worn_out = Box::new(|| Err(io::Error::other("worn out")));
        let checkpoints = Checkpoints::start(open::for_checkpoints(&path).unwrap(), worn_out).unwrap();
        let sync = sync_log(&path).unwrap();
        let writer = Writer::start(connection, 64, Metrics::new(), sync, Some(checkpoints)).unwrap();

        let text = "x".repeat(1 << 18);
        let mut kept = 0;
        let refused = loop {
            let text = text.clone();
            let insert = move |tx: &Connection| -> Result<()> {
                Ok(tx.execute("INSERT INTO rows (text) VALUES (?1)", [text]).map(drop)?)
            };
            match writer.write(insert).await {
                Ok(()) => kept += 1,
                Err(error) => break error,
            }
        };
        assert!(
            matches!(&refused, StorageError::Unavailable(why) if why.contains("worn out")),
            "{refused:?}"
        );
        writer.close().await;
        assert!(kept * text.len() >= 1000 * 4096, "it is not moved before it is long enough");
        let log = std::fs::metadata(folder.path().join("zumra.db-wal")).unwrap();
        assert!(log.len() >= (kept * text.len()) as u64, "all that was answered is in the log");
        let db = open::for_writing(&path, Timestamp::UNIX_EPOCH).unwrap();
        let rows: u32 = db.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).unwrap();
        assert_eq!(rows as usize, kept);
    }
}
