//! Additions of one merchant that go together: what is sent for them, and what comes back.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use deadpool_postgres::Client;
use tokio::sync::oneshot;
use tokio_postgres::Row;
use zumra_core::{GroupId, IdSet, MerchantId, Operation, OperationId, OperationKind};

use super::connections::End;
use super::errors::{Failure, Try};
use super::memberships::{BY_HAND, customer_ids};
use super::operations::Mark;
use crate::{AddMembersOutcome, Ids, StorageError};

/// Additions in one statement at most.
const ADDITIONS: usize = 128;
/// Customers in a statement of several additions at most.
const CUSTOMERS: usize = 10_000;

/// One statement, and so one round trip and one transaction.
///
/// - Additions are numbered. Their lists come as texts, because distributed databases have no arrays of arrays.
/// - An operation takes the id that its caller proposes, unless it is taken or lies a second behind the newest one: there
///   are 4,096 ids a millisecond. Callers who propose at the same time need not know of each other.
/// - Whoever takes a customer or a group away counts that in the merchant's row before looking at memberships. The row is
///   locked here and must still say what it said when the statement began; so what was seen then is still there.
/// - Whoever names many often names those who stand side by side, a page of a shop's customers or a whole import, and for
///   the first time. So first each list is looked at as a whole: if it holds all customers of the merchant from its first
///   to its last one, they are known; and if the group has no member from the first to the last, none of them is one.
///   Such a list is inserted as it is. Only of other lists, customers are looked for one by one (`wanted`).
/// - Each look-up is a subquery of its own: a join may read a whole group, or all customers. The one for a member between
///   the first and the last asks for the next one in order, for only the primary key has that order: in an empty table
///   every index looks as good, and the one by customer would read all groups of all these customers. How long the lists are
///   is hidden behind a SELECT: the server would otherwise make a plan for every length, which takes longer than adding.
/// - Who is a member by rule is so by hand too afterwards. A statement of its own within this one, for a conflict clause
///   slows down every row that is new.
pub const ADD_MEMBERS: &str = "
    WITH newest AS (SELECT max(id) AS id FROM operations WHERE merchant_id = $1),
         guard AS (SELECT removals FROM merchants WHERE merchant_id = $1 FOR SHARE),
         asked AS MATERIALIZED (
             SELECT n, group_id, id, at, actor, nonce, ids::bigint[] AS ids
             FROM unnest((SELECT $2::bigint[]), $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[])
                      WITH ORDINALITY AS asked (group_id, id, at, actor, nonce, ids, n)),
         whole AS MATERIALIZED (
             SELECT n, group_id, ids,
                    coalesce((SELECT memberships.group_id = asked.group_id AND customer_id <= ids[cardinality(ids)]
                              FROM memberships
                              WHERE merchant_id = $1 AND (memberships.group_id, customer_id) >= (asked.group_id, ids[1])
                              ORDER BY memberships.group_id, customer_id LIMIT 1), false) AS crowded,
                    ids = ARRAY(SELECT customers.id FROM customers
                                WHERE merchant_id = $1 AND customers.id BETWEEN ids[1] AND ids[cardinality(ids)]
                                ORDER BY customers.id LIMIT (SELECT $8::bigint)) AS known
             FROM asked),
         wanted AS MATERIALIZED (
             SELECT n, group_id, customer,
                    CASE WHEN known THEN true
                         ELSE (SELECT true FROM customers WHERE merchant_id = $1 AND id = customer)
                    END AS known,
                    CASE WHEN crowded THEN
                        (SELECT source FROM memberships
                         WHERE merchant_id = $1 AND group_id = one.group_id AND customer_id = customer)
                    END AS source
             FROM (SELECT n, group_id, crowded, known, unnest(ids) AS customer FROM whole
                   WHERE crowded OR NOT known) AS one),
         counted AS (
             SELECT n, count(*) FILTER (WHERE known IS NULL) AS unknown,
                    count(*) FILTER (WHERE source IS NULL OR source & $10::smallint = 0) AS added
             FROM wanted GROUP BY n),
         judged AS MATERIALIZED (
             SELECT asked.n, asked.group_id, at, actor, nonce, asked.ids, counted.n IS NULL AS as_it_is,
                    coalesce(unknown, 0) AS unknown, coalesce(added, cardinality(asked.ids)) AS added,
                    (SELECT true FROM groups
                     WHERE merchant_id = $1 AND id = asked.group_id AND deleted_by IS NULL) AS there,
                    CASE WHEN newest.id IS NULL OR asked.id > newest.id
                           OR (asked.id + 4096000 > newest.id
                               AND (SELECT true FROM operations WHERE merchant_id = $1 AND id = asked.id) IS NULL)
                         THEN asked.id ELSE newest.id + $9::bigint + asked.n END AS id
             FROM newest, asked LEFT JOIN counted ON counted.n = asked.n),
         done AS MATERIALIZED (
             SELECT judged.* FROM judged, guard
             WHERE there AND unknown = 0 AND added > 0
               AND guard.removals = (SELECT removals FROM merchants WHERE merchant_id = $1)),
         given AS MATERIALIZED (
             SELECT array_agg(done.id ORDER BY judged.n) AS ids FROM judged LEFT JOIN done ON done.n = judged.n),
         began AS (
             INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
             SELECT $1, group_id, customer, operation, $10::smallint
             FROM ((SELECT group_id, unnest(ids) AS customer, id AS operation FROM done WHERE as_it_is ORDER BY n)
                   UNION ALL
                   (SELECT group_id, customer, ids[n] FROM given, wanted
                    WHERE ids[n] IS NOT NULL AND source IS NULL ORDER BY group_id, customer)) AS new),
         joined AS (
             INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
             SELECT $1, group_id, customer, ids[n], $10::smallint FROM given, wanted
             WHERE ids[n] IS NOT NULL AND source & $10::smallint = 0 ORDER BY group_id, customer
             ON CONFLICT (merchant_id, group_id, customer_id)
             DO UPDATE SET source = memberships.source | $10::smallint WHERE memberships.merchant_id = $1),
         recorded AS (
             INSERT INTO operations (merchant_id, id, at, actor, kind, group_id, changes, nonce)
             SELECT $1, id, at, actor, $11::text, group_id, added, nonce FROM done)
    SELECT there IS NOT NULL,
           CASE WHEN unknown > 0 THEN ARRAY(SELECT customer FROM wanted WHERE wanted.n = judged.n AND known IS NULL) END,
           added, judged.id, given.ids[judged.n] IS NOT NULL
    FROM judged, given ORDER BY judged.n";

