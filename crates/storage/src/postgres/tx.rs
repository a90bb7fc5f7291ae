//! The transaction of a write. Add requests alone have none: their statement is one.
//!
//! # Lock order
//!
//! Transactions lock rows of a merchant in this order, each kind ascending by key, so that they rarely deadlock:
//!
//! 1. `imports` (`imports::write_chunk`),
//! 2. `merchants` (`merchants::lock`, `removals::increment`, and `FOR SHARE` in `add_members.sql`),
//! 3. `customers`, then their search terms and counters,
//! 4. `groups` (`FOR KEY SHARE` while memberships are created, `FOR NO KEY UPDATE` while the group changes),
//! 5. `memberships`.
//!
//! The key in `operations` is written at any point. Loading a fixture locks groups before customers. PostgreSQL detects
//! the deadlocks that remain, and the attempt is retried.

use std::time::{Duration, Instant};

use deadpool_postgres::{Client, Transaction};
use futures_util::future::BoxFuture;
use zumra_core::{Merchant, MerchantId, Operation, OperationId, Token};

use super::attempts::Attempt;
use super::connections::{Connections, within};
use super::errors::{AttemptError, AttemptResult};
use super::retry::{AttemptOutcome, RetryableWrite};
use crate::{LoadOutcome, Result, Written};

/// One attempt of one operation, as a transaction. Dropping it rolls back.
pub(super) struct Tx<'c> {
    pub(super) client: Transaction<'c>,
    pub(super) merchant: MerchantId,
    pub(super) operation: Operation,
    pub(super) attempt: Attempt,
}

/// The result of the work in a transaction.
pub(super) trait TxResult: Send + 'static {
    /// Returns true if the transaction wrote the row of its operation.
    fn is_written(&self) -> bool;
}

impl<T: Send + 'static> TxResult for Written<T> {
    fn is_written(&self) -> bool {
        self.operation.is_some()
    }
}

impl TxResult for LoadOutcome {
    fn is_written(&self) -> bool {
        self.operation.is_some()
    }
}

macro_rules! always_written {
    ($($name:ty),*) => {
        $(impl TxResult for $name {
            fn is_written(&self) -> bool {
                true
            }
        })*
    };
}
always_written!(Merchant, Token, OperationId);

impl Connections {
    /// Runs `work` on `input` in a transaction, and retries it until its outcome is known. Each step has the time limit
    /// of a statement.
    pub(super) async fn write<W, T, F>(
        &self,
        merchant: MerchantId,
        operation: Operation,
        input: W,
        work: F,
    ) -> Result<T>
    where
        W: Send + Sync + 'static,
        T: TxResult,
        F: for<'c> Fn(&'c Tx<'c>, &'c W) -> BoxFuture<'c, AttemptResult<T>> + Send + Sync,
    {
        let timeout = self.timeout();
        let write = TxWrite { connections: self, merchant, operation, timeout, input, work };
        self.write_until_known(merchant, &operation, &write).await
    }

    /// Like [`Connections::write`], but only the server limits the time, by its timeout of each statement.
    pub(super) async fn write_without_deadline<W, T, F>(
        &self,
        merchant: MerchantId,
        operation: Operation,
        input: W,
        work: F,
    ) -> Result<T>
    where
        W: Send + Sync + 'static,
        T: TxResult,
        F: for<'c> Fn(&'c Tx<'c>, &'c W) -> BoxFuture<'c, AttemptResult<T>> + Send + Sync,
    {
        let timeout = Duration::MAX;
        let write = TxWrite { connections: self, merchant, operation, timeout, input, work };
        self.write_until_known(merchant, &operation, &write).await
    }
}

/// Work that is attempted in a transaction.
struct TxWrite<'s, W, F> {
    connections: &'s Connections,
    merchant: MerchantId,
    operation: Operation,
    timeout: Duration,
    input: W,
    work: F,
}

impl<W, T, F> RetryableWrite<T> for TxWrite<'_, W, F>
where
    W: Send + Sync + 'static,
    T: TxResult,
    F: for<'c> Fn(&'c Tx<'c>, &'c W) -> BoxFuture<'c, AttemptResult<T>> + Send + Sync,
{
    fn attempt(&self, attempt: Attempt) -> BoxFuture<'_, AttemptOutcome<T>> {
        Box::pin(async move {
            let mut connection = match self.connections.acquire().await {
                Ok(connection) => connection,
                Err(error) => return AttemptOutcome::Failed(error),
            };
            let started = Instant::now();
            let outcome =
                self.run(&mut connection.client, attempt).await.unwrap_or_else(AttemptOutcome::Failed);
            if let AttemptOutcome::Written(_) = &outcome {
                self.connections.metrics().commit_seconds.observe(started.elapsed().as_secs_f64());
            }
            if outcome.needs_new_connection() {
                connection.discard();
            }
            outcome
        })
    }
}

impl<W, F> TxWrite<'_, W, F> {
    /// Runs one transaction. An error means that it was rolled back.
    async fn run<T>(&self, client: &mut Client, attempt: Attempt) -> AttemptResult<AttemptOutcome<T>>
    where
        T: TxResult,
        F: for<'c> Fn(&'c Tx<'c>, &'c W) -> BoxFuture<'c, AttemptResult<T>>,
    {
        let client = within(self.timeout, client.transaction()).await?;
        let tx = Tx { client, merchant: self.merchant, operation: self.operation, attempt };
        let value = within(self.timeout, (self.work)(&tx, &self.input)).await?;
        let commit = async { tx.client.commit().await.map_err(AttemptError::from_commit) };
        match within(self.timeout, commit).await {
            Ok(()) if value.is_written() => Ok(AttemptOutcome::Written(value)),
            Ok(()) => Ok(AttemptOutcome::Unchanged(value)),
            Err(AttemptError::ConnectionLost(error)) => {
                Ok(AttemptOutcome::InDoubt(Box::new(move |_, _| value), error))
            }
            Err(error) => Err(error),
        }
    }
}
