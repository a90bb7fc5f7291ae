//! Coalesces concurrent add requests of a merchant: requests that arrive while a statement is in flight share the next.
//!
//! Each request is all or nothing by itself and has its own operation. The fixed cost of a statement, a round trip and a
//! commit, is paid once for all of them.

use std::collections::hash_map::Entry;
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

/// Statements in flight per merchant at most. Two, so that small requests need not wait for a large one.
const STATEMENTS_MAX: usize = 2;

/// The queues of add requests, by merchant.
pub(super) struct AddMembersCoalescer {
    connections: Arc<Connections>,
    queues: Mutex<HashMap<MerchantId, MerchantQueue>>,
}

#[derive(Default)]
struct MerchantQueue {
    /// Tasks that drain this queue, each with one statement in flight.
    statements: usize,
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

    /// Enqueues a request. Returns true if the caller must start another task that drains the queue.
    fn enqueue(&self, merchant: MerchantId, request: QueuedRequest) -> bool {
        let mut queues = self.lock();
        let queue = queues.entry(merchant).or_default();
        queue.requests.push_back(request);
        if queue.statements == STATEMENTS_MAX {
            return false;
        }
        queue.statements += 1;
        true
    }

    /// Sends statements until the merchant's queue is empty.
    async fn drain(self: Arc<Self>, merchant: MerchantId) {
        let mut connection = self.connections.acquire().await;
        // Only now, so that the statement includes requests that arrived while waiting for the connection.
        let mut next = self.next_statement(merchant);
        while let Some(statement) = next {
            let outcomes = match &mut connection {
                Ok(connection) => self.send(merchant, &statement, connection).await,
                Err(error) => statement.fail_all(error),
            };
            let is_lost = outcomes.iter().any(AttemptOutcome::needs_new_connection);
            // Before the replies, so that an immediate retry does not count this statement as in flight.
            next = self.next_statement(merchant);
            if !is_lost && next.is_some() {
                statement.reply(outcomes);
                continue;
            }
            // Before the replies too, because the clients may need a connection at once.
            match connection {
                Ok(lost) if is_lost => lost.discard(),
                unused => drop(unused),
            }
            statement.reply(outcomes);
            if next.is_none() {
                return;
            }
            connection = self.connections.acquire().await;
        }
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
        metrics.batch.observe(u32::try_from(outcomes.len()).map_or(f64::MAX, f64::from));
        outcomes
    }

    /// Takes the requests of the next statement. Returns `None` if the queue is empty, and then counts the calling task
    /// as ended.
    fn next_statement(&self, merchant: MerchantId) -> Option<AddMembersStatement> {
        let mut queues = self.lock();
        let Entry::Occupied(mut queue) = queues.entry(merchant) else { return None };
        let statement = AddMembersStatement::take(&mut queue.get_mut().requests);
        if statement.is_none() {
            queue.get_mut().statements -= 1;
            if queue.get().statements == 0 {
                queue.remove();
            }
        }
        statement
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MerchantId, MerchantQueue>> {
        // No code panics while it holds the lock.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
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
            if self.coalescer.enqueue(self.merchant, request) {
                // A task of its own: this caller may be cancelled while other requests share the statement.
                tokio::spawn(Arc::clone(&self.coalescer).drain(self.merchant));
            }
            // The task ends early only if the runtime shuts down or the task panics. It may have sent the statement.
            let lost =
                |_| in_doubt(StorageError::Internal("the task that adds members has ended".to_owned()));
            outcome.await.unwrap_or_else(lost)
        })
    }
}
