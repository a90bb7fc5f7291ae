//! Lists of customers: all of them, by a keyword, or by when they were created.

use jiff::Timestamp;
use rusqlite::Connection;
use zumra_core::{Customer, MerchantId, Page, PageRequest, SearchQuery};

use super::customers;
use super::memberships::set;
use crate::{CustomerFilter, Result};

pub(super) fn list(
    db: &Connection,
    merchant: MerchantId,
    filter: &CustomerFilter,
    page: PageRequest,
) -> Result<Page<Customer>> {
    let (ids, total) = match (&filter.keyword, created(filter)) {
        (None, None) => (page_of_all(db, merchant, page)?, total(db, merchant)?),
        (None, Some(range)) => page_of_range(db, merchant, range, page)?,
        (Some(keyword), range) => {
            let mut found = find(db, merchant, keyword)?;
            if let Some(range) = range {
                found = within(db, merchant, found, range)?;
            }
            let before = usize::try_from(page.offset()).unwrap_or(usize::MAX);
            let ids = found.iter().rev().skip(before).take(page.per_page as usize).copied().collect();
            (ids, found.len() as u64)
        }
    };
    Ok(Page { items: customers::find_all(db, merchant, &ids)?, total })
}

/// The moments of a filter that a list is between, in microseconds: from the first, before the second.
fn created(filter: &CustomerFilter) -> Option<(i64, i64)> {
    if filter.created_from.is_none() && filter.created_before.is_none() {
        return None;
    }
    let from = filter.created_from.map_or(i64::MIN, Timestamp::as_microsecond);
    Some((from, filter.created_before.map_or(i64::MAX, Timestamp::as_microsecond)))
}

fn page_of_all(db: &Connection, merchant: MerchantId, page: PageRequest) -> Result<Vec<i64>> {
    let mut statement = db.prepare_cached(
        "SELECT id FROM customers WHERE merchant_id = ?1 ORDER BY id DESC LIMIT ?2 OFFSET ?3",
    )?;
    let ids = statement.query_map((merchant.get(), page.per_page, page.offset()), |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

fn page_of_range(
    db: &Connection,
    merchant: MerchantId,
    (from, before): (i64, i64),
    page: PageRequest,
) -> Result<(Vec<i64>, u64)> {
    let of_range = "FROM customers WHERE merchant_id = ?1 AND created_at >= ?2 AND created_at < ?3";
    let mut statement = db.prepare_cached(&format!("SELECT count(*) {of_range}"))?;
    let total: i64 = statement.query_row((merchant.get(), from, before), |row| row.get(0))?;
    let sql = format!("SELECT id {of_range} ORDER BY id DESC LIMIT ?4 OFFSET ?5");
    let mut statement = db.prepare_cached(&sql)?;
    let parameters = (merchant.get(), from, before, page.per_page, page.offset());
    let ids = statement.query_map(parameters, |row| row.get(0))?;
    Ok((ids.collect::<rusqlite::Result<_>>()?, total.unsigned_abs()))
}

fn total(db: &Connection, merchant: MerchantId) -> Result<u64> {
    let sql = "SELECT coalesce(sum(customers), 0) FROM customer_counters WHERE merchant_id = ?1";
    let total: i64 = db.prepare_cached(sql)?.query_row([merchant.get()], |row| row.get(0))?;
    Ok(total.unsigned_abs())
}

/// The ids of those whom a keyword finds, ascending.
fn find(db: &Connection, merchant: MerchantId, keyword: &SearchQuery) -> Result<Vec<i64>> {
    let mut statement = db.prepare_cached(
        "SELECT customer_id FROM customer_search_terms WHERE merchant_id = ?1 AND term >= ?2 AND term < ?3",
    )?;
    let mut found: Option<Vec<i64>> = None;
    for term in keyword.prefixes() {
        let ids = statement.query_map((merchant.get(), term, after(term)), |row| row.get(0))?;
        let mut ids = ids.collect::<rusqlite::Result<Vec<i64>>>()?;
        // By word they came; by id they are needed, and who has two such words is one customer.
        ids.sort_unstable();
        ids.dedup();
        if let Some(others) = found {
            ids.retain(|id| others.binary_search(id).is_ok());
        }
        found = Some(ids);
    }
    Ok(found.unwrap_or_default())
}

/// What comes after every word that begins with `term`.
fn after(term: &str) -> String {
    format!("{term}{}", char::MAX)
}

fn within(
    db: &Connection,
    merchant: MerchantId,
    ids: Vec<i64>,
    (from, before): (i64, i64),
) -> Result<Vec<i64>> {
    let mut statement = db.prepare_cached(
        "SELECT id FROM customers WHERE merchant_id = ?1 AND id IN (SELECT value FROM rarray(?2))
         AND created_at >= ?3 AND created_at < ?4 ORDER BY id",
    )?;
    let parameters = (merchant.get(), set(ids.into_iter()), from, before);
    let ids = statement.query_map(parameters, |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}
