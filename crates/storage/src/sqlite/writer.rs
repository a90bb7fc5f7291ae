//! The one thread that writes.
//!
//! Operations that wait are taken together: one transaction, one sync of the disk, many answers. One that fails is undone
//! alone, and none is answered before the commit that holds it is durable. If the disk refuses to keep a commit, nobody
//! can know what it holds: then those who wait get an error that says neither, and nothing more is taken until a
//! restart has looked.

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::oneshot;

use super::batch::Batch;
use super::job::Task;
use super::log::{self, Checkpoints, SyncFile};
use super::queue::Queue;
use crate::metrics::Metrics;
use crate::{Result, StorageError};

/// A handle to the thread, and to the one that makes its commits durable.
pub(super) struct Writer {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    metrics: Metrics,
}

impl Writer {
    /// Starts to write. `sync` makes durable what is committed; `checkpoints` keeps the log short, if there is one.
    pub(super) fn start(
        connection: Connection,
        limit: usize,
        metrics: Metrics,
        sync: SyncFile,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Self> {
        let queue = Arc::new(Queue::new(limit));
        let writer = Self { queue: Arc::clone(&queue), threads: Mutex::default(), metrics: metrics.clone() };
        let (of_keeper, of_writer) = (Arc::clone(&queue), metrics.clone());
        writer.spawn("zumra-keeper", move || keep(&of_keeper, &sync, &metrics))?;
        writer.spawn("zumra-writer", move || run(&connection, &queue, checkpoints, &of_writer))?;
        Ok(writer)
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|error| {
            self.queue.writer_is_done(); // if this is the writer, the keeper has nothing to wait for
            StorageError::Unavailable(format!("no thread for {name}: {error}"))
        })?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Runs `work` in a transaction and answers when it is durable. An error undoes the work.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.ask(work, true).await
    }

    /// The same for work that makes sure of everything before it changes anything, which is faster. If it fails after
    /// its first change all the same, everything that shares its transaction is undone.
    pub(super) async fn write_checked<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.ask(work, false).await
    }

    async fn ask<T, F>(&self, work: F, can_be_undone: bool) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        // Before the writer can count it down.
        self.metrics.queue_depth.inc();
        if let Err(error) = self.queue.push(Box::new(Task::new(work, reply, can_be_undone))) {
            self.metrics.queue_depth.dec();
            return Err(error);
        }
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Takes nothing more, and waits until all that was taken is answered.
    pub(super) async fn close(&self) {
        let threads = self.stop();
        let _ = tokio::task::spawn_blocking(move || threads.into_iter().for_each(join)).await;
    }

    /// Shuts the queue. The threads, unless somebody has them already.
    fn stop(&self) -> Vec<JoinHandle<()>> {
        self.queue.close(CLOSED.to_owned());
        std::mem::take(&mut self.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop().into_iter().for_each(join);
    }
}

fn join(thread: JoinHandle<()>) {
    let _ = thread.join(); // a thread that panicked has nothing left to finish
}

const CLOSED: &str = "it is closed";

/// The answer of an engine that is closed.
pub(super) fn closed() -> StorageError {
    StorageError::Unavailable(CLOSED.to_owned())
}

/// Lets nobody wait for a writer that is not there any more, also if it ended by a mistake.
struct Ended<'a>(&'a Queue);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.close("the thread that writes has ended; a restart is needed".to_owned());
        self.0.writer_is_done();
    }
}

