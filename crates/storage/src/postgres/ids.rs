//! The ids that the storage assigns: counters, and ids that were deleted above their counter.
//!
//! Creating a customer or a group assigns its id in the statement that inserts the row, so it costs no round trip. Only if
//! that id is used does [`assign`] search for another one.

use std::sync::atomic::{AtomicI64, Ordering};

use deadpool_postgres::GenericClient;
use zumra_core::{ASSIGNED_ID_MAX, MerchantId};

use super::errors::{AttemptError, AttemptResult};
use super::tx::Tx;
use super::{operations, sql};
use crate::ids::FreeIds;
use crate::{Noun, StorageError};

/// Shards of the counter of customers, and so the distance between two ids of one shard.
const SHARDS: i64 = 16;

/// The beginning of a statement that inserts a row with a new id: `assigned.last`, or no row if that id cannot be used.
/// Then [`assign`] finds another one. $1 is the merchant, $2 the shard.
///
/// The lower bound of customers, in shard 0, may be any number: shards begin at the next multiple of their number.
pub(super) const ASSIGN_CUSTOMER: &str = "
    WITH counter AS (
        INSERT INTO id_counters (merchant_id, noun, shard, last)
        SELECT $1, 1, $2, (coalesce(max(last), 0) + 15) / 16 * 16 + $2::bigint FROM id_counters
        WHERE merchant_id = $1 AND noun = 1 AND shard = 0
        ON CONFLICT (merchant_id, noun, shard)
        DO UPDATE SET last = greatest(id_counters.last + 16, excluded.last) WHERE id_counters.merchant_id = $1
        RETURNING last),
    assigned AS (
        SELECT last FROM counter WHERE last <= 2147483647
        AND NOT EXISTS (SELECT 1 FROM retired_ids WHERE merchant_id = $1 AND noun = 1 AND id = last))";

/// Like [`ASSIGN_CUSTOMER`], for a group. $2 is 0.
pub(super) const ASSIGN_GROUP: &str = "
    WITH counter AS (
        INSERT INTO id_counters (merchant_id, noun, shard, last) VALUES ($1, 2, $2, 1)
        ON CONFLICT (merchant_id, noun, shard)
        DO UPDATE SET last = id_counters.last + 1 WHERE id_counters.merchant_id = $1
        RETURNING last),
    assigned AS (
        SELECT last FROM counter WHERE last <= 2147483647
        AND NOT EXISTS (SELECT 1 FROM retired_ids WHERE merchant_id = $1 AND noun = 2 AND id = last))";

/// Returns the shard from which the transaction gets ids.
pub(super) fn shard(tx: &Tx<'_>, noun: Noun) -> i64 {
    match noun {
        // The id gap is random, so it distributes writers over the shards.
        Noun::Customer => 1 + tx.attempt.id_gap % SHARDS,
        Noun::Group | Noun::Import => 0,
    }
}

/// Returns the shard that assigns `id`.
fn shard_with(noun: Noun, id: i64) -> i64 {
    match noun {
        Noun::Customer => 1 + (id - 1) % SHARDS,
        Noun::Group | Noun::Import => 0,
    }
}

/// Returns `count` ids that nothing has or had, and advances the counters. Locks the counters until the transaction ends.
///
/// # Errors
///
/// [`StorageError::IdsUsedUp`] if all shards together have not enough.
pub(super) async fn assign(tx: &Tx<'_>, noun: Noun, count: usize) -> AttemptResult<Vec<i64>> {
    let first = shard(tx, noun);
    let shards: Vec<i64> = match noun {
        Noun::Customer => (0..SHARDS).map(|step| 1 + (first - 1 + step) % SHARDS).collect(),
        Noun::Group | Noun::Import => vec![first],
    };
    let mut ids = Vec::with_capacity(count);
    for shard in shards {
        ids.extend(assign_from_shard(&tx.client, tx.merchant, noun, shard, count - ids.len()).await?);
        if ids.len() == count {
            return Ok(ids);
        }
    }
    Err(StorageError::IdsUsedUp(noun).into())
}

