//! Single HTTP requests, one connection each. `load.rs` sends the load.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;

/// How long one read of a response may block.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A response without chunked encoding.
pub(super) struct Response {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Response {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let (head, body) = text.split_once("\r\n\r\n").context("response head has no end")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("response has no status")?;
        Ok(Self { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// Returns the value of the first header with this name, ignoring case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

/// Sends a request on a new connection and reads the response until the server closes it.
pub(super) fn send(address: SocketAddr, request: &[u8]) -> anyhow::Result<Response> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Response::parse(&String::from_utf8_lossy(&bytes))
}

/// Returns a GET request that closes the connection.
pub(super) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Appends a POST request with a JSON body. `headers` are complete lines with line ends.
pub(super) fn write_post(path: &str, headers: &str, body: &str, buffer: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(
        buffer,
        "POST {path} HTTP/1.1\r\nHost: bench\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_has_status_headers_and_body() {
        let response =
            Response::parse("HTTP/1.1 201 Created\r\nA: b\r\nVendure-Auth-Token: xyz\r\n\r\n{}").unwrap();
        assert_eq!((response.status, response.body.as_str()), (201, "{}"));
        assert_eq!(response.header("vendure-auth-token"), Some("xyz"));
        assert_eq!(response.header("token"), None);
    }
}
