//! Lists with a read replica: which server they are read from, and that they show every acknowledged write.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::io::ErrorKind;
use std::net::TcpListener;

use jiff::Timestamp;
use prometheus_client::registry::Registry;
use zumra_core::{
    Actor, CustomerId, GroupId, IdGenerator, MerchantId, Operation, PageRequest, SystemEntropy, fixture,
};
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::{AddMembersOutcome, Admin, CustomerFilter, Customers, Fixtures, Groups, Memberships};
use zumra_testkit::{TestDatabase, TestPair};

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

/// The storage of a merchant with five customers and one group, which is the default group.
struct Shop {
    storage: PostgresStorage,
    ids: IdGenerator,
}

impl Shop {
    async fn open(database: &str, replica: &str) -> Self {
        let mut options = PostgresOptions::parse(database).unwrap();
        options.replica = Some(Box::new(PostgresOptions::parse(replica).unwrap()));
        let storage = PostgresStorage::open(&options, now(), &SystemEntropy).await.unwrap();
        let shop = Self { storage, ids: IdGenerator::new(1) };
        let customers: Vec<_> = (1..=5).map(|id| format!(r#"{{"id":{id},"first_name":"c"}}"#)).collect();
        let json = format!(
            r#"{{"merchants":[{{"id":1,"name":"s","groups":[{{"id":10,"name":"g","default":true}}],"customers":[{}]}}]}}"#,
            customers.join(",")
        );
        let fixture = fixture::parse(json.as_bytes()).unwrap().remove(0);
        shop.storage.load_fixture(fixture, shop.operation()).await.unwrap();
        shop
    }

    fn operation(&self) -> Operation {
        Operation { proposed_id: self.ids.next_operation(now()), at: now(), actor: Actor::Operator }
    }

    async fn add(&self, customer: i64) {
        let (merchant, group) = (MerchantId::new(1).unwrap(), GroupId::new(10).unwrap());
        let customers = vec![CustomerId::new(customer).unwrap()].into();
        let added = self.storage.add_members(merchant, group, customers, self.operation()).await;
        assert!(matches!(added.unwrap(), AddMembersOutcome::Added { added: 1, .. }));
    }

    /// Reads the list of groups and the list of customers. Returns the customers in the group, ascending.
    async fn members(&self) -> Vec<i64> {
        let (merchant, page) = (MerchantId::new(1).unwrap(), PageRequest { page: 1, per_page: 60 });
        assert_eq!(self.storage.list_groups(merchant, page).await.unwrap().total, 1);
        let listed = self.storage.list_customers(merchant, CustomerFilter::default(), page).await.unwrap();
        assert_eq!(listed.total, 5);
        let members = listed.items.iter().filter(|customer| !customer.groups.is_empty());
        members.map(|customer| customer.id.get()).rev().collect()
    }

    /// Returns how many lists were read from the primary, and how many from the replica.
    fn count_lists(&self) -> (u64, u64) {
        let mut registry = Registry::default();
        self.storage.register_metrics(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let count = |from: &str| {
            let name = format!("storage_lists_total{{from=\"{from}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
        };
        (count("primary"), count("replica"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn primary_is_not_used_as_its_own_replica() {
    let database = TestDatabase::new().await;
    let shop = Shop::open(&database.url(), &database.url()).await;
    for customer in 1..=3 {
        shop.add(customer).await;
        assert_eq!(shop.members().await, (1..=customer).collect::<Vec<_>>());
    }
    assert_eq!(shop.count_lists(), (6, 0));
    shop.storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_replica_does_not_fail_lists() {
    let database = TestDatabase::new().await;
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("postgres://z:s3cret@{}/z", free.local_addr().unwrap());
    drop(free);
    let shop = Shop::open(&database.url(), &address).await;
    shop.add(1).await;
    assert_eq!(shop.members().await, [1]);
    assert_eq!(shop.count_lists(), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_replica_delays_only_one_list() {
    let database = TestDatabase::new().await;
    // Accepts connections, and never replies.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("postgres://z@{}/z?sslmode=disable", silent.local_addr().unwrap());
    let shop = Shop::open(&database.url(), &address).await;
    for customer in 1..=5 {
        shop.add(customer).await;
        assert_eq!(shop.members().await, (1..=customer).collect::<Vec<_>>());
    }
    assert_eq!(shop.count_lists(), (10, 0));
    silent.set_nonblocking(true).unwrap();
    silent.accept().unwrap();
    let second_accept = silent.accept().unwrap_err().kind();
    assert_eq!(second_accept, ErrorKind::WouldBlock, "the replica was used again before its cool-down ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_read_from_a_standby_that_has_caught_up() {
    let mut pair = TestPair::start();
    // Connects to the server that is a standby at the time.
    let replica = pair.url().replace("read-write", "read-only");
    let shop = Shop::open(&pair.url(), &replica).await;
    shop.add(1).await;
    pair.wait_for_replay().await;
    assert_eq!(shop.members().await, [1]);
    assert_eq!(shop.count_lists(), (0, 2), "both from the standby");
    // The standby receives the write but does not replay it.
    let standby = pair.connect_to_second().await;
    standby.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
    shop.add(2).await;
    assert_eq!(shop.members().await, [1, 2]);
    assert_eq!(shop.count_lists(), (2, 2), "both from the primary");
    standby.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();
    pair.wait_for_replay().await;
    assert_eq!(shop.members().await, [1, 2]);
    assert_eq!(shop.count_lists(), (2, 4), "both from the standby again");
    pair.fail_over();
    shop.add(3).await;
    assert_eq!(shop.members().await, [1, 2, 3]);
    assert_eq!(shop.count_lists(), (4, 4), "the former standby is the primary now");
    shop.storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standby_of_another_database_or_timeline_is_not_used() {
    let mut pair = TestPair::start();
    pair.connect().await.batch_execute("CREATE DATABASE other").await.unwrap();
    // Both databases hold the same merchant, so a list from the wrong one would succeed.
    let shop = Shop::open(&pair.url(), &pair.second_url()).await;
    pair.wait_for_replay().await;
    assert!(shop.members().await.is_empty());
    assert_eq!(shop.count_lists(), (0, 2));
    shop.storage.close().await;
    let other = pair.url().replace("/postgres?", "/other?");
    let shop = Shop::open(&other, &pair.second_url()).await;
    pair.wait_for_replay().await;
    shop.add(1).await;
    assert_eq!(shop.members().await, [1]);
    assert_eq!(shop.count_lists(), (2, 0));
    shop.storage.close().await;
    // The first server has writes that the new primary never received, and its WAL position is ahead.
    pair.fail_over_with_divergence();
    let shop = Shop::open(&pair.url(), &pair.first_url()).await;
    shop.add(2).await;
    let primary = pair.connect().await;
    let written = primary.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.unwrap();
    let is_ahead = "SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
    let first = pair.connect_to_first().await;
    assert!(first.query_one(is_ahead, &[&written.get::<_, String>(0)]).await.unwrap().get::<_, bool>(0));
    assert_eq!(shop.members().await, [2]);
    assert_eq!(shop.count_lists(), (2, 0));
    shop.storage.close().await;
}
