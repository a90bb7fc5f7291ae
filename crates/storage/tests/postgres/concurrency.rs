//! Concurrent writers: two processes, deletions during add requests, and requests that share a statement.

use std::sync::Arc;

use zumra_core::{CustomerId, MerchantId, Operation, OperationId, fixture};
use zumra_storage::{AddMembersOutcome, Admin, Customers, Fixtures, Memberships};
use zumra_testkit::{DEADLINE, TestDatabase, eventually_async};

use crate::{add, group, is_pending, open, open_shop, operation, wait_for_blocked_statements};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_write_for_one_merchant() {
    let database = TestDatabase::new().await;
    let first = Arc::new(open_shop(&database, 8).await);
    let second = Arc::new(open(&database).await.unwrap());
    let adds: Vec<_> = (1..=50)
        .flat_map(|customer| [(Arc::clone(&first), customer), (Arc::clone(&second), customer)])
        .map(|(storage, customer)| tokio::spawn(async move { add(&*storage, customer).await }))
        .collect();
    let mut added = 0;
    for task in adds {
        match task.await.unwrap().unwrap() {
            AddMembersOutcome::Added { added: 1, .. } => added += 1,
            AddMembersOutcome::Unchanged => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((added, first.inspect().await.unwrap().memberships), (50, 50));
}

/// No foreign key protects memberships, so a concurrent delete must not leave an orphaned row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addition_detects_a_customer_deleted_meanwhile() {
    let database = TestDatabase::new().await;
    let storage = Arc::new(open_shop(&database, 4).await);
    let other = database.connect().await;
    // The deletion increments the removal counter first. The add request starts before it commits, so it still sees
    // the customer.
    let deletion = database.connect().await;
    let increment = "UPDATE merchants SET removals = removals + 1 WHERE merchant_id = 1";
    deletion
        .batch_execute(&format!("BEGIN; {increment}; DELETE FROM customers WHERE merchant_id = 1 AND id = 1"))
        .await
        .unwrap();
    let adding = tokio::spawn({
        let storage = Arc::clone(&storage);
        async move { add(&*storage, 1).await }
    });
    wait_for_blocked_statements(&other, 1).await;
    deletion.batch_execute("COMMIT").await.unwrap();
    let outcome = adding.await.unwrap().unwrap();
    assert!(
        matches!(&outcome, AddMembersOutcome::MissingIds(ids) if ids.customers.len() == 1),
        "{outcome:?}"
    );
    assert_eq!(storage.inspect().await.unwrap().memberships, 0);
}

/// The other order: the deletion waits for add requests that saw the customer, and ends their memberships too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_waits_for_additions_that_saw_the_customer() {
    let database = TestDatabase::new().await;
    let storage = Arc::new(open_shop(&database, 4).await);
    let other = database.connect().await;
    let addition = database.connect().await;
    let insert =
        "INSERT INTO memberships SELECT 1, groups.id, 1, 1, 1 FROM groups WHERE merchant_id = 1 LIMIT 1";
    let lock = "SELECT removals FROM merchants WHERE merchant_id = 1 FOR SHARE";
    addition.batch_execute(&format!("BEGIN; {lock}; {insert}")).await.unwrap();
    let deleting = tokio::spawn({
        let storage = Arc::clone(&storage);
        async move { storage.delete_customer(MerchantId::FIRST, CustomerId::FIRST, operation(8)).await }
    });
    wait_for_blocked_statements(&other, 1).await;
    addition.batch_execute("COMMIT").await.unwrap();
    deleting.await.unwrap().unwrap();
    let rows = storage.inspect().await.unwrap();
    assert_eq!((rows.memberships, rows.past_memberships), (0, 1));
}