/// Customers to be added to a group.
pub(super) struct Addition {
    pub(super) group: GroupId,
    /// Ascending, once each.
    pub(super) customers: Vec<i64>,
    pub(super) operation: Operation,
}

impl Addition {
    /// The first and the last membership that it wants, in the order of their index.
    fn span(&self) -> ((GroupId, i64), (GroupId, i64)) {
        let end = |customer: Option<&i64>| (self.group, customer.copied().unwrap_or(0)); // there is one at least
        (end(self.customers.first()), end(self.customers.last()))
    }
}

/// An addition that waits, and who waits for it.
pub(super) struct Waiting {
    pub(super) addition: Arc<Addition>,
    pub(super) mark: Mark,
    pub(super) reply: oneshot::Sender<End<AddMembersOutcome>>,
}

/// Additions of one statement.
#[derive(Default)]
pub(super) struct Batch {
    /// In the order of the index that their customers go into, so that statements which want the same rows want them in
    /// the same order.
    additions: Vec<Waiting>,
}

impl Batch {
    /// Takes those who wait longest. None if nobody waits.
    pub(super) fn take(waiting: &mut VecDeque<Waiting>) -> Option<Self> {
        let (mut batch, mut customers) = (Self::default(), 0);
        while let Some(next) = waiting.pop_front() {
            if next.reply.is_closed() {
                continue; // nobody waits for the answer any more
            }
            customers += next.addition.customers.len();
            let is_full = batch.additions.len() == ADDITIONS || customers > CUSTOMERS;
            if is_full && !batch.additions.is_empty() {
                waiting.push_front(next);
                break;
            }
            batch.additions.push(next);
        }
        batch.put_off_repetitions(waiting);
        batch.additions.sort_by_key(|waiting| waiting.addition.span().0);
        (!batch.additions.is_empty()).then_some(batch)
    }

