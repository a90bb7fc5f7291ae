//! The pool, and what is done when a connection breaks: reads are asked again, writes are settled truthfully.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool_postgres::{Client, Object, Pool, Transaction};
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::RwLock;
use zumra_core::{Entropy, Import, Merchant, MerchantId, Operation, OperationId, Token};

use super::errors::{Failure, Try};
use super::operations::{self, Mark};
use crate::metrics::Metrics;
use crate::{Result, StorageError, Written};

/// How often an operation is tried in all.
const TRIES: u32 = 5;
/// How long a write whose answer was lost looks for a connection, to find out what became of it.
const SETTLE_TIME: Duration = Duration::from_secs(5);
/// How long it waits between two looks.
const SETTLE_PAUSE: Duration = Duration::from_millis(100);
/// Strides are below this; see [`Mark`].
const STRIDES: u64 = 1024;

/// Work on a connection, on its way.
pub(super) type Work<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

/// What a write answers when the row of its operation turns up after all.
pub(super) type Answer<T> = Box<dyn FnOnce(OperationId, u64) -> T + Send>;

/// How one try of a write ended.
pub(super) enum End<T> {
    /// Committed, with an operation's row.
    Written(T),
    /// Nothing had to be written.
    Unchanged(T),
    /// Nothing was written.
    Failed(Failure),
    /// The connection broke while a commit was on its way. If it was done, this is the answer.
    InDoubt(Answer<T>, StorageError),
}

/// What a change gives, and whether an operation's row tells of it.
pub(super) trait Outcome {
    fn is_written(&self) -> bool;
}

impl<T> Outcome for Written<T> {
    fn is_written(&self) -> bool {
        self.operation.is_some()
    }
}

impl Outcome for (Import, bool) {
    fn is_written(&self) -> bool {
        self.1
    }
}

macro_rules! always_written {
    ($($name:ty),*) => {
        $(impl Outcome for $name {
            fn is_written(&self) -> bool {
                true
            }
        })*
    };
}
always_written!(Merchant, Token, OperationId);

/// Helps the compiler to see that a closure is work for [`Connections::change`], whatever the lifetimes.
pub(super) fn for_tx<W, T, F>(work: F) -> F
where
    F: for<'c> Fn(&'c Transaction<'c>, &'c W, &'c Operation, Mark) -> Work<'c, Try<T>>,
{
    work
}

/// Connections to a server, each with its prepared statements.
pub(super) struct Connections {
    pool: Pool,
    /// Held for reading by whoever works, so that closing can wait for all.
    gate: RwLock<()>,
    /// A statement that takes longer has lost its server: the server's own limit comes first.
    patience: Duration,
    marks: Marks,
    metrics: Metrics,
}

/// A connection in use, counted while it is.
pub(super) struct Seat {
    pub(super) client: Client,
    _busy: Counted,
}

impl Seat {
    /// Closes the connection instead of giving it back.
    pub(super) fn discard(self) {
        drop(Object::take(self.client));
    }
}

/// One more on a gauge, for as long as this lives.
struct Counted(Gauge);

