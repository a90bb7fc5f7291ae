//! The tables beside `customers` that make lists fast, `customer_search_terms` and `customer_counters`: nobody else writes them.

use rusqlite::Connection;
use zumra_core::{CustomerId, MerchantId};

use crate::copy::{RowChunk, Table};
use crate::{Result, StorageError};

/// All customers are counted in one slot: there is one writer.
const SLOT: i64 = 1;

/// Makes a customer findable by `words`, which have a space between each two.
pub(super) fn add(tx: &Connection, merchant: MerchantId, customer: CustomerId, words: &str) -> Result<()> {
    let sql = "INSERT INTO customer_search_terms (merchant_id, term, customer_id) VALUES (?1, ?2, ?3)";
    each(tx, sql, merchant, customer, words)
}

/// Makes a customer no more findable by `words`.
pub(super) fn remove(tx: &Connection, merchant: MerchantId, customer: CustomerId, words: &str) -> Result<()> {
    let sql = "DELETE FROM customer_search_terms WHERE merchant_id = ?1 AND term = ?2 AND customer_id = ?3";
    each(tx, sql, merchant, customer, words)
}

/// The same for rows of `customers` that a copy has written.
pub(super) fn add_copied(tx: &Connection, merchant: i64, table: &Table, rows: &RowChunk) -> Result<()> {
    let wrong = |id: i64| StorageError::corrupt("customers", "id", id);
    let merchant = MerchantId::new(merchant).ok_or_else(|| wrong(merchant))?;
    let mut customers = 0;
    for (id, words) in rows.search_terms(table) {
        add(tx, merchant, CustomerId::new(id).ok_or_else(|| wrong(id))?, words)?;
        customers += 1;
    }
    count(tx, merchant, customers)
}

fn each(tx: &Connection, sql: &str, merchant: MerchantId, customer: CustomerId, words: &str) -> Result<()> {
    let mut statement = tx.prepare_cached(sql)?;
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        statement.execute((merchant.get(), word, customer.get()))?;
    }
    Ok(())
}

/// Counts customers who came, or with a number below zero those who went.
pub(super) fn count(tx: &Connection, merchant: MerchantId, more: i64) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO customer_counters (merchant_id, shard, customers) VALUES (?1, ?2, ?3)
         ON CONFLICT (merchant_id, shard) DO UPDATE SET customers = customers + excluded.customers",
    )?;
    statement.execute((merchant.get(), SLOT, more))?;
    Ok(())
}