    /// A membership can begin once in a statement. Whoever wants one that an earlier addition wants too goes with the next.
    fn put_off_repetitions(&mut self, waiting: &mut VecDeque<Waiting>) {
        let mut spans: Vec<_> = self.additions.iter().map(|waiting| waiting.addition.span()).collect();
        spans.sort_unstable();
        if spans.is_sorted_by(|before, after| before.1 < after.0) {
            return; // lists side by side have nobody in common
        }
        let mut rows = Vec::new();
        for (place, Waiting { addition, .. }) in self.additions.iter().enumerate() {
            rows.extend(addition.customers.iter().map(|&customer| (addition.group, customer, place)));
        }
        rows.sort_unstable();
        let same = |pair: &&[(GroupId, i64, usize)]| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1);
        let mut later: Vec<usize> = rows.windows(2).filter(same).map(|pair| pair[1].2).collect();
        later.sort_unstable();
        for (place, addition) in std::mem::take(&mut self.additions).into_iter().enumerate() {
            if later.binary_search(&place).is_ok() {
                waiting.push_back(addition);
            } else {
                self.additions.push(addition);
            }
        }
    }

    /// Sends the statement.
    pub(super) async fn run(
        &self,
        client: &mut Client,
        merchant: MerchantId,
    ) -> Try<Vec<End<AddMembersOutcome>>> {
        let statement = client.prepare_cached(ADD_MEMBERS).await?;
        let each = |what: fn(&Waiting) -> i64| self.additions.iter().map(what).collect::<Vec<i64>>();
        let groups = each(|waiting| waiting.addition.group.get());
        let mut ids = each(|waiting| waiting.addition.operation.proposed_id.get());
        for place in 1..ids.len() {
            if ids[..place].contains(&ids[place]) {
                ids[place] = 0; // proposed twice: it gets another one there
            }
        }
        let times = each(|waiting| waiting.addition.operation.at.as_microsecond());
        let nonces = each(|waiting| waiting.mark.nonce);
        let additions = || self.additions.iter().map(|waiting| &waiting.addition);
        let actors: Vec<String> = additions().map(|addition| addition.operation.actor.to_string()).collect();
        let lists: Vec<String> = additions().map(|addition| array_text(&addition.customers)).collect();
        let longest = additions().map(|addition| addition.customers.len()).max().unwrap_or(0);
        let stride = self.additions.first().map_or(1, |waiting| waiting.mark.stride);
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
                    // One more than a list can match.
                    &i64::try_from(longest + 1).unwrap_or(i64::MAX),
                    &stride,
                    &BY_HAND,
                    &kind,
                ],
            )
            .await?;
        if rows.len() != self.additions.len() {
            return Err(StorageError::Internal("additions and answers are not as many".to_owned()).into());
        }
        self.additions.iter().zip(&rows).map(|(waiting, row)| end(waiting.addition.group, row)).collect()
    }

    /// Answers everybody who waits.
    pub(super) fn answer(self, ends: Vec<End<AddMembersOutcome>>) {
        for (waiting, end) in self.additions.into_iter().zip(ends) {
            let _ = waiting.reply.send(end); // nobody may be waiting any more
        }
    }

    /// How its additions ended if the statement failed.
    pub(super) fn failed(&self, failure: &Failure) -> Vec<End<AddMembersOutcome>> {
        let end = |_| match failure.again() {
            // The statement is its own commit, so nobody knows whether it was done.
            Failure::Lost(error) => {
                let answer = |operation, added| AddMembersOutcome::Added { operation, added };
                End::InDoubt(Box::new(answer), error)
            }
            failure => End::Failed(failure),
        };
        self.additions.iter().map(end).collect()
    }
}

/// How PostgreSQL writes an array.
fn array_text(ids: &[i64]) -> String {
    let mut text = String::with_capacity(2 + 8 * ids.len());
    text.push('{');
    for (place, id) in ids.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{id}"); // a text takes whatever is written to it
    }
    text.push('}');
    text
}

/// How an addition to `group` ended, by its row of the answer.
fn end(group: GroupId, row: &Row) -> Try<End<AddMembersOutcome>> {
    let is_there: bool = row.try_get(0)?;
    let unknown: Option<Vec<i64>> = row.try_get(1)?;
    let unknown = Ids {
        groups: if is_there { IdSet::default() } else { vec![group].into() },
        customers: customer_ids(unknown.unwrap_or_default())?,
    };
    if !unknown.is_empty() {
        return Ok(End::Unchanged(AddMembersOutcome::MissingIds(unknown)));
    }
    let (added, id, is_done): (i64, i64, bool) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
    if added == 0 {
        return Ok(End::Unchanged(AddMembersOutcome::Unchanged));
    }
    if !is_done {
        let why = "customers or groups were taken away at the same moment".to_owned();
        return Ok(End::Failed(Failure::InTheWay(StorageError::Unavailable(why))));
    }
    let operation = OperationId::new(id).ok_or_else(|| StorageError::corrupt("operations", "id", id))?;
    Ok(End::Written(AddMembersOutcome::Added { operation, added: added.unsigned_abs() }))
}
