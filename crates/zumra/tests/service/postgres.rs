//! Services that share a database of PostgreSQL's: killed, and with the database taken away.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;

use tokio::runtime::Runtime;
use zumra_testkit::{Kill, Server, TestDatabase};

use super::{ADD, Installation, TOKEN, add_body, binary, is_member};

/// A database on a server with the shop in it, and what asynchronous work of the test runs on.
struct Shared {
    runtime: Runtime,
    database: TestDatabase,
}

impl Shared {
    fn new(customers: i64) -> Self {
        let runtime = Runtime::new().unwrap();
        let database = runtime.block_on(TestDatabase::new());
        let folder = Installation { folder: tempfile::tempdir().unwrap() };
        folder.load(customers, &PathBuf::from(database.address()));
        Self { runtime, database }
    }

    fn serve(&self) -> Server {
        let mut command = zumra_testkit::process::serve(binary(), &PathBuf::from(self.database.address()));
        // A stop must not wait for a test that has gone wrong.
        Server::start(command.args(["--limits-request-seconds", "20"]))
    }

    fn number(&self, sql: &str) -> i64 {
        self.runtime
            .block_on(async { self.database.connect().await.query_one(sql, &[]).await.unwrap().get(0) })
    }
}

#[test]
fn a_database_that_goes_away_and_comes_back() {
    let shared = Shared::new(3);
    let server = shared.serve();
    assert_eq!(server.post(ADD, TOKEN, &add_body([1])).unwrap().0, 200);
    shared.runtime.block_on(shared.database.shut());
    let (status, body) = server.post(ADD, TOKEN, &add_body([2])).unwrap();
    assert_eq!(status, 503, "{body}");
    assert_eq!(server.get("/readyz", TOKEN).unwrap().0, 503);
    shared.runtime.block_on(shared.database.reopen());
    // The very next request is answered.
    assert_eq!(server.post(ADD, TOKEN, &add_body([3])).unwrap().0, 200);
    assert_eq!([1, 2, 3].map(|customer| is_member(&server, customer)), [true, false, true]);
    assert_eq!(server.end(Kill::Term), Some(0));
}

const BATCH: i64 = 10;
const REQUESTS: i64 = 150;

#[test]
fn a_kill_of_one_of_three_loses_nothing_and_doubles_nothing() {
    let shared = Shared::new(REQUESTS * BATCH);
    let servers = [shared.serve(), shared.serve(), shared.serve()];
    let next = AtomicI64::new(0);
    let (acknowledge, acknowledged) = mpsc::channel();
    let batch = |number: i64| (number * BATCH + 1)..=(number + 1) * BATCH;
    let mut done = Vec::new();
    std::thread::scope(|scope| {
        for client in 0..9 {
            let (acknowledge, next, server) = (acknowledge.clone(), &next, &servers[client % 3]);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= REQUESTS {
                        return;
                    }
                    // After the kill there is no answer, or half of one.
                    match server.post(ADD, TOKEN, &add_body(batch(number))) {
                        Ok((200, body)) if body.ends_with('}') => acknowledge.send(number).unwrap(),
                        Ok((status, body)) => panic!("{status}: {body}"),
                        Err(_) => return,
                    }
                }
            });
        }
        drop(acknowledge);
        done.extend(acknowledged.iter().take(30));
        servers[0].kill();
        done.extend(acknowledged.iter());
    });
    assert!(done.len() > 100, "the other two went on: {}", done.len());
    for number in done {
        let first = number * BATCH + 1;
        let members = format!(
            "SELECT count(*) FROM memberships WHERE merchant_id = 1 AND customer_id BETWEEN {first} AND {}",
            first + BATCH - 1
        );
        assert_eq!(shared.number(&members), BATCH, "acknowledged: {number}");
    }
    // Every operation is whole, and every membership belongs to one.
    let members = shared.number("SELECT count(*) FROM memberships WHERE merchant_id = 1");
    let changes = "SELECT coalesce(sum(changes), 0)::bigint FROM operations WHERE merchant_id = 1 AND kind = 'add_members'";
    assert_eq!((shared.number(changes), members % BATCH), (members, 0));
}
