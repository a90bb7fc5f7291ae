//! One request and its whole answer, for what is asked once. Loads are `load.rs`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;

/// What is waited for an answer, or for more of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer that does not come in chunks.
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Answer {
    fn read(text: &str) -> anyhow::Result<Self> {
        let (head, body) = text.split_once("\r\n\r\n").context("an answer without an end of its head")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        Ok(Self { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// The value of a header.
    pub(super) fn header(&self, wanted: &str) -> Option<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).next()
    }
}

/// Asks on a connection of its own.
pub(super) fn ask(address: SocketAddr, request: &[u8]) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Answer::read(&String::from_utf8_lossy(&bytes))
}

/// A request without a body, after which the connection ends.
pub(super) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Appends a request with JSON. `headers` are whole lines.
pub(super) fn post(path: &str, headers: &str, body: &str, to: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(
        to,
        "POST {path} HTTP/1.1\r\nHost: bench\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_headers_and_a_body() {
        let answer =
            Answer::read("HTTP/1.1 201 Created\r\nA: b\r\nVendure-Auth-Token: xyz\r\n\r\n{}").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (201, "{}"));
        assert_eq!(answer.header("vendure-auth-token"), Some("xyz"));
        assert_eq!(answer.header("token"), None);
    }
}
