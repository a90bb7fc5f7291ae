//! Lists of customers: all of them, by keyword, or by time of creation.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use zumra_core::{Customer, MerchantId, Page, PageRequest, SEARCH_VERSION, SearchQuery};

use super::errors::AttemptResult;
use super::{customer_rows, sql};
use crate::CustomerFilter;
use crate::customers::{COLUMNS, prefix_end};
use crate::search_index::FIRST_VERSION;

/// Returns one page of the customers that match `filter`, newest first, and their total number.
pub(super) async fn list<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    filter: &CustomerFilter,
    page: PageRequest,
) -> AttemptResult<Page<Customer>> {
    let list = List::new(merchant, filter, page);
    let Some(query) = &filter.keyword else { return Ok(list.read(db, Terms::None).await?.page) };
    if query.prefixes().is_empty() {
        return Ok(Page { items: Vec::new(), total: 0 });
    }
    let found = list.read(db, Terms::Current(query)).await?;
    if found.version < SEARCH_VERSION {
        return Ok(list.read(db, Terms::Outdated(query)).await?.page);
    }
    Ok(found.page)
}

/// The search terms that customers must have.
#[derive(Clone, Copy)]
enum Terms<'q> {
    None,
    /// Terms of the current version.
    Current(&'q SearchQuery),
    /// Terms of the current or of an older version, while the index is rebuilt.
    Outdated(&'q SearchQuery),
}

/// A list, and the page of it that is read.
struct List {
    merchant: i64,
    limit: i64,
    offset: i64,
    /// The range of the time of creation in microseconds, if the list has one.
    created: Option<[i64; 2]>,
}

/// A page, and the version of the search terms if they were used.
struct Found {
    page: Page<Customer>,
    version: i64,
}

impl List {
    fn new(merchant: MerchantId, filter: &CustomerFilter, page: PageRequest) -> Self {
        let created = [(filter.created_from, i64::MIN), (filter.created_before, i64::MAX)];
        let is_limited = created.iter().any(|(time, _)| time.is_some());
        let created = created.map(|(time, open)| time.map_or(open, Timestamp::as_microsecond));
        Self {
            merchant: merchant.get(),
            limit: i64::from(page.per_page),
            offset: page.offset(),
            created: is_limited.then_some(created),
        }
    }

    async fn read<C: GenericClient>(&self, db: &C, terms: Terms<'_>) -> AttemptResult<Found> {
        let ranges = |prefixes: &'_ [String]| -> Vec<_> {
            prefixes.iter().map(|prefix| (prefix.clone(), prefix_end(prefix))).collect()
        };
        let (current, old) = match terms {
            Terms::None => (Vec::new(), Vec::new()),
            Terms::Current(query) => (ranges(query.prefixes()), Vec::new()),
            Terms::Outdated(query) => (ranges(query.prefixes()), ranges(query.old_prefixes())),
        };
        // $1, $2 and $3 in every statement.
        let mut parameters = ParameterList(vec![&self.merchant, &self.limit, &self.offset]);
        let [current, old] = [&current, &old].map(|ranges| parameters.prefix_matches(ranges));
        let created = self.created.as_ref().map(|range| parameters.creation_range(range));
        let statement = match (current.is_empty(), created) {
            (true, None) => list_all_sql(),
            (true, Some(created)) => list_created_sql(&created),
            (false, created) => list_matches_sql(&matches_sql(&current, &old, created.as_deref())),
        };
        let mut found = Found { page: Page { items: Vec::new(), total: 0 }, version: FIRST_VERSION };
        for row in &sql::query(db, &statement, &parameters.0).await? {
            found.page.total = row.try_get::<_, i64>(COLUMNS.len() + 1)?.unsigned_abs();
            if !current.is_empty() {
                found.version = row.try_get::<_, Option<i64>>(COLUMNS.len() + 2)?.unwrap_or(FIRST_VERSION);
            }
            // A page past the end is one row without an id.
            if row.try_get::<_, Option<i64>>(0)?.is_some() {
                found.page.items.push(customer_rows::decode(row)?);
            }
        }
        Ok(found)
    }
}

