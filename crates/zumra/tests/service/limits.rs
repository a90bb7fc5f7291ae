//! Clients that are slow, large or many.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{ADD, Installation, TOKEN, add_body};

#[test]
fn a_client_that_never_ends_its_headers_is_hung_up_on() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-header-seconds", "1"]);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer); // an end or a reset: the connection is over either way
    assert!(!answer.contains("200 OK"), "{answer}");
    assert_eq!(server.get("/livez", TOKEN).unwrap().0, 200);
}

#[test]
fn a_client_that_never_ends_its_body_gets_408() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-body-seconds", "1"]);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "POST {ADD} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 10\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[test]
fn a_client_that_sends_too_much_reads_its_413() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-body-bytes", "1000000"]);
    let body = format!("{}{}", add_body([1]), " ".repeat(1_500_000));
    let head =
        format!("POST {ADD} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json");
    let (status, answer) = server.send(&head, &body).unwrap();
    assert_eq!(status, 413, "{answer}");
    assert!(answer.contains("payload_too_large"), "{answer}");
}

#[test]
fn a_body_that_finds_no_room_gets_503() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-body-bytes", "1000000", "--limits-bodies-bytes", "1100000"]);
    let head = |bytes: usize| {
        let headers = "Host: x\r\nExpect: 100-continue\r\nContent-Type: application/json";
        format!(
            "POST {ADD} HTTP/1.1\r\n{headers}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {bytes}\r\n\r\n"
        )
    };
    let mut first = TcpStream::connect(server.address()).unwrap();
    first.write_all(head(900_000).as_bytes()).unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100", "the first has its room");
    let mut second = TcpStream::connect(server.address()).unwrap();
    second.write_all(head(900_000).as_bytes()).unwrap();
    second.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    assert_eq!(server.post(ADD, TOKEN, &add_body([1])).unwrap().0, 200, "a small one finds room");
}

#[test]
fn connections_over_the_limit_wait_for_a_seat() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-connections", "1"]);
    let mut first = TcpStream::connect(server.address()).unwrap();
    first.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    // The first one is kept alive, so the second gets its answer only when the first is gone.
    std::thread::scope(|scope| {
        let second = scope.spawn(|| server.get("/livez", TOKEN).unwrap().0);
        drop(first);
        assert_eq!(second.join().unwrap(), 200);
    });
}
