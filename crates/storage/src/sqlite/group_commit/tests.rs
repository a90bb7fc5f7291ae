//! Tests all threads together, with an fsync that the test controls.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::Resource;
use crate::sqlite::open;

/// Limit for each wait in a test.
const DEADLINE: Duration = Duration::from_secs(30);

/// Returns a writer on an in-memory table with one column, in a database of at most `max_pages` pages.
fn writer_with(fsync: Fsync, max_pages: i64) -> Writer {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE rows (id TEXT NOT NULL PRIMARY KEY)").unwrap();
    connection.pragma_update(None, "max_page_count", max_pages).unwrap();
    Writer::start(connection, 64, Metrics::new(), fsync, None).unwrap()
}

/// Like [`writer_with`], with an fsync that always succeeds.
fn writer(max_pages: i64) -> Writer {
    writer_with(Box::new(|| Ok(())), max_pages)
}

/// Returns an fsync that signals its start, then blocks until the test sends its result.
fn manual_fsync() -> (Fsync, Receiver<()>, Sender<io::Result<()>>) {
    let (start, started) = channel();
    let (finish, finished) = channel();
    let fsync = move || {
        start.send(()).unwrap();
        receive(&finished)
    };
    (Box::new(fsync), started, finish)
}

fn receive<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(DEADLINE).unwrap()
}

/// Polls a write once. The first poll enqueues it. Returns true if it is still pending.
async fn is_pending<T>(write: &mut (impl Future<Output = T> + Unpin)) -> bool {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *write).poll(context).is_pending())).await
}

async fn within_deadline<T>(write: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, write).await.expect("the write completes in time")
}

fn insert_row(connection: &Connection, id: &str) -> Result<()> {
    Ok(connection.execute("INSERT INTO rows VALUES (?1)", [id]).map(drop)?)
}

async fn insert(writer: &Writer, id: &str) -> Result<()> {
    let id = id.to_owned();
    within_deadline(writer.write(move |connection| insert_row(connection, &id))).await
}

async fn count_rows(writer: &Writer) -> i64 {
    let count = |connection: &Connection| {
        Ok(connection.query_row("SELECT count(*) FROM rows", [], |row| row.get(0))?)
    };
    within_deadline(writer.write(count)).await.unwrap()
}

