//! Rows by the million, made by the database itself. They are what the service would have written, but for the least that
//! a customer can have: a first name, and the word that it is.

use std::ops::RangeInclusive;

use crate::database::Engine;

use super::GROUP;

/// Rows that one statement makes at most.
const ROWS: i64 = 1_000_000;
/// Added to an id to make a name. Names are of one length, so that their order is that of the ids: engines then add words
/// at the end of an index, and filling it takes no hours.
const NAMES: i64 = 100_000_000;
/// When the customers were created; each a microsecond after the one before.
const CREATED: i64 = 1_750_000_000_000_000;

/// The name of a customer, which is a word that nobody else of the shop has.
pub(super) fn name(customer: i64) -> String {
    format!("c{}", NAMES + customer)
}

/// Statements that make customers with ids from 1 of each of some merchants.
pub(super) fn customers(engine: Engine, merchants: RangeInclusive<i64>, count: i64) -> Vec<String> {
    let name = format!("'c' || ({NAMES} + c.id)");
    let at = format!("{CREATED} + c.id");
    let mut statements = Vec::new();
    for rows in pieces(engine, &merchants, &(1..=count)) {
        statements.push(format!(
            "INSERT INTO customers (merchant_id, id, first_name, words, created_at, updated_at)
             SELECT m.id, c.id, {name}, {name}, {at}, {at} FROM {rows}"
        ));
        statements.push(format!(
            "INSERT INTO customer_words (merchant_id, word, customer_id) SELECT m.id, {name}, c.id FROM {rows}"
        ));
    }
    statements.push(format!(
        "INSERT INTO tallies (merchant_id, slot, customers) SELECT m.id, 1, {count} FROM {}",
        series(engine, "m", &merchants)
    ));
    statements
}

/// Statements that make these customers members of the group, in each of some merchants.
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
    pieces(engine, &merchants, &customers).into_iter().map(insert).collect()
}

/// The statement after which the first merchant's group has so many members, if it had as many before a run.
pub(super) fn shrink(members: i64) -> String {
    format!(
        "DELETE FROM memberships WHERE merchant_id = 1 AND group_id = {GROUP} AND customer_id > {members}"
    )
}

/// All pairs of a merchant `m.id` and a customer `c.id`, in an order in which every index grows at its end, cut into
/// pieces that a statement makes.
fn pieces(engine: Engine, merchants: &RangeInclusive<i64>, customers: &RangeInclusive<i64>) -> Vec<String> {
    let each = customers.end() - customers.start() + 1;
    let at_once = (ROWS / each.max(1)).max(1);
    let mut pieces = Vec::new();
    for m in parts(merchants, at_once) {
        for c in parts(customers, ROWS) {
            pieces.push(format!("{} CROSS JOIN {}", series(engine, "m", &m), series(engine, "c", &c)));
        }
    }
    pieces
}

fn parts(all: &RangeInclusive<i64>, size: i64) -> impl Iterator<Item = RangeInclusive<i64>> + use<> {
    let (mut first, end) = (*all.start(), *all.end());
    std::iter::from_fn(move || {
        let part = first..=end.min(first + size - 1);
        first += size;
        (!part.is_empty()).then_some(part)
    })
}

/// Numbers as a table with one column, `id`.
fn series(engine: Engine, name: &str, numbers: &RangeInclusive<i64>) -> String {
    let (first, last) = (numbers.start(), numbers.end());
    match engine {
        Engine::Postgres => format!("generate_series({first}::bigint, {last}::bigint) AS {name} (id)"),
        Engine::Sqlite => format!(
            "(WITH RECURSIVE numbers (id) AS (SELECT {first} UNION ALL SELECT id + 1 FROM numbers WHERE id < {last})
              SELECT id FROM numbers) AS {name}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_and_none_twice() {
        let all: Vec<i64> = parts(&(3..=25), 10).flatten().collect();
        assert_eq!(all, (3..=25).collect::<Vec<_>>());
        let none = RangeInclusive::new(1, 0);
        assert_eq!(parts(&none, 10).count(), 0);
    }
}