impl Counted {
    fn on(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Connections {
    pub(super) fn new(pool: Pool, patience: Duration, entropy: &dyn Entropy, metrics: Metrics) -> Self {
        metrics.connections.set(u32::try_from(pool.status().max_size).map_or(f64::MAX, f64::from));
        Self { pool, gate: RwLock::new(()), patience, marks: Marks::new(entropy), metrics }
    }

    /// Runs `work`, once more if the connection breaks: a restart of the server leaves stale ones in the pool.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'c> Fn(&'c Client) -> Work<'c, Try<T>>,
    {
        let _open = self.gate.read().await;
        let mut failure = self.read_once(&work).await;
        if let Err(Failure::Lost(_) | Failure::InTheWay(_)) = failure {
            failure = self.read_once(&work).await;
        }
        failure.map_err(Failure::into_error)
    }

    async fn read_once<T, F>(&self, work: &F) -> Try<T>
    where
        F: for<'c> Fn(&'c Client) -> Work<'c, Try<T>>,
    {
        let seat = self.seat().await?;
        let done = tokio::time::timeout(self.patience, work(&seat.client)).await;
        let done = done.unwrap_or_else(|_| Err(Failure::silent()));
        if let Err(Failure::Lost(_)) = &done {
            seat.discard();
        }
        done
    }

    /// Tries a write until it is known what became of it, and answers that. Each try marks the row of its operation, so
    /// that it can be found again.
    pub(super) async fn write<T>(
        &self,
        merchant: MerchantId,
        operation: &Operation,
        attempt: &dyn Attempt<T>,
    ) -> Result<T> {
        let _open = self.gate.read().await;
        let nonce = self.marks.nonce();
        let look = || self.settle(merchant, operation, nonce);
        let mut doubt: Option<Answer<T>> = None;
        let mut error = StorageError::QueueFull;
        for _ in 0..TRIES {
            let mark = Mark { nonce, stride: self.marks.stride() };
            match attempt.once(mark).await {
                End::Written(value) => {
                    self.metrics.operations.inc();
                    return Ok(value);
                }
                // A try whose answer was lost may be what left nothing to do, or what is in the way.
                End::Unchanged(value) => {
                    let Some(answer) = doubt else { return Ok(value) };
                    return Ok(look().await?.map_or(value, |(id, changes)| answer(id, changes)));
                }
                End::Failed(Failure::Final(error)) => {
                    let Some(answer) = doubt else { return Err(error) };
                    return look().await?.map(|(id, changes)| answer(id, changes)).ok_or(error);
                }
                End::Failed(Failure::InTheWay(why) | Failure::Lost(why)) => error = why,
                End::InDoubt(answer, why) => {
                    if let Some((id, changes)) = look().await? {
                        self.metrics.operations.inc();
                        return Ok(answer(id, changes));
                    }
                    tracing::debug!(merchant = merchant.get(), %why, "a write is repeated: it was not done");
                    (doubt, error) = (Some(answer), why);
                }
            }
        }
        Err(error)
    }

    /// The same for `work` of several statements, in a transaction. `lasts` says whether what it gave has an
    /// operation's row.
    pub(super) async fn transact<T, F>(
        &self,
        merchant: MerchantId,
        operation: &Operation,
        limit: Option<Duration>,
        lasts: fn(&T) -> bool,
        work: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c Transaction<'c>, Mark) -> Work<'c, Try<T>> + Send + Sync + 'static,
    {
        self.write(merchant, operation, &Transacted { connections: self, work, limit, lasts }).await
    }

    /// The same for a short change that `what` describes.
    pub(super) async fn change<W, T, F>(
        &self,
        merchant: MerchantId,
        operation: Operation,
        what: W,
        work: F,
    ) -> Result<T>
    where
        W: Send + Sync + 'static,
        T: Outcome + Send + 'static,
        F: for<'c> Fn(&'c Transaction<'c>, &'c W, &'c Operation, Mark) -> Work<'c, Try<T>>
            + Send
            + Sync
            + 'static,
    {
        let shared = Arc::new((what, work, operation));
        self.transact(merchant, &operation, Some(self.patience), T::is_written, move |tx, mark| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (what, work, operation) = &*shared;
                work(tx, what, operation, mark).await
            })
        })
        .await
    }

    /// What became of an operation whose answer was lost.
    async fn settle(
        &self,
        merchant: MerchantId,
        operation: &Operation,
        nonce: i64,
    ) -> Result<Option<(OperationId, u64)>> {
        let from = operation.proposed_id;
        let started = Instant::now();
        loop {
            match self.read_once(&|db| Box::pin(operations::find(db, merchant, from, nonce))).await {
                Ok(found) => return Ok(found),
                Err(failure) if started.elapsed() > SETTLE_TIME || self.pool.is_closed() => {
                    return Err(failure.into_error());
                }
                Err(_) => tokio::time::sleep(SETTLE_PAUSE).await,
            }
        }
    }

    /// A connection, as soon as one is free.
    pub(super) async fn seat(&self) -> Try<Seat> {
        let waiting = Counted::on(&self.metrics.queue_depth);
        let client = self.pool.get().await?;
        drop(waiting);
        Ok(Seat { client, _busy: Counted::on(&self.metrics.connections_busy) })
    }

    /// What is measured of the engine.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How long one statement may take.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Waits for those that work, and lets go of the connections; work that comes later is refused.
    pub(super) async fn close(&self) {
        let _all = self.gate.write().await;
        self.pool.close();
    }
}

