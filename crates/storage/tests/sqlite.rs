//! Tests of the SQLite engine alone: its file and its write queue.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod outdated_index;
mod schema_1;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;
use zumra_core::{Actor, IdGenerator, MerchantId, NewMerchant, Operation, Plan, text::Name};
use zumra_storage::copy::{CopyProgress, copy};
use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};
use zumra_storage::{Admin, Merchants, Result, Storage, StorageError, migrate};
use zumra_testkit::{DEADLINE, eventually_async};

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

/// Returns a path for a database in a fresh directory, which is deleted with the first value.
fn database_path() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zumra.db");
    (directory, path)
}

fn open(path: &Path) -> Result<SqliteStorage> {
    SqliteStorage::open(&SqliteOptions::new(path), now())
}

fn open_error(path: &Path) -> StorageError {
    open(path).err().expect("the database does not open")
}

async fn create_merchant(storage: &dyn Storage, id: i64) -> Result<()> {
    let merchant = NewMerchant {
        id: MerchantId::new(id).unwrap(),
        name: Name::parse("shop").unwrap(),
        plan: Plan::Basic,
        time_zone: jiff::tz::TimeZone::UTC,
        domain: None,
    };
    let proposed_id = IdGenerator::new(0).next_operation(now());
    storage
        .create_merchant(merchant, Operation { proposed_id, at: now(), actor: Actor::Operator })
        .await
        .map(drop)
}

async fn merchant_ids(storage: &dyn Storage) -> Vec<i64> {
    let merchants = storage.list_merchants(None, 10).await.unwrap();
    merchants.iter().map(|merchant| merchant.id.get()).collect()
}

#[test]
fn newer_database_is_rejected() {
    let (_directory, path) = database_path();
    drop(open(&path).unwrap());
    let file = Connection::open(&path).unwrap();
    file.execute("INSERT INTO schema_migrations VALUES (99, 'later', 'x', 0)", []).unwrap();
    let error = open_error(&path);
    assert!(matches!(error, StorageError::NewerSchema { found: 99, .. }), "{error}");
}

#[test]
fn file_of_another_program_is_rejected_and_not_changed() {
    let (_directory, path) = database_path();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(open_error(&path), StorageError::ForeignDatabase(_)));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let text = "not a database at all, but long enough to look like a header of one".repeat(20);
    std::fs::write(&path, text).unwrap();
    assert!(matches!(open_error(&path), StorageError::ForeignDatabase(_)));
}

#[test]
fn missing_directory_is_unavailable() {
    let (_directory, path) = database_path();
    assert!(matches!(open_error(&path.join("deeper").join("zumra.db")), StorageError::Unavailable(_)));
}

