//! Services that share a PostgreSQL database: one is killed, one hangs, and the database is unreachable for a while.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;

use serde_json::Value;
use tokio::runtime::Runtime;
use zumra_testkit::{ServerProcess, TestDatabase};

use super::{ADD, Installation, TOKEN, add_body, binary, is_member};

/// A PostgreSQL database with the merchant of [`Installation`].
pub(super) struct SharedDatabase {
    /// Runs the asynchronous calls of a test.
    runtime: Runtime,
    database: TestDatabase,
}

impl SharedDatabase {
    pub(super) fn new(customers: i64) -> Self {
        let runtime = Runtime::new().unwrap();
        let database = runtime.block_on(TestDatabase::new());
        let installation = Installation { directory: tempfile::tempdir().unwrap() };
        installation.load(customers, &PathBuf::from(database.url()));
        Self { runtime, database }
    }

    pub(super) fn serve(&self) -> ServerProcess {
        ServerProcess::start(&mut self.command())
    }

    fn command(&self) -> Command {
        let mut command = zumra_testkit::serve_command(binary(), &PathBuf::from(self.database.url()));
        // A graceful shutdown waits for open requests. Limit the wait in case a test fails.
        command.args(["--limits-request-seconds", "20"]);
        command
    }

    /// Returns the one number that a query selects.
    fn query_number(&self, sql: &str) -> i64 {
        self.runtime
            .block_on(async { self.database.connect().await.query_one(sql, &[]).await.unwrap().get(0) })
    }
}

#[test]
fn service_recovers_when_the_database_is_back() {
    let shared = SharedDatabase::new(3);
    let server = shared.serve();
    assert_eq!(server.post(ADD, TOKEN, &add_body([1])).unwrap().0, 200);
    shared.runtime.block_on(shared.database.block_connections());
    let (status, body) = server.post(ADD, TOKEN, &add_body([2])).unwrap();
    assert_eq!(status, 503, "{body}");
    assert_eq!(server.get("/readyz", TOKEN).unwrap().0, 503);
    shared.runtime.block_on(shared.database.allow_connections());
    // No request fails after the database accepts connections again.
    assert_eq!(server.post(ADD, TOKEN, &add_body([3])).unwrap().0, 200);
    assert_eq!([1, 2, 3].map(|customer| is_member(&server, customer)), [true, false, true]);
    assert_eq!(server.terminate_and_wait(), Some(0));
}

#[test]
fn unusable_replica_is_logged_once_and_lists_still_work() {
    let shared = SharedDatabase::new(1);
    let own_url = shared.database.url();
    for (replica, why) in [
        ("postgres://z:s3cret@127.0.0.1:1/z", "error connecting to server"),
        (&own_url, "it is not a standby: it accepts writes"),
    ] {
        let (server, log) = ServerProcess::start_with_log(shared.command().args(["--replica", replica]));
        for path in ["/admin/v2/customers", "/admin/v2/customers/groups", "/admin/v2/customers?keyword=c"] {
            let (status, body) = server.get(path, TOKEN).unwrap();
            assert_eq!(status, 200, "{body}");
        }
        assert_eq!(server.terminate_and_wait(), Some(0));
        let log = log.join().unwrap();
        assert!(!log.contains("s3cret"), "{log}");
        let warnings: Vec<_> = log.lines().filter(|line| line.contains("replica disabled for 5 s")).collect();
        assert!(warnings.len() == 1 && warnings[0].contains(why) && warnings[0].contains("WARN"), "{log}");
    }
}

const CUSTOMERS_PER_REQUEST: i64 = 10;
const REQUESTS: i64 = 300;

/// Returns the body of a request. No two requests have a customer in common.
fn request_body(number: i64) -> Value {
    add_body((number * CUSTOMERS_PER_REQUEST + 1)..=(number + 1) * CUSTOMERS_PER_REQUEST)
}

/// Sends requests until all are sent. Without a response it repeats the request on the next server, as a client behind
/// a load balancer would.
fn run_client(
    servers: &[ServerProcess; 3],
    mut server: usize,
    next: &AtomicI64,
    acknowledge: &mpsc::Sender<i64>,
) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= REQUESTS {
            return;
        }
        for attempt in 1.. {
            assert!(attempt < 10, "no server responds to request {number}");
            match servers[server % 3].post(ADD, TOKEN, &request_body(number)) {
                Ok((200, body)) if body.ends_with('}') => break,
                // After the kill there is no response, or an incomplete one.
                Ok((200, _)) | Err(_) => server += 1,
                Ok((status, body)) => panic!("{status}: {body}"),
            }
        }
        acknowledge.send(number).unwrap();
    }
}

#[test]
fn each_request_is_applied_once_while_one_of_three_services_is_killed_and_one_hangs() {
    let shared = SharedDatabase::new(REQUESTS * CUSTOMERS_PER_REQUEST);
    let servers = [shared.serve(), shared.serve(), shared.serve()];
    let next = AtomicI64::new(0);
    let (acknowledge, acknowledged) = mpsc::channel();
    let mut done = BTreeSet::new();
    std::thread::scope(|scope| {
        for number in 0..9 {
            let (acknowledge, servers, next) = (acknowledge.clone(), &servers, &next);
            scope.spawn(move || run_client(servers, number % 3, next, &acknowledge));
        }
        drop(acknowledge);
        done.extend(acknowledged.iter().take(30));
        servers[0].kill();
        servers[1].pause();
        done.extend(acknowledged.iter().take(60));
        // The third service repeats the requests that the paused one has accepted, before that one continues.
        let started = next.load(Ordering::Relaxed).min(REQUESTS);
        for number in (0..started).filter(|number| !done.contains(number)) {
            assert_eq!(servers[2].post(ADD, TOKEN, &request_body(number)).unwrap().0, 200);
        }
        servers[1].resume();
        done.extend(acknowledged.iter());
    });
    assert!(done.into_iter().eq(0..REQUESTS), "every request was acknowledged");
    let count_complete_requests = format!(
        "SELECT count(*) FROM (
            SELECT FROM operations JOIN memberships
                ON memberships.merchant_id = operations.merchant_id AND operation_id = operations.id
            WHERE operations.merchant_id = 1 AND kind = 'add_members' AND changes = {CUSTOMERS_PER_REQUEST}
            GROUP BY operations.id
            HAVING count(*) = {CUSTOMERS_PER_REQUEST}
                AND count(DISTINCT (memberships.customer_id - 1) / {CUSTOMERS_PER_REQUEST}) = 1) AS whole"
    );
    assert_eq!(shared.query_number(&count_complete_requests), REQUESTS, "each request is one operation");
    assert_eq!(
        shared.query_number("SELECT count(*) FROM memberships WHERE merchant_id = 1"),
        REQUESTS * CUSTOMERS_PER_REQUEST
    );
    let operations = "SELECT count(*) FROM operations WHERE merchant_id = 1 AND kind = 'add_members'";
    assert_eq!(shared.query_number(operations), REQUESTS);
    // Both remaining services show the result.
    for server in &servers[1..] {
        assert!(is_member(server, 1) && is_member(server, REQUESTS * CUSTOMERS_PER_REQUEST));
    }
}
