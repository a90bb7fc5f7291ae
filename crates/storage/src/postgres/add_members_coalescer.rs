//! Coalesces concurrent add requests of a merchant: requests that arrive while a statement is in flight share the next.
//!
//! Each request remains atomic and has its own operation. All requests of a statement share its fixed cost: a round
//! trip and a commit.

use std::collections::hash_map::{Entry, OccupiedEntry};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use zumra_core::MerchantId;

use super::add_members_statement::{AddMembersStatement, AddRequest, QueuedRequest, in_doubt};
use super::attempts::Attempt;
use super::connections::{Connections, PooledConnection, within};
use super::retry::{AttemptOutcome, RetryableWrite};
use crate::{AddMembersOutcome, StorageError};

/// Maximum number of statements in flight per merchant. With two, small requests need not wait for a large one.
const STATEMENTS_MAX: usize = 2;

/// The queues of add requests, by merchant.
pub(super) struct AddMembersCoalescer {
    connections: Arc<Connections>,
    queues: Mutex<HashMap<MerchantId, MerchantQueue>>,
}

#[derive(Default)]
struct MerchantQueue {
    /// Number of tasks that drain this queue, each with one statement in flight.
    drains: usize,
    requests: VecDeque<QueuedRequest>,
}

impl AddMembersCoalescer {
    pub(super) fn new(connections: Arc<Connections>) -> Self {
        Self { connections, queues: Mutex::default() }
    }

    /// Returns the write that enqueues `request` and waits for its outcome.
    pub(super) fn write(
        self: &Arc<Self>,
        merchant: MerchantId,
        request: AddRequest,
    ) -> impl RetryableWrite<AddMembersOutcome> {
        CoalescedWrite { coalescer: Arc::clone(self), merchant, request: Arc::new(request) }
    }

    /// Enqueues a request. Returns a drain that the caller must start, unless enough are running.
    fn enqueue(self: &Arc<Self>, merchant: MerchantId, request: QueuedRequest) -> Option<Drain> {
        let mut queues = self.lock();
        let queue = queues.entry(merchant).or_default();
        queue.requests.push_back(request);
        if queue.drains == STATEMENTS_MAX {
            return None;
        }
        queue.drains += 1;
        Some(Drain { coalescer: Arc::clone(self), merchant, has_ended: false })
    }

