//! SQL that creates millions of rows inside the database. They equal what the service writes for the smallest
//! possible customer: a first name, which is its only search term.

use std::ops::RangeInclusive;

use crate::engine::Engine;

/// Id of the only group, or of the first one.
pub(super) const GROUP: i64 = 1;
/// Maximum number of rows that one statement inserts.
const ROWS_PER_STATEMENT: i64 = 1_000_000;
/// Added to an id to make a name. All names then have the same length and sort like the ids, so that engines
/// append search terms to the end of an index. In another order, filling it takes hours.
const NAME_OFFSET: i64 = 100_000_000;
/// Creation time of customer 0 in microseconds; each customer is created a microsecond after the one before.
const FIRST_CREATED_AT: i64 = 1_750_000_000_000_000;

/// Returns the name of a customer: a search term that no other customer of the merchant has.
pub(super) fn name(customer: i64) -> String {
    format!("c{}", NAME_OFFSET + customer)
}

/// Returns statements that insert `count` customers with ids from 1 for each merchant.
pub(super) fn customers(engine: Engine, merchants: RangeInclusive<i64>, count: i64) -> Vec<String> {
    let name = format!("'c' || ({NAME_OFFSET} + c.id)");
    let created_at = format!("{FIRST_CREATED_AT} + c.id");
    let mut statements = Vec::new();
    for rows in row_sources(engine, &merchants, &(1..=count)) {
        statements.push(format!(
            "INSERT INTO customers (merchant_id, id, first_name, search_terms, created_at, updated_at)
             SELECT m.id, c.id, {name}, {name}, {created_at}, {created_at} FROM {rows}"
        ));
        statements.push(format!(
            "INSERT INTO search_index (merchant_id, term, created_at, customer_id)
             SELECT m.id, {name}, {created_at}, c.id FROM {rows}"
        ));
    }
    statements.push(format!(
        "INSERT INTO customer_counters (merchant_id, shard, customers) SELECT m.id, 1, {count} FROM {}",
        series(engine, "m", &merchants)
    ));
    statements
}

/// Returns statements that make these customers members of the group of each merchant.
pub(super) fn members(
    engine: Engine,
    merchants: RangeInclusive<i64>,
    customers: RangeInclusive<i64>,
) -> Vec<String> {
    let insert = |rows| {
        format!(
            "INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
             SELECT m.id, {GROUP}, c.id, 1, 1 FROM {rows}"
        )
    };
    row_sources(engine, &merchants, &customers).into_iter().map(insert).collect()
}

/// Returns a statement that deletes the first merchant's members with ids above `members`. It undoes the adds
/// of a run.
pub(super) fn delete_members_above(members: i64) -> String {
    format!(
        "DELETE FROM memberships WHERE merchant_id = 1 AND group_id = {GROUP} AND customer_id > {members}"
    )
}

/// Returns `FROM` items that together produce each pair of a merchant `m.id` and a customer `c.id` once, at
/// most [`ROWS_PER_STATEMENT`] pairs per item. The pairs are in the order of the primary keys, so every index
/// grows at its end.
fn row_sources(
    engine: Engine,
    merchants: &RangeInclusive<i64>,
    customers: &RangeInclusive<i64>,
) -> Vec<String> {
    let customers_per_merchant = customers.end() - customers.start() + 1;
    let merchants_per_statement = (ROWS_PER_STATEMENT / customers_per_merchant.max(1)).max(1);
    let mut sources = Vec::new();
    for merchant_ids in chunks(merchants, merchants_per_statement) {
        for customer_ids in chunks(customers, ROWS_PER_STATEMENT) {
            let merchant_series = series(engine, "m", &merchant_ids);
            let customer_series = series(engine, "c", &customer_ids);
            sources.push(format!("{merchant_series} CROSS JOIN {customer_series}"));
        }
    }
    sources
}

/// Splits a range into contiguous chunks of at most `size` numbers.
fn chunks(range: &RangeInclusive<i64>, size: i64) -> impl Iterator<Item = RangeInclusive<i64>> + use<> {
    let (mut first, last) = (*range.start(), *range.end());
    std::iter::from_fn(move || {
        let chunk = first..=last.min(first + size - 1);
        first += size;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Returns a `FROM` item with one column, `id`, that contains these numbers.
fn series(engine: Engine, alias: &str, numbers: &RangeInclusive<i64>) -> String {
    let (first, last) = (numbers.start(), numbers.end());
    match engine {
        Engine::Postgres => format!("generate_series({first}::bigint, {last}::bigint) AS {alias} (id)"),
        Engine::Sqlite => format!(
            "(WITH RECURSIVE numbers (id) AS (SELECT {first} UNION ALL SELECT id + 1 FROM numbers WHERE id < {last})
              SELECT id FROM numbers) AS {alias}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use zumra_storage::Inspection;
    use zumra_testkit::postgres::TestDatabase;

    use super::*;
    use crate::database::Database;
    use crate::installation::{self, merchant_fixture};

    /// Returns statements that insert 30 customers for each of 2 merchants, and make the first `members_per_merchant`
    /// of them members.
    fn statements(engine: Engine, members_per_merchant: i64) -> Vec<String> {
        let mut statements = customers(engine, 1..=2, 30);
        statements.extend(members(engine, 1..=2, 1..=members_per_merchant));
        statements
    }

    fn load_merchants(database: &Database) {
        installation::load(database, (1..=2).map(|id| merchant_fixture(id, 1, 0))).unwrap();
    }

    fn inspect(database: &Database) -> Inspection {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let storage = database.open().await.unwrap();
            let inspection = storage.inspect().await.unwrap();
            storage.close().await;
            inspection
        })
    }

    fn assert_rows(database: &Database, memberships: u64) {
        let inspection = inspect(database);
        assert_eq!(inspection.problems, Vec::<String>::new());
        assert_eq!((inspection.customers, inspection.memberships), (60, memberships));
    }

    #[test]
    fn rows_fit_the_schema_of_sqlite() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::File(directory.path().join("growth.db"));
        load_merchants(&database);
        database.fill(&statements(Engine::Sqlite, 20)).unwrap();
        assert_rows(&database, 40);
        database.fill(&[delete_members_above(5)]).unwrap();
        assert_rows(&database, 25);
    }

    #[test]
    fn rows_fit_the_schema_of_postgres() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let test_database = runtime.block_on(TestDatabase::new());
        let database = Database::Server { name: String::new(), url: test_database.url() };
        load_merchants(&database);
        // Not by `fill`, which needs a superuser.
        runtime.block_on(async {
            let client = test_database.connect().await;
            for sql in statements(Engine::Postgres, 20) {
                client.batch_execute(&sql).await.unwrap();
            }
            client.batch_execute(&delete_members_above(5)).await.unwrap();
        });
        assert_rows(&database, 25);
    }

    #[test]
    fn chunks_cover_the_range_without_overlap() {
        let covered: Vec<i64> = chunks(&(3..=25), 10).flatten().collect();
        assert_eq!(covered, (3..=25).collect::<Vec<_>>());
        let empty = RangeInclusive::new(1, 0);
        assert_eq!(chunks(&empty, 10).count(), 0);
    }
}
