//! Additions of one merchant that go together: what is sent for them, and what comes back.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use deadpool_postgres::Client;
use tokio::sync::oneshot;
use tokio_postgres::Row;
use zumra_core::{GroupId, MerchantId, Operation, OperationId, OperationKind};

use super::connections::End;
use super::corrupt;
use super::errors::{Failure, Try};
use super::memberships::{BY_HAND, customer_ids};
use super::operations::Mark;
use crate::{AddMembers, Ids, StorageError};

/// Additions in one statement at most.
const ADDITIONS: usize = 128;
/// Customers in a statement of several additions at most.
const CUSTOMERS: usize = 10_000;

/// One statement, and so one round trip and one transaction.
///
/// - Additions are numbered, and every customer comes with the number of an addition ($7, $8).
/// - An operation takes the id that its caller proposes, unless it is taken or lies a second behind the newest one: there
///   are 4,096 ids a millisecond. Callers who propose at the same time need not know of each other.
/// - Whoever takes a customer or a group away counts that in the merchant's row before looking at memberships. The row is
///   locked here and must still say what it said when the statement began; so what was seen then is still there.
/// - Whoever names many often names those who stand side by side, a page of a shop's customers or a whole import, and for
///   the first time. So first each list is looked at as a whole ($12 to $15): if it holds all customers of the merchant
///   from its first to its last one, they are known; and if the group has no member from the first to the last, none of
///   them is one. Only for other lists, each customer is looked for. Lists come as texts, because distributed databases
///   have no arrays of arrays and no slices.
/// - Each look-up is a subquery of its own: a join may read a whole group, or all customers. And how long the lists are
///   is hidden behind a SELECT: the server would otherwise make a plan for every length, which takes longer than adding.
/// - Who is a member by rule is so by hand too afterwards. A statement of its own within this one, for a conflict clause
///   slows down every row that is new.
pub const ADD_MEMBERS: &str = "
    WITH newest AS (SELECT max(id) AS id FROM operations WHERE merchant_id = $1),
         guard AS (SELECT removals FROM merchants WHERE merchant_id = $1 FOR SHARE),
         whole AS MATERIALIZED (
             SELECT array_agg(EXISTS (SELECT 1 FROM memberships
                                      WHERE merchant_id = $1 AND memberships.group_id = list.group_id
                                        AND customer_id BETWEEN first AND last) ORDER BY n) AS crowded,
                    array_agg(ids::bigint[] = ARRAY(SELECT id FROM customers
                                                    WHERE merchant_id = $1 AND id BETWEEN first AND last
                                                    ORDER BY id LIMIT (SELECT $15::bigint)) ORDER BY n) AS known
             FROM unnest((SELECT $2::bigint[]), $12::bigint[], $13::bigint[], $14::text[]) WITH ORDINALITY
                      AS list (group_id, first, last, ids, n)),
         wanted AS MATERIALIZED (
             SELECT n, ($2::bigint[])[n] AS group_id, customer,
                    CASE WHEN (SELECT known FROM whole)[n] THEN true
                         ELSE (SELECT true FROM customers WHERE merchant_id = $1 AND id = customer)
                    END AS known,
                    CASE WHEN (SELECT crowded FROM whole)[n] THEN
                        (SELECT source FROM memberships
                         WHERE merchant_id = $1 AND group_id = ($2::bigint[])[n] AND customer_id = customer)
                    END AS source
             FROM unnest((SELECT $7::int[]), (SELECT $8::bigint[])) AS wanted (n, customer)),
         counted AS (
             SELECT n, count(*) FILTER (WHERE known IS NULL) AS unknown,
                    count(*) FILTER (WHERE source IS NULL OR source & $10::smallint = 0) AS added
             FROM wanted GROUP BY n),
         asked AS MATERIALIZED (
             SELECT asked.n, asked.group_id, at, actor, nonce,
                    coalesce(unknown, 0) AS unknown, coalesce(added, 0) AS added,
                    (SELECT true FROM groups
                     WHERE merchant_id = $1 AND id = asked.group_id AND deleted_by IS NULL) AS there,
                    CASE WHEN newest.id IS NULL OR asked.id > newest.id
                           OR (asked.id + 4096000 > newest.id
                               AND (SELECT true FROM operations WHERE merchant_id = $1 AND id = asked.id) IS NULL)
                         THEN asked.id ELSE newest.id + $9::bigint + asked.n END AS id
             FROM newest,
                  unnest((SELECT $2::bigint[]), $3::bigint[], $4::bigint[], $5::text[], $6::bigint[])
                      WITH ORDINALITY AS asked (group_id, id, at, actor, nonce, n)
                  LEFT JOIN counted ON counted.n = asked.n),
         done AS MATERIALIZED (
             SELECT asked.* FROM asked, guard
             WHERE there AND unknown = 0 AND added > 0
               AND guard.removals = (SELECT removals FROM merchants WHERE merchant_id = $1)),
         given AS MATERIALIZED (
             SELECT array_agg(done.id ORDER BY asked.n) AS ids FROM asked LEFT JOIN done ON done.n = asked.n),
         began AS (
             INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
             SELECT $1, group_id, customer, ids[n], $10::smallint FROM given, wanted
             WHERE ids[n] IS NOT NULL AND source IS NULL),
         joined AS (
             INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
             SELECT $1, group_id, customer, ids[n], $10::smallint FROM given, wanted
             WHERE ids[n] IS NOT NULL AND source & $10::smallint = 0
             ON CONFLICT (merchant_id, group_id, customer_id)
             DO UPDATE SET source = memberships.source | $10::smallint WHERE memberships.merchant_id = $1),
         recorded AS (
             INSERT INTO operations (merchant_id, id, at, actor, kind, group_id, changes, nonce)
             SELECT $1, id, at, actor, $11::text, group_id, added, nonce FROM done)
    SELECT there IS NOT NULL,
           CASE WHEN unknown > 0 THEN ARRAY(SELECT customer FROM wanted WHERE wanted.n = asked.n AND known IS NULL) END,
           added, asked.id, ids[asked.n] IS NOT NULL
    FROM asked, given ORDER BY asked.n";