/// A way to try a write once.
pub(super) trait Attempt<T>: Sync {
    /// Tries it; the mark is for the row of its operation.
    fn once(&self, mark: Mark) -> Work<'_, End<T>>;
}

/// Work of several statements, in a transaction.
struct Transacted<'c, T, F> {
    connections: &'c Connections,
    work: F,
    limit: Option<Duration>,
    lasts: fn(&T) -> bool,
}

impl<T, F> Attempt<T> for Transacted<'_, T, F>
where
    T: Send + 'static,
    F: for<'c> Fn(&'c Transaction<'c>, Mark) -> Work<'c, Try<T>> + Send + Sync,
{
    fn once(&self, mark: Mark) -> Work<'_, End<T>> {
        Box::pin(async move {
            let mut seat = match self.connections.seat().await {
                Ok(seat) => seat,
                Err(failure) => return End::Failed(failure),
            };
            let started = Instant::now();
            let end = in_transaction(&mut seat.client, mark, self.limit, self.lasts, &self.work).await;
            match &end {
                End::Written(_) => {
                    self.connections.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
                }
                End::InDoubt(..) | End::Failed(Failure::Lost(_)) => seat.discard(),
                End::Unchanged(_) | End::Failed(_) => {}
            }
            end
        })
    }
}

async fn in_transaction<T, F>(
    client: &mut Client,
    mark: Mark,
    limit: Option<Duration>,
    lasts: fn(&T) -> bool,
    work: &F,
) -> End<T>
where
    T: Send + 'static,
    F: for<'c> Fn(&'c Transaction<'c>, Mark) -> Work<'c, Try<T>> + Send + Sync,
{
    let limit = limit.unwrap_or(Duration::MAX);
    let begun = tokio::time::timeout(limit, client.transaction()).await;
    let tx = match begun.map_or_else(|_| Err(Failure::silent()), |begun| begun.map_err(Failure::from)) {
        Ok(tx) => tx,
        Err(failure) => return End::Failed(failure),
    };
    let value =
        match tokio::time::timeout(limit, work(&tx, mark)).await.unwrap_or_else(|_| Err(Failure::silent())) {
            Ok(value) => value,
            // Dropping the transaction undoes it.
            Err(failure) => return End::Failed(failure),
        };
    let committed = tokio::time::timeout(limit, tx.commit()).await;
    match committed.map_or_else(|_| Err(Failure::silent()), |done| done.map_err(Failure::from)) {
        Ok(()) if lasts(&value) => End::Written(value),
        Ok(()) => End::Unchanged(value),
        Err(Failure::Lost(error)) => End::InDoubt(Box::new(move |_, _| value), error),
        Err(failure) => End::Failed(failure),
    }
}

/// Where marks come from: numbers that differ between processes and never repeat within one.
struct Marks(AtomicU64);

impl Marks {
    fn new(entropy: &dyn Entropy) -> Self {
        let mut base = [0; 8];
        entropy.fill(&mut base);
        Self(AtomicU64::new(u64::from_le_bytes(base)))
    }

    fn nonce(&self) -> i64 {
        self.next().cast_signed()
    }

    fn stride(&self) -> i64 {
        1 + (self.next() % STRIDES).cast_signed()
    }

    /// The generator `SplitMix64`: a walk through all 64-bit numbers in an order that looks like none.
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut n = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }
}
