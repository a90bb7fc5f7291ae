//! The load generator: clients that send requests in a closed loop and measure the response times.
//!
//! The generator must be cheap, or it becomes the bottleneck. It uses one thread, writes each request
//! completely before its clock starts, and of a response parses only the status and the length. A closure
//! writes the requests, so any HTTP/1.1 service can be loaded. A run is a number of requests, not a duration:
//! a service and its bounds then access the same rows.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::TryStreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::proc;

/// Size of the read buffer in bytes. The head of a response must fit.
const BUFFER_BYTES: usize = 64 << 10;
const RESPONSE_TIMEOUT: Duration = Duration::from_mins(2);
/// The end of a chunked response body. Includes the line end before the last chunk, so that an empty body
/// matches too.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
/// Bytes of request and response that an [`UnexpectedStatus`] keeps of each.
const EXCERPT_BYTES: usize = 1000;
/// Characters of the body in [`UnexpectedStatus::summary`].
const SUMMARY_CHARS: usize = 120;

/// The raw result of one run.
pub(crate) struct Run {
    pub(crate) elapsed: Duration,
    /// Response time of every request in microseconds, from sending it to the end of its response.
    pub(crate) micros: Vec<u32>,
    /// CPU time of the generator's thread divided by `elapsed`; `None` where the system does not report it.
    pub(crate) generator_busy: Option<f64>,
}

/// Returns the microseconds since `started`, capped at `u32::MAX` (71 minutes).
pub(crate) fn elapsed_micros(started: Instant) -> u32 {
    u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// A response whose status differs from the expected one, with the beginning of request and response.
#[derive(Debug)]
pub(crate) struct UnexpectedStatus {
    expected: u16,
    request: String,
    response: String,
}

impl UnexpectedStatus {
    /// Returns the response in one line: status and beginning of the body.
    pub(crate) fn summary(&self) -> String {
        let (head, body) = self.response.split_once("\r\n\r\n").unwrap_or((&self.response, ""));
        let status =
            head.lines().next().and_then(|line| line.split_once(' ')).map_or("", |(_, status)| status);
        let words: Vec<&str> = body.split_whitespace().collect();
        let body: String = words.join(" ").chars().take(SUMMARY_CHARS).collect();
        format!("{status} {body}").trim_end().to_owned()
    }
}

impl fmt::Display for UnexpectedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, request, response } = self;
        write!(f, "expected status {expected} for\n{request}\n\nbut the response was\n{response}")
    }
}

impl std::error::Error for UnexpectedStatus {}

/// Sends the requests with these numbers and waits for all responses.
///
/// Each client has one connection and takes the next number after each response. Clients are distributed over
/// the addresses. `write_request` receives client and number, appends the complete request and returns the
/// expected status. The run fails at the first response with another status ([`UnexpectedStatus`]), or if a
/// response takes longer than [`RESPONSE_TIMEOUT`].
pub(crate) fn run<F>(
    addresses: &[SocketAddr],
    clients: usize,
    numbers: Range<u64>,
    write_request: &F,
) -> anyhow::Result<Run>
where
    F: Fn(usize, u64, &mut Vec<u8>) -> u16,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connections = Vec::with_capacity(clients);
        for (client, address) in addresses.iter().cycle().take(clients).enumerate() {
            connections.push(Connection::open(*address, client).await?);
        }
        let numbers = RefCell::new(numbers);
        let next_number = || numbers.borrow_mut().next();
        let (cpu_before, started) = (proc::thread_cpu_seconds(), Instant::now());
        let clients: FuturesUnordered<_> = connections
            .into_iter()
            .map(|connection| connection.send_requests(&next_number, write_request))
            .collect();
        let micros: Vec<Vec<u32>> = clients.try_collect().await?;
        let elapsed = started.elapsed();
        let cpu = cpu_before.zip(proc::thread_cpu_seconds()).map(|(before, after)| after - before);
        let generator_busy = cpu.map(|seconds| seconds / elapsed.as_secs_f64());
        Ok(Run { elapsed, micros: micros.concat(), generator_busy })
    })
}