/// Customers to be added to a group.
pub(super) struct Addition {
    pub(super) group: GroupId,
    /// Ascending, once each.
    pub(super) customers: Vec<i64>,
    pub(super) operation: Operation,
}

/// An addition that waits, and who waits for it.
pub(super) struct Waiting {
    pub(super) addition: Arc<Addition>,
    pub(super) mark: Mark,
    pub(super) reply: oneshot::Sender<End<AddMembers>>,
}

/// Additions of one statement.
pub(super) struct Batch {
    additions: Vec<Waiting>,
    /// The customers, each with the group and the place of the addition in the list. In the order of the index that they go
    /// into, so that statements which want the same rows want them in the same order.
    rows: Vec<(i64, i64, i32)>,
}

impl Batch {
    /// Takes those who wait longest. None if nobody waits.
    pub(super) fn take(waiting: &mut VecDeque<Waiting>) -> Option<Self> {
        let mut batch = Self { additions: Vec::new(), rows: Vec::new() };
        while let Some(next) = waiting.pop_front() {
            if next.reply.is_closed() {
                continue; // nobody waits for the answer any more
            }
            let is_full = batch.additions.len() == ADDITIONS
                || batch.rows.len() + next.addition.customers.len() > CUSTOMERS;
            if is_full && !batch.additions.is_empty() {
                waiting.push_front(next);
                break;
            }
            batch.push(next);
        }
        batch.put_off_repetitions(waiting);
        (!batch.additions.is_empty()).then_some(batch)
    }

    fn push(&mut self, next: Waiting) {
        let (group, place) = (next.addition.group.get(), self.additions.len());
        let place = i32::try_from(place).unwrap_or(i32::MAX); // there are not so many
        self.rows.extend(next.addition.customers.iter().map(|&customer| (group, customer, place)));
        self.additions.push(next);
    }

