//! The schema, and opening databases.

use std::sync::Arc;

use zumra_core::SystemEntropy;
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::{Admin, Customers, StorageError, migrate};
use zumra_testkit::TestDatabase;

use crate::{now, open, options, outdated_index, schema_1};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merchant_id_leads_every_key() {
    let database = TestDatabase::new().await;
    open(&database).await.unwrap().close().await;
    // The first column of every key: primary keys, unique indexes, and both sides of foreign keys.
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
    // Fifteen tables with a primary key, three unique indexes, nine foreign keys.
    assert_eq!(rows.len(), 15 + 3 + 2 * 9);
    for row in rows {
        let (key, column): (String, String) = (row.get(0), row.get(1));
        assert_eq!(column, "merchant_id", "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_opens_migrate_a_new_database_once() {
    let database = Arc::new(TestDatabase::new().await);
    let opens: Vec<_> = (0..8)
        .map(|_| {
            let database = Arc::clone(&database);
            tokio::spawn(async move { open(&database).await.map(drop) })
        })
        .collect();
    for opened in opens {
        opened.await.unwrap().unwrap();
    }
    let applied = "SELECT count(*), count(DISTINCT number) FROM schema_migrations";
    let row = database.connect().await.query_one(applied, &[]).await.unwrap();
    let migrations = i64::try_from(zumra_storage::migrate::POSTGRES.len()).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (migrations, migrations));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_of_the_first_schema_is_inspected_and_migrated_with_its_rows() {
    let database = TestDatabase::new().await;
    let (client, first) = (database.connect().await, migrate::POSTGRES[0]);
    client.batch_execute(&[schema_1::TRACKING_TABLE, first.sql, schema_1::ROWS].concat()).await.unwrap();
    let operation = "INSERT INTO operations VALUES (1, 5, 0, 'operator', 'load', NULL, NULL, 2, 0)";
    client.batch_execute(operation).await.unwrap();
    let applied = "INSERT INTO schema_migrations VALUES (1, $1, $2, 0)";
    client.execute(applied, &[&first.name, &first.hash()]).await.unwrap();
    let inspection = PostgresStorage::inspect(&options(&database)).await.unwrap();
    assert_eq!((inspection.schema, inspection.customers, inspection.problems), (1, 2, vec![]));
    let opens = [(); 4].map(|()| open(&database));
    let storages = futures_util::future::try_join_all(opens).await.unwrap();
    schema_1::check(&storages[0], now()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outdated_search_index_is_rebuilt_in_chunks() {
    let database = TestDatabase::new().await;
    let storage = open(&database).await.unwrap();
    outdated_index::load(&storage, now()).await;
    let client = database.connect().await;
    client.batch_execute(outdated_index::OUTDATE).await.unwrap();
    outdated_index::check_rebuild(&storage, now()).await;
    let counts = client.query_one(outdated_index::COUNTS, &[]).await.unwrap();
    assert_eq!([0, 1, 2].map(|column| counts.get::<_, i64>(column)), [0, 4, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_rebuild_an_index_at_once() {
    let database = TestDatabase::new().await;
    let storages =
        [open(&database).await.unwrap(), open(&database).await.unwrap(), open(&database).await.unwrap()];
    outdated_index::load(&storages[0], now()).await;
    let client = database.connect().await;
    client.batch_execute(outdated_index::OUTDATE).await.unwrap();
    let rebuilds = storages
        .each_ref()
        .map(|storage| async { while storage.rebuild_search_index(2).await.unwrap().is_some() {} });
    futures_util::future::join_all(rebuilds).await;
    outdated_index::check_rebuilt(&storages[0]).await;
    let counts = client.query_one(outdated_index::COUNTS, &[]).await.unwrap();
    assert_eq!([0, 1, 2].map(|column| counts.get::<_, i64>(column)), [0, 5, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_and_foreign_databases_are_rejected() {
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
async fn unreachable_server_is_unavailable_and_its_password_hidden() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let options = PostgresOptions::parse(&format!("postgres://z:s3cret@127.0.0.1:{port}/z")).unwrap();
    let error = PostgresStorage::open(&options, now(), &SystemEntropy).await.err().unwrap();
    assert!(matches!(error, StorageError::Unavailable(_)), "{error}");
    assert!(!format!("{error:?} {options:?}").contains("s3cret"));
}
