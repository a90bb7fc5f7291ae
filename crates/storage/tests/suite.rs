//! Runs the behavior suite on every engine in [`ENGINES`].

use std::pin::Pin;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use zumra_core::SystemEntropy;
use zumra_storage::Storage;
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};
use zumra_storage::suite::{Case, TestContext, cases};
use zumra_testkit::TestDatabase;

/// A function that runs a case on an empty storage of one engine.
type Run = fn(&'static Case) -> Pin<Box<dyn Future<Output = ()>>>;

const ENGINES: &[(&str, Run)] =
    &[("sqlite", |case| Box::pin(run_on_sqlite(case))), ("postgres", |case| Box::pin(run_on_postgres(case)))];

fn main() {
    let trials = ENGINES.iter().flat_map(|(engine, run)| {
        cases().map(move |case| {
            Trial::test(format!("{engine}::{}", case.name), move || {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
                runtime.block_on(run(case));
                Ok(())
            })
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_790_000_000).expect("a valid time")
}

async fn run_on_postgres(case: &Case) {
    let database = TestDatabase::new().await;
    let options = PostgresOptions::parse(&database.url()).expect("a valid URL");
    run_on(case, move || {
        let options = options.clone();
        Box::pin(async move {
            let opened = PostgresStorage::open(&options, now(), &SystemEntropy).await;
            Arc::new(opened.expect("the database opens")) as _
        })
    })
    .await;
}

async fn run_on_sqlite(case: &Case) {
    let directory = tempfile::tempdir().expect("a directory");
    let options = SqliteOptions::new(directory.path().join("zumra.db"));
    run_on(case, move || {
        let options = options.clone();
        Box::pin(
            async move { Arc::new(SqliteStorage::open(&options, now()).expect("the database opens")) as _ },
        )
    })
    .await;
}

async fn run_on(
    case: &Case,
    open: impl Fn() -> Pin<Box<dyn Future<Output = Arc<dyn Storage>> + Send>> + Send + Sync + 'static,
) {
    let storage = open().await;
    (case.run)(TestContext::new(Arc::clone(&storage), Box::new(open))).await;
    storage.close().await;
}
