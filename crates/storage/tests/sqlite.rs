//! What is particular to the embedded engine: its file, and its one writer.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;
use zumra_core::{Actor, IdGenerator, MerchantId, NewMerchant, Operation, Plan, text::Name};
use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};
use zumra_storage::{Admin, Merchants, Result, Storage, StorageError};

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zumra.db");
    (folder, path)
}

fn open(path: &Path) -> Result<SqliteStorage> {
    SqliteStorage::open(&SqliteOptions::new(path), now())
}

async fn create(storage: &dyn Storage, id: i64) -> Result<()> {
    let merchant = NewMerchant {
        id: MerchantId::new(id).unwrap(),
        name: Name::parse("shop").unwrap(),
        plan: Plan::Basic,
        time_zone: jiff::tz::TimeZone::UTC,
        domain: None,
    };
    let operation = Operation {
        proposed_id: IdGenerator::new(0).next_operation(now()),
        at: now(),
        actor: Actor::Operator,
    };
    storage.create_merchant(merchant, operation).await.map(drop)
}

fn refusal(path: &Path) -> StorageError {
    open(path).err().expect("it does not open")
}

#[test]
fn a_newer_database_is_refused() {
    let (_folder, path) = folder();
    drop(open(&path).unwrap());
    let file = Connection::open(&path).unwrap();
    file.execute("INSERT INTO schema_migrations VALUES (99, 'later', 'x', 0)", []).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, StorageError::NewerSchema { found: 99, .. }), "{error}");
}

#[test]
fn the_file_of_another_program_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(refusal(&path), StorageError::ForeignDatabase(_)));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&path, "not a database at all, but long enough to look like a header of one".repeat(20))
        .unwrap();
    assert!(matches!(refusal(&path), StorageError::ForeignDatabase(_)));
}

#[test]
fn a_folder_that_is_not_there_is_unavailable() {
    let (_folder, path) = folder();
    assert!(matches!(refusal(&path.join("deeper").join("zumra.db")), StorageError::Unavailable(_)));
}

#[test]
fn many_may_open_a_fresh_file_at_once() {
    let (_folder, path) = folder();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || open(&path).map(drop))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_busy_and_what_was_taken_is_done() {
    let (_folder, path) = folder();
    let options = SqliteOptions { queue_limit: 1, ..SqliteOptions::new(&path) };
    let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&options, now()).unwrap());
    // Another process holds the file, so the writer stands still.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let tasks: Vec<_> = (1..=5)
        .map(|id| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { (id, create(&*storage, id).await) })
        })
        .collect();
    // One is with the writer or about to be, and one may wait; the others are refused without waiting.
    while tasks.iter().filter(|task| task.is_finished()).count() < 3 {
        tokio::task::yield_now().await;
    }
    other.execute_batch("COMMIT").unwrap();
    let mut taken = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            (id, Ok(())) => taken.push(id),
            (_, Err(error)) => assert!(matches!(error, StorageError::QueueFull), "{error}"),
        }
    }
    assert!((1..=2).contains(&taken.len()), "{taken:?}");
    taken.sort_unstable();
    let listed = storage.list_merchants(None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|merchant| merchant.id.get()).collect::<Vec<_>>(), taken);
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_waits_for_any_more_is_not_begun() {
    let (_folder, path) = folder();
    let storage: Arc<dyn Storage> = Arc::new(open(&path).unwrap());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = |id| {
        let storage = Arc::clone(&storage);
        Box::pin(async move { create(&*storage, id).await })
    };
    let (mut first, mut given_up) = (start(1), start(2));
    // Both are in the queue once they have been asked; neither can be done yet.
    for future in [&mut first, &mut given_up] {
        let once = std::future::poll_fn(|context| {
            std::task::Poll::Ready(future.as_mut().poll(context).is_pending())
        });
        assert!(once.await);
    }
    drop(given_up);
    other.execute_batch("COMMIT").unwrap();
    first.await.unwrap();
    create(&*storage, 3).await.unwrap();
    let listed = storage.list_merchants(None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|merchant| merchant.id.get()).collect::<Vec<_>>(), [1, 3]);
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_leaves_one_file() {
    let (folder, path) = folder();
    let storage = open(&path).unwrap();
    create(&storage, 1).await.unwrap();
    assert_eq!(storage.list_merchants(None, 10).await.unwrap().len(), 1);
    storage.close().await;
    drop(storage);
    let files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["zumra.db"]);
}

#[test]
fn inspecting_changes_nothing() {
    let (_folder, path) = folder();
    drop(open(&path).unwrap());
    let before = std::fs::read(&path).unwrap();
    assert_eq!(SqliteStorage::inspect(&path).unwrap().schema, 1);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert!(SqliteStorage::inspect(&path.with_extension("none")).is_err());
}
