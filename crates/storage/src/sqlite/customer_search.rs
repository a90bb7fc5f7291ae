//! Pages of customer lists: all customers, those that a query matches, or those created in a period.
//!
//! Returns ids; `customers.rs` reads the rows. Lists are ordered by creation, newest first: `created_at`, then id.

use jiff::Timestamp;
use rusqlite::Connection;
use zumra_core::{MerchantId, PageRequest, SearchQuery};

use super::{counters, sql};
use crate::customers::prefix_end;
use crate::{CustomerFilter, Result};

/// The bounds of a period in microseconds since 1970: the first is inclusive, the second exclusive.
type Period = (i64, i64);

/// The period that contains every time of creation.
const ALWAYS: Period = (i64::MIN, i64::MAX);

/// Returns the ids on one page of the list, newest first, and the number of customers in the whole list.
pub(super) fn find_page(
    db: &Connection,
    merchant: MerchantId,
    filter: &CustomerFilter,
    page: PageRequest,
) -> Result<(Vec<i64>, u64)> {
    match (&filter.keyword, period(filter)) {
        (None, None) => Ok((find_unfiltered_page(db, merchant, page)?, counters::total(db, merchant)?)),
        (None, Some(period)) => find_period_page(db, merchant, period, page),
        (Some(query), period) => {
            let matches = find_matches(db, merchant, query)?;
            let matches = sort_by_creation(db, merchant, &matches, period.unwrap_or(ALWAYS))?;
            let skipped = usize::try_from(page.offset()).unwrap_or(usize::MAX);
            let ids = matches.iter().skip(skipped).take(page.per_page as usize).copied();
            Ok((ids.collect(), matches.len() as u64))
        }
    }
}

/// Returns the period of a filter, or `None` if it has no bound.
fn period(filter: &CustomerFilter) -> Option<Period> {
    if filter.created_from.is_none() && filter.created_before.is_none() {
        return None;
    }
    let from = filter.created_from.map_or(ALWAYS.0, Timestamp::as_microsecond);
    Some((from, filter.created_before.map_or(ALWAYS.1, Timestamp::as_microsecond)))
}

fn find_unfiltered_page(db: &Connection, merchant: MerchantId, page: PageRequest) -> Result<Vec<i64>> {
    let statement = "SELECT id FROM customers WHERE merchant_id = ?1
         ORDER BY created_at DESC, id DESC LIMIT ?2 OFFSET ?3";
    sql::query_values(db, statement, (merchant.get(), page.per_page, page.offset()))
}

fn find_period_page(
    db: &Connection,
    merchant: MerchantId,
    (from, before): Period,
    page: PageRequest,
) -> Result<(Vec<i64>, u64)> {
    let statement =
        "SELECT count(*) FROM customers WHERE merchant_id = ?1 AND created_at >= ?2 AND created_at < ?3";
    let total: i64 = sql::query_value(db, statement, (merchant.get(), from, before))?;
    let statement = "SELECT id FROM customers WHERE merchant_id = ?1 AND created_at >= ?2 AND created_at < ?3
         ORDER BY created_at DESC, id DESC LIMIT ?4 OFFSET ?5";
    let parameters = (merchant.get(), from, before, page.per_page, page.offset());
    Ok((sql::query_values(db, statement, parameters)?, total.unsigned_abs()))
}

/// Returns the ids of the customers that a query matches, in ascending order: each prefix begins one of their terms.
fn find_matches(db: &Connection, merchant: MerchantId, query: &SearchQuery) -> Result<Vec<i64>> {
    let statement =
        "SELECT customer_id FROM customer_search_terms WHERE merchant_id = ?1 AND term >= ?2 AND term < ?3";
    let mut matches: Option<Vec<i64>> = None;
    for prefix in query.prefixes() {
        let parameters = (merchant.get(), prefix, prefix_end(prefix));
        let mut ids: Vec<i64> = sql::query_values(db, statement, parameters)?;
        // The index returns them by term, and a customer with several matching terms several times.
        ids.sort_unstable();
        ids.dedup();
        if let Some(matches) = matches {
            ids.retain(|id| matches.binary_search(id).is_ok());
        }
        matches = Some(ids);
    }
    Ok(matches.unwrap_or_default())
}

/// Returns those of `ids` whose customers were created in a period, newest first.
fn sort_by_creation(
    db: &Connection,
    merchant: MerchantId,
    ids: &[i64],
    (from, before): Period,
) -> Result<Vec<i64>> {
    let statement = "SELECT id FROM customers WHERE merchant_id = ?1 AND id IN (SELECT value FROM rarray(?2))
         AND created_at >= ?3 AND created_at < ?4 ORDER BY created_at DESC, id DESC";
    let ids = sql::id_array(ids.iter().copied());
    sql::query_values(db, statement, (merchant.get(), ids, from, before))
}
