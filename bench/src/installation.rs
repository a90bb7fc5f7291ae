//! The initial data of every workload: one large merchant and many small ones. The groups that workloads add
//! to are empty.

use serde_json::{Value, json};
use tokio::task::JoinSet;
use zumra_core::{Actor, Clock, IdGenerator, Operation, SystemClock, fixture};

use crate::database::{Database, Databases};

/// Id of the large merchant.
pub(crate) const LARGE_MERCHANT: i64 = 1;
/// Customers of the large merchant; ids start at 1.
pub(crate) const CUSTOMERS: i64 = 100_000;
/// Groups of the large merchant; ids start at 1.
pub(crate) const GROUPS: i64 = 400;
/// Id of the first small merchant; the ids of all of them are contiguous.
pub(crate) const FIRST_SMALL_MERCHANT: i64 = 2;
/// Number of small merchants.
pub(crate) const SMALL_MERCHANTS: i64 = 1000;
/// Customers of each small merchant; ids start at 1.
pub(crate) const SMALL_CUSTOMERS: i64 = 100;
/// Groups of each small merchant; ids start at 1.
pub(crate) const SMALL_GROUPS: i64 = 4;

/// Number of merchants that are loaded concurrently.
const CONCURRENT_LOADS: usize = 16;

/// Returns the token of a merchant.
pub(crate) fn token(merchant: i64) -> String {
    format!("the-token-of-merchant-{merchant}")
}

/// Creates a database with the initial data.
pub(crate) fn create(databases: &Databases) -> anyhow::Result<Database> {
    let database = databases.create()?;
    let small = (FIRST_SMALL_MERCHANT..FIRST_SMALL_MERCHANT + SMALL_MERCHANTS)
        .map(|id| merchant_fixture(id, SMALL_GROUPS, SMALL_CUSTOMERS));
    load(&database, std::iter::once(merchant_fixture(LARGE_MERCHANT, GROUPS, CUSTOMERS)).chain(small))?;
    database.settle()?;
    Ok(database)
}

/// Returns a merchant as an entry of a fixture file.
pub(crate) fn merchant_fixture(id: i64, groups: i64, customers: i64) -> Value {
    let customer =
        |id: i64| json!({"id": id, "first_name": format!("c{id}"), "mobile": (500_000_000 + id).to_string()});
    json!({
        "id": id,
        "name": format!("s{id}"),
        "tokens": [{"token": token(id), "scopes": ["customers.read_write"]}],
        "groups": (1..=groups).map(|id| json!({"id": id, "name": format!("g{id}")})).collect::<Vec<_>>(),
        "customers": (1..=customers).map(customer).collect::<Vec<_>>(),
    })
}

/// Loads merchants into a new database. Opening the storage creates the schema.
pub(crate) fn load(database: &Database, merchants: impl Iterator<Item = Value>) -> anyhow::Result<()> {
    let file = json!({"merchants": merchants.collect::<Vec<_>>()}).to_string();
    let mut merchants = fixture::parse(file.as_bytes())?.into_iter();
    let ids = IdGenerator::new(0);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let storage = database.open().await?;
        let mut loads = JoinSet::new();
        loop {
            while loads.len() < CONCURRENT_LOADS
                && let Some(merchant) = merchants.next()
            {
                let now = SystemClock.now();
                let operation =
                    Operation { proposed_id: ids.next_operation(now), at: now, actor: Actor::Operator };
                let storage = std::sync::Arc::clone(&storage);
                loads.spawn(async move { storage.load_fixture(merchant, operation).await });
            }
            let Some(outcome) = loads.join_next().await else { break };
            outcome??;
        }
        storage.close().await;
        Ok(())
    })
}