/// Returns up to `count` ids of one shard.
pub(super) async fn assign_from_shard<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    noun: Noun,
    shard: i64,
    count: usize,
) -> AttemptResult<Vec<i64>> {
    let stride = if noun == Noun::Customer { SHARDS } else { 1 };
    let distance = stride.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX));
    // Advances by all ids at once: usually none of them is used.
    let advanced = advance(db, merchant, noun, shard, distance).await?;
    let mut search = FreeIds::after(advanced - distance, stride, count);
    loop {
        let candidates = search.candidates();
        if candidates.is_empty() {
            break;
        }
        let unused = find_unused(db, merchant, noun, &candidates).await?;
        search.take(&candidates, &unused);
    }
    if search.last() > advanced {
        raise(db, merchant, noun, shard, search.last()).await?;
    }
    Ok(search.into_found())
}

/// Advances a counter by `distance`. Returns its new value, which may be too great for an id.
pub(super) async fn advance<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    noun: Noun,
    shard: i64,
    distance: i64,
) -> AttemptResult<i64> {
    let statement = if noun == Noun::Customer {
        "INSERT INTO id_counters (merchant_id, noun, shard, last)
         SELECT $1, $2, $3, (coalesce(max(last), 0) + 15) / 16 * 16 + $3::bigint - 16 + $4::bigint FROM id_counters
         WHERE merchant_id = $1 AND noun = $2 AND shard = 0
         ON CONFLICT (merchant_id, noun, shard)
         DO UPDATE SET last = greatest(id_counters.last + $4::bigint, excluded.last)
         WHERE id_counters.merchant_id = $1
         RETURNING last"
    } else {
        "INSERT INTO id_counters (merchant_id, noun, shard, last) VALUES ($1, $2, $3, $4)
         ON CONFLICT (merchant_id, noun, shard) DO UPDATE SET last = id_counters.last + excluded.last
         WHERE id_counters.merchant_id = $1
         RETURNING last"
    };
    let parameters: sql::Parameters<'_> = &[&merchant.get(), &noun.number(), &shard, &distance];
    Ok(sql::query_one(db, statement, parameters).await?.try_get(0)?)
}

/// Raises a counter to `last`, unless it is higher.
async fn raise<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    noun: Noun,
    shard: i64,
    last: i64,
) -> AttemptResult<()> {
    let statement = "INSERT INTO id_counters (merchant_id, noun, shard, last) VALUES ($1, $2, $3, $4)
        ON CONFLICT (merchant_id, noun, shard) DO UPDATE SET last = excluded.last
        WHERE id_counters.merchant_id = $1 AND id_counters.last < excluded.last";
    sql::execute(db, statement, &[&merchant.get(), &noun.number(), &shard, &last]).await?;
    Ok(())
}

