//! Responses that the service sends before it has read the request, to clients on plain sockets.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use zumra_testkit::ServerProcess;

use super::limits::connect;
use super::operating::free_port;
use super::{ADD, Installation, TOKEN};

const LARGE: usize = 20 << 20;

/// A complete response.
struct Response {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl Response {
    /// Reads the response that is next on a connection.
    fn read(stream: &mut TcpStream) -> Self {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            let read = stream.read(&mut byte).unwrap();
            assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&head));
            head.extend(byte);
        }
        let headers = String::from_utf8(head).unwrap().to_lowercase();
        let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
        let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        Self { status, headers, body }
    }

    fn closes(&self) -> bool {
        self.headers.contains("\r\nconnection: close\r\n")
    }

    /// Checks that the body is the envelope of an error with this status.
    fn assert_error(&self, status: u16, code: &str) {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!((self.status, &body["status"]), (status, &Value::from(status)), "{body}");
        assert_eq!((&body["error"]["code"], &body["success"]), (&Value::from(code), &Value::from(false)));
    }
}

/// Returns the head of a request. `headers` end with a line break each.
fn head(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n")
}

/// Sends a request with a body of `bytes` spaces, all of it before anything is read.
fn send(stream: &mut TcpStream, method: &str, path: &str, headers: &str, bytes: usize) {
    let head = head(method, path, &format!("{headers}Content-Length: {bytes}\r\n"));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![b' '; bytes]).unwrap();
}

fn authorization() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

#[test]
fn client_that_sends_first_gets_the_complete_response() {
    let installation = Installation::new(1);
    let server = installation.serve(&[]);
    let authorized = authorization();
    let not_json = format!("{authorized}Accept: text/html\r\n");
    let cases = [
        ("POST", ADD, "", 401),
        ("POST", "/no/such/path", &authorized, 404),
        ("PATCH", "/admin/v2/customers", &authorized, 405),
        ("POST", ADD, &not_json, 406),
        ("POST", ADD, &authorized, 413),
    ];
    for (method, path, headers, status) in cases {
        let mut stream = connect(server.address());
        send(&mut stream, method, path, headers, LARGE);
        let response = Response::read(&mut stream);
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((response.status, &body["status"]), (status, &Value::from(status)), "{body}");
    }
}

#[test]
fn overloaded_service_responds_to_a_client_that_sends_first() {
    let installation = Installation::new(1);
    let (body, bodies) = (LARGE.to_string(), (LARGE + 4096).to_string());
    let server = installation.serve(&["--limits-body-bytes", &body, "--limits-bodies-bytes", &bodies]);
    let mut first = connect(server.address());
    let expecting = format!("{}Expect: 100-continue\r\nContent-Length: {LARGE}\r\n", authorization());
    first.write_all(head("POST", ADD, &expecting).as_bytes()).unwrap();
    first.read_exact(&mut [0; 25]).unwrap(); // HTTP/1.1 100 Continue
    let mut second = connect(server.address());
    send(&mut second, "POST", ADD, &authorization(), LARGE);
    Response::read(&mut second).assert_error(503, "service_unavailable");
}

#[test]
fn connection_serves_further_requests_after_rejected_bodies() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-body-bytes", "200000"]);
    let authorized = authorization();
    let cases = [("POST", ADD, "", 401), ("PUT", "/admin/v2/customers", &authorized, 405)];
    let mut stream = connect(server.address());
    for request in 0..60 {
        let (method, path, headers, status) = cases[request % cases.len()];
        let bytes = [100, 1_000, 70_000, 1_000_000][request % 4];
        send(&mut stream, method, path, headers, bytes);
        let response = Response::read(&mut stream);
        assert_eq!((response.status, response.closes()), (status, false), "request {request}: {bytes}");
    }
    send(&mut stream, "POST", ADD, &authorized, 1_000_000);
    let response = Response::read(&mut stream);
    response.assert_error(413, "payload_too_large");
    assert!(!response.closes());
    send(&mut stream, "POST", ADD, &authorized, 10);
    assert_eq!(Response::read(&mut stream).status, 422);
}

#[test]
fn client_that_never_stops_is_cut() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-body-seconds", "1"]);
    for framing in ["Transfer-Encoding: chunked\r\n", "Content-Length: 1000000000000\r\n"] {
        let mut stream = connect(server.address());
        stream.write_all(head("POST", ADD, framing).as_bytes()).unwrap();
        let mut sender = stream.try_clone().unwrap();
        let sending = std::thread::spawn(move || {
            let chunk = [b"10000\r\n", vec![b' '; 1 << 16].as_slice(), b"\r\n"].concat();
            while sender.write_all(&chunk).is_ok() {}
        });
        let response = Response::read(&mut stream);
        response.assert_error(401, "Unauthorized");
        assert!(response.closes());
        sending.join().unwrap();
    }
}

