//! Writes that are not idempotent: retried until their outcome is known.
//!
//! Every attempt stores the write's nonce in the row of its operation. If a connection is lost during a commit, the
//! write is *in doubt*, and a lookup of the nonce resolves it.

use std::time::{Duration, Instant};

use deadpool_postgres::Client;
use futures_util::future::BoxFuture;
use zumra_core::{MerchantId, Operation, OperationId};

use super::attempts::Attempt;
use super::connections::Connections;
use super::errors::{AttemptError, AttemptResult};
use super::sql;
use crate::{Result, StorageError};

/// Attempts of one write.
const ATTEMPTS_MAX: u32 = 5;
/// How long a write in doubt repeats a lookup that fails.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause between two lookups that fail.
const RESOLVE_INTERVAL: Duration = Duration::from_millis(100);

/// A function from the row of a committed write's operation, its id and its number of changes, to the write's result.
pub(super) type ResultFromRow<T> = Box<dyn FnOnce(OperationId, u64) -> T + Send>;

/// How one attempt of a write ended.
pub(super) enum AttemptOutcome<T> {
    /// Committed, with the row of its operation.
    Written(T),
    /// There was nothing to write.
    Unchanged(T),
    /// Nothing was written. The connection may be lost, but no commit was in flight.
    Failed(AttemptError),
    /// The connection was lost while a commit was in flight.
    InDoubt(ResultFromRow<T>, StorageError),
}

impl<T> AttemptOutcome<T> {
    /// Returns true if the connection of the attempt must not be used again.
    pub(super) fn needs_new_connection(&self) -> bool {
        match self {
            Self::Written(_) | Self::Unchanged(_) => false,
            Self::Failed(error) => error.needs_new_connection(),
            Self::InDoubt(..) => true,
        }
    }
}

/// A write that can be attempted several times.
pub(super) trait RetryableWrite<T>: Sync {
    /// Attempts the write once, on a connection of its own.
    fn attempt(&self, attempt: Attempt) -> BoxFuture<'_, AttemptOutcome<T>>;
}

/// Whether an earlier attempt of the write may have been committed.
///
/// A lookup that finds no row does not end the doubt: the server may still be working on that attempt.
enum Doubt<T> {
    None,
    Pending(ResultFromRow<T>),
}

/// The values by which the lookup finds the row of a write's operation.
struct OperationKey {
    merchant: MerchantId,
    proposed_id: OperationId,
    nonce: i64,
}

impl Connections {
    /// Attempts a write until its outcome is known.
    ///
    /// | the attempt is     | without doubt               | an earlier attempt is in doubt          |
    /// |--------------------|-----------------------------|-----------------------------------------|
    /// | written            | return its value            | return its value                        |
    /// | unchanged          | return its value            | resolve, or return its value            |
    /// | failed permanently | return its error            | resolve, or return its error            |
    /// | failed             | next attempt                | next attempt                            |
    /// | in doubt           | resolve, or next attempt    | resolve, or next attempt                |
    /// | the last one       | return its error            | resolve, or return its error            |
    ///
    /// To *resolve* is to look up the operation by its nonce, and to return its result if it was committed. If the
    /// lookup fails, the result is [`StorageError::OutcomeUnknown`]. If the lookup finds nothing, an error that would be
    /// returned becomes [`StorageError::OutcomeUnknown`] too, unless it depends on rows, as a conflict does.
    pub(super) async fn write_until_known<T>(
        &self,
        merchant: MerchantId,
        operation: &Operation,
        write: &dyn RetryableWrite<T>,
    ) -> Result<T> {
        let _open = self.closing.read().await;
        let nonce = self.attempts.next_nonce();
        let key = OperationKey { merchant, proposed_id: operation.proposed_id, nonce };
        let mut doubt = Doubt::None;
        let mut attempts_left = ATTEMPTS_MAX;
        loop {
            attempts_left -= 1;
            let error = match write.attempt(self.attempts.next_attempt(nonce)).await {
                AttemptOutcome::Written(value) => {
                    self.metrics().operations.inc();
                    return Ok(value);
                }
                AttemptOutcome::Unchanged(value) => return self.resolve_or(&key, doubt, Ok(value)).await,
                AttemptOutcome::Failed(AttemptError::Permanent(error)) => {
                    return self.resolve_or(&key, doubt, Err(error)).await;
                }
                AttemptOutcome::Failed(error) => error.into_storage_error(),
                AttemptOutcome::InDoubt(result_from_row, error) => {
                    if let Some((id, changes)) = self.look_up(&key).await? {
                        self.metrics().operations.inc();
                        return Ok(result_from_row(id, changes));
                    }
                    doubt = Doubt::Pending(result_from_row);
                    error
                }
            };
            if attempts_left == 0 {
                return self.resolve_or(&key, doubt, Err(error)).await;
            }
            tracing::debug!(merchant = merchant.get(), %error, "write attempt failed; retrying");
        }
    }