fn run(connection: &Connection, queue: &Queue, mut checkpoints: Option<Checkpoints>, metrics: &Metrics) {
    let _ended = Ended(queue);
    while let Some(first) = queue.next_job() {
        let mut batch = Batch::collect(connection, first, queue, metrics);
        batch.commit(connection);
        queue.hand_over(batch);
        // After a refusal, the keeper's too, the log is left as it is.
        if let Some(checkpoints) = &mut checkpoints
            && !queue.is_refused()
            && let Err(error) = checkpoints.look_after(connection)
        {
            if log::is_refusal(&error) {
                refuse(queue, &error);
            } else {
                tracing::warn!(%error, "the log could not be moved into the file");
            }
        }
    }
    if queue.is_refused() {
        // The log is what a restart has to read, so it is not moved into the file by closing it either.
        let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

/// Takes nothing more, because the disk does not keep what is written. Why, for those who wait.
fn refuse(queue: &Queue, error: &dyn Display) -> String {
    tracing::error!(%error, "the disk refused to keep what was written; nothing is taken until a restart");
    let why = format!("the disk refused to keep what was written: {error}");
    queue.refuse(why.clone());
    why
}

/// Makes durable what the writer commits, and answers.
fn keep(queue: &Queue, sync: &SyncFile, metrics: &Metrics) {
    let mut refused: Option<String> = None;
    let (mut jobs, mut took) = (0, Duration::ZERO);
    loop {
        // Those who were answered together come back together, and the first of them is there a little sooner. Syncing
        // for it alone would make all the others wait for that sync and for one more; so half of them are awaited, for
        // half the time of a sync at most.
        let batches = queue.committed(jobs / 2, took / 2);
        if batches.is_empty() {
            return;
        }
        let started = Instant::now();
        // After one refusal a sync that works proves nothing: it says so once, and forgets what it could not write.
        if refused.is_none()
            && batches.iter().any(|batch| batch.has_changes)
            && let Err(error) = sync()
        {
            refused = Some(refuse(queue, &error));
        }
        took = started.elapsed();
        jobs = batches.iter().map(Batch::jobs).sum();
        if refused.is_none() {
            metrics.commit_seconds.observe(took.as_secs_f64());
            metrics.batch.observe(u32::try_from(jobs).map_or(f64::MAX, f64::from));
            metrics.operations.inc_by(jobs as u64);
        }
        queue.answered(jobs);
        for batch in batches {
            batch.answer(refused.as_deref());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::task::Poll;

    use super::*;
    use crate::Resource;
    use crate::sqlite::job::Job;

    /// A writer over a table of one column, and a database of at most `pages` pages.
    fn writer_on(sync: SyncFile, pages: i64) -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE rows (id TEXT NOT NULL PRIMARY KEY)").unwrap();
        connection.pragma_update(None, "max_page_count", pages).unwrap();
        Writer::start(connection, 64, Metrics::new(), sync, None).unwrap()
    }

    /// The same, on a disk that does what it should.
    fn writer(pages: i64) -> Writer {
        writer_on(Box::new(|| Ok(())), pages)
    }

    /// A disk that says when it is asked to sync, and does so when it is told how that ends.
    fn slow_disk() -> (SyncFile, Receiver<()>, Sender<std::io::Result<()>>) {
        let (asked, asks) = channel();
        let (end, ends) = channel();
        let sync = move || {
            asked.send(()).unwrap();
            ends.recv().unwrap()
        };
        (Box::new(sync), asks, end)
    }

    async fn is_pending<T>(work: &mut (impl Future<Output = T> + Unpin)) -> bool {
        std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *work).poll(context).is_pending())).await
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
                Err(StorageError::NotFound(Resource::Token))
            };
            writer.write(half_done).await
        });
        assert!(good.is_ok() && matches!(bad, Err(StorageError::NotFound(_))));
        assert_eq!(rows(&writer).await, 1);
    }

    #[tokio::test]
    async fn nothing_is_answered_before_the_disk_has_it() {
        let (sync, asks, end) = slow_disk();
        let writer = writer_on(sync, 1000);
        let mut first = Box::pin(insert(&writer, "a".into()));
        assert!(is_pending(&mut first).await);
        asks.recv().unwrap();
        assert!(is_pending(&mut first).await, "it is committed, but not durable");
        // The writer goes on meanwhile, and what it sees of the first is answered no sooner.
        let (ran, runs) = channel();
        let look = move |tx: &Connection| -> Result<i64> {
            ran.send(()).unwrap();
            Ok(tx.query_row("SELECT count(*) FROM rows", [], |row| row.get(0))?)
        };
        let mut second = Box::pin(writer.write(look));
        assert!(is_pending(&mut second).await);
        runs.recv().unwrap();
        assert!(is_pending(&mut second).await, "what it saw is not durable");
        end.send(Ok(())).unwrap();
        first.await.unwrap();
        assert_eq!(second.await.unwrap(), 1);
    }

    #[tokio::test]
    async fn when_the_disk_refuses_nothing_more_is_taken() {
        let (sync, asks, end) = slow_disk();
        let writer = writer_on(sync, 1000);
        let mut first = Box::pin(insert(&writer, "a".into()));
        assert!(is_pending(&mut first).await);
        asks.recv().unwrap();
        let mut second = Box::pin(insert(&writer, "b".into()));
        assert!(is_pending(&mut second).await);
        end.send(Err(std::io::Error::other("worn out"))).unwrap();
        // The second stands on the first: the disk is not asked again, whatever it would say.
        for refused in [first.await, second.await, insert(&writer, "c".into()).await] {
            assert!(matches!(&refused, Err(StorageError::Unavailable(why)) if why.contains("worn out")));
        }
        assert!(asks.try_recv().is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn checked_work_that_fails_half_way_takes_its_batch_with_it() {
        let writer = writer(1000);
        let nothing_done = |_: &Connection| -> Result<()> { Err(StorageError::NotFound(Resource::Token)) };
        assert!(matches!(writer.write_checked(nothing_done).await, Err(StorageError::NotFound(_))));
        let half_done = |tx: &Connection| -> Result<()> {
            tx.execute("INSERT INTO rows VALUES ('half')", [])?;
            Err(StorageError::NotFound(Resource::Token))
        };
        assert!(writer.write_checked(half_done).await.is_err());
        assert_eq!(rows(&writer).await, 0);
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

    /// A mistake outside of any operation.
    struct Mistake;

    impl Job for Mistake {
        fn is_abandoned(&self) -> bool {
            panic!("a mistake in the engine");
        }

        fn can_be_undone(&self) -> bool {
            false
        }

        fn run(&mut self, _: &Connection) -> bool {
            false
        }

        fn answer(self: Box<Self>, _: Result<()>) {}
    }

    #[tokio::test]
    async fn nobody_waits_for_a_writer_that_has_ended() {
        let writer = writer(1000);
        writer.queue.push(Box::new(Mistake)).unwrap();
        // Whether it comes before the end or after it.
        let waits = insert(&writer, "a".into()).await;
        assert!(matches!(waits, Err(StorageError::Unavailable(_))), "{waits:?}");
        writer.close().await;
        let late = insert(&writer, "b".into()).await;
        assert!(matches!(&late, Err(StorageError::Unavailable(why)) if why.contains("restart")), "{late:?}");
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
