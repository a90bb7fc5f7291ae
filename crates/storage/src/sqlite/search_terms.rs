//! The search index of customers: one row for each search term of a customer, for prefix matches.
//!
//! A derived table: `customers` contains the same terms. Only this file and `search_rebuild.rs` write it.

use rusqlite::Connection;
use zumra_core::{CustomerId, MerchantId, SEARCH_VERSION};

use super::sql;
use super::tx::Tx;
use crate::Result;
use crate::search_index::FIRST_VERSION;

/// A customer in the index.
#[derive(Clone, Copy)]
pub(super) struct IndexedCustomer {
    pub(super) merchant: i64,
    pub(super) id: i64,
    /// In microseconds, as in `customers`.
    pub(super) created_at: i64,
}

impl IndexedCustomer {
    pub(super) fn new(merchant: MerchantId, id: CustomerId, created_at: i64) -> Self {
        Self { merchant: merchant.get(), id: id.get(), created_at }
    }

    /// Adds the customer with its terms, which are separated by spaces. Terms that it has stay.
    pub(super) fn add(self, db: &Connection, terms: &str) -> Result<()> {
        let statement = "INSERT INTO search_index (merchant_id, term, created_at, customer_id)
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        let mut statement = db.prepare_cached(statement)?;
        for term in split(terms) {
            statement.execute((self.merchant, term, self.created_at, self.id))?;
        }
        Ok(())
    }

    /// Removes the terms that the customer was added with, also from the index of the first version.
    pub(super) fn remove(self, db: &Connection, terms: &str) -> Result<()> {
        let mut statement = db.prepare_cached(
            "DELETE FROM search_index
             WHERE merchant_id = ?1 AND term = ?2 AND created_at = ?3 AND customer_id = ?4",
        )?;
        let mut first_version = db.prepare_cached(
            "DELETE FROM customer_search_terms WHERE merchant_id = ?1 AND term = ?2 AND customer_id = ?3",
        )?;
        for term in split(terms) {
            statement.execute((self.merchant, term, self.created_at, self.id))?;
            first_version.execute((self.merchant, term, self.id))?;
        }
        Ok(())
    }
}

fn split(terms: &str) -> impl Iterator<Item = &str> {
    terms.split(' ').filter(|term| !term.is_empty())
}

/// Returns true if customers of the merchant may have search terms of an older version.
pub(super) fn is_outdated(db: &Connection, merchant: MerchantId) -> Result<bool> {
    let statement = "SELECT version FROM search_index_versions WHERE merchant_id = ?1";
    let version = sql::query_opt(db, statement, [merchant.get()], |row| Ok(row.get::<_, i64>(0)?))?;
    Ok(version.unwrap_or(FIRST_VERSION) < SEARCH_VERSION)
}

/// Marks the index of the transaction's merchant as current, if the merchant is not stored yet.
pub(super) fn create_index(tx: &Tx<'_>) -> Result<()> {
    let statement = "INSERT INTO search_index_versions (merchant_id, version, next_version, rebuilt_through)
         SELECT ?1, ?2, ?2, 0 WHERE NOT EXISTS (SELECT 1 FROM merchants WHERE merchant_id = ?1)
         ON CONFLICT DO NOTHING";
    tx.execute(statement, (tx.merchant.get(), SEARCH_VERSION)).map(drop)
}
