//! The statement that adds members: the requests that share it, its parameters, and its result rows.

use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use deadpool_postgres::Client;
use tokio::sync::oneshot;
use tokio_postgres::Row;
use zumra_core::{
    CustomerId, GroupId, IdGenerator, IdSet, MerchantId, Operation, OperationId, OperationKind,
};

use super::attempts::Attempt;
use super::errors::{AttemptError, AttemptResult};
use super::retry::AttemptOutcome;
use crate::memberships::{ADDED_BY_HAND, decode_customers};
use crate::row::stored_count;
use crate::{AddMembersOutcome, Ids, StorageError};

/// Maximum number of requests in one statement.
const REQUESTS_MAX: usize = 128;
/// Maximum number of customers in a statement with several requests.
const CUSTOMERS_MAX: usize = 10_000;
/// How far a proposed operation id may be behind the merchant's newest operation: one second. An older id is replaced,
/// so that operations stay roughly in the order of time.
pub const PROPOSED_ID_LAG_MAX: i64 = 1_000 * IdGenerator::IDS_PER_MILLISECOND;

/// `add_members.sql` without comments and indentation, because the statement cache hashes the text on every use.
pub static ADD_MEMBERS: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("add_members.sql").lines().map(str::trim);
    lines.filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n")
});

/// A request to add customers to a group.
pub(super) struct AddRequest {
    pub(super) group: GroupId,
    /// Not empty.
    pub(super) customers: IdSet<CustomerId>,
    pub(super) operation: Operation,
}

/// The primary key of a membership, without the merchant.
type MembershipKey = (GroupId, CustomerId);

impl AddRequest {
    /// Returns the first and the last membership that the request names, in the order of the primary key.
    fn key_range(&self) -> (MembershipKey, MembershipKey) {
        debug_assert!(!self.customers.is_empty(), "an add request has at least one customer");
        let key =
            |customer: Option<&CustomerId>| (self.group, customer.copied().unwrap_or(CustomerId::FIRST));
        (key(self.customers.first()), key(self.customers.last()))
    }
}

/// A request in its merchant's queue.
pub(super) struct QueuedRequest {
    pub(super) request: Arc<AddRequest>,
    pub(super) attempt: Attempt,
    pub(super) reply: oneshot::Sender<AttemptOutcome<AddMembersOutcome>>,
}

/// The requests that share one statement.
pub(super) struct AddMembersStatement {
    /// In the order of the primary key of `memberships`, so that concurrent statements lock keys in the same order.
    requests: Vec<QueuedRequest>,
}

impl AddMembersStatement {
    /// Takes the oldest requests from the queue, up to the limits of a statement. Skips canceled ones. Returns `None`
    /// if the queue is empty.
    pub(super) fn take(queue: &mut VecDeque<QueuedRequest>) -> Option<Self> {
        let (mut requests, mut customers) = (Vec::new(), 0);
        while let Some(next) = queue.pop_front() {
            if next.reply.is_closed() {
                continue; // the caller is gone, and nothing was sent yet
            }
            customers += next.request.customers.len();
            let is_full = requests.len() == REQUESTS_MAX || customers > CUSTOMERS_MAX;
            if is_full && !requests.is_empty() {
                queue.push_front(next);
                break;
            }
            requests.push(next);
        }
        // One INSERT cannot contain a key twice. A request that overlaps an earlier one waits for the next statement.
        let overlapping = find_overlapping(&requests);
        if !overlapping.is_empty() {
            let (deferred, kept): (Vec<_>, Vec<_>) =
                requests.into_iter().enumerate().partition(|(position, _)| overlapping.contains(position));
            queue.extend(deferred.into_iter().map(|(_, request)| request));
            requests = kept.into_iter().map(|(_, request)| request).collect();
        }
        requests.sort_by_key(|queued| queued.request.key_range().0);
        (!requests.is_empty()).then_some(Self { requests })
    }

