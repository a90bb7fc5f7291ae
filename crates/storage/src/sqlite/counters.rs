//! The counters of customers: counting a million rows for every page would cost more than the page.
//!
//! A derived table: it repeats what `customers` holds. Only this file writes it.

use rusqlite::Connection;
use zumra_core::MerchantId;

use super::sql;
use super::tx::Tx;
use crate::Result;

/// The only shard in use. PostgreSQL, which has concurrent writers, uses several in the same table.
const SHARD: i64 = 1;

/// Adds `difference` to the number of the merchant's customers.
pub(super) fn add(tx: &Tx<'_>, difference: i64) -> Result<()> {
    add_copied(tx.connection, tx.merchant, difference)
}

/// Like [`add`], for a copy, which has no operation.
pub(super) fn add_copied(connection: &Connection, merchant: MerchantId, difference: i64) -> Result<()> {
    sql::execute(
        connection,
        "INSERT INTO customer_counters (merchant_id, shard, customers) VALUES (?1, ?2, ?3)
         ON CONFLICT (merchant_id, shard) DO UPDATE SET customers = customers + excluded.customers",
        (merchant.get(), SHARD, difference),
    )?;
    Ok(())
}

/// Returns the number of the merchant's customers.
pub(super) fn total(db: &Connection, merchant: MerchantId) -> Result<u64> {
    let statement = "SELECT coalesce(sum(customers), 0) FROM customer_counters WHERE merchant_id = ?1";
    let total: i64 = sql::query_value(db, statement, [merchant.get()])?;
    Ok(total.unsigned_abs())
}