#[test]
fn concurrent_first_opens_migrate_once() {
    let (_directory, path) = database_path();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || open(&path).map(drop))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    let newest = migrate::SQLITE.last().unwrap().number;
    let inspection = SqliteStorage::inspect(&path).unwrap();
    assert_eq!((inspection.schema, inspection.problems), (newest, vec![]));
    let file = Connection::open(&path).unwrap();
    let mut statement = file.prepare("SELECT number FROM schema_migrations ORDER BY number").unwrap();
    let applied = statement.query_map([], |row| row.get(0)).unwrap();
    let applied: Vec<u32> = applied.collect::<rusqlite::Result<_>>().unwrap();
    let numbers: Vec<_> = migrate::SQLITE.iter().map(|migration| migration.number).collect();
    assert_eq!(applied, numbers, "each migration has one row");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_of_the_first_schema_is_inspected_and_migrated_with_its_rows() {
    let (_directory, path) = database_path();
    let file = Connection::open(&path).unwrap();
    let first = migrate::SQLITE[0];
    file.pragma_update(None, "application_id", 0x5a75_6d72).unwrap();
    file.execute_batch(&[schema_1::TRACKING_TABLE, first.sql, schema_1::ROWS].concat()).unwrap();
    file.execute_batch("INSERT INTO operations VALUES (1, 5, 0, 'operator', 'load', NULL, NULL, 2)").unwrap();
    file.execute("INSERT INTO schema_migrations VALUES (1, ?1, ?2, 0)", (first.name, first.hash())).unwrap();
    drop(file);
    let inspection = SqliteStorage::inspect(&path).unwrap();
    assert_eq!((inspection.schema, inspection.customers, inspection.problems), (1, 2, vec![]));
    let opens = [(); 4].map(|()| {
        let path = path.clone();
        std::thread::spawn(move || open(&path))
    });
    let storages = opens.map(|open| open.join().unwrap().unwrap());
    schema_1::check(&storages[0], now()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outdated_search_index_is_rebuilt_in_chunks() {
    let (_directory, path) = database_path();
    let storage = open(&path).unwrap();
    outdated_index::load(&storage, now()).await;
    let other_process = Connection::open(&path).unwrap();
    other_process.execute_batch(outdated_index::OUTDATE).unwrap();
    outdated_index::check_rebuild(&storage, now()).await;
    let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let counts: (i64, i64, i64) = other_process.query_row(outdated_index::COUNTS, [], columns).unwrap();
    assert_eq!(counts, (0, 4, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_queue_rejects_writes_and_accepted_writes_complete() {
    let (_directory, path) = database_path();
    let options = SqliteOptions { queue_limit: 1, ..SqliteOptions::new(&path) };
    let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&options, now()).unwrap());
    // Another process has locked the file, so the writer waits in BEGIN.
    let other_process = Connection::open(&path).unwrap();
    other_process.execute_batch("BEGIN IMMEDIATE").unwrap();
    let tasks: Vec<_> = (1..=5)
        .map(|id| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { (id, create_merchant(&*storage, id).await) })
        })
        .collect();
    // At most one write runs and one is queued; the others are rejected at once.
    eventually_async(DEADLINE, "three writes are rejected", async || {
        tasks.iter().filter(|task| task.is_finished()).count() >= 3
    })
    .await;
    other_process.execute_batch("COMMIT").unwrap();
    let mut accepted = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            (id, Ok(())) => accepted.push(id),
            (_, Err(error)) => assert!(matches!(error, StorageError::QueueFull), "{error}"),
        }
    }
    assert!((1..=2).contains(&accepted.len()), "{accepted:?}");
    accepted.sort_unstable();
    assert_eq!(merchant_ids(&*storage).await, accepted);
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canceled_write_is_not_run() {
    let (_directory, path) = database_path();
    let storage: Arc<dyn Storage> = Arc::new(open(&path).unwrap());
    let other_process = Connection::open(&path).unwrap();
    other_process.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = |id| {
        let storage = Arc::clone(&storage);
        Box::pin(async move { create_merchant(&*storage, id).await })
    };
    let (mut first, mut canceled) = (start(1), start(2));
    // The first poll enqueues a write. The lock of the other process keeps both from running.
    for write in [&mut first, &mut canceled] {
        let is_pending =
            std::future::poll_fn(|context| std::task::Poll::Ready(write.as_mut().poll(context).is_pending()));
        assert!(is_pending.await);
    }
    drop(canceled);
    other_process.execute_batch("COMMIT").unwrap();
    first.await.unwrap();
    create_merchant(&*storage, 3).await.unwrap();
    assert_eq!(merchant_ids(&*storage).await, [1, 3]);
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_leaves_one_file() {
    let (directory, path) = database_path();
    let storage = open(&path).unwrap();
    create_merchant(&storage, 1).await.unwrap();
    assert_eq!(merchant_ids(&storage).await, [1]);
    storage.close().await;
    drop(storage);
    let entries = std::fs::read_dir(directory.path()).unwrap();
    let files: Vec<_> = entries.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["zumra.db"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_storage_rejects_reads_and_writes() {
    let (_directory, path) = database_path();
    let storage = open(&path).unwrap();
    storage.close().await;
    let write = create_merchant(&storage, 1).await;
    assert!(matches!(write, Err(StorageError::Unavailable(_))), "{write:?}");
    let read = storage.list_merchants(None, 10).await;
    assert!(matches!(read, Err(StorageError::Unavailable(_))), "{read:?}");
}

#[test]
fn inspecting_changes_nothing() {
    let (_directory, path) = database_path();
    drop(open(&path).unwrap());
    let before = std::fs::read(&path).unwrap();
    let newest = migrate::SQLITE.last().unwrap().number;
    assert_eq!(SqliteStorage::inspect(&path).unwrap().schema, newest);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let missing = SqliteStorage::inspect(&path.with_extension("none"));
    assert!(matches!(missing, Err(StorageError::Unavailable(_))), "{missing:?}");
}

#[tokio::test]
async fn progress_of_a_copy_counts_every_row_twice() {
    let (directory, path) = database_path();
    let storage = open(&path).unwrap();
    create_merchant(&storage, 1).await.unwrap();
    storage.close().await;
    let mut from = SqliteStorage::source(&path).unwrap();
    let mut to = SqliteStorage::target(&directory.path().join("copy.db"), now()).unwrap();
    let (mut total, mut copied, mut verified) = (0, 0, 0);
    let mut count = |progress| match progress {
        CopyProgress::Total(rows) => total += rows,
        CopyProgress::Copied(rows) => copied += rows,
        CopyProgress::Verified(rows) => verified += rows,
    };
    let tables = copy(&mut from, &mut to, &mut count).await.unwrap();
    let rows: u64 = tables.iter().map(|table| table.rows).sum();
    // A merchant, its default group, the operation that created both, the counter of the ids of groups, and the version
    // of the search terms.
    assert_eq!((rows, total, copied, verified), (5, 5, 5, 5));
}