    /// Sends one statement. Returns one outcome per request.
    async fn send(
        &self,
        merchant: MerchantId,
        statement: &AddMembersStatement,
        connection: &mut PooledConnection,
    ) -> Vec<AttemptOutcome<AddMembersOutcome>> {
        let started = Instant::now();
        let run = statement.run(&connection.client, merchant);
        let outcomes = match within(self.connections.timeout(), run).await {
            Ok(outcomes) => outcomes,
            Err(error) => return statement.fail_all(&error),
        };
        let metrics = self.connections.metrics();
        metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
        metrics.batch_operations.observe(u32::try_from(outcomes.len()).map_or(f64::MAX, f64::from));
        outcomes
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MerchantId, MerchantQueue>> {
        // No code panics while it holds the lock.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that drains the queue of a merchant, with one statement in flight.
struct Drain {
    coalescer: Arc<AddMembersCoalescer>,
    merchant: MerchantId,
    /// True once the queue was empty, and this task is no longer counted.
    has_ended: bool,
}

impl Drain {
    /// Sends statements until the merchant's queue is empty.
    async fn run(mut self) {
        let coalescer = Arc::clone(&self.coalescer);
        let mut connection = coalescer.connections.acquire().await;
        // Take the statement only now: it includes requests that arrived while this task waited for the connection.
        let mut next = self.next_statement();
        while let Some(statement) = next {
            let outcomes = match &mut connection {
                Ok(connection) => coalescer.send(self.merchant, &statement, connection).await,
                Err(error) => statement.fail_all(error),
            };
            let is_lost = outcomes.iter().any(AttemptOutcome::needs_new_connection);
            // Take it before the replies: an immediate retry must not count this statement as in flight.
            next = self.next_statement();
            if !is_lost && next.is_some() {
                statement.reply(outcomes);
                continue;
            }
            // Release the connection before the replies too, because the clients may need one at once.
            match connection {
                Ok(lost) if is_lost => lost.discard(),
                unused => drop(unused),
            }
            statement.reply(outcomes);
            if next.is_none() {
                return;
            }
            connection = coalescer.connections.acquire().await;
        }
    }

    /// Takes the requests of the next statement. Returns `None` if the queue is empty, and then counts this task as
    /// ended.
    fn next_statement(&mut self) -> Option<AddMembersStatement> {
        let mut queues = self.coalescer.lock();
        let Entry::Occupied(mut queue) = queues.entry(self.merchant) else { return None };
        let statement = AddMembersStatement::take(&mut queue.get_mut().requests);
        if statement.is_none() {
            self.has_ended = true;
            end_task(queue);
        }
        statement
    }
}

impl Drop for Drain {
    /// Drops the requests in the queue if the task ends early, so that their callers attempt them again.
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        if let Entry::Occupied(mut queue) = self.coalescer.lock().entry(self.merchant) {
            queue.get_mut().requests.clear();
            end_task(queue);
        }
    }
}

/// Counts a task of the queue as ended. The last one removes the queue.
fn end_task(mut queue: OccupiedEntry<'_, MerchantId, MerchantQueue>) {
    queue.get_mut().drains -= 1;
    if queue.get().drains == 0 {
        queue.remove();
    }
}

/// An add request that shares statements with others.
struct CoalescedWrite {
    coalescer: Arc<AddMembersCoalescer>,
    merchant: MerchantId,
    request: Arc<AddRequest>,
}

impl RetryableWrite<AddMembersOutcome> for CoalescedWrite {
    fn attempt(&self, attempt: Attempt) -> BoxFuture<'_, AttemptOutcome<AddMembersOutcome>> {
        Box::pin(async move {
            let (reply, outcome) = oneshot::channel();
            let request = QueuedRequest { request: Arc::clone(&self.request), attempt, reply };
            if let Some(drain) = self.coalescer.enqueue(self.merchant, request) {
                // Use a separate task: this caller may be canceled while other requests share the statement.
                tokio::spawn(drain.run());
            }
            // The task ends early only if the runtime shuts down or the task panics. It may have sent the statement.
            let lost =
                |_| in_doubt(StorageError::Internal("the task that adds members has ended".to_owned()));
            outcome.await.unwrap_or_else(lost)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use zumra_core::{Actor, CustomerId, GroupId, Operation, OperationId, SystemEntropy};

    use super::*;
    use crate::metrics::Metrics;
    use crate::postgres::{PostgresOptions, pool};

    #[tokio::test]
    async fn requests_are_released_if_their_drain_ends_early() {
        let pool = pool::build(&PostgresOptions::parse("postgres://z@127.0.0.1:1/z").unwrap()).unwrap();
        let connections = Connections::new(pool, Duration::from_secs(1), &SystemEntropy, Metrics::new());
        let coalescer = Arc::new(AddMembersCoalescer::new(Arc::new(connections)));
        let enqueue = || {
            let operation = Operation {
                proposed_id: OperationId::FIRST,
                at: Timestamp::UNIX_EPOCH,
                actor: Actor::Operator,
            };
            let customers = vec![CustomerId::FIRST].into();
            let request = Arc::new(AddRequest { group: GroupId::FIRST, customers, operation });
            let (reply, outcome) = oneshot::channel();
            let request = QueuedRequest { request, attempt: Attempt { nonce: 1, id_gap: 1 }, reply };
            (coalescer.enqueue(MerchantId::FIRST, request), outcome)
        };
        let (first, first_outcome) = enqueue();
        let (second, second_outcome) = enqueue();
        let (third, third_outcome) = enqueue();
        assert!(third.is_none(), "two statements are in flight at most");
        drop(first);
        for outcome in [first_outcome, second_outcome, third_outcome] {
            assert!(outcome.await.is_err(), "released");
        }
        let (replacement, _outcome) = enqueue();
        assert!(replacement.is_some(), "the slot is free again");
        drop((second, replacement));
        assert!(coalescer.lock().is_empty());
    }
}