    /// Returns the result of the attempt in doubt if it turns out committed, else `fallback`.
    async fn resolve_or<T>(&self, key: &OperationKey, doubt: Doubt<T>, fallback: Result<T>) -> Result<T> {
        let Doubt::Pending(result_from_row) = doubt else { return fallback };
        match self.look_up(key).await? {
            Some((id, changes)) => {
                self.metrics().operations.inc();
                Ok(result_from_row(id, changes))
            }
            None => fallback.map_err(StorageError::into_unknown_outcome),
        }
    }

    /// Looks up the operation of a write in doubt: its id and number of changes, if it was committed. Fails with
    /// [`StorageError::OutcomeUnknown`] if no lookup succeeds within [`RESOLVE_TIMEOUT`].
    async fn look_up(&self, key: &OperationKey) -> Result<Option<(OperationId, u64)>> {
        let started = Instant::now();
        loop {
            match self.run_once(key, &|db, key| Box::pin(find_operation(db, key))).await {
                Ok(found) => return Ok(found),
                Err(error) if started.elapsed() > RESOLVE_TIMEOUT || self.is_closed() => {
                    let error = error.into_storage_error();
                    return Err(StorageError::OutcomeUnknown(format!(
                        "the connection was lost during a commit, and looking it up failed: {error}"
                    )));
                }
                Err(_) => tokio::time::sleep(RESOLVE_INTERVAL).await,
            }
        }
    }
}

