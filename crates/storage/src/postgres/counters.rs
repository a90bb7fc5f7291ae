//! The sharded counters of customers, `customer_counters`. Only this module writes them.
//!
//! The number of a merchant's customers is the sum of its shards. With several shards, concurrent writers rarely wait
//! for the same row.

use super::errors::AttemptResult;
use super::sql;
use super::tx::Tx;

/// Shards of a merchant's counter.
const SHARDS: i64 = 16;

/// Adds `difference` to the number of customers. It is negative after deletions.
pub(super) async fn add(tx: &Tx<'_>, difference: i64) -> AttemptResult<()> {
    let statement = "INSERT INTO customer_counters (merchant_id, shard, customers) VALUES ($1, $2, $3)
        ON CONFLICT (merchant_id, shard) DO UPDATE SET customers = customer_counters.customers + excluded.customers
        WHERE customer_counters.merchant_id = $1";
    // The id gap is random, so it distributes writers over the shards.
    let shard = 1 + tx.attempt.id_gap % SHARDS;
    sql::execute(&tx.client, statement, &[&tx.merchant.get(), &shard, &difference]).await?;
    Ok(())
}

/// A CTE that adds the number of copied customers to the counter. The copy's statement names the copied rows `copied`.
pub(super) const COPIED: &str = ",
    counted AS (
        INSERT INTO customer_counters (merchant_id, shard, customers) SELECT $1, 1, count(*) FROM copied
        ON CONFLICT (merchant_id, shard) DO UPDATE SET customers = customer_counters.customers + excluded.customers
        WHERE customer_counters.merchant_id = $1)";