    /// A membership can begin once in a statement. Whoever wants one that an earlier addition wants too goes with the next.
    fn put_off_repetitions(&mut self, waiting: &mut VecDeque<Waiting>) {
        self.rows.sort_unstable();
        let same = |pair: &&[(i64, i64, i32)]| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1);
        let mut later: Vec<i32> = self.rows.windows(2).filter(same).map(|pair| pair[1].2).collect();
        if later.is_empty() {
            return;
        }
        later.sort_unstable();
        self.rows.clear();
        for (place, addition) in (0..).zip(std::mem::take(&mut self.additions)) {
            if later.binary_search(&place).is_ok() {
                waiting.push_back(addition);
            } else {
                self.push(addition);
            }
        }
        self.rows.sort_unstable();
    }

    /// Sends the statement.
    pub(super) async fn run(&self, client: &mut Client, merchant: MerchantId) -> Try<Vec<End<AddMembers>>> {
        let statement = client.prepare_cached(ADD_MEMBERS).await?;
        let each = |what: fn(&Waiting) -> i64| self.additions.iter().map(what).collect::<Vec<i64>>();
        let groups = each(|waiting| waiting.addition.group.get());
        let mut ids = each(|waiting| waiting.addition.operation.id.get());
        for place in 1..ids.len() {
            if ids[..place].contains(&ids[place]) {
                ids[place] = 0; // proposed twice: it gets another one there
            }
        }
        let times = each(|waiting| waiting.addition.operation.at.as_microsecond());
        let lists = Lists::of(&self.additions);
        let nonces = each(|waiting| waiting.mark.nonce);
        let actors: Vec<String> =
            self.additions.iter().map(|waiting| waiting.addition.operation.actor.to_string()).collect();
        // Places count from 1 there.
        let (places, customers): (Vec<i32>, Vec<i64>) =
            self.rows.iter().map(|&(_, customer, place)| (place + 1, customer)).unzip();
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
                    &places,
                    &customers,
                    &stride,
                    &BY_HAND,
                    &kind,
                    &lists.firsts,
                    &lists.lasts,
                    &lists.ids,
                    &lists.longer,
                ],
            )
            .await?;
        if rows.len() != self.additions.len() {
            return Err(StorageError::Internal("additions and answers are not as many".to_owned()).into());
        }
        self.additions.iter().zip(&rows).map(|(waiting, row)| end(waiting.addition.group, row)).collect()
    }

    /// Answers everybody who waits.
    pub(super) fn answer(self, ends: Vec<End<AddMembers>>) {
        for (waiting, end) in self.additions.into_iter().zip(ends) {
            let _ = waiting.reply.send(end); // nobody may be waiting any more
        }
    }

    /// How its additions ended if the statement failed.
    pub(super) fn failed(&self, failure: &Failure) -> Vec<End<AddMembers>> {
        let end = |_| match failure.again() {
            // The statement is its own commit, so nobody knows whether it was done.
            Failure::Lost(error) => {
                let answer = |operation, added| AddMembers::Added { operation, added };
                End::InDoubt(Box::new(answer), error)
            }
            failure => End::Failed(failure),
        };
        self.additions.iter().map(end).collect()
    }
}

/// The customers of additions, as lists.
struct Lists {
    firsts: Vec<i64>,
    lasts: Vec<i64>,
    /// Each as the text of an array.
    ids: Vec<String>,
    /// More than the longest of them has.
    longer: i64,
}

impl Lists {
    fn of(additions: &[Waiting]) -> Self {
        let mut lists = Self { firsts: Vec::new(), lasts: Vec::new(), ids: Vec::new(), longer: 1 };
        for Waiting { addition, .. } in additions {
            let customers = &addition.customers; // they ascend, and there is one at least
            lists.firsts.push(customers.first().copied().unwrap_or(0));
            lists.lasts.push(customers.last().copied().unwrap_or(0));
            lists.ids.push(array_text(customers));
            lists.longer = lists.longer.max(1 + i64::try_from(customers.len()).unwrap_or(i64::MAX - 1));
        }
        lists
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
fn end(group: GroupId, row: &Row) -> Try<End<AddMembers>> {
    let is_there: bool = row.try_get(0)?;
    let unknown: Option<Vec<i64>> = row.try_get(1)?;
    let unknown = Ids {
        groups: if is_there { Vec::new() } else { vec![group] },
        customers: customer_ids(unknown.unwrap_or_default())?,
    };
    if unknown != Ids::default() {
        return Ok(End::Unchanged(AddMembers::Unknown(unknown)));
    }
    let (added, id, is_done): (i64, i64, bool) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
    if added == 0 {
        return Ok(End::Unchanged(AddMembers::Unchanged));
    }
    if !is_done {
        let why = "customers or groups were taken away at the same moment".to_owned();
        return Ok(End::Failed(Failure::InTheWay(StorageError::Unavailable(why))));
    }
    let operation = OperationId::new(id).ok_or_else(|| corrupt("operations", "id", id))?;
    Ok(End::Written(AddMembers::Added { operation, added: added.unsigned_abs() }))
}
