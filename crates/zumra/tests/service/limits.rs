//! Clients that are slow, send too much, or open too many connections.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{ADD, Installation, TOKEN, add_body};

/// Timeout of one read. Far above the limits under test, so that a missing limit fails the test instead of hanging it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
    stream
}

/// Reads the beginning of a status line: `HTTP/1.1 200`.
fn read_status(stream: &mut TcpStream) -> String {
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    String::from_utf8(start.to_vec()).unwrap()
}

/// Sends `GET /livez` on a connection that stays open, and reads the complete response.
fn get_livez(stream: &mut TcpStream) {
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(read_status(stream), "HTTP/1.1 200");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    stream.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
}

#[test]
fn connection_with_unfinished_headers_is_closed() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-header-seconds", "1"]);
    let start = Instant::now();
    let mut stream = connect(server.address());
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n").unwrap();
    let mut response = String::new();
    match stream.read_to_string(&mut response) {
        Ok(_) => {}
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "still open after {READ_TIMEOUT:?}");
        }
    }
    assert!(start.elapsed() >= Duration::from_secs(1), "closed after {:?}", start.elapsed());
    assert_eq!(response, "");
    assert_eq!(server.get("/livez", TOKEN).unwrap().0, 200);
}

#[test]
fn client_that_reads_nothing_loses_its_connection() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-connections", "1", "--limits-body-seconds", "1"]);
    let mut stream = connect(server.address());
    // Each response has more than 1 MB, so that all together do not fit into the buffers of the kernel.
    let request = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(&request.repeat(50)).unwrap();
    get_livez(&mut connect(server.address()));
}

#[test]
fn unfinished_body_gets_408() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-body-seconds", "1"]);
    let mut stream = connect(server.address());
    let head = format!(
        "POST {ADD} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 10\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(read_status(&mut stream), "HTTP/1.1 408");
}

#[test]
fn body_over_the_limit_gets_413() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-body-bytes", "1000000"]);
    let body = format!("{}{}", add_body([1]), " ".repeat(1_500_000));
    let head =
        format!("POST {ADD} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json");
    let (status, response) = server.send(&head, &body).unwrap();
    assert_eq!(status, 413, "{response}");
    assert!(response.contains("payload_too_large"), "{response}");
}

#[test]
fn body_over_the_memory_budget_gets_503() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-body-bytes", "1000000", "--limits-bodies-bytes", "1100000"]);
    let head = |bytes: usize| {
        let headers = "Host: x\r\nExpect: 100-continue\r\nContent-Type: application/json";
        format!(
            "POST {ADD} HTTP/1.1\r\n{headers}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {bytes}\r\n\r\n"
        )
    };
    let mut first = connect(server.address());
    first.write_all(head(900_000).as_bytes()).unwrap();
    assert_eq!(read_status(&mut first), "HTTP/1.1 100", "the first body fits in the budget");
    let mut second = connect(server.address());
    second.write_all(head(900_000).as_bytes()).unwrap();
    assert_eq!(read_status(&mut second), "HTTP/1.1 503");
    assert_eq!(server.post(ADD, TOKEN, &add_body([1])).unwrap().0, 200, "a small body still fits");
}

#[test]
fn connection_over_the_limit_waits_for_a_permit() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-connections", "1"]);
    let mut first = connect(server.address());
    get_livez(&mut first);
    let mut second = connect(server.address());
    second.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    // The server handles later requests of the first connection, and nothing of the second.
    for _ in 0..20 {
        get_livez(&mut first);
    }
    second.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let early = second.read(&mut [0]).map_err(|error| error.kind());
    assert!(matches!(early, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{early:?}");
    drop(first);
    second.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
    assert_eq!(read_status(&mut second), "HTTP/1.1 200");
}
