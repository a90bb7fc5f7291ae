//! Rebuilds the search index of merchants whose search terms have an older version, in chunks.
//!
//! Every statement is a transaction of its own, and running it twice has the same effect as running it once. So several
//! processes may rebuild the same index at the same time.

use deadpool_postgres::GenericClient;
use zumra_core::SEARCH_VERSION;

use super::errors::AttemptResult;
use super::sql;
use crate::search_index::{OutdatedIndex, StoredTerms};
use crate::{RebuiltChunk, Result};

/// Rebuilds the terms of up to `limit` customers of one merchant. Returns `None` if every index is current.
pub(super) async fn rebuild_chunk<C: GenericClient>(
    db: &C,
    limit: u32,
) -> AttemptResult<Option<RebuiltChunk>> {
    let columns = OutdatedIndex::COLUMNS;
    let statement = format!(
        "SELECT {columns} FROM merchants LEFT JOIN search_index_versions USING (merchant_id)
         WHERE version IS NULL OR version < $1 LIMIT 1"
    );
    let Some(row) = sql::query_opt(db, &statement, &[&SEARCH_VERSION]).await? else { return Ok(None) };
    let outdated = OutdatedIndex::decode(&row)?;
    let columns = StoredTerms::columns();
    let statement =
        format!("SELECT {columns} FROM customers WHERE merchant_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    let merchant = outdated.merchant.get();
    let parameters: sql::Parameters<'_> = &[&merchant, &outdated.rebuilt_through, &i64::from(limit)];
    let rows = sql::query(db, &statement, parameters).await?;
    let customers = rows.iter().map(StoredTerms::decode).collect::<Result<Vec<_>>>()?;
    replace_terms(db, merchant, &customers).await?;
    let (state, chunk) = outdated.after(&customers, limit);
    record(db, &state).await?;
    Ok(Some(chunk))
}

/// Replaces the terms of customers. One that another transaction has changed since it was read is left out: its terms
/// are current.
async fn replace_terms<C: GenericClient>(
    db: &C,
    merchant: i64,
    customers: &[StoredTerms],
) -> AttemptResult<()> {
    let statement = "WITH stored AS (
             SELECT customers.id, created_at, terms.old, terms.new
             FROM customers JOIN unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[])
                                 AS terms (id, updated_at, old, new)
               ON customers.id = terms.id AND customers.updated_at = terms.updated_at
                  AND customers.search_terms = terms.old
             WHERE customers.merchant_id = $1
             ORDER BY customers.id FOR NO KEY UPDATE OF customers),
         changed AS (
             UPDATE customers SET search_terms = stored.new FROM stored
             WHERE customers.merchant_id = $1 AND customers.id = stored.id AND stored.old <> stored.new),
         first_version AS (
             DELETE FROM customer_search_terms
             USING (SELECT id, unnest(string_to_array(old, ' ')) AS term FROM stored) AS old
             WHERE customer_search_terms.merchant_id = $1 AND customer_search_terms.term = old.term
               AND customer_search_terms.customer_id = old.id),
         removed AS (
             DELETE FROM search_index
             USING (SELECT id, created_at, new, unnest(string_to_array(old, ' ')) AS term FROM stored) AS old
             WHERE search_index.merchant_id = $1 AND search_index.term = old.term
               AND search_index.created_at = old.created_at AND search_index.customer_id = old.id
               AND old.term <> ALL (string_to_array(old.new, ' ')))
         INSERT INTO search_index (merchant_id, term, created_at, customer_id)
         SELECT $1, term, created_at, id
         FROM (SELECT id, created_at, unnest(string_to_array(new, ' ')) AS term FROM stored) AS new
         WHERE term <> ''
         ON CONFLICT (merchant_id, term, created_at, customer_id) DO NOTHING";
    let (mut ids, mut times) = (Vec::new(), Vec::new());
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for customer in customers {
        ids.push(customer.id);
        times.push(customer.updated_at);
        old.push(customer.old.as_str());
        new.push(customer.new.as_str());
    }
    sql::execute(db, statement, &[&merchant, &ids, &times, &old, &new]).await?;
    Ok(())
}

/// Stores how far the index is rebuilt. Another process may be further: it stays.
async fn record<C: GenericClient>(db: &C, state: &OutdatedIndex) -> AttemptResult<()> {
    let statement = "INSERT INTO search_index_versions (merchant_id, version, next_version, rebuilt_through)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (merchant_id) DO UPDATE SET version = excluded.version,
             next_version = excluded.next_version, rebuilt_through = excluded.rebuilt_through
         WHERE search_index_versions.merchant_id = $1 AND search_index_versions.version < $3
           AND (search_index_versions.next_version < $3 OR $2 = $3
                OR search_index_versions.rebuilt_through < $4)";
    let merchant = state.merchant.get();
    let parameters: sql::Parameters<'_> =
        &[&merchant, &state.version, &SEARCH_VERSION, &state.rebuilt_through];
    sql::execute(db, statement, parameters).await?;
    Ok(())
}
