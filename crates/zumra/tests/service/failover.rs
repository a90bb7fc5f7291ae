//! Services whose primary crashes under load, and the standby that takes its place.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;

use tokio::runtime::Runtime;
use zumra_testkit::{ServerProcess, TestPair};

use super::{ADD, Installation, TOKEN, add_body, binary};

const BATCH: i64 = 10;
/// More than any machine adds before the standby is promoted.
const REQUESTS: i64 = 4_000;

/// Takes batch after batch, each once, until it is told to stop. What came of each.
fn client(server: &ServerProcess, next: &AtomicI64, tell: &mpsc::Sender<(i64, u16)>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= REQUESTS {
            return;
        }
        let customers = (number * BATCH + 1)..=(number + 1) * BATCH;
        let (status, body) = server.post(ADD, TOKEN, &add_body(customers)).unwrap();
        assert!(matches!(status, 200 | 503), "{status}: {body}");
        tell.send((number, status)).unwrap();
    }
}

#[test]
fn what_was_answered_outlives_the_primary() {
    let mut pair = TestPair::start();
    let runtime = Runtime::new().unwrap();
    let address = PathBuf::from(pair.url());
    let folder = Installation { folder: tempfile::tempdir().unwrap() };
    folder.load(REQUESTS * BATCH, &address);
    let servers =
        [(); 2].map(|()| ServerProcess::start(&mut zumra_testkit::serve_command(binary(), &address)));
    let next = AtomicI64::new(0);
    let (tell, told) = mpsc::channel();
    let (mut done, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let mut note = |(number, status)| {
        let batches = if status == 200 { &mut done } else { &mut refused };
        batches.insert(number);
    };
    let mut well = 0;
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (tell, server, next) = (tell.clone(), &servers[number % 2], &next);
            scope.spawn(move || client(server, next, &tell));
        }
        drop(tell);
        told.iter().take(50).for_each(&mut note);
        pair.fail_over();
        // What was begun before is told first; then both services are well again by themselves.
        let begun = next.load(Ordering::Relaxed);
        for one in &told {
            note(one);
            well += i32::from(one.0 >= begun && one.1 == 200);
            if well == 50 {
                break;
            }
        }
        next.store(REQUESTS, Ordering::Relaxed);
        told.iter().for_each(&mut note);
    });
    assert_eq!(well, 50, "the services did not get well");
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
        assert_eq!((customers, operations, changes), (BATCH, 1, BATCH), "batch {number}");
        added.insert(number);
    }
    assert!(done.is_subset(&added), "lost: {:?}", done.difference(&added));
    // Whose answer was lost on the way was looked up on the new primary: what was refused was not done.
    assert!(refused.is_disjoint(&added), "done all the same: {:?}", refused.intersection(&added));
    let operations = "SELECT count(*) FROM operations WHERE merchant_id = 1 AND kind = 'add_members'";
    let operations: i64 =
        runtime.block_on(async { pair.connect().await.query_one(operations, &[]).await.unwrap().get(0) });
    assert_eq!(operations, i64::try_from(added.len()).unwrap());
}
