//! Pages of customer lists: all customers, those that a query matches, or those created in a period.
//!
//! Returns ids; `customers.rs` reads the rows. Lists are ordered by creation, newest first: `created_at`, then id.

use jiff::Timestamp;
use rusqlite::Connection;
use zumra_core::{MerchantId, PageRequest, SearchQuery};

use super::{counters, search_terms, sql};
use crate::customers::prefix_end;
use crate::{CustomerFilter, Result};

/// The bounds of a period in microseconds since 1970: the first is inclusive, the second exclusive.
type Period = (i64, i64);

/// A customer in a list: time of creation in microseconds, and id.
type Match = (i64, i64);

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
            let mut matches = find_matches(db, merchant, query)?;
            if let Some((from, before)) = period {
                matches.retain(|(created_at, _)| (from..before).contains(created_at));
            }
            let skipped = usize::try_from(page.offset()).unwrap_or(usize::MAX);
            let ids = matches.iter().rev().skip(skipped).take(page.per_page as usize).map(|(_, id)| *id);
            Ok((ids.collect(), matches.len() as u64))
        }
    }
}

/// Returns the period of a filter, or `None` if it has no bound.
fn period(filter: &CustomerFilter) -> Option<Period> {
    if filter.created_from.is_none() && filter.created_before.is_none() {
        return None;
    }
    let from = filter.created_from.map_or(i64::MIN, Timestamp::as_microsecond);
    Some((from, filter.created_before.map_or(i64::MAX, Timestamp::as_microsecond)))
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

/// Returns the customers that a query matches, oldest first: each prefix begins one of their terms.
fn find_matches(db: &Connection, merchant: MerchantId, query: &SearchQuery) -> Result<Vec<Match>> {
    let mut matches = find_all(query.prefixes(), |prefix| find_term(db, merchant, prefix))?;
    if search_terms::is_outdated(db, merchant)? {
        matches.extend(find_outdated_matches(db, merchant, query)?);
        matches.sort_unstable();
        matches.dedup();
    }
    Ok(matches)
}

/// Returns the customers that a query matches by terms of an older version.
fn find_outdated_matches(db: &Connection, merchant: MerchantId, query: &SearchQuery) -> Result<Vec<Match>> {
    let prefixes = query.old_prefixes();
    let ids = find_all(prefixes, |prefix| {
        let statement = "SELECT customer_id FROM customer_search_terms
             WHERE merchant_id = ?1 AND term >= ?2 AND term < ?3";
        sql::query_values::<i64>(db, statement, (merchant.get(), prefix, prefix_end(prefix)))
    })?;
    let statement = "SELECT created_at, id FROM customers
         WHERE merchant_id = ?1 AND id IN (SELECT value FROM rarray(?2))";
    let mut matches = sql::query(db, statement, (merchant.get(), sql::id_array(ids)), decode)?;
    // A copied database has terms of an older version in the current index.
    matches.extend(find_all(prefixes, |prefix| find_term(db, merchant, prefix))?);
    Ok(matches)
}

/// Returns the customers with a term that begins with `prefix`, by term, and with several such terms several times.
fn find_term(db: &Connection, merchant: MerchantId, prefix: &str) -> Result<Vec<Match>> {
    let statement = "SELECT created_at, customer_id FROM search_index
         WHERE merchant_id = ?1 AND term >= ?2 AND term < ?3";
    sql::query(db, statement, (merchant.get(), prefix, prefix_end(prefix)), decode)
}

fn decode(row: &rusqlite::Row<'_>) -> Result<Match> {
    Ok((row.get(0)?, row.get(1)?))
}

/// Returns what `find` finds for every one of the prefixes, sorted and unique. Nothing if there are no prefixes.
fn find_all<T: Ord>(prefixes: &[String], find: impl Fn(&str) -> Result<Vec<T>>) -> Result<Vec<T>> {
    let mut matches: Option<Vec<T>> = None;
    for prefix in prefixes {
        let mut found = find(prefix)?;
        found.sort_unstable();
        found.dedup();
        if let Some(matches) = matches {
            found.retain(|item| matches.binary_search(item).is_ok());
        }
        matches = Some(found);
    }
    Ok(matches.unwrap_or_default())
}
