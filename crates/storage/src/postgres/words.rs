//! The tables beside `customers` that make lists fast, `customer_search_terms` and `customer_counters`: nobody else writes them.

use deadpool_postgres::GenericClient;
use zumra_core::{CustomerId, MerchantId};

use super::errors::Try;
use super::operations::Mark;

/// Slots over which a merchant's customers are counted.
const SLOTS: i64 = 16;

/// Makes customers findable by their words, which have a space between each two.
pub(super) async fn add<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    words: &[(CustomerId, &str)],
) -> Try<()> {
    let sql = "INSERT INTO customer_search_terms (merchant_id, term, customer_id)
               SELECT $1, word, id FROM unnest($2::text[], $3::bigint[]) AS words (word, id)";
    each(tx, sql, merchant, words).await
}

/// Makes customers no more findable by their words.
pub(super) async fn remove<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    words: &[(CustomerId, &str)],
) -> Try<()> {
    let sql = "DELETE FROM customer_search_terms USING unnest($2::text[], $3::bigint[]) AS words (word, id)
               WHERE customer_search_terms.merchant_id = $1 AND customer_search_terms.term = words.word
                 AND customer_search_terms.customer_id = words.id";
    each(tx, sql, merchant, words).await
}

async fn each<C: GenericClient>(
    tx: &C,
    sql: &str,
    merchant: MerchantId,
    words: &[(CustomerId, &str)],
) -> Try<()> {
    let pairs = words.iter().flat_map(|(id, words)| words.split(' ').map(|word| (word, id.get())));
    let (words, ids): (Vec<&str>, Vec<i64>) = pairs.filter(|(word, _)| !word.is_empty()).unzip();
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, &[&merchant.get(), &words, &ids]).await?;
    Ok(())
}

/// Counts customers who came, or with a number below zero those who went.
pub(super) async fn count<C: GenericClient>(tx: &C, merchant: MerchantId, more: i64, mark: Mark) -> Try<()> {
    let sql = "INSERT INTO customer_counters (merchant_id, shard, customers) VALUES ($1, $2, $3)
               ON CONFLICT (merchant_id, shard) DO UPDATE SET customers = customer_counters.customers + excluded.customers
               WHERE customer_counters.merchant_id = $1";
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, &[&merchant.get(), &slot(mark), &more]).await?;
    Ok(())
}

/// The slot in which a try counts.
fn slot(mark: Mark) -> i64 {
    1 + mark.stride % SLOTS
}

/// The same for rows of `customers` that a copy writes: parts of its statement, in which they are called `copied`.
pub(super) const COPIED: &str = ",
    words AS (
        INSERT INTO customer_search_terms (merchant_id, term, customer_id)
        SELECT $1, word, id FROM copied, unnest(string_to_array(search_terms, ' ')) AS word WHERE word <> ''),
    counted AS (
        INSERT INTO customer_counters (merchant_id, shard, customers) SELECT $1, 1, count(*) FROM copied
        ON CONFLICT (merchant_id, shard) DO UPDATE SET customers = customer_counters.customers + excluded.customers
        WHERE customer_counters.merchant_id = $1)";
