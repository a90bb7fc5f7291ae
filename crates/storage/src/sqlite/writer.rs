//! The one thread that writes.
//!
//! Operations that wait are taken together: one transaction, one fsync, many answers. Each runs inside its own
//! savepoint, so that one failure fails alone, and none is answered before the commit that holds it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::metrics::Metrics;
use crate::{Result, StorageError};

/// Operations in one commit at most.
const BATCH_OPERATIONS: usize = 256;
/// A batch that has run this long takes no more, so that nobody waits for a crowd of large ones.
const BATCH_TIME: Duration = Duration::from_millis(10);

/// A handle to the thread.
pub(super) struct Writer {
    /// Nothing once it is closed.
    queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    metrics: Metrics,
}

impl Writer {
    pub(super) fn start(connection: Connection, queue: usize, metrics: Metrics) -> Result<Self> {
        let (sender, receiver) = sync_channel(queue);
        let of_thread = metrics.clone();
        let thread = std::thread::Builder::new()
            .name("zumra-writer".to_owned())
            .spawn(move || run(&connection, &receiver, &of_thread))
            .map_err(|error| StorageError::Unavailable(format!("no thread for the writer: {error}")))?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)), metrics })
    }

    /// Runs `work` in a transaction and answers when it is durable. An error undoes the work.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Box::new(Task { work: Some(work), result: None, reply }))?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Takes nothing more, and waits until all that was taken is answered.
    pub(super) async fn close(&self) {
        if let Some(thread) = self.stop() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Shuts the queue. The thread, unless somebody has it already.
    fn stop(&self) -> Option<JoinHandle<()>> {
        drop(self.queue.lock().map(|mut queue| queue.take()));
        self.thread.lock().ok().and_then(|mut thread| thread.take())
    }

    fn enqueue(&self, job: Box<dyn Job>) -> Result<()> {
        let queue = self.queue.lock().map_err(|_| closed())?;
        let sender = queue.as_ref().ok_or_else(closed)?;
        self.metrics.queue_depth.inc();
        sender.try_send(job).map_err(|error| {
            self.metrics.queue_depth.dec();
            match error {
                TrySendError::Full(_) => StorageError::Busy,
                TrySendError::Disconnected(_) => closed(),
            }
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(thread) = self.stop() {
            let _ = thread.join(); // a thread that panicked has nothing left to finish
        }
    }
}

fn closed() -> StorageError {
    StorageError::Unavailable("it is closed".to_owned())
}

/// One operation on its way through the thread.
trait Job: Send {
    /// Whether nobody waits for the answer any more: then it is not begun.
    fn is_abandoned(&self) -> bool;
    /// Does the work and keeps the result. False if the work is to be undone.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Sends the result, or why there is none after all.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Task<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
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

fn run(connection: &Connection, queue: &Receiver<Box<dyn Job>>, metrics: &Metrics) {
    while let Ok(first) = queue.recv() {
        let batch = Batch::collect(connection, first, queue, metrics);
        batch.finish(connection, metrics);
    }
}

/// The operations of one transaction.
struct Batch {
    jobs: Vec<Box<dyn Job>>,
    /// What ended the transaction before its time, if anything did.
    broken: Option<String>,
}

impl Batch {
    fn collect(
        connection: &Connection,
        first: Box<dyn Job>,
        queue: &Receiver<Box<dyn Job>>,
        metrics: &Metrics,
    ) -> Self {
        let mut batch = Self { jobs: Vec::new(), broken: None };
        if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
            batch.broken = Some(error.to_string());
        }
        let started = Instant::now();
        let mut next = Some(first);
        while let Some(job) = next {
            metrics.queue_depth.dec();
            batch.take(connection, job);
            let more = batch.broken.is_none()
                && batch.jobs.len() < BATCH_OPERATIONS
                && started.elapsed() < BATCH_TIME;
            next = if more { queue.try_recv().ok() } else { None };
        }
        batch
    }

    fn take(&mut self, connection: &Connection, mut job: Box<dyn Job>) {
        if job.is_abandoned() {
            return;
        }
        if self.broken.is_none()
            && let Err(error) = run_in_savepoint(connection, &mut *job)
        {
            self.broken = Some(error.to_string());
        }
        self.jobs.push(job);
    }

    fn finish(self, connection: &Connection, metrics: &Metrics) {
        let started = Instant::now();
        let committed = match self.broken {
            None => connection.execute_batch("COMMIT").map_err(|error| error.to_string()),
            Some(error) => Err(error),
        };
        if let Err(error) = &committed {
            tracing::error!(error, operations = self.jobs.len(), "a batch of operations was undone");
            if !connection.is_autocommit() {
                let _ = connection.execute_batch("ROLLBACK"); // there is nothing left to undo if it fails
            }
        } else {
            metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
            metrics.batch.observe(u32::try_from(self.jobs.len()).map_or(f64::MAX, f64::from));
            metrics.operations.inc_by(self.jobs.len() as u64);
        }
        for job in self.jobs {
            job.answer(committed.clone().map_err(StorageError::Unavailable));
        }
    }
}

/// An error means that the whole transaction is lost, not only this job.
fn run_in_savepoint(connection: &Connection, job: &mut dyn Job) -> rusqlite::Result<()> {
    let execute = |sql| connection.prepare_cached(sql)?.execute([]).map(drop);
    execute("SAVEPOINT job")?;
    let keep = job.run(connection);
    // A full disk makes SQLite undo the whole transaction by itself; then there is no savepoint to go back to.
    if connection.is_autocommit() {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
            None,
        ));
    }
    if !keep {
        execute("ROLLBACK TO job")?;
    }
    execute("RELEASE job")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer over a table of one column, and a database of at most `pages` pages.
    fn writer(pages: i64) -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE rows (id TEXT NOT NULL PRIMARY KEY)").unwrap();
        connection.pragma_update(None, "max_page_count", pages).unwrap();
        Writer::start(connection, 64, Metrics::new()).unwrap()
    }

    async fn insert(writer: &Writer, id: String) -> Result<()> {
        writer.write(move |tx| Ok(tx.execute("INSERT INTO rows VALUES (?1)", [id]).map(drop)?)).await
    }

    async fn rows(writer: &Writer) -> i64 {
        writer.write(|tx| Ok(tx.query_row("SELECT count(*) FROM rows", [], |row| row.get(0))?)).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_failure_undoes_itself_alone() {
        let writer = writer(1000);
        let (good, bad) = tokio::join!(insert(&writer, "a".into()), async {
            let half_done = |tx: &Connection| -> Result<()> {
                tx.execute("INSERT INTO rows VALUES ('half')", [])?;
                Err(StorageError::NotFound("thing"))
            };
            writer.write(half_done).await
        });
        assert!(good.is_ok() && matches!(bad, Err(StorageError::NotFound(_))));
        assert_eq!(rows(&writer).await, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_panic_is_an_error_and_the_thread_lives() {
        let writer = writer(1000);
        let panics = |tx: &Connection| -> Result<()> {
            tx.execute("INSERT INTO rows VALUES ('half')", [])?;
            panic!("a mistake in an operation");
        };
        assert!(matches!(writer.write(panics).await, Err(StorageError::Internal(_))));
        assert!(insert(&writer, "a".into()).await.is_ok());
        assert_eq!(rows(&writer).await, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_disk_is_unavailable_and_keeps_what_was_there() {
        let writer = writer(8);
        assert!(insert(&writer, "a".into()).await.is_ok());
        let refused = insert(&writer, "x".repeat(1 << 20)).await;
        assert!(matches!(refused, Err(StorageError::Unavailable(_))), "{refused:?}");
        assert!(insert(&writer, "b".into()).await.is_ok(), "smaller rows still fit");
        assert_eq!(rows(&writer).await, 2);
    }
}