    /// Runs the statement, which commits by itself. Returns one outcome per request.
    pub(super) async fn run(
        &self,
        client: &Client,
        merchant: MerchantId,
    ) -> AttemptResult<Vec<AttemptOutcome<AddMembersOutcome>>> {
        let statement = client.prepare_cached(&ADD_MEMBERS).await.map_err(AttemptError::before_commit)?;
        let requests = || self.requests.iter().map(|queued| &*queued.request);
        let numbers = |number: fn(&AddRequest) -> i64| requests().map(number).collect::<Vec<i64>>();
        let groups = numbers(|request| request.group.get());
        let ids = unique_ids(requests().map(|request| request.operation.proposed_id));
        let times = numbers(|request| request.operation.at.as_microsecond());
        let actors: Vec<String> = requests().map(|request| request.operation.actor.to_string()).collect();
        let nonces: Vec<i64> = self.requests.iter().map(|queued| queued.attempt.nonce).collect();
        let lists: Vec<String> = requests().map(|request| array_text(&request.customers)).collect();
        let longest = requests().map(|request| request.customers.len()).max().unwrap_or(0);
        let list_limit = stored_count(longest + 1);
        let id_gap = self.requests.first().map_or(1, |queued| queued.attempt.id_gap);
        let kind = OperationKind::AddMembers.as_str();
        let rows = client
            .query(
                &statement,
                &[
                    &merchant.get(),
                    &groups,
                    &ids,
                    &times,
                    &actors,
                    &nonces,
                    &lists,
                    &list_limit,
                    &id_gap,
                    &ADDED_BY_HAND,
                    &kind,
                    &PROPOSED_ID_LAG_MAX,
                ],
            )
            .await
            .map_err(AttemptError::from_commit)?;
        // From here on the statement is committed, so a result that cannot be read leaves the outcome unknown.
        if rows.len() != self.requests.len() {
            let why = format!("{} result rows for {} add requests", rows.len(), self.requests.len());
            return Err(AttemptError::from(StorageError::Internal(why)).into_connection_lost());
        }
        let outcomes = requests().zip(&rows).map(|(request, row)| outcome(request.group, row));
        outcomes.collect::<AttemptResult<_>>().map_err(AttemptError::into_connection_lost)
    }

    /// Sends each request its outcome.
    pub(super) fn reply(self, outcomes: Vec<AttemptOutcome<AddMembersOutcome>>) {
        for (queued, outcome) in self.requests.into_iter().zip(outcomes) {
            let _ = queued.reply.send(outcome); // the caller may be gone
        }
    }

    /// Returns the outcome of each request if the statement failed. The statement is its own commit, so a lost
    /// connection leaves all of them in doubt.
    pub(super) fn fail_all(&self, error: &AttemptError) -> Vec<AttemptOutcome<AddMembersOutcome>> {
        let outcome = |_| match error.clone() {
            AttemptError::ConnectionLost(error) => in_doubt(error),
            error => AttemptOutcome::Failed(error),
        };
        self.requests.iter().map(outcome).collect()
    }
}

/// Returns the outcome of a request whose statement may have been committed.
pub(super) fn in_doubt(error: StorageError) -> AttemptOutcome<AddMembersOutcome> {
    let from_row = |operation, added| AddMembersOutcome::Added { operation, added };
    AttemptOutcome::InDoubt(Box::new(from_row), error)
}

/// Returns the positions of requests that name a membership which an earlier request names too.
fn find_overlapping(requests: &[QueuedRequest]) -> HashSet<usize> {
    let mut ranges: Vec<_> = requests.iter().map(|queued| queued.request.key_range()).collect();
    ranges.sort_unstable();
    if ranges.is_sorted_by(|before, after| before.1 < after.0) {
        return HashSet::new(); // disjoint ranges, the frequent case
    }
    let mut memberships = Vec::new();
    for (position, QueuedRequest { request, .. }) in requests.iter().enumerate() {
        memberships.extend(request.customers.iter().map(|&customer| (request.group, customer, position)));
    }
    memberships.sort_unstable();
    let is_same = |pair: &&[(GroupId, CustomerId, usize)]| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1);
    memberships.windows(2).filter(is_same).map(|pair| pair[1].2).collect()
}

/// Returns the proposed ids. One that is used by an earlier request is replaced by the next higher id that is not.
fn unique_ids(proposed: impl Iterator<Item = OperationId>) -> Vec<i64> {
    let mut ids: Vec<i64> = Vec::new();
    for mut id in proposed.map(OperationId::get) {
        while ids.contains(&id) {
            id += 1;
        }
        ids.push(id);
    }
    ids
}