/// Returns those of `ids` that no row has and that are not retired, ascending.
async fn find_unused<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    noun: Noun,
    ids: &[i64],
) -> AttemptResult<Vec<i64>> {
    // Subqueries, not joins: each looks up one key, however many rows the planner expects.
    let statement = format!(
        "SELECT id FROM unnest($2::bigint[]) AS wanted (id)
         WHERE (SELECT stored.id FROM {} AS stored WHERE merchant_id = $1 AND stored.id = wanted.id) IS NULL
           AND (SELECT retired_ids.id FROM retired_ids
                WHERE merchant_id = $1 AND noun = $3 AND retired_ids.id = wanted.id) IS NULL
         ORDER BY id",
        noun.table()
    );
    let rows = sql::query(db, &statement, &[&merchant.get(), &ids, &noun.number()]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Remembers the id of a row that is deleted, if the counter has not passed it yet.
pub(super) async fn retire(tx: &Tx<'_>, noun: Noun, id: i64) -> AttemptResult<()> {
    let statement = "INSERT INTO retired_ids (merchant_id, noun, id)
        SELECT $1, $2, $3 WHERE $3::bigint <= 2147483647 AND $3::bigint > (
            SELECT coalesce(max(last), 0) FROM id_counters
            WHERE merchant_id = $1 AND noun = $2 AND shard IN (0, $4))
        ON CONFLICT (merchant_id, noun, id) DO NOTHING";
    let parameters: sql::Parameters<'_> = &[&tx.merchant.get(), &noun.number(), &id, &shard_with(noun, id)];
    sql::execute(&tx.client, statement, parameters).await?;
    Ok(())
}

/// Fails the attempt if the id of a new row is retired.
///
/// The statement that assigned it may have waited for the transaction that deleted the row with this id, and does not see
/// what that transaction wrote. A later statement does.
pub(super) async fn require_not_retired(tx: &Tx<'_>, noun: Noun, id: i64) -> AttemptResult<()> {
    let statement = "SELECT 1 FROM retired_ids WHERE merchant_id = $1 AND noun = $2 AND id = $3";
    let retired = sql::query_opt(&tx.client, statement, &[&tx.merchant.get(), &noun.number(), &id]).await?;
    if retired.is_some() { Err(taken_meanwhile()) } else { Ok(()) }
}

/// Returns the error of an attempt whose new id was used by a concurrent write.
pub(super) fn taken_meanwhile() -> AttemptError {
    AttemptError::Retryable(StorageError::Unavailable("a concurrent write has used the new id".to_owned()))
}

/// Advances every counter by `count`. Returns the number of merchants.
pub(super) async fn skip<C: GenericClient>(db: &C, count: u32) -> AttemptResult<u64> {
    let statement = "
        INSERT INTO id_counters (merchant_id, noun, shard, last)
        SELECT merchants.merchant_id, nouns.noun, 0, least($2, $1 + coalesce(
            (SELECT max(last) FROM id_counters
             WHERE id_counters.merchant_id = merchants.merchant_id AND id_counters.noun = nouns.noun), 0))
        FROM merchants, unnest($3::bigint[]) AS nouns (noun)
        ON CONFLICT (merchant_id, noun, shard) DO UPDATE SET last = excluded.last";
    let nouns = [Noun::Customer, Noun::Group, Noun::Import].map(Noun::number);
    let parameters: sql::Parameters<'_> = &[&i64::from(count), &ASSIGNED_ID_MAX, &nouns.as_slice()];
    Ok(sql::execute(db, statement, parameters).await? / nouns.len() as u64)
}

/// The id that an earlier attempt of a write has assigned, so that a later one tries it first.
///
/// The commit of the earlier attempt may be in doubt. With the same id, only one of the two can be committed.
#[derive(Debug, Default)]
pub(super) struct AssignedId(AtomicI64);

impl AssignedId {
    /// Returns the id that an earlier attempt has assigned, after raising its counter: that attempt may have been rolled
    /// back.
    pub(super) async fn reuse(&self, tx: &Tx<'_>, noun: Noun) -> AttemptResult<Option<i64>> {
        let id = self.0.load(Ordering::Relaxed);
        if id == 0 {
            return Ok(None);
        }
        raise(&tx.client, tx.merchant, noun, shard_with(noun, id), id).await?;
        Ok(Some(id))
    }

    /// Decides what follows if the id is used: `conflict`, if the earlier attempt was committed. Otherwise another write has
    /// the id, and this one needs a new id.
    pub(super) async fn resolve_used(&self, tx: &Tx<'_>, conflict: AttemptError) -> AttemptResult<()> {
        if operations::is_recorded(tx).await? { Err(conflict) } else { Ok(()) }
    }

    /// Remembers the id for later attempts.
    pub(super) fn remember(&self, id: i64) {
        self.0.store(id, Ordering::Relaxed);
    }
}