/// A rebuild replaces the terms of a customer after loading a fixture has found that the customer exists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overwritten_customer_loses_the_terms_of_a_concurrent_rebuild() {
    let database = TestDatabase::new().await;
    let storage = Arc::new(open_shop(&database, 4).await);
    let other = database.connect().await;
    // Loading counts the new customer 51 before it overwrites customer 1.
    let count = database.connect().await;
    count.batch_execute("BEGIN; LOCK TABLE customer_counters").await.unwrap();
    let customers = r#"{"id":1,"first_name":"loaded"},{"id":51,"first_name":"new"}"#;
    let shop = format!(r#"{{"merchants":[{{"id":1,"name":"s","customers":[{customers}]}}]}}"#);
    let shop = fixture::parse(shop.as_bytes()).unwrap().remove(0);
    let loading = tokio::spawn({
        let storage = Arc::clone(&storage);
        async move { storage.load_fixture(shop, operation(7)).await }
    });
    wait_for_blocked_statements(&other, 1).await;
    let rebuild = database.connect().await;
    let replace = "UPDATE customers SET search_terms = 'rebuilt' WHERE merchant_id = 1 AND id = 1;
         UPDATE search_index SET term = 'rebuilt' WHERE merchant_id = 1 AND customer_id = 1";
    rebuild.batch_execute(&format!("BEGIN; {replace}")).await.unwrap();
    count.batch_execute("COMMIT").await.unwrap();
    let is_blocked_by_row = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event = 'transactionid'
                             AND datname = current_database())";
    eventually_async(DEADLINE, "a statement waits for the row", async || {
        other.query_one(is_blocked_by_row, &[]).await.unwrap().get(0)
    })
    .await;
    rebuild.batch_execute("COMMIT").await.unwrap();
    loading.await.unwrap().unwrap();
    let terms = "SELECT string_agg(term, ' ') FROM search_index WHERE merchant_id = 1 AND customer_id = 1";
    assert_eq!(other.query_one(terms, &[]).await.unwrap().get::<_, String>(0), "loaded");
}

/// Another process commits an operation with the same id between the choice of the id and the insertion of its row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operation_whose_id_was_taken_meanwhile_gets_another() {
    let database = TestDatabase::new().await;
    let storage = Arc::new(open_shop(&database, 4).await);
    let other = database.connect().await;
    let writer = database.connect().await;
    // Far above the newest operation, so that it is used as proposed.
    let proposed = OperationId::new(operation(9).proposed_id.get() << 1).unwrap();
    let deletion = Operation { proposed_id: proposed, ..operation(9) };
    let insert =
        format!("INSERT INTO operations VALUES (1, {proposed}, 0, 'operator', 'test', NULL, NULL, 1, 1)");
    writer.batch_execute(&format!("BEGIN; {insert}")).await.unwrap();
    let deleting = tokio::spawn({
        let storage = Arc::clone(&storage);
        async move { storage.delete_customer(MerchantId::FIRST, CustomerId::FIRST, deletion).await }
    });
    wait_for_blocked_statements(&other, 1).await;
    writer.batch_execute("COMMIT").await.unwrap();
    let recorded = deleting.await.unwrap().unwrap();
    assert!(recorded > proposed, "{recorded} is not above {proposed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_share_a_statement_have_separate_outcomes() {
    let database = TestDatabase::new().await;
    let storage = Arc::new(open_shop(&database, 4).await);
    let other = database.connect().await;
    // Blocks both statements of the merchant until all requests are enqueued.
    other.batch_execute("BEGIN; SELECT 1 FROM merchants FOR UPDATE").await.unwrap();
    let start = |customers: &'static [i64]| {
        let storage = Arc::clone(&storage);
        let customers = customers.iter().filter_map(|&id| CustomerId::new(id)).collect();
        Box::pin(
            async move { storage.add_members(MerchantId::FIRST, group(), customers, operation(7)).await },
        )
    };
    let lists: [&[i64]; 6] = [&[1], &[2], &[3, 4], &[4, 5], &[6, 1_000_000], &[6, 7]];
    let mut adds: Vec<_> = lists.into_iter().map(start).collect();
    for add in &mut adds {
        assert!(is_pending(add.as_mut()).await);
    }
    other.batch_execute("COMMIT").await.unwrap();
    let mut results = Vec::new();
    for add in adds {
        results.push(match add.await.unwrap() {
            AddMembersOutcome::Added { added, .. } => i64::try_from(added).unwrap(),
            AddMembersOutcome::Unchanged => 0,
            // A negative result is a missing id.
            AddMembersOutcome::MissingIds(ids) => -ids.customers[0].get(),
        });
    }
    // Two requests name customer 4. Only the one that runs first adds it.
    assert!([[2, 1], [1, 2]].contains(&[results[2], results[3]]), "{results:?}");
    assert_eq!([results[0], results[1], results[4], results[5]], [1, 1, -1_000_000, 2]);
    let operations = "SELECT count(*), count(DISTINCT id) FROM operations WHERE kind = 'add_members'";
    let row = other.query_one(operations, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (5, 5));
}