/// Formats ids as the text of a PostgreSQL array.
fn array_text(ids: &[CustomerId]) -> String {
    let mut text = String::with_capacity(2 + 8 * ids.len());
    text.push('{');
    for (position, id) in ids.iter().enumerate() {
        let comma = if position == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{id}"); // writing to a string cannot fail
    }
    text.push('}');
    text
}

/// Decodes the result row of a request to add members to `group`.
fn outcome(group: GroupId, row: &Row) -> AttemptResult<AttemptOutcome<AddMembersOutcome>> {
    let group_exists: bool = row.try_get(0)?;
    let missing_customers: Option<Vec<i64>> = row.try_get(1)?;
    let missing = Ids {
        groups: if group_exists { IdSet::default() } else { vec![group].into() },
        customers: decode_customers(missing_customers.unwrap_or_default())?,
    };
    if !missing.is_empty() {
        return Ok(AttemptOutcome::Unchanged(AddMembersOutcome::MissingIds(missing)));
    }
    let (added, id, is_accepted): (i64, i64, bool) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
    if added == 0 {
        return Ok(AttemptOutcome::Unchanged(AddMembersOutcome::Unchanged));
    }
    if !is_accepted {
        let why = "concurrent delete of a customer or group".to_owned();
        return Ok(AttemptOutcome::Failed(AttemptError::Retryable(StorageError::Unavailable(why))));
    }
    let operation = OperationId::new(id).ok_or_else(|| StorageError::corrupt("operations", "id", id))?;
    Ok(AttemptOutcome::Written(AddMembersOutcome::Added { operation, added: added.unsigned_abs() }))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use zumra_core::Actor;

    use super::*;

    fn queued(
        group: i64,
        customers: &[i64],
    ) -> (QueuedRequest, oneshot::Receiver<AttemptOutcome<AddMembersOutcome>>) {
        let operation =
            Operation { proposed_id: OperationId::FIRST, at: Timestamp::UNIX_EPOCH, actor: Actor::Operator };
        let group = GroupId::new(group).unwrap();
        let customers = customers.iter().filter_map(|&id| CustomerId::new(id)).collect();
        let request = Arc::new(AddRequest { group, customers, operation });
        let (reply, outcome) = oneshot::channel();
        (QueuedRequest { request, attempt: Attempt { nonce: 1, id_gap: 1 }, reply }, outcome)
    }

    fn lists(statement: &AddMembersStatement) -> Vec<(i64, String)> {
        let requests = statement.requests.iter().map(|queued| &queued.request);
        requests.map(|request| (request.group.get(), array_text(&request.customers))).collect()
    }

    #[test]
    fn overlapping_requests_are_deferred_and_canceled_ones_dropped() {
        let wanted = [(2, &[1, 5][..]), (1, &[7]), (2, &[2, 3]), (2, &[5, 9]), (1, &[5, 6])];
        let (mut queue, mut receivers): (VecDeque<_>, Vec<_>) =
            wanted.iter().map(|(group, customers)| queued(*group, customers)).unzip();
        receivers.remove(1); // cancels it
        let first = AddMembersStatement::take(&mut queue).unwrap();
        assert_eq!(lists(&first), [(1, "{5,6}".into()), (2, "{1,5}".into()), (2, "{2,3}".into())]);
        let second = AddMembersStatement::take(&mut queue).unwrap();
        assert_eq!(lists(&second), [(2, "{5,9}".into())]);
        assert!(AddMembersStatement::take(&mut queue).is_none());
    }

    #[test]
    fn a_statement_has_limits_but_takes_any_single_request() {
        let large: Vec<i64> = (1..=10_001).collect();
        let (mut queue, _receivers): (VecDeque<_>, Vec<_>) =
            [queued(1, &large), queued(2, &[1])].into_iter().unzip();
        assert_eq!(AddMembersStatement::take(&mut queue).unwrap().requests.len(), 1);
        assert_eq!(AddMembersStatement::take(&mut queue).unwrap().requests.len(), 1);
        let (mut queue, _receivers): (VecDeque<_>, Vec<_>) =
            (1..=129).map(|customer| queued(1, &[customer])).unzip();
        assert_eq!(AddMembersStatement::take(&mut queue).unwrap().requests.len(), 128);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn repeated_proposed_ids_become_unique_and_never_smaller() {
        let ids = [5, 5, 6, 5].map(|id| OperationId::new(id).unwrap());
        assert_eq!(unique_ids(ids.into_iter()), [5, 6, 7, 8]);
    }
}
