//! The inverted index of customers: one row for each search term of a customer, for prefix matches.
//!
//! A derived table: `customers` contains the same terms. Only this file writes it.

use rusqlite::Connection;
use zumra_core::{CustomerId, MerchantId};

use super::tx::Tx;
use crate::Result;

/// Adds a customer to the index. `terms` are separated by spaces.
pub(super) fn add(tx: &Tx<'_>, customer: CustomerId, terms: &str) -> Result<()> {
    add_copied(tx.connection, tx.merchant, customer, terms)
}

/// Removes a customer from the index. `terms` must be the terms that the customer was added with.
pub(super) fn remove(tx: &Tx<'_>, customer: CustomerId, terms: &str) -> Result<()> {
    let statement =
        "DELETE FROM customer_search_terms WHERE merchant_id = ?1 AND term = ?2 AND customer_id = ?3";
    execute_for_each(tx.connection, statement, tx.merchant, customer, terms)
}

/// Like [`add`], for a copy, which has no operation.
pub(super) fn add_copied(
    connection: &Connection,
    merchant: MerchantId,
    customer: CustomerId,
    terms: &str,
) -> Result<()> {
    let statement = "INSERT INTO customer_search_terms (merchant_id, term, customer_id) VALUES (?1, ?2, ?3)";
    execute_for_each(connection, statement, merchant, customer, terms)
}

fn execute_for_each(
    connection: &Connection,
    statement: &str,
    merchant: MerchantId,
    customer: CustomerId,
    terms: &str,
) -> Result<()> {
    let mut statement = connection.prepare_cached(statement)?;
    for term in terms.split(' ').filter(|term| !term.is_empty()) {
        statement.execute((merchant.get(), term, customer.get()))?;
    }
    Ok(())
}
