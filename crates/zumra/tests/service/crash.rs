//! Acknowledged writes survive a kill, and an operation is applied completely or not at all.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;

use super::{ADD, Installation, TOKEN, add_body, is_member};

#[test]
fn acknowledged_write_survives_an_immediate_kill() {
    let installation = Installation::new(3);
    for customer in 1..=3 {
        let server = installation.serve(&[]);
        let (status, _) = server.post(ADD, TOKEN, &add_body([customer])).unwrap();
        server.kill();
        assert_eq!(status, 200);
        let server = installation.serve(&[]);
        assert!(is_member(&server, customer));
        assert_eq!(server.terminate_and_wait(), Some(0));
    }
}

const CUSTOMERS_PER_REQUEST: i64 = 10;
const CLIENTS: usize = 8;
/// More than can be acknowledged before the kill: `ACKNOWLEDGED`, and then two requests of each client, because a client
/// blocks while the channel of acknowledgments is full.
const REQUESTS: i64 = 3000;
/// Requests that are acknowledged before the kill.
const ACKNOWLEDGED: usize = 100;

#[test]
fn kill_under_load_loses_no_write_and_splits_none() {
    let installation = Installation::new(REQUESTS * CUSTOMERS_PER_REQUEST);
    let server = installation.serve(&[]);
    let next = AtomicI64::new(0);
    let (acknowledge, acknowledged) = mpsc::sync_channel(CLIENTS);
    let customers = |number: i64| (number * CUSTOMERS_PER_REQUEST + 1)..=(number + 1) * CUSTOMERS_PER_REQUEST;
    let mut done = Vec::new();
    std::thread::scope(|scope| {
        let acknowledged = acknowledged; // dropped if a step panics, which unblocks the clients
        let (server, next) = (&server, &next);
        for _ in 0..CLIENTS {
            let acknowledge = acknowledge.clone();
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= REQUESTS {
                        return;
                    }
                    // After the kill there is no response, or an incomplete one.
                    match server.post(ADD, TOKEN, &add_body(customers(number))) {
                        Ok((200, body)) if body.ends_with('}') => acknowledge.send(number).unwrap(),
                        _ => return,
                    }
                }
            });
        }
        drop(acknowledge);
        // Killed while other requests are in flight.
        done.extend(acknowledged.iter().take(ACKNOWLEDGED));
        server.kill();
        done.extend(acknowledged.iter());
    });
    let count = i64::try_from(done.len()).unwrap();
    assert!((100..REQUESTS).contains(&count), "{count} requests were acknowledged");
    drop(server);
    let server = installation.serve(&[]);
    for number in 0..next.load(Ordering::Relaxed).min(REQUESTS) {
        let (first, last) = (*customers(number).start(), *customers(number).end());
        let members =
            [first, first + CUSTOMERS_PER_REQUEST / 2, last].map(|customer| is_member(&server, customer));
        if done.contains(&number) {
            assert_eq!(members, [true; 3], "request {number} was acknowledged");
        } else {
            assert!(members == [true; 3] || members == [false; 3], "request {number} was applied partially");
        }
    }
}

#[test]
fn graceful_stop_completes_accepted_requests() {
    let installation = Installation::new(400);
    let server = installation.serve(&[]);
    let (acknowledge, acknowledged) = mpsc::channel();
    let done = std::thread::scope(|scope| {
        let server = &server;
        for client in 0..4 {
            let acknowledge = acknowledge.clone();
            scope.spawn(move || {
                for customer in (client * 100 + 1)..=(client + 1) * 100 {
                    match server.post(ADD, TOKEN, &add_body([customer])) {
                        Ok((200, _)) => acknowledge.send(customer).unwrap(),
                        // The listener is closed: the request was not accepted.
                        Err(_) => return,
                        Ok((status, body)) => panic!("customer {customer}: {status} {body:?}"),
                    }
                }
            });
        }
        drop(acknowledge);
        let mut done: Vec<i64> = acknowledged.iter().take(20).collect();
        server.terminate();
        done.extend(acknowledged.iter());
        done
    });
    assert_eq!(server.wait(), Some(0));
    let server = installation.serve(&[]);
    for customer in done {
        assert!(is_member(&server, customer), "customer {customer} was acknowledged");
    }
}
