//! Tests of the PostgreSQL engine alone: its schema, its statements, lost connections and concurrent transactions.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod concurrency;
mod lost_connections;
#[path = "../outdated_index/mod.rs"]
mod outdated_index;
mod proxy;
mod schema;
#[path = "../schema_1/mod.rs"]
mod schema_1;
mod statements;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use jiff::Timestamp;
use zumra_core::{Actor, CustomerId, GroupId, IdGenerator, MerchantId, Operation, SystemEntropy, fixture};
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::{AddMembersOutcome, Fixtures, Memberships, Result};
use zumra_testkit::{DEADLINE, TestDatabase, eventually_async};

/// The group of [`open_shop`].
const GROUP: i64 = 10;

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn options(database: &TestDatabase) -> PostgresOptions {
    PostgresOptions::parse(&database.url()).unwrap()
}

async fn open(database: &TestDatabase) -> Result<PostgresStorage> {
    PostgresStorage::open(&options(database), now(), &SystemEntropy).await
}

/// Opens a storage with `connections` at most, and loads a merchant with 50 customers and one group.
async fn open_shop(database: &TestDatabase, connections: usize) -> PostgresStorage {
    let mut options = options(database);
    options.connections = connections;
    let storage = PostgresStorage::open(&options, now(), &SystemEntropy).await.unwrap();
    let customers: Vec<_> = (1..=50).map(|id| format!(r#"{{"id":{id},"first_name":"c"}}"#)).collect();
    let shop = format!(
        r#"{{"merchants":[{{"id":1,"name":"s","groups":[{{"id":{GROUP},"name":"g"}}],"customers":[{}]}}]}}"#,
        customers.join(",")
    );
    storage.load_fixture(fixture::parse(shop.as_bytes()).unwrap().remove(0), operation(0)).await.unwrap();
    storage
}

fn operation(seed: u16) -> Operation {
    Operation { proposed_id: IdGenerator::new(seed).next_operation(now()), at: now(), actor: Actor::Operator }
}

fn group() -> GroupId {
    GroupId::new(GROUP).unwrap()
}

/// Adds one customer. The proposed ids of different customers differ, so that concurrent adds do not conflict.
async fn add(storage: &dyn Memberships, customer: i64) -> Result<AddMembersOutcome> {
    let customers = vec![CustomerId::new(customer).unwrap()].into();
    let operation = operation(u16::try_from(customer).unwrap());
    storage.add_members(MerchantId::FIRST, group(), customers, operation).await
}

/// Returns the ids of the customers in the group, ascending, as the database stores them.
async fn members(client: &tokio_postgres::Client) -> Vec<i64> {
    let statement = "SELECT customer_id FROM memberships WHERE merchant_id = 1 AND group_id = $1 ORDER BY 1";
    client.query(statement, &[&GROUP]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Waits until exactly `number` statements wait for a lock.
async fn wait_for_blocked_statements(client: &tokio_postgres::Client, number: i64) {
    let blocked = "SELECT count(*) FROM pg_stat_activity
                   WHERE wait_event_type = 'Lock' AND datname = current_database()";
    eventually_async(DEADLINE, "statements wait for a lock", async || {
        client.query_one(blocked, &[]).await.unwrap().get::<_, i64>(0) == number
    })
    .await;
}

/// Polls a future once, which enqueues the request of an add. Returns true if it is still pending.
async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}