/// Returns id and number of changes of the operation with this key, if it was committed.
async fn find_operation(db: &Client, key: &OperationKey) -> AttemptResult<Option<(OperationId, u64)>> {
    // No attempt takes an id below the proposed one.
    let statement = "SELECT id, changes FROM operations WHERE merchant_id = $1 AND id >= $2 AND nonce = $3";
    let (merchant, proposed_id) = (key.merchant.get(), key.proposed_id.get());
    let row = sql::query_opt(db, statement, &[&merchant, &proposed_id, &key.nonce]).await?;
    let Some(row) = row else { return Ok(None) };
    let (id, changes): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let id = OperationId::new(id).ok_or_else(|| StorageError::corrupt("operations", "id", id))?;
    Ok(Some((id, changes.unsigned_abs())))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::time::Duration;

    use jiff::Timestamp;
    use zumra_core::{Actor, SystemEntropy};
    use zumra_testkit::TestDatabase;

    use super::*;
    use crate::Conflict;
    use crate::metrics::Metrics;
    use crate::postgres::{PostgresOptions, pool, schema};

    /// How an attempt ends.
    enum Step {
        /// In doubt. The lookup finds no row.
        Doubt,
        /// The commit of an earlier attempt, with 7 changes, becomes visible during this attempt.
        LateCommit(AttemptOutcome<u64>),
        End(AttemptOutcome<u64>),
    }

    /// A write whose attempts end as listed.
    struct Script<'c>(&'c tokio_postgres::Client, Mutex<VecDeque<Step>>);

    impl RetryableWrite<u64> for Script<'_> {
        fn attempt(&self, attempt: Attempt) -> BoxFuture<'_, AttemptOutcome<u64>> {
            let step = self.1.lock().unwrap().pop_front().expect("no more attempts than steps");
            Box::pin(async move {
                match step {
                    Step::Doubt => AttemptOutcome::InDoubt(Box::new(|_, changes| changes), unavailable()),
                    Step::End(outcome) => outcome,
                    Step::LateCommit(outcome) => {
                        let insert =
                            "INSERT INTO operations (merchant_id, id, at, actor, kind, changes, nonce)
                                      SELECT 1, coalesce(max(id), 10) + 1, 0, 'operator', 'load', 7, $1
                                      FROM operations";
                        self.0.execute(insert, &[&attempt.nonce]).await.unwrap();
                        outcome
                    }
                }
            })
        }
    }

    fn unavailable() -> StorageError {
        StorageError::Unavailable("test".to_owned())
    }

    fn retryable() -> Step {
        Step::End(AttemptOutcome::Failed(AttemptError::Retryable(unavailable())))
    }

    fn permanent(error: impl Into<StorageError>) -> AttemptOutcome<u64> {
        AttemptOutcome::Failed(AttemptError::Permanent(error.into()))
    }

    #[tokio::test]
    async fn outcome_of_a_write_follows_from_its_attempts_and_the_lookup() {
        let database = TestDatabase::new().await;
        let pool = pool::build(&PostgresOptions::parse(&database.url()).unwrap()).unwrap();
        schema::migrate(&pool, Timestamp::UNIX_EPOCH).await.unwrap();
        let timeout = Duration::from_mins(1);
        let connections = Connections::new(pool, timeout, &SystemEntropy, Metrics::new());
        let client = database.connect().await;
        let run = async |steps: Vec<Step>| {
            let script = Script(&client, Mutex::new(steps.into()));
            let (proposed_id, at) = (OperationId::FIRST, Timestamp::UNIX_EPOCH);
            let operation = Operation { proposed_id, at, actor: Actor::Operator };
            let result = connections.write_until_known(MerchantId::FIRST, &operation, &script).await;
            assert!(script.1.into_inner().unwrap().is_empty(), "every attempt was made");
            result
        };
        let late = Step::LateCommit;
        // Without doubt.
        assert!(matches!(run(vec![retryable(), Step::End(AttemptOutcome::Written(1))]).await, Ok(1)));
        let exhausted = (0..ATTEMPTS_MAX).map(|_| retryable()).collect();
        assert!(matches!(run(exhausted).await, Err(StorageError::Unavailable(_))));
        // In doubt, and committed after all.
        let outcomes = [
            AttemptOutcome::Unchanged(2),
            permanent(Conflict::Token),
            permanent(unavailable()),
            AttemptOutcome::InDoubt(Box::new(|_, changes| changes), unavailable()),
        ];
        for outcome in outcomes {
            assert!(matches!(run(vec![Step::Doubt, late(outcome)]).await, Ok(7)));
        }
        // In doubt, and no lookup finds the row.
        let end = |outcome| vec![Step::Doubt, Step::End(outcome)];
        assert!(matches!(run(end(AttemptOutcome::Written(3))).await, Ok(3)));
        assert!(matches!(run(end(AttemptOutcome::Unchanged(4))).await, Ok(4)));
        let conflict = run(end(permanent(Conflict::Token))).await;
        assert!(matches!(conflict, Err(StorageError::Conflict(Conflict::Token))), "{conflict:?}");
        let unknown = run(end(permanent(unavailable()))).await;
        assert!(matches!(unknown, Err(StorageError::OutcomeUnknown(_))), "{unknown:?}");
        let retried = std::iter::once(Step::Doubt).chain((1..ATTEMPTS_MAX).map(|_| retryable()));
        let unknown = run(retried.collect()).await;
        assert!(matches!(unknown, Err(StorageError::OutcomeUnknown(_))), "{unknown:?}");
    }
}