/// The connection of one client.
struct Connection {
    stream: TcpStream,
    client: usize,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr, client: usize) -> anyhow::Result<Self> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, client, request: Vec::new(), response: vec![0; BUFFER_BYTES] })
    }

    /// Sends requests until `next_number` returns `None`. Returns their response times.
    async fn send_requests<N, F>(mut self, next_number: &N, write_request: &F) -> anyhow::Result<Vec<u32>>
    where
        N: Fn() -> Option<u64>,
        F: Fn(usize, u64, &mut Vec<u8>) -> u16,
    {
        let mut micros = Vec::new();
        while let Some(number) = next_number() {
            self.request.clear();
            let expected = write_request(self.client, number, &mut self.request);
            let started = Instant::now();
            let response = tokio::time::timeout(RESPONSE_TIMEOUT, self.exchange()).await;
            let status = response
                .with_context(|| format!("no response within {} s", RESPONSE_TIMEOUT.as_secs()))??;
            micros.push(elapsed_micros(started));
            if status != expected {
                return Err(self.unexpected_status(expected).into());
            }
        }
        Ok(micros)
    }

    fn unexpected_status(&self, expected: u16) -> UnexpectedStatus {
        let [request, response] = [&self.request, &self.response].map(|bytes| {
            let excerpt = &bytes[..bytes.len().min(EXCERPT_BYTES)];
            String::from_utf8_lossy(excerpt).trim_matches('\0').to_owned()
        });
        UnexpectedStatus { expected, request, response }
    }

    /// Sends the request and reads the whole response. Returns its status.
    async fn exchange(&mut self) -> anyhow::Result<u16> {
        self.stream.write_all(&self.request).await?;
        let mut filled = 0;
        let head = loop {
            filled += self.read(filled).await?;
            let received = &self.response[..filled];
            if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                break ResponseHead::parse(&received[..end + 2])?;
            }
        };
        match head.body_length {
            Some(length) => self.skip_body(length, filled - head.length).await?,
            // Searches from the head on: the blank line before an empty body is part of `LAST_CHUNK`.
            None => self.skip_chunks(filled).await?,
        }
        Ok(head.status)
    }

    /// Reads the rest of a body of known length, of which `received` bytes are in the buffer.
    async fn skip_body(&mut self, length: usize, received: usize) -> anyhow::Result<()> {
        let mut missing =
            length.checked_sub(received).context("response is longer than its Content-Length")?;
        while missing > 0 {
            // Into the second half: the first keeps the beginning for an error message.
            let read = self.read(BUFFER_BYTES / 2).await?;
            missing = missing.checked_sub(read).context("response is longer than its Content-Length")?;
        }
        Ok(())
    }

    /// Reads until the last chunk. No pipelining, so nothing follows it.
    async fn skip_chunks(&mut self, mut filled: usize) -> anyhow::Result<()> {
        while !self.response[..filled].ends_with(LAST_CHUNK) {
            if filled > BUFFER_BYTES / 2 {
                let tail = filled - LAST_CHUNK.len()..filled;
                self.response.copy_within(tail, 0);
                filled = LAST_CHUNK.len();
            }
            filled += self.read(filled).await?;
        }
        Ok(())
    }

    /// Reads into the buffer from `offset` on. Returns the number of bytes, at least one.
    async fn read(&mut self, offset: usize) -> anyhow::Result<usize> {
        let read = self.stream.read(&mut self.response[offset..]).await?;
        anyhow::ensure!(read > 0, "connection closed, or response head larger than {BUFFER_BYTES} bytes");
        Ok(read)
    }
}

/// The parts of a response head that the generator needs.
struct ResponseHead {
    status: u16,
    /// Length of the head in bytes, including the blank line.
    length: usize,
    /// `None` if the body is chunked.
    body_length: Option<usize>,
}

impl ResponseHead {
    /// Parses a head without its blank line.
    fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let text = std::str::from_utf8(bytes).context("response head is not UTF-8")?;
        let mut lines = text.lines();
        let status =
            lines.next().and_then(|line| line.split(' ').nth(1)).context("response has no status")?;
        let status = status.parse().context("response status is not a number")?;
        let mut body_length = if status == 204 || status == 304 { Some(0) } else { None };
        for line in lines {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            if name.eq_ignore_ascii_case("content-length") {
                body_length = Some(value.trim().parse()?);
            }
        }
        Ok(Self { status, length: bytes.len() + 2, body_length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unexpected_status_is_summarized_in_one_line() {
        let response = "HTTP/1.1 500 Internal Server Error\r\nx: y\r\n\r\n{\n  \"code\": 7\n}".to_owned();
        let error = UnexpectedStatus { expected: 200, request: String::new(), response };
        assert_eq!(error.summary(), "500 Internal Server Error { \"code\": 7 }");
    }

    #[test]
    fn response_head_determines_body_length() {
        let head =
            ResponseHead::parse(b"HTTP/1.1 422 Unprocessable Entity\r\nContent-LENGTH: 17\r\nx: y\r\n")
                .unwrap();
        assert_eq!((head.status, head.body_length, head.length), (422, Some(17), 63));
        let head = ResponseHead::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n").unwrap();
        assert_eq!((head.status, head.body_length), (200, None));
        let head = ResponseHead::parse(b"HTTP/1.1 204 No Content\r\n").unwrap();
        assert_eq!((head.status, head.body_length), (204, Some(0)));
    }
}
