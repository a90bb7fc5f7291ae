//! Lost connections: what is retried, what is reported, and what is stored afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use zumra_core::text::Name;
use zumra_core::{
    CustomerId, FileDetails, GroupChange, GroupName, Language, MerchantId, NewCustomer, NewGroup, NewImport,
    SystemEntropy,
};
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::{AddMembersOutcome, Admin, Customers, GroupSelector, Groups, Imports, StorageError};
use zumra_testkit::TestDatabase;

use crate::proxy::{AfterLoss, Proxy};
use crate::{
    GROUP, add, group, is_pending, members, now, open_shop, operation, options, wait_for_blocked_statements,
};

/// Terminates every other connection to the database, as a restart of the server does.
const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE datname = current_database() AND pid <> pg_backend_pid()";
/// The commit of a transaction.
const COMMIT: &[u8] = b"COMMIT\0";
/// The kind of the operation, among the parameters of the statement that adds members.
const ADD_MEMBERS: &[u8] = b"add_members";

async fn open_through_proxy(proxy: &Proxy) -> PostgresStorage {
    let options = PostgresOptions::parse(&proxy.url).unwrap();
    PostgresStorage::open(&options, now(), &SystemEntropy).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_request_after_a_restart_succeeds() {
    let database = TestDatabase::new().await;
    let storage = open_shop(&database, 4).await;
    let other = database.connect().await;
    for customer in 1..=20 {
        other.batch_execute(TERMINATE).await.unwrap();
        assert!(matches!(add(&storage, customer).await.unwrap(), AddMembersOutcome::Added { added: 1, .. }));
        other.batch_execute(TERMINATE).await.unwrap();
        storage.ping().await.unwrap();
    }
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_match_the_database_while_connections_are_terminated() {
    let database = TestDatabase::new().await;
    let storage = Arc::new(open_shop(&database, 8).await);
    let other = database.connect().await;
    other.batch_execute("BEGIN; SELECT 1 FROM merchants FOR UPDATE").await.unwrap();
    let adds: Vec<_> = (1..=50)
        .map(|customer| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { (customer, add(&*storage, customer).await) })
        })
        .collect();
    // The first termination certainly cuts attempts: two statements wait for the lock.
    wait_for_blocked_statements(&database.connect().await, 2).await;
    other.batch_execute(&format!("{TERMINATE}; COMMIT")).await.unwrap();
    for _ in 0..25 {
        other.batch_execute(TERMINATE).await.unwrap();
    }
    // From here on the server stays reachable, so writes in doubt can be resolved.
    let (mut added, mut unknown, mut operations) = (Vec::new(), Vec::new(), BTreeSet::new());
    for task in adds {
        match task.await.unwrap() {
            (customer, Ok(AddMembersOutcome::Added { operation, added: 1 })) => {
                added.push(customer);
                operations.insert(operation);
            }
            (customer, Err(StorageError::OutcomeUnknown(_))) => unknown.push(customer),
            // Every attempt was cut: nothing was written.
            (_, Err(StorageError::Unavailable(_))) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(!added.is_empty(), "every request failed");
    let mut members = members(&other).await;
    members.retain(|customer| !unknown.contains(customer));
    assert_eq!(members, added);
    assert_eq!(operations.len(), added.len(), "each request has its own operation");
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_reply_is_resolved_when_the_server_is_reachable() {
    let database = TestDatabase::new().await;
    let setup = open_shop(&database, 1).await;
    let proxy = Proxy::start(&database, ADD_MEMBERS, AfterLoss::Recover).await;
    let storage = open_through_proxy(&proxy).await;
    proxy.lose_reply(1);
    let outcome = add(&storage, 1).await.unwrap();
    assert!(matches!(outcome, AddMembersOutcome::Added { added: 1, .. }), "{outcome:?}");
    assert!(proxy.has_lost_reply());
    let proxy = Proxy::start(&database, COMMIT, AfterLoss::Recover).await;
    let storage = open_through_proxy(&proxy).await;
    proxy.lose_reply(1);
    let deleted = storage.delete_customer(MerchantId::FIRST, CustomerId::FIRST, operation(8)).await;
    assert!(deleted.is_ok(), "{deleted:?}");
    assert!(proxy.has_lost_reply());
    let operations = "SELECT count(*) FROM operations WHERE kind IN ('add_members', 'delete_customer')";
    let row = database.connect().await.query_one(operations, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 2, "each write was made once");
    setup.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn created_rows_have_the_returned_ids_after_a_lost_reply() {
    let database = TestDatabase::new().await;
    open_shop(&database, 1).await.close().await;
    let client = database.connect().await;
    let proxy = Proxy::start(&database, COMMIT, AfterLoss::Recover).await;
    let storage = open_through_proxy(&proxy).await;
    for round in 1..=4 {
        proxy.lose_reply(1);
        let group = NewGroup::new(GroupName::parse("new").unwrap());
        let group = storage.create_group(MerchantId::FIRST, group, operation(8)).await.unwrap().value;
        let customer = NewCustomer::new(Name::parse("new").unwrap());
        let groups = vec![group.id];
        let customer = storage.create_customer(MerchantId::FIRST, customer, groups, operation(9)).await;
        let stored = "SELECT count(*) FROM memberships
                      WHERE merchant_id = 1 AND group_id = $1 AND customer_id = $2";
        let ids = (group.id.get(), customer.unwrap().value.id.get());
        let row = client.query_one(stored, &[&ids.0, &ids.1]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 1, "round {round}: {ids:?}");
    }
    assert!(proxy.has_lost_reply());
    let created = "SELECT (SELECT count(*) FROM groups WHERE name = 'new'),
                          (SELECT count(*) FROM customers WHERE first_name = 'new')";
    let row = client.query_one(created, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (4, 4), "each write was made once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_reply_to_a_commit_is_an_unknown_outcome_if_the_server_stays_down() {
    let database = TestDatabase::new().await;
    open_shop(&database, 1).await.close().await;
    let proxy = Proxy::start(&database, COMMIT, AfterLoss::StayDown).await;
    let storage = open_through_proxy(&proxy).await;
    proxy.lose_reply(1);
    let change = GroupChange { name: Some(GroupName::parse("new").unwrap()), ..GroupChange::default() };
    let selector = GroupSelector::Id(group());
    let updated = storage.update_group(MerchantId::FIRST, selector, change, operation(8)).await;
    assert!(matches!(updated, Err(StorageError::OutcomeUnknown(_))), "{updated:?}");
    // The server was down before anything was sent, so this outcome is known.
    let added = add(&storage, 1).await;
    assert!(matches!(added, Err(StorageError::Unavailable(_))), "{added:?}");
    let client = database.connect().await;
    let name = "SELECT name FROM groups WHERE merchant_id = 1 AND id = $1";
    assert_eq!(client.query_one(name, &[&GROUP]).await.unwrap().get::<_, &str>(0), "new");
    assert!(members(&client).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_lost_before_the_statement_is_sent_is_unavailable() {
    let database = TestDatabase::new().await;
    open_shop(&database, 1).await.close().await;
    // The text of the statement, which is sent only to prepare it.
    let proxy = Proxy::start(&database, b"removal_guard AS (SELECT", AfterLoss::StayDown).await;
    let storage = open_through_proxy(&proxy).await;
    proxy.lose_reply(1);
    let added = add(&storage, 1).await;
    assert!(matches!(added, Err(StorageError::Unavailable(_))), "{added:?}");
    assert!(proxy.has_lost_reply());
    assert!(members(&database.connect().await).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_of_a_lost_statement_has_an_unknown_outcome() {
    let database = TestDatabase::new().await;
    open_shop(&database, 1).await.close().await;
    let proxy = Proxy::start(&database, ADD_MEMBERS, AfterLoss::StayDown).await;
    let storage = Arc::new(open_through_proxy(&proxy).await);
    // The first two requests block in statements of their own, so that the others share the third statement.
    let other = database.connect().await;
    other.batch_execute("BEGIN; SELECT 1 FROM merchants FOR UPDATE").await.unwrap();
    proxy.lose_reply(3);
    let start = |customer| {
        let storage = Arc::clone(&storage);
        async move { add(&*storage, customer).await }
    };
    let blocked = [tokio::spawn(start(1)), tokio::spawn(start(2))];
    let observer = database.connect().await;
    wait_for_blocked_statements(&observer, 2).await;
    let mut shared = [3, 4, 5].map(|customer| Box::pin(start(customer)));
    for add in &mut shared {
        assert!(is_pending(add.as_mut()).await);
    }
    other.batch_execute("COMMIT").await.unwrap();
    for task in blocked {
        let outcome = task.await.unwrap();
        assert!(matches!(outcome, Ok(AddMembersOutcome::Added { added: 1, .. })), "{outcome:?}");
    }
    for outcome in futures_util::future::join_all(shared).await {
        assert!(matches!(outcome, Err(StorageError::OutcomeUnknown(_))), "{outcome:?}");
    }
    assert_eq!(members(&observer).await, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_reply_to_an_idempotent_write_is_an_unknown_outcome_if_the_server_stays_down() {
    let database = TestDatabase::new().await;
    open_shop(&database, 1).await.close().await;
    let proxy = Proxy::start(&database, b"file of the import", AfterLoss::StayDown).await;
    let storage = open_through_proxy(&proxy).await;
    proxy.lose_reply(1);
    let import = NewImport {
        language: Language::English,
        file: b"file of the import".to_vec(),
        details: FileDetails::default(),
    };
    let created = storage.create_import(MerchantId::FIRST, import, operation(8)).await;
    assert!(matches!(created, Err(StorageError::OutcomeUnknown(_))), "{created:?}");
    let imports = "SELECT count(*) FROM imports WHERE merchant_id = 1";
    let row = database.connect().await.query_one(imports, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_and_slow_databases_are_unavailable() {
    let database = TestDatabase::new().await;
    let storage = open_shop(&database, 1).await;
    let other = database.connect().await;
    let name: String = other.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on; {TERMINATE}");
    other.batch_execute(&read_only).await.unwrap();
    // Discards the terminated connection: an add on it would be in doubt, and its outcome unknown.
    storage.ping().await.unwrap();
    let rejected = add(&storage, 1).await;
    assert!(matches!(rejected, Err(StorageError::Unavailable(_))), "{rejected:?}");
    other.batch_execute(&format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await.unwrap();
    // It recovers by itself, because the read-only connection is not used again.
    assert!(matches!(add(&storage, 1).await, Ok(AddMembersOutcome::Added { .. })));
    // A lock is held for longer than the statement timeout.
    let mut options = options(&database);
    options.statement_timeout = Duration::from_secs(1);
    let with_short_timeout = PostgresStorage::open(&options, now(), &SystemEntropy).await.unwrap();
    other.batch_execute("BEGIN; LOCK TABLE memberships").await.unwrap();
    let rejected = add(&with_short_timeout, 2).await;
    assert!(matches!(rejected, Err(StorageError::Unavailable(_))), "{rejected:?}");
    other.batch_execute("COMMIT").await.unwrap();
    assert!(matches!(add(&with_short_timeout, 2).await, Ok(AddMembersOutcome::Added { .. })));
    assert_eq!(members(&other).await, [1, 2]);
}
