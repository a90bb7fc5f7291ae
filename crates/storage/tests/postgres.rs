//! What is particular to the engine for many machines: its schema, its statements, and connections that break.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use zumra_core::{Actor, CustomerId, GroupId, IdGenerator, MerchantId, Operation, SystemEntropy, fixture};
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::{
    AddMembersOutcome, Admin, Customers, Fixtures, Memberships, Result, Storage, StorageError,
};
use zumra_testkit::TestDatabase;

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn options(database: &TestDatabase) -> PostgresOptions {
    PostgresOptions::parse(&database.url()).unwrap()
}

async fn open(database: &TestDatabase) -> Result<PostgresStorage> {
    PostgresStorage::open(&options(database), now(), &SystemEntropy).await
}

/// A storage with a shop of 50 customers and a group, with `connections` at most.
async fn shop(database: &TestDatabase, connections: usize) -> PostgresStorage {
    let mut options = options(database);
    options.connections = connections;
    let storage = PostgresStorage::open(&options, now(), &SystemEntropy).await.unwrap();
    let customers: Vec<_> = (1..=50).map(|id| format!(r#"{{"id":{id},"first_name":"c"}}"#)).collect();
    let shop = format!(
        r#"{{"merchants":[{{"id":1,"name":"s","groups":[{{"id":10,"name":"g"}}],"customers":[{}]}}]}}"#,
        customers.join(",")
    );
    storage.load_fixture(fixture::parse(shop.as_bytes()).unwrap().remove(0), operation(0)).await.unwrap();
    storage
}

fn operation(seed: u16) -> Operation {
    Operation { proposed_id: IdGenerator::new(seed).next_operation(now()), at: now(), actor: Actor::Operator }
}

async fn add(storage: &dyn Storage, customer: i64) -> Result<AddMembersOutcome> {
    let (merchant, group) = (MerchantId::new(1).unwrap(), GroupId::new(10).unwrap());
    storage.add_members(merchant, group, vec![CustomerId::new(customer).unwrap()].into(), operation(7)).await
}

/// Ends every other connection to the database, as a restart of the server does.
const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_merchant_leads_every_key() {
    let database = TestDatabase::new().await;
    open(&database).await.unwrap().close().await;
    // The first column of every key: unique and primary ones, and both ends of foreign ones.
    let keys = "
        SELECT index.relname::text, attribute.attname::text
        FROM pg_index JOIN pg_class index ON index.oid = indexrelid JOIN pg_class held ON held.oid = indrelid
        JOIN pg_attribute attribute ON attribute.attrelid = indrelid AND attribute.attnum = indkey[0]
        WHERE (indisunique OR indisprimary) AND held.relnamespace = 'public'::regnamespace
          AND held.relname <> 'schema_migrations'
        UNION ALL
        SELECT conname::text, attribute.attname::text FROM pg_constraint
        JOIN pg_attribute attribute ON attribute.attrelid = conrelid AND attribute.attnum = conkey[1]
        WHERE contype = 'f'
        UNION ALL
        SELECT conname::text, attribute.attname::text FROM pg_constraint
        JOIN pg_attribute attribute ON attribute.attrelid = confrelid AND attribute.attnum = confkey[1]
        WHERE contype = 'f'";
    let rows = database.connect().await.query(keys, &[]).await.unwrap();
    // Eleven tables with a primary key, three unique indexes, seven foreign keys.
    assert_eq!(rows.len(), 11 + 3 + 2 * 7);
    for row in rows {
        let (key, column): (String, String) = (row.get(0), row.get(1));
        assert_eq!(column, "merchant_id", "{key}");
    }
}

/// Statements that name no merchant, each with the reason.
const WITHOUT_A_MERCHANT: &[(&str, &str)] = &[
    ("FROM merchants WHERE merchant_id > $1", "operators list all merchants"),
    ("SELECT count(*) FROM {}", "how long a copy of everything will take"),
    ("WHERE tokens.hash = $1", "finding a token is how a request finds out whose it is"),
    ("SELECT current_setting('server_version')", "operators look the whole database over"),
    ("SELECT 1 FROM merchants LIMIT 1", "whether the database answers concerns nobody's rows"),
    ("FROM groups WHERE deleted_by IS NOT NULL LIMIT 1", "what is swept next may be any merchant's"),
    ("FROM imports WHERE finished_at IS NULL", "the next import to work on may be any merchant's"),
    ("found", "what was found was the merchant's"),
    ("{with} SELECT {columns}", "its parts name the merchant"),
    ("FROM pg_control_system()", "how far a server is concerns nobody's rows"),
    ("schema_migrations", "migrations belong to no merchant"),
    ("statement_timeout", "a setting of the session"),
    ("SET enable_seqscan = on", "a setting of the session"),
];

#[test]
fn every_statement_names_its_merchant_and_speaks_the_common_language() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres");
    let mut statements = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        // Every other piece between quotation marks is a literal; quotation marks in literals are not used here.
        for literal in source.split('"').skip(1).step_by(2) {
            let begins = |word: &str| literal.trim_start().starts_with(word);
            if !["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "SET ", "CREATE "]
                .into_iter()
                .any(begins)
            {
                continue;
            }
            statements += 1;
            let upper = literal.to_uppercase();
            for word in
                ["LISTEN", "NOTIFY", "PG_ADVISORY", "TEMP", "NEXTVAL", "SERIAL", "IDENTITY", "LOCK TABLE"]
            {
                assert!(!upper.contains(word), "{}: {word} in {literal}", path.display());
            }
            let named = ["merchant_id = $1", "(merchant_id, ", "{of_merchant}"];
            assert!(
                named.iter().any(|name| literal.contains(name))
                    || WITHOUT_A_MERCHANT.iter().any(|(part, _)| literal.contains(part)),
                "{}: {literal}",
                path.display()
            );
        }
    }
    assert!(statements >= 25, "only {statements} statements were found: the search is wrong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_open_a_fresh_database_at_once() {
    let database = Arc::new(TestDatabase::new().await);
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let database = Arc::clone(&database);
            tokio::spawn(async move { open(&database).await.map(drop) })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_and_foreign_databases_are_refused() {
    let database = TestDatabase::new().await;
    open(&database).await.unwrap().close().await;
    let client = database.connect().await;
    client.batch_execute("INSERT INTO schema_migrations VALUES (99, 'later', 'x', 0)").await.unwrap();
    let error = open(&database).await.err().unwrap();
    assert!(matches!(error, StorageError::NewerSchema { found: 99, .. }), "{error}");
    let database = TestDatabase::new().await;
    assert!(matches!(
        PostgresStorage::inspect(&options(&database)).await,
        Err(StorageError::ForeignDatabase(_))
    ));
    database.connect().await.batch_execute("CREATE TABLE customers (id int)").await.unwrap();
    assert!(matches!(open(&database).await.err().unwrap(), StorageError::ForeignDatabase(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_cut_the_first_request_is_answered() {
    let database = TestDatabase::new().await;
    let storage = shop(&database, 4).await;
    let other = database.connect().await;
    for customer in 1..=20 {
        other.batch_execute(CUT).await.unwrap();
        assert!(matches!(add(&storage, customer).await.unwrap(), AddMembersOutcome::Added { added: 1, .. }));
        other.batch_execute(CUT).await.unwrap();
        storage.ping().await.unwrap();
    }
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cut_leaves_in_doubt_is_answered_truthfully() {
    let database = TestDatabase::new().await;
    let storage = Arc::new(shop(&database, 8).await);
    let other = database.connect().await;
    let adding: Vec<_> = (1..=50)
        .map(|customer| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { add(&*storage, customer).await })
        })
        .collect();
    // Cuts while they work, and then peace: whoever is in doubt finds out.
    for _ in 0..25 {
        other.batch_execute(CUT).await.unwrap();
    }
    let (mut added, mut operations) = (0, std::collections::BTreeSet::new());
    for task in adding {
        match task.await.unwrap() {
            Ok(AddMembersOutcome::Added { operation, added: 1 }) => {
                added += 1;
                operations.insert(operation);
            }
            // Cut as often as it may try: then nothing was done.
            Err(StorageError::Unavailable(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((operations.len() as u64, storage.inspect().await.unwrap().memberships), (added, added));
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_share_a_merchant() {
    let database = TestDatabase::new().await;
    let first = Arc::new(shop(&database, 8).await);
    let second = Arc::new(open(&database).await.unwrap());
    let adding: Vec<_> = (1..=50)
        .flat_map(|customer| [(Arc::clone(&first), customer), (Arc::clone(&second), customer)])
        .map(|(storage, customer)| tokio::spawn(async move { add(&*storage, customer).await }))
        .collect();
    let mut added = 0;
    for task in adding {
        match task.await.unwrap().unwrap() {
            AddMembersOutcome::Added { added: 1, .. } => added += 1,
            AddMembersOutcome::Unchanged => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((added, first.inspect().await.unwrap().memberships), (50, 50));
}

/// Waits until somebody waits for a lock.
async fn until_somebody_waits(other: &tokio_postgres::Client) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while other.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
}

/// Of a customer who is taken away while others add her, nothing stays behind: no foreign key sees to that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_addition_finds_out_that_a_customer_was_taken_away_meanwhile() {
    let database = TestDatabase::new().await;
    let storage = Arc::new(shop(&database, 4).await);
    let other = database.connect().await;
    // The deletion has begun, and its counting is on record, when the addition looks: it still sees the customer.
    let deletion = database.connect().await;
    let count = "UPDATE merchants SET removals = removals + 1 WHERE merchant_id = 1";
    deletion
        .batch_execute(&format!("BEGIN; {count}; DELETE FROM customers WHERE merchant_id = 1 AND id = 1"))
        .await
        .unwrap();
    let adding = tokio::spawn({
        let storage = Arc::clone(&storage);
        async move { add(&*storage, 1).await }
    });
    until_somebody_waits(&other).await;
    deletion.batch_execute("COMMIT").await.unwrap();
    let unknown = adding.await.unwrap().unwrap();
    assert!(
        matches!(&unknown, AddMembersOutcome::MissingIds(ids) if ids.customers.len() == 1),
        "{unknown:?}"
    );
    assert_eq!(storage.inspect().await.unwrap().memberships, 0);
}

/// The other way round: a deletion waits for those who saw the customer, and ends their memberships too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_waits_for_additions_that_saw_the_customer() {
    let database = TestDatabase::new().await;
    let storage = Arc::new(shop(&database, 4).await);
    let other = database.connect().await;
    let addition = database.connect().await;
    let joins =
        "INSERT INTO memberships SELECT 1, groups.id, 1, 1, 1 FROM groups WHERE merchant_id = 1 LIMIT 1";
    let sees = "SELECT removals FROM merchants WHERE merchant_id = 1 FOR SHARE";
    addition.batch_execute(&format!("BEGIN; {sees}; {joins}")).await.unwrap();
    let deleting = tokio::spawn({
        let storage = Arc::clone(&storage);
        async move { storage.delete_customer(MerchantId::FIRST, CustomerId::FIRST, operation(8)).await }
    });
    until_somebody_waits(&other).await;
    addition.batch_execute("COMMIT").await.unwrap();
    deleting.await.unwrap().unwrap();
    let left = storage.inspect().await.unwrap();
    assert_eq!((left.memberships, left.past_memberships), (0, 1));
}

/// What waits together goes together, and each is all or nothing by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn additions_that_go_together_end_each_for_itself() {
    let database = TestDatabase::new().await;
    let storage = Arc::new(shop(&database, 4).await);
    let other = database.connect().await;
    // Both statements of the merchant stand still until everybody else waits.
    other.batch_execute("BEGIN; SELECT 1 FROM merchants FOR UPDATE").await.unwrap();
    let start = |customers: &'static [i64]| {
        let storage = Arc::clone(&storage);
        let customers = customers.iter().filter_map(|&id| CustomerId::new(id)).collect();
        Box::pin(async move {
            storage.add_members(MerchantId::FIRST, GroupId::new(10).unwrap(), customers, operation(7)).await
        })
    };
    let wanted: [&[i64]; 6] = [&[1], &[2], &[3, 4], &[4, 5], &[6, 1_000_000], &[6, 7]];
    let mut adding: Vec<_> = wanted.into_iter().map(start).collect();
    for one in &mut adding {
        let is_pending =
            std::future::poll_fn(|context| std::task::Poll::Ready(one.as_mut().poll(context).is_pending()));
        assert!(is_pending.await);
    }
    other.batch_execute("COMMIT").await.unwrap();
    let mut ends = Vec::new();
    for one in adding {
        ends.push(match one.await.unwrap() {
            AddMembersOutcome::Added { added, .. } => i64::try_from(added).unwrap(),
            AddMembersOutcome::Unchanged => 0,
            AddMembersOutcome::MissingIds(ids) => -ids.customers[0].get(),
        });
    }
    // Of two who want the same customer only one adds her, whichever comes first.
    assert!([[2, 1], [1, 2]].contains(&[ends[2], ends[3]]), "{ends:?}");
    assert_eq!([ends[0], ends[1], ends[4], ends[5]], [1, 1, -1_000_000, 2]);
    let operations = "SELECT count(*), count(DISTINCT id) FROM operations WHERE kind = 'add_members'";
    let row = other.query_one(operations, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (5, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_only_reads_or_is_slow_or_full_is_unavailable() {
    let database = TestDatabase::new().await;
    let storage = shop(&database, 1).await;
    let other = database.connect().await;
    let name: String = other.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
    other
        .batch_execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on; {CUT}"))
        .await
        .unwrap();
    let refused = add(&storage, 1).await;
    assert!(matches!(refused, Err(StorageError::Unavailable(_))), "{refused:?}");
    other.batch_execute(&format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await.unwrap();
    // Well again by itself: the connection that could only read is not used again.
    assert!(matches!(add(&storage, 1).await, Ok(AddMembersOutcome::Added { .. })));
    // Somebody holds the table for longer than a statement may take.
    let mut options = options(&database);
    options.statement_time = std::time::Duration::from_millis(50);
    let hasty = PostgresStorage::open(&options, now(), &SystemEntropy).await.unwrap();
    other.batch_execute("BEGIN; LOCK TABLE memberships").await.unwrap();
    let refused = add(&hasty, 2).await;
    assert!(matches!(refused, Err(StorageError::Unavailable(_))), "{refused:?}");
    other.batch_execute("COMMIT").await.unwrap();
    assert!(matches!(add(&hasty, 2).await, Ok(AddMembersOutcome::Added { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_unavailable_and_the_password_hidden() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let options = PostgresOptions::parse(&format!("postgres://z:s3cret@127.0.0.1:{port}/z")).unwrap();
    let error = PostgresStorage::open(&options, now(), &SystemEntropy).await.err().unwrap();
    assert!(matches!(error, StorageError::Unavailable(_)), "{error}");
    assert!(!format!("{error:?} {options:?}").contains("s3cret"));
}
