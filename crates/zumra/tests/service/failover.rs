//! Failover of PostgreSQL under load: the primary of two services crashes, and its standby is promoted.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;

use tokio::runtime::Runtime;
use zumra_testkit::{ServerProcess, TestPair};

use super::{ADD, Installation, TOKEN, add_body, binary};

const CUSTOMERS_PER_REQUEST: i64 = 10;
/// Capacity of the channel of results. It bounds the requests sent during the failover, because nothing receives then.
/// It is large enough that clients still send when the primary crashes.
const QUEUED_RESULTS: usize = 1_000;
/// Upper limit of the requests, far above the number that the test sends before, during and after the failover.
const REQUESTS: i64 = 4_000;
/// Number of successful requests, started after the failover, that prove that the services have recovered.
const SUCCESSES_NEEDED: i32 = 50;

/// Sends each request once until all are sent, and reports its number and status.
fn send_requests(server: &ServerProcess, next: &AtomicI64, results: &mpsc::SyncSender<(i64, u16)>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= REQUESTS {
            return;
        }
        let customers = (number * CUSTOMERS_PER_REQUEST + 1)..=(number + 1) * CUSTOMERS_PER_REQUEST;
        let (status, body) = server.post(ADD, TOKEN, &add_body(customers)).unwrap();
        assert!(matches!(status, 200 | 503), "{status}: {body}");
        results.send((number, status)).unwrap();
    }
}

#[test]
fn acknowledged_writes_survive_the_loss_of_the_primary() {
    let mut pair = TestPair::start();
    let runtime = Runtime::new().unwrap();
    let url = PathBuf::from(pair.url());
    let installation = Installation { directory: tempfile::tempdir().unwrap() };
    installation.load(REQUESTS * CUSTOMERS_PER_REQUEST, &url);
    let servers = [(); 2].map(|()| ServerProcess::start(&mut zumra_testkit::serve_command(binary(), &url)));
    let next = AtomicI64::new(0);
    let (sender, results) = mpsc::sync_channel(QUEUED_RESULTS);
    let (mut acknowledged, mut rejected) = (BTreeSet::new(), BTreeSet::new());
    let mut record = |(number, status)| {
        let numbers = if status == 200 { &mut acknowledged } else { &mut rejected };
        numbers.insert(number);
    };
    let mut successes = 0;
    std::thread::scope(|scope| {
        let results = results; // dropped if a step panics, which unblocks the clients
        for number in 0..6 {
            let (sender, server, next) = (sender.clone(), &servers[number % 2], &next);
            scope.spawn(move || send_requests(server, next, &sender));
        }
        drop(sender);
        results.iter().take(50).for_each(&mut record);
        pair.fail_over();
        // Results of earlier requests arrive first. Then both services recover without a restart.
        let first_after_failover = next.load(Ordering::Relaxed);
        for result in &results {
            record(result);
            successes += i32::from(result.0 >= first_after_failover && result.1 == 200);
            if successes == SUCCESSES_NEEDED {
                break;
            }
        }
        next.store(REQUESTS, Ordering::Relaxed);
        results.iter().for_each(&mut record);
    });
    assert_eq!(successes, SUCCESSES_NEEDED, "the services did not recover");
    for server in servers {
        assert_eq!(server.terminate_and_wait(), Some(0));
    }
    let counts =
        "SELECT (memberships.customer_id - 1) / 10, count(*), count(DISTINCT operation_id), max(changes)
        FROM memberships JOIN operations
            ON operations.merchant_id = memberships.merchant_id AND operations.id = operation_id
        WHERE memberships.merchant_id = 1 GROUP BY 1";
    let rows = runtime.block_on(async { pair.connect().await.query(counts, &[]).await.unwrap() });
    let mut added = BTreeSet::new();
    for row in &rows {
        let (number, customers, operations, changes): (i64, i64, i64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        assert_eq!(
            (customers, operations, changes),
            (CUSTOMERS_PER_REQUEST, 1, CUSTOMERS_PER_REQUEST),
            "request {number}"
        );
        added.insert(number);
    }
    assert!(acknowledged.is_subset(&added), "lost: {:?}", acknowledged.difference(&added));
    // The outcome of a commit in doubt was resolved on the new primary: a rejected request added nothing.
    assert!(rejected.is_disjoint(&added), "added although rejected: {:?}", rejected.intersection(&added));
    let operations = "SELECT count(*) FROM operations WHERE merchant_id = 1 AND kind = 'add_members'";
    let operations: i64 =
        runtime.block_on(async { pair.connect().await.query_one(operations, &[]).await.unwrap().get(0) });
    assert_eq!(operations, i64::try_from(added.len()).unwrap());
}
