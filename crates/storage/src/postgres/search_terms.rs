//! The inverted index of search terms, `customer_search_terms`: finds customers by the prefix of a term.
//!
//! Only this module writes it. It is derived from `customers.search_terms` and changes in the same transaction.

use zumra_core::CustomerId;

use super::errors::AttemptResult;
use super::sql;
use super::tx::Tx;

/// Indexes customers by their search terms, which are separated by spaces.
pub(super) async fn add(tx: &Tx<'_>, terms: &[(CustomerId, &str)]) -> AttemptResult<()> {
    let statement = "INSERT INTO customer_search_terms (merchant_id, term, customer_id)
                     SELECT $1, term, id FROM unnest($2::text[], $3::bigint[]) AS terms (term, id)";
    run(tx, statement, terms).await
}

/// Removes customers from the index. `terms` must be the ones they were indexed by.
pub(super) async fn remove(tx: &Tx<'_>, terms: &[(CustomerId, &str)]) -> AttemptResult<()> {
    let statement =
        "DELETE FROM customer_search_terms USING unnest($2::text[], $3::bigint[]) AS terms (term, id)
                     WHERE customer_search_terms.merchant_id = $1 AND customer_search_terms.term = terms.term
                       AND customer_search_terms.customer_id = terms.id";
    run(tx, statement, terms).await
}

async fn run(tx: &Tx<'_>, statement: &str, terms: &[(CustomerId, &str)]) -> AttemptResult<()> {
    let pairs = terms.iter().flat_map(|(id, terms)| terms.split(' ').map(|term| (term, id.get())));
    let (terms, ids): (Vec<&str>, Vec<i64>) = pairs.filter(|(term, _)| !term.is_empty()).unzip();
    sql::execute(&tx.client, statement, &[&tx.merchant.get(), &terms, &ids]).await?;
    Ok(())
}

/// The CTE that indexes copied rows of `customers`. The statement that it is appended to has them in the CTE `copied`.
pub(super) const COPIED: &str = ",
    indexed AS (
        INSERT INTO customer_search_terms (merchant_id, term, customer_id)
        SELECT $1, term, id FROM copied, unnest(string_to_array(search_terms, ' ')) AS term WHERE term <> '')";
