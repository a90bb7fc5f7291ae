//! Lists of customers: all of them, by a keyword, or by when they were created.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use zumra_core::{Customer, MerchantId, Page, PageRequest, SearchQuery};

use super::customers;
use super::errors::Try;
use crate::CustomerFilter;

pub(super) async fn list<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    filter: &CustomerFilter,
    page: PageRequest,
) -> Try<Page<Customer>> {
    let from = filter.created_from.map(Timestamp::as_microsecond);
    let before = filter.created_before.map(Timestamp::as_microsecond);
    let (merchant, limit, offset) = (merchant.get(), i64::from(page.per_page), page.offset());
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&merchant, &limit, &offset];
    let terms = filter.keyword.as_ref().map_or(&[][..], SearchQuery::prefixes);
    let ranges: Vec<(&str, String)> = terms.iter().map(|term| (term.as_str(), after(term))).collect();
    for (term, after) in &ranges {
        parameters.extend::<[&(dyn ToSql + Sync); 2]>([term, after]);
    }
    let is_timed = from.is_some() || before.is_some();
    if is_timed {
        parameters.extend::<[&(dyn ToSql + Sync); 2]>([&from, &before]);
    }
    let statement = db.prepare_cached(&list_sql(ranges.len(), is_timed)).await?;
    let mut listed = Page { items: Vec::new(), total: 0 };
    for row in &db.query(&statement, &parameters).await? {
        listed.total = row.try_get::<_, i64>(14)?.unsigned_abs();
        if row.try_get::<_, Option<i64>>(0)?.is_some() {
            listed.items.push(customers::read(row)?);
        }
    }
    Ok(listed)
}

/// The statement for a keyword of so many terms, and for a span of time or none. It is one, so that total and page are of
/// one moment. A page past the end is one row without an id. Groups are gathered outside of the page, for its rows only.
fn list_sql(terms: usize, is_timed: bool) -> String {
    let columns = customers::columns("page");
    let timed = if is_timed {
        let (from, before) = (4 + 2 * terms, 5 + 2 * terms);
        format!(
            "AND created_at >= coalesce(${from}::bigint, created_at) \
             AND created_at < coalesce(${before}::bigint, created_at + 1)"
        )
    } else {
        String::new()
    };
    let words = |i: usize| {
        let (from, before) = (4 + 2 * i, 5 + 2 * i);
        format!(
            "SELECT customer_id FROM customer_search_terms WHERE merchant_id = $1 AND term >= ${from} AND term < ${before}"
        )
    };
    let both = (0..terms).map(words).collect::<Vec<_>>().join(" INTERSECT ");
    let found = match (terms, is_timed) {
        (0, false) => String::new(),
        (0, true) => format!("SELECT id FROM customers WHERE merchant_id = $1 {timed}"),
        (1, false) => {
            words(0).replace("customer_id FROM", "customer_id AS id FROM") + " GROUP BY customer_id"
        }
        // Whoever has all of the words has a row of the customer: no need to look at that.
        (_, false) => format!("SELECT customer_id AS id FROM ({both}) AS found"),
        (_, true) => format!("SELECT id FROM customers WHERE merchant_id = $1 AND id IN ({both}) {timed}"),
    };
    let page = "ORDER BY id DESC LIMIT $2 OFFSET $3";
    let (with, count, ids) = if found.is_empty() {
        let count = "SELECT coalesce(sum(customers), 0)::bigint AS count FROM customer_counters WHERE merchant_id = $1";
        (String::new(), count, format!("SELECT id FROM customers WHERE merchant_id = $1 {page}"))
    } else {
        let with = format!("WITH found AS MATERIALIZED ({found})");
        (with, "SELECT count(*) AS count FROM found", format!("SELECT id FROM found {page}"))
    };
    format!(
        "{with} SELECT {columns}, total.count FROM ({count}) AS total
         LEFT JOIN (SELECT * FROM customers WHERE merchant_id = $1 AND id IN ({ids})) AS page ON true
         ORDER BY page.id DESC"
    )
}

/// What comes after every word that begins with `term`.
fn after(term: &str) -> String {
    format!("{term}{}", char::MAX)
}
