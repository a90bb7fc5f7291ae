//! Lists of customers: all of them, by keyword, or by time of creation.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use zumra_core::{Customer, MerchantId, Page, PageRequest, SearchQuery};

use super::errors::AttemptResult;
use super::{customer_rows, sql};
use crate::CustomerFilter;
use crate::customers::{COLUMNS, prefix_end};

/// Returns one page of the customers that match `filter`, newest first, and their total number.
pub(super) async fn list<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    filter: &CustomerFilter,
    page: PageRequest,
) -> AttemptResult<Page<Customer>> {
    if filter.keyword.as_ref().is_some_and(|query| query.prefixes().is_empty()) {
        return Ok(Page { items: Vec::new(), total: 0 });
    }
    let prefixes = filter.keyword.as_ref().map_or(&[][..], SearchQuery::prefixes);
    let ranges: Vec<_> = prefixes.iter().map(|prefix| (prefix.as_str(), prefix_end(prefix))).collect();
    let created = [(filter.created_from, i64::MIN), (filter.created_before, i64::MAX)];
    let is_limited = created.iter().any(|(time, _)| time.is_some());
    let created = created.map(|(time, open)| time.map_or(open, Timestamp::as_microsecond));
    let (merchant, limit, offset) = (merchant.get(), i64::from(page.per_page), page.offset());

    // $1, $2 and $3 in every statement.
    let mut parameters = ParameterList(vec![&merchant, &limit, &offset]);
    let terms: Vec<String> = ranges.iter().map(|(from, end)| parameters.prefix_match(from, end)).collect();
    let created = is_limited.then(|| parameters.creation_range(&created));
    let statement = match (terms.as_slice(), created) {
        ([], None) => list_all_sql(),
        ([], Some(created)) => list_created_sql(&created),
        (terms, created) => list_matches_sql(&matches_sql(terms, created.as_deref())),
    };
    let mut listed = Page { items: Vec::new(), total: 0 };
    for row in &sql::query(db, &statement, &parameters.0).await? {
        listed.total = row.try_get::<_, i64>(COLUMNS.len() + 1)?.unsigned_abs();
        // A page past the end is one row without an id.
        if row.try_get::<_, Option<i64>>(0)?.is_some() {
            listed.items.push(customer_rows::decode(row)?);
        }
    }
    Ok(listed)
}

/// The parameters of a statement under construction.
struct ParameterList<'a>(Vec<&'a (dyn ToSql + Sync)>);

impl<'a> ParameterList<'a> {
    /// Adds a parameter. Returns its placeholder, `$4`.
    fn push(&mut self, value: &'a (dyn ToSql + Sync)) -> String {
        self.0.push(value);
        format!("${}", self.0.len())
    }

    /// Returns the condition for rows of the inverted index whose term is in a range.
    fn prefix_match(&mut self, from: &'a &str, end: &'a String) -> String {
        let (from, end) = (self.push(from), self.push(end));
        format!("merchant_id = $1 AND term >= {from} AND term < {end}")
    }

    /// Returns the condition for customers created in a range of microseconds.
    fn creation_range(&mut self, [from, before]: &'a [i64; 2]) -> String {
        let (from, before) = (self.push(from), self.push(before));
        format!("created_at >= {from} AND created_at < {before}")
    }
}

/// Returns the query for the customers that have a term for each condition of `terms` and were `created` in a range:
/// their ids and times of creation.
fn matches_sql(terms: &[String], created: Option<&str>) -> String {
    let term = |condition| format!("SELECT customer_id FROM customer_search_terms WHERE {condition}");
    let terms = terms.iter().map(term).collect::<Vec<_>>().join(" INTERSECT ");
    let created = created.map(|created| format!(" AND {created}")).unwrap_or_default();
    format!("SELECT id, created_at FROM customers WHERE merchant_id = $1 AND id IN ({terms}){created}")
}

/// Returns the statement for a page of all customers. The total comes from the counters, because counting a million
/// rows costs more than reading the page.
fn list_all_sql() -> String {
    page_sql(
        "",
        "SELECT coalesce(sum(customers), 0)::bigint AS count FROM customer_counters WHERE merchant_id = $1",
        "SELECT id FROM customers WHERE merchant_id = $1",
    )
}

/// Returns the statement for a page of the customers that were `created` in a range.
fn list_created_sql(created: &str) -> String {
    page_sql(
        "",
        &format!("SELECT count(*) AS count FROM customers WHERE merchant_id = $1 AND {created}"),
        &format!("SELECT id FROM customers WHERE merchant_id = $1 AND {created}"),
    )
}

/// Returns the statement for a page of the customers that the query `matches` returns.
fn list_matches_sql(matches: &str) -> String {
    let with = format!("WITH matches AS MATERIALIZED ({matches})");
    page_sql(&with, "SELECT count(*) AS count FROM matches", "SELECT id FROM matches")
}

/// Returns one statement for total and page, so that both are of the same snapshot. The groups of a customer are read
/// outside of the page's subquery, and so only for its rows. `ids` selects from rows that have a time of creation.
fn page_sql(with: &str, count: &str, ids: &str) -> String {
    let columns = customer_rows::columns("page");
    format!(
        "{with} SELECT {columns}, total.count FROM ({count}) AS total
         LEFT JOIN (SELECT * FROM customers WHERE merchant_id = $1
                    AND id IN ({ids} ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3)) AS page ON true
         ORDER BY page.created_at DESC, page.id DESC"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_follow_the_order_of_the_parameters() {
        let (from, end, range) = (&"a", "b".to_owned(), [1, i64::MAX]);
        let mut parameters = ParameterList(vec![&1_i64, &2_i64, &3_i64]);
        let terms = [parameters.prefix_match(from, &end), parameters.prefix_match(from, &end)];
        let created = parameters.creation_range(&range);
        assert_eq!(parameters.0.len(), 9);
        let sql = matches_sql(&terms, Some(&created));
        let places: Vec<_> = (4..=9).map(|number| sql.find(&format!("${number}")).unwrap()).collect();
        assert!(places.is_sorted(), "{sql}");
    }
}