/// Changes a row, then fails.
fn fail_after_insert(connection: &Connection) -> Result<()> {
    insert_row(connection, "half")?;
    Err(StorageError::NotFound(Resource::Group))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_write_is_rolled_back_alone() {
    let writer = writer(1000);
    let (good, bad) = tokio::join!(insert(&writer, "a"), within_deadline(writer.write(fail_after_insert)));
    assert!(good.is_ok() && matches!(bad, Err(StorageError::NotFound(_))));
    assert_eq!(count_rows(&writer).await, 1);
}

#[tokio::test]
async fn write_completes_only_after_fsync() {
    let (fsync, started, finish) = manual_fsync();
    let writer = writer_with(fsync, 1000);
    let mut first = Box::pin(insert(&writer, "a"));
    assert!(is_pending(&mut first).await);
    receive(&started);
    assert!(is_pending(&mut first).await, "committed, but not durable");
    // The writer runs the next job meanwhile. That job sees the first commit, so it must not complete earlier.
    let (run_sender, run_receiver) = channel();
    let count = move |connection: &Connection| -> Result<i64> {
        run_sender.send(()).unwrap();
        Ok(connection.query_row("SELECT count(*) FROM rows", [], |row| row.get(0))?)
    };
    let mut second = Box::pin(within_deadline(writer.write(count)));
    assert!(is_pending(&mut second).await);
    receive(&run_receiver);
    assert!(is_pending(&mut second).await, "the row that it has read is not durable");
    finish.send(Ok(())).unwrap();
    first.await.unwrap();
    assert_eq!(second.await.unwrap(), 1);
}

#[tokio::test]
async fn failed_fsync_leaves_started_writes_unknown_and_rejects_queued_writes() {
    let (fsync, started, finish) = manual_fsync();
    let writer = writer_with(fsync, 1000);
    let mut committed = Box::pin(insert(&writer, "a"));
    assert!(is_pending(&mut committed).await);
    receive(&started);
    // Blocks the writer, so that the next write stays in the queue.
    let (run_sender, run_receiver) = channel();
    let (resume, resumed) = channel();
    let slow_insert = move |connection: &Connection| {
        run_sender.send(()).unwrap();
        receive(&resumed);
        insert_row(connection, "b")
    };
    let mut running = Box::pin(within_deadline(writer.write(slow_insert)));
    assert!(is_pending(&mut running).await);
    receive(&run_receiver);
    let mut queued = Box::pin(insert(&writer, "c"));
    assert!(is_pending(&mut queued).await);

    finish.send(Err(io::Error::other("worn out"))).unwrap();
    let committed = committed.await;
    resume.send(()).unwrap();
    for unknown in [committed, running.await] {
        assert!(
            matches!(&unknown, Err(StorageError::OutcomeUnknown(why)) if why.contains("worn out")),
            "{unknown:?}"
        );
    }
    let depth = &writer.metrics.queue_depth;
    for rejected in [queued.await, insert(&writer, "d").await] {
        assert!(
            matches!(&rejected, Err(StorageError::Unavailable(why)) if why.contains("worn out")),
            "{rejected:?}"
        );
    }
    // The second commit depends on the first one, so a successful second fsync would prove nothing.
    assert!(started.try_recv().is_err(), "fsync is not repeated");
    assert_eq!(
        (depth.get(), writer.metrics.operations.get()),
        (0, 0),
        "nothing is queued, nothing is durable"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn validated_write_that_fails_after_a_change_rolls_back_its_batch() {
    let writer = writer(1000);
    let fail_at_once = |_: &Connection| -> Result<()> { Err(StorageError::NotFound(Resource::Group)) };
    let failed = within_deadline(writer.write_validated(fail_at_once)).await;
    assert!(matches!(failed, Err(StorageError::NotFound(Resource::Group))), "{failed:?}");
    let failed = within_deadline(writer.write_validated(fail_after_insert)).await;
    assert!(matches!(failed, Err(StorageError::NotFound(Resource::Group))), "{failed:?}");
    assert_eq!(count_rows(&writer).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn completed_writes_are_counted() {
    let writer = writer(1000);
    for id in ["a", "b", "c"] {
        insert(&writer, id).await.unwrap();
    }
    assert_eq!((writer.metrics.queue_depth.get(), writer.metrics.operations.get()), (0, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panic_in_a_write_fails_that_write_alone() {
    let writer = writer(1000);
    let panic = |connection: &Connection| -> Result<()> {
        insert_row(connection, "half")?;
        panic!("a defect in a write");
    };
    let panicked = within_deadline(writer.write(panic)).await;
    assert!(matches!(panicked, Err(StorageError::Internal(_))), "{panicked:?}");
    assert!(insert(&writer, "a").await.is_ok());
    assert_eq!(count_rows(&writer).await, 1);
}

/// A job that panics outside of `run`, where nothing catches it.
struct PanickingJob;

impl WriteJob for PanickingJob {
    fn is_abandoned(&self) -> bool {
        panic!("a defect in the engine");
    }

    fn has_savepoint(&self) -> bool {
        false
    }

    fn run(&mut self, _: &Connection) -> bool {
        false
    }

    fn complete(self: Box<Self>, _: Result<()>) {}
}

#[tokio::test]
async fn writes_are_rejected_after_the_writer_panicked() {
    let writer = writer(1000);
    writer.queue.push(Box::new(PanickingJob)).unwrap();
    // Queued before the writer exits, or rejected after it.
    let queued = insert(&writer, "a").await;
    assert!(matches!(&queued, Err(StorageError::Unavailable(_))), "{queued:?}");
    writer.close().await;
    let late = insert(&writer, "b").await;
    assert!(matches!(&late, Err(StorageError::Unavailable(why)) if why.contains("restart")), "{late:?}");
}

#[tokio::test]
async fn writes_are_unknown_or_rejected_after_the_syncer_panicked() {
    let (start, started) = channel();
    let fsync = move || {
        start.send(()).unwrap();
        panic!("a defect in the engine")
    };
    let writer = writer_with(Box::new(fsync), 1000);
    let unknown = insert(&writer, "a").await;
    assert!(matches!(&unknown, Err(StorageError::OutcomeUnknown(_))), "{unknown:?}");
    receive(&started);
    writer.close().await;
    let late = insert(&writer, "b").await;
    assert!(matches!(&late, Err(StorageError::Unavailable(why)) if why.contains("restart")), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_that_exceeds_the_disk_is_unavailable_and_keeps_earlier_writes() {
    let writer = writer(8);
    assert!(insert(&writer, "a").await.is_ok());
    let rejected = insert(&writer, &"x".repeat(1 << 20)).await;
    assert!(matches!(rejected, Err(StorageError::Unavailable(_))), "{rejected:?}");
    assert!(insert(&writer, "b").await.is_ok(), "smaller rows still fit");
    assert_eq!(count_rows(&writer).await, 2);
}

/// Size of the rows in tests of the WAL, in bytes.
const ROW_BYTES: u64 = 1 << 18;

/// Returns a writer on a new file with a table of one column. The arguments replace the fsync of a file.
fn file_writer(path: &Path, wal: Option<Fsync>, database: Option<Fsync>) -> Writer {
    let connection = open::for_writer(path, Timestamp::UNIX_EPOCH).unwrap();
    connection.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL)").unwrap();
    let database = database.unwrap_or_else(|| database_fsync(path).unwrap());
    let checkpointer = Checkpointer::start(open::for_checkpoints(path).unwrap(), database).unwrap();
    let wal = wal.unwrap_or_else(|| wal_fsync(path).unwrap());
    Writer::start(connection, 64, Metrics::new(), wal, Some(checkpointer)).unwrap()
}

async fn insert_large_row(writer: &Writer) -> Result<()> {
    let insert = |connection: &Connection| -> Result<()> {
        let text = "x".repeat(1 << 18);
        Ok(connection.execute("INSERT INTO rows (text) VALUES (?1)", [text]).map(drop)?)
    };
    within_deadline(writer.write(insert)).await
}

fn wal_bytes(path: &Path) -> u64 {
    std::fs::metadata(path.with_extension("db-wal")).unwrap().len()
}

#[tokio::test]
async fn size_of_the_wal_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zumra.db");
    let writer = file_writer(&path, None, None);
    // A WAL that is never reset is larger than all rows. It is reset early if the checkpointer happens to reach its
    // end, and at 128 MiB, which is 512 rows, at the latest.
    let mut written = 0;
    while wal_bytes(&path) + (8 << 20) > written {
        insert_large_row(&writer).await.unwrap();
        written += ROW_BYTES;
        assert!(written < 1000 * ROW_BYTES, "the WAL is not reset");
    }
    writer.close().await;
}

#[tokio::test]
async fn wal_is_kept_when_the_database_file_cannot_be_fsynced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zumra.db");
    let writer = file_writer(&path, None, Some(Box::new(|| Err(io::Error::other("worn out")))));
    // 1,000 rows are far beyond the first checkpoint, at 4 MiB.
    let (mut durable, mut rejected) = (0, None);
    for _ in 0..1000 {
        match insert_large_row(&writer).await {
            Ok(()) => durable += 1,
            Err(error) => {
                rejected = Some(error);
                break;
            }
        }
    }
    assert!(
        matches!(&rejected, Some(StorageError::Unavailable(why)) if why.contains("worn out")),
        "{rejected:?}"
    );
    writer.close().await;
    assert!(durable * ROW_BYTES >= 1000 * 4096, "no checkpoint before the WAL has 1,000 pages");
    assert!(wal_bytes(&path) >= durable * ROW_BYTES, "the WAL holds every completed write");
    let reopened = open::for_writing(&path, Timestamp::UNIX_EPOCH).unwrap();
    let rows: u32 = reopened.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).unwrap();
    assert_eq!(u64::from(rows), durable);
}

#[tokio::test]
async fn wal_is_not_checkpointed_after_its_fsync_failed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zumra.db");
    let (wal, started, finish) = manual_fsync();
    let (checkpoint, checkpointed) = channel();
    let database = move || {
        checkpoint.send(()).unwrap();
        Ok(())
    };
    let writer = file_writer(&path, Some(wal), Some(Box::new(database)));
    let mut first = Box::pin(insert_large_row(&writer));
    assert!(is_pending(&mut first).await);
    receive(&started);
    // Runs while the fsync fails, and is far beyond the first checkpoint, at 4 MiB.
    let (run_sender, run_receiver) = channel();
    let (resume, resumed) = channel();
    let insert = move |connection: &Connection| -> Result<()> {
        run_sender.send(()).unwrap();
        receive(&resumed);
        let text = "x".repeat(16 << 20);
        Ok(connection.execute("INSERT INTO rows (text) VALUES (?1)", [text]).map(drop)?)
    };
    let mut running = Box::pin(within_deadline(writer.write(insert)));
    assert!(is_pending(&mut running).await);
    receive(&run_receiver);
    finish.send(Err(io::Error::other("worn out"))).unwrap();
    assert!(matches!(first.await, Err(StorageError::OutcomeUnknown(_))));
    resume.send(()).unwrap();
    assert!(matches!(running.await, Err(StorageError::OutcomeUnknown(_))));
    writer.close().await;
    assert!(checkpointed.try_recv().is_err(), "the WAL may be the only copy");
}

#[tokio::test]
async fn wal_is_kept_if_its_last_fsync_fails_during_the_close() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zumra.db");
    let (wal, started, finish) = manual_fsync();
    let writer = file_writer(&path, Some(wal), None);
    let mut last = Box::pin(insert_large_row(&writer));
    assert!(is_pending(&mut last).await);
    receive(&started);
    let mut close = Box::pin(writer.close());
    assert!(is_pending(&mut close).await);
    // Time in which the writer, which has nothing left to do, would close the database.
    std::thread::sleep(Duration::from_millis(50));
    finish.send(Err(io::Error::other("worn out"))).unwrap();
    within_deadline(close).await;
    assert!(matches!(last.await, Err(StorageError::OutcomeUnknown(_))));
    assert!(wal_bytes(&path) >= ROW_BYTES, "a restart has to read the WAL");
}