/// The parameters of a statement under construction.
struct ParameterList<'a>(Vec<&'a (dyn ToSql + Sync)>);

impl<'a> ParameterList<'a> {
    /// Adds a parameter. Returns its placeholder, `$4`.
    fn push(&mut self, value: &'a (dyn ToSql + Sync)) -> String {
        self.0.push(value);
        format!("${}", self.0.len())
    }

    /// Returns the conditions for rows of an index whose term is in one of the ranges.
    fn prefix_matches(&mut self, ranges: &'a [(String, String)]) -> Vec<String> {
        let condition = |(from, end): &'a (String, String)| {
            let (from, end) = (self.push(from), self.push(end));
            format!("merchant_id = $1 AND term >= {from} AND term < {end}")
        };
        ranges.iter().map(condition).collect()
    }

    /// Returns the condition for customers created in a range of microseconds.
    fn creation_range(&mut self, [from, before]: &'a [i64; 2]) -> String {
        let (from, before) = (self.push(from), self.push(before));
        format!("created_at >= {from} AND created_at < {before}")
    }
}

/// Returns the query for the customers that have a term for each condition of `current` and were `created` in a range:
/// their ids and times of creation. With conditions for `old` terms, these may be met instead.
fn matches_sql(current: &[String], old: &[String], created: Option<&str>) -> String {
    let mut matches = index_sql(current);
    if !old.is_empty() {
        let first_version =
            join(old, |condition| format!("SELECT customer_id FROM customer_search_terms WHERE {condition}"));
        // A copied database has terms of an older version in the current index.
        matches = format!(
            "({matches}) UNION ({}) UNION
             (SELECT id, created_at FROM customers WHERE merchant_id = $1 AND id IN ({first_version}))",
            index_sql(old)
        );
    }
    match created {
        Some(created) => format!("SELECT id, created_at FROM ({matches}) AS matches WHERE {created}"),
        None => matches,
    }
}

/// Returns the query for the customers that have a term in the index for each condition.
fn index_sql(conditions: &[String]) -> String {
    // GROUP BY, because a customer can have several terms with the same prefix.
    join(conditions, |condition| {
        format!(
            "SELECT customer_id AS id, created_at FROM search_index WHERE {condition} GROUP BY id, created_at"
        )
    })
}

fn join(conditions: &[String], query: impl Fn(&String) -> String) -> String {
    conditions.iter().map(query).collect::<Vec<_>>().join(" INTERSECT ")
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

/// Returns the statement for a page of the customers that the query `matches` returns. Its total is followed by the
/// version of the search terms.
fn list_matches_sql(matches: &str) -> String {
    let with = format!("WITH matches AS MATERIALIZED ({matches})");
    let total = "SELECT count(*) AS count,
             (SELECT version FROM search_index_versions WHERE merchant_id = $1) AS version FROM matches";
    page_sql(&with, total, "SELECT id FROM matches")
}

/// Returns one statement for total and page, so that both are of the same snapshot. The groups of a customer are read
/// outside of the page's subquery, and so only for its rows. `ids` selects from rows that have a time of creation.
fn page_sql(with: &str, total: &str, ids: &str) -> String {
    let columns = customer_rows::columns("page");
    format!(
        "{with} SELECT {columns}, total.* FROM ({total}) AS total
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
        let ranges = [("a".to_owned(), "b".to_owned()), ("c".to_owned(), "d".to_owned())];
        let range = [1, i64::MAX];
        let mut parameters = ParameterList(vec![&1_i64, &2_i64, &3_i64]);
        let [current, old] = [&ranges, &ranges].map(|ranges| parameters.prefix_matches(ranges));
        let created = parameters.creation_range(&range);
        assert_eq!(parameters.0.len(), 13);
        let sql = matches_sql(&current, &old, Some(&created));
        let places: Vec<_> = (4..=13).map(|number| sql.find(&format!("${number}"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{sql}");
    }
}
