//! The installation that every workload begins with: one large shop and many small ones, nobody in a group by hand.

use serde_json::{Value, json};
use tokio::task::JoinSet;
use zumra_core::{Actor, Clock, IdGenerator, Operation, SystemClock, fixture};

use crate::database::{Database, Site};

/// The large shop.
pub(crate) const LARGE: i64 = 1;
/// Its customers, with ids from 1.
pub(crate) const CUSTOMERS: i64 = 100_000;
/// Its groups, with ids from 1.
pub(crate) const GROUPS: i64 = 400;
/// The first small shop; the others follow.
pub(crate) const FIRST_SMALL: i64 = 2;
/// How many they are.
pub(crate) const SMALL: i64 = 1000;
/// Customers of each, with ids from 1.
pub(crate) const SMALL_CUSTOMERS: i64 = 100;
/// Groups of each, with ids from 1.
pub(crate) const SMALL_GROUPS: i64 = 4;

/// Loads that are on their way at once.
const AT_ONCE: usize = 16;

/// The token of a shop.
pub(crate) fn token(merchant: i64) -> String {
    format!("the-token-of-merchant-{merchant}")
}

/// Makes the installation.
pub(crate) fn build(site: &Site) -> anyhow::Result<Database> {
    let database = site.create()?;
    let small = (FIRST_SMALL..FIRST_SMALL + SMALL).map(|id| shop(id, SMALL_GROUPS, SMALL_CUSTOMERS));
    load(&database, std::iter::once(shop(LARGE, GROUPS, CUSTOMERS)).chain(small))?;
    database.settle()?;
    Ok(database)
}

/// A shop as an entry of a fixture file.
pub(crate) fn shop(id: i64, groups: i64, customers: i64) -> Value {
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

/// Loads shops into a database, which gets its tables by that.
pub(crate) fn load(database: &Database, shops: impl Iterator<Item = Value>) -> anyhow::Result<()> {
    let file = json!({"merchants": shops.collect::<Vec<_>>()}).to_string();
    let mut shops = fixture::parse(file.as_bytes())?.into_iter();
    let ids = IdGenerator::new(0);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let storage = database.open().await?;
        let mut loading = JoinSet::new();
        loop {
            while loading.len() < AT_ONCE
                && let Some(shop) = shops.next()
            {
                let at = SystemClock.now();
                let operation = Operation { proposed_id: ids.next_operation(at), at, actor: Actor::Operator };
                let storage = std::sync::Arc::clone(&storage);
                loading.spawn(async move { storage.load_fixture(shop, operation).await });
            }
            let Some(loaded) = loading.join_next().await else { break };
            loaded??;
        }
        storage.close().await;
        Ok(())
    })
}
