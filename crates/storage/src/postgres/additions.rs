//! Adding customers to groups: one statement for all additions of a merchant that wait.
//!
//! Whoever adds while others of the same merchant are at it goes with the next statement, together with everybody else
//! who waits. Each of them is all or nothing by itself, and has its own operation. What a statement costs, whatever is in
//! it, is then paid once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;
use zumra_core::MerchantId;

use super::batch::{Addition, Batch, Waiting};
use super::connections::{Attempt, Connections, End, Seat, Work};
use super::errors::{Failure, Try};
use super::operations::Mark;
use crate::{AddMembersOutcome, StorageError};

/// Statements of one merchant that are on their way at once. A second one, so that the small ones need not wait for a
/// large one.
const STATEMENTS: usize = 2;

/// The additions that wait, by merchant.
pub(super) struct Additions {
    connections: Arc<Connections>,
    lines: Mutex<HashMap<MerchantId, Line>>,
}

#[derive(Default)]
struct Line {
    /// How many statements are on their way.
    statements: usize,
    waiting: VecDeque<Waiting>,
}

impl Additions {
    pub(super) fn new(connections: Arc<Connections>) -> Self {
        Self { connections, lines: Mutex::default() }
    }

    /// How an addition is tried.
    pub(super) fn attempt(
        self: &Arc<Self>,
        merchant: MerchantId,
        addition: Addition,
    ) -> impl Attempt<AddMembersOutcome> {
        One { additions: Arc::clone(self), merchant, addition: Arc::new(addition) }
    }

    /// Lets an addition wait. Whether it needs another statement than those that are on their way.
    fn line_up(&self, merchant: MerchantId, waiting: Waiting) -> bool {
        let mut lines = self.lock();
        let line = lines.entry(merchant).or_default();
        line.waiting.push_back(waiting);
        let is_short = line.statements < STATEMENTS;
        line.statements += usize::from(is_short);
        is_short
    }

    /// Sends statements until nobody of the merchant waits any more.
    async fn serve(self: Arc<Self>, merchant: MerchantId) {
        let mut seat = self.connections.seat().await;
        // Only now: meanwhile others may have come.
        let mut next = self.next(merchant);
        while let Some(batch) = next {
            let ends = match seat.as_mut().map(|seat| self.send(merchant, &batch, seat)) {
                Ok(sending) => sending.await.unwrap_or_else(|failure| batch.failed(&failure)),
                Err(failure) => batch.failed(failure),
            };
            let is_lost = ends.iter().any(|end| matches!(end, End::InDoubt(..)));
            // Before anybody is answered: whoever comes again at once shall not find this statement still there.
            next = self.next(merchant);
            if is_lost || next.is_none() {
                let used = std::mem::replace(&mut seat, Err(Failure::silent()));
                if let Some(lost) = used.ok().filter(|_| is_lost) {
                    lost.discard();
                }
            }
            batch.answer(ends);
            if is_lost && next.is_some() {
                seat = self.connections.seat().await;
            }
        }
    }

    /// Sends one statement.
    async fn send(
        &self,
        merchant: MerchantId,
        batch: &Batch,
        seat: &mut Seat,
    ) -> Try<Vec<End<AddMembersOutcome>>> {
        let started = Instant::now();
        let adding = tokio::time::timeout(self.connections.patience(), batch.run(&mut seat.client, merchant));
        let ends = adding.await.unwrap_or_else(|_| Err(Failure::silent()))?;
        let metrics = self.connections.metrics();
        metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
        metrics.batch.observe(u32::try_from(ends.len()).map_or(f64::MAX, f64::from));
        Ok(ends)
    }

    /// Those who go next, and none if nobody waits: then this statement was the last.
    fn next(&self, merchant: MerchantId) -> Option<Batch> {
        let mut lines = self.lock();
        let Entry::Occupied(mut line) = lines.entry(merchant) else { return None };
        let batch = Batch::take(&mut line.get_mut().waiting);
        if batch.is_none() {
            line.get_mut().statements -= 1;
            if line.get().statements == 0 {
                line.remove();
            }
        }
        batch
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MerchantId, Line>> {
        // Nothing panics while it holds the lock.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One addition that is to be tried.
struct One {
    additions: Arc<Additions>,
    merchant: MerchantId,
    addition: Arc<Addition>,
}

impl Attempt<AddMembersOutcome> for One {
    fn once(&self, mark: Mark) -> Work<'_, End<AddMembersOutcome>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let waiting = Waiting { addition: Arc::clone(&self.addition), mark, reply };
            if self.additions.line_up(self.merchant, waiting) {
                // A task of its own: whoever waits with others may go away.
                tokio::spawn(Arc::clone(&self.additions).serve(self.merchant));
            }
            let lost = |_| End::Failed(StorageError::Internal("an addition was lost".to_owned()).into());
            answer.await.unwrap_or_else(lost)
        })
    }
}
