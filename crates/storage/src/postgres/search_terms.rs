//! The search index, `search_index`: finds customers by the prefix of a search term.
//!
//! Only this module and `search_rebuild.rs` write it. It is derived from `customers.search_terms` and changes in the same
//! transaction.

use zumra_core::{CustomerId, SEARCH_VERSION};

use super::errors::AttemptResult;
use super::sql;
use super::tx::Tx;

/// A customer with its search terms.
pub(super) struct IndexedCustomer<'t> {
    pub(super) id: CustomerId,
    /// In microseconds, as in `customers`.
    pub(super) created_at: i64,
    /// Separated by spaces.
    pub(super) terms: &'t str,
}

/// Indexes customers by their search terms.
pub(super) async fn add(tx: &Tx<'_>, customers: &[IndexedCustomer<'_>]) -> AttemptResult<()> {
    let statement = "INSERT INTO search_index (merchant_id, term, created_at, customer_id)
         SELECT $1, term, created_at, id FROM unnest($2::text[], $3::bigint[], $4::bigint[])
                                              AS terms (term, created_at, id)";
    run(tx, statement, customers).await
}

/// Removes customers from the index, also from that of the first version. Their terms must be the ones they were
/// indexed by.
pub(super) async fn remove(tx: &Tx<'_>, customers: &[IndexedCustomer<'_>]) -> AttemptResult<()> {
    let statement = "WITH terms AS (SELECT * FROM unnest($2::text[], $3::bigint[], $4::bigint[])
                                             AS terms (term, created_at, id)),
              first_version AS (
                  DELETE FROM customer_search_terms USING terms
                  WHERE customer_search_terms.merchant_id = $1 AND customer_search_terms.term = terms.term
                    AND customer_search_terms.customer_id = terms.id)
         DELETE FROM search_index USING terms
         WHERE search_index.merchant_id = $1 AND search_index.term = terms.term
           AND search_index.created_at = terms.created_at AND search_index.customer_id = terms.id";
    run(tx, statement, customers).await
}

async fn run(tx: &Tx<'_>, statement: &str, customers: &[IndexedCustomer<'_>]) -> AttemptResult<()> {
    let (mut terms, mut times, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for customer in customers {
        for term in customer.terms.split(' ').filter(|term| !term.is_empty()) {
            terms.push(term);
            times.push(customer.created_at);
            ids.push(customer.id.get());
        }
    }
    sql::execute(&tx.client, statement, &[&tx.merchant.get(), &terms, &times, &ids]).await?;
    Ok(())
}

/// Marks the index of the transaction's merchant as current, if the merchant is not stored yet.
pub(super) async fn create_index(tx: &Tx<'_>) -> AttemptResult<()> {
    let statement = "INSERT INTO search_index_versions (merchant_id, version, next_version, rebuilt_through)
         SELECT $1, $2, $2, 0 WHERE NOT EXISTS (SELECT 1 FROM merchants WHERE merchant_id = $1)
         ON CONFLICT (merchant_id) DO NOTHING";
    sql::execute(&tx.client, statement, &[&tx.merchant.get(), &SEARCH_VERSION]).await?;
    Ok(())
}

/// The CTE that indexes copied rows of `customers`. The statement that it is appended to has them in the CTE `copied`.
pub(super) const COPIED: &str = ",
    indexed AS (
        INSERT INTO search_index (merchant_id, term, created_at, customer_id)
        SELECT $1, term, created_at, id FROM copied, unnest(string_to_array(search_terms, ' ')) AS term
        WHERE term <> '')";