#[test]
fn client_that_pauses_gets_its_response() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-body-seconds", "300"]);
    let mut stream = connect(server.address());
    stream.write_all(head("POST", ADD, "Content-Length: 1000000\r\n").as_bytes()).unwrap();
    stream.write_all(&[b' '; 1000]).unwrap();
    let response = Response::read(&mut stream);
    response.assert_error(401, "Unauthorized");
    assert!(response.closes());
}

#[test]
fn client_that_asks_first_is_rejected_without_100_continue() {
    let installation = Installation::new(1);
    let server = installation.serve(&[]);
    for (headers, status) in [(String::new(), 401), (authorization(), 413)] {
        let mut stream = connect(server.address());
        let headers = format!("{headers}Expect: 100-continue\r\nContent-Length: {LARGE}\r\n");
        stream.write_all(head("POST", ADD, &headers).as_bytes()).unwrap();
        let response = Response::read(&mut stream);
        assert_eq!((response.status, response.closes()), (status, true));
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the connection is closed");
    }
}

#[test]
fn rejected_clients_that_go_on_sending_leave_connections_to_others() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--limits-connections", "8", "--limits-body-seconds", "300"]);
    let _rejected: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = connect(server.address());
            stream.write_all(head("POST", ADD, "Content-Length: 100000000\r\n").as_bytes()).unwrap();
            stream.write_all(&[b' '; 1000]).unwrap();
            stream
        })
        .collect();
    // One of them may hold its connection for 300 seconds, far longer than the timeout of this request.
    assert_eq!(server.get("/livez", TOKEN).unwrap().0, 200);
}

#[test]
fn malformed_chunk_gets_400() {
    let installation = Installation::new(1);
    let server = installation.serve(&[]);
    let chunked = format!("{}Transfer-Encoding: chunked\r\n", authorization());
    for body in ["zz\r\n", "3\r\n{}}}}\r\n", "1\r\n{\r\n-1\r\n"] {
        let mut stream = connect(server.address());
        stream.write_all(head("POST", ADD, &chunked).as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let response = Response::read(&mut stream);
        response.assert_error(400, "bad_request");
        assert!(response.closes());
    }
}

/// Sends bytes and returns the response to them.
fn respond(address: &str, bytes: &[u8]) -> Response {
    let mut stream = connect(address);
    stream.write_all(bytes).unwrap();
    Response::read(&mut stream)
}

#[test]
fn host_must_be_sent_once() {
    let installation = Installation::new(1);
    let (server, admin) = serve_with_admin(&installation);
    for (address, path) in [(server.address(), "/livez"), (&admin, "/metrics")] {
        for host in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: a b\r\n"] {
            let response = respond(address, format!("GET {path} HTTP/1.1\r\n{host}\r\n").as_bytes());
            response.assert_error(400, "bad_request");
            assert!(!response.closes(), "the request is complete");
        }
        for (version, host) in [("1.1", "Host: a:80\r\n"), ("1.1", "Host:\r\n"), ("1.0", "")] {
            let request = format!("GET {path} HTTP/{version}\r\n{host}\r\n");
            assert_eq!(respond(address, request.as_bytes()).status, 200, "{request}");
        }
    }
}

#[test]
fn request_that_is_not_http_gets_the_envelope() {
    let installation = Installation::new(1);
    let (server, admin) = serve_with_admin(&installation);
    let long_header = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(5 << 20));
    let many_headers = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(1000));
    let long_uri = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(70_000));
    let cases = [
        ("GET / HTTP/9.9\r\n\r\n", 400, "bad_request"),
        ("G\u{1}T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, "bad_request"),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400, "bad_request"),
        (&long_header, 431, "request_header_fields_too_large"),
        (&many_headers, 431, "request_header_fields_too_large"),
        (&long_uri, 414, "uri_too_long"),
    ];
    for address in [server.address(), &admin] {
        for (request, status, code) in cases {
            let response = respond(address, request.as_bytes());
            response.assert_error(status, code);
            assert!(response.closes());
        }
    }
    // The same after a request that was served on the connection.
    let mut stream = connect(server.address());
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(Response::read(&mut stream).status, 200);
    stream.write_all(b"nonsense\r\n\r\n").unwrap();
    Response::read(&mut stream).assert_error(400, "bad_request");
}

/// Starts a service with an admin address, and returns that too.
fn serve_with_admin(installation: &Installation) -> (ServerProcess, String) {
    let admin = format!("127.0.0.1:{}", free_port());
    (installation.serve(&["--admin-listen", &admin]), admin)
}
