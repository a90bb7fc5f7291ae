//! The generator: clients that send requests as fast as they are answered, and what they saw.
//!
//! It must be cheap, or it would be what is measured: one thread, whole requests written before their clock starts, and
//! of an answer no more read than its status and where it ends. Whatever is sent comes from a closure, so that any service
//! that speaks HTTP/1.1 can be loaded. A run is a number of requests, not a time: a service and its bounds then touch the
//! very same rows.

use std::cell::Cell;
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

/// Bytes that are read at once; the head of an answer must fit.
const BUFFER: usize = 64 << 10;
/// What is waited for one answer.
const PATIENCE: Duration = Duration::from_mins(2);
/// How an answer ends that does not say how long it is.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// What one run came to.
pub(crate) struct Run {
    pub(crate) elapsed: Duration,
    /// Microseconds from sending to the whole answer of every request.
    pub(crate) micros: Vec<u32>,
    /// Part of the time in which the generator's thread was on a processor, where the system tells.
    pub(crate) busy: Option<f64>,
}

/// An answer with another status than was expected; of both texts the beginning.
#[derive(Debug)]
pub(crate) struct Refusal {
    wanted: u16,
    asked: String,
    answered: String,
}

impl Refusal {
    /// The answer in one line: its status, and how its body begins.
    pub(crate) fn reason(&self) -> String {
        let (head, body) = self.answered.split_once("\r\n\r\n").unwrap_or((&self.answered, ""));
        let status =
            head.lines().next().and_then(|line| line.split_once(' ')).map_or("", |(_, status)| status);
        let body: String = body.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect();
        format!("{status} {body}").trim_end().to_owned()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, asked, answered } = self;
        write!(f, "{wanted} was expected for\n{asked}\n\nand the answer was\n{answered}")
    }
}

impl std::error::Error for Refusal {}

/// Sends the requests with these numbers. Each client has one connection and takes the next number when it has its answer;
/// clients are spread over the addresses. `write` is given client and number, appends the whole request and says which
/// status its answer must have.
pub(crate) fn run<F>(
    addresses: &[SocketAddr],
    clients: usize,
    numbers: Range<u64>,
    write: &F,
) -> anyhow::Result<Run>
where
    F: Fn(usize, u64, &mut Vec<u8>) -> u16,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connected = Vec::with_capacity(clients);
        for (client, address) in addresses.iter().cycle().take(clients).enumerate() {
            connected.push(Connection::open(*address, client).await?);
        }
        let next = Cell::new(numbers.start);
        let take = || (next.replace(next.get() + 1) < numbers.end).then(|| next.get() - 1);
        let (cpu, started) = (proc::thread_seconds(), Instant::now());
        let working: FuturesUnordered<_> =
            connected.into_iter().map(|connection| connection.work(&take, write)).collect();
        let micros: Vec<Vec<u32>> = working.try_collect().await?;
        let elapsed = started.elapsed();
        let busy = cpu.zip(proc::thread_seconds()).map(|(from, to)| (to - from) / elapsed.as_secs_f64());
        Ok(Run { elapsed, micros: micros.concat(), busy })
    })
}

/// One client.
struct Connection {
    stream: TcpStream,
    client: usize,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr, client: usize) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("no connection")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, client, request: Vec::new(), answer: vec![0; BUFFER] })
    }

    async fn work<T, F>(mut self, take: &T, write: &F) -> anyhow::Result<Vec<u32>>
    where
        T: Fn() -> Option<u64>,
        F: Fn(usize, u64, &mut Vec<u8>) -> u16,
    {
        let mut micros = Vec::new();
        while let Some(number) = take() {
            self.request.clear();
            let wanted = write(self.client, number, &mut self.request);
            let started = Instant::now();
            let answered = tokio::time::timeout(PATIENCE, self.ask()).await.context("no answer")??;
            micros.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
            if answered != wanted {
                let [asked, answered] = [&self.request, &self.answer].map(|bytes| {
                    String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]).trim_matches('\0').to_owned()
                });
                return Err(Refusal { wanted, asked, answered }.into());
            }
        }
        Ok(micros)
    }

    /// Sends the request and reads the whole answer. Its status.
    async fn ask(&mut self) -> anyhow::Result<u16> {
        self.stream.write_all(&self.request).await?;
        let mut filled = 0;
        let head = loop {
            filled += self.read(filled).await?;
            if let Some(end) = self.answer[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
                break Head::read(&self.answer[..end + 2])?;
            }
        };
        let there = filled - head.length;
        match head.body {
            Some(length) => {
                let mut missing = length.checked_sub(there).context("more came than was announced")?;
                while missing > 0 {
                    // Into the second half: the first says what is wrong if something is.
                    let read = self.read(BUFFER / 2).await?;
                    missing = missing.checked_sub(read).context("more came than was announced")?;
                }
            }
            // The blank line before the body counts, so that an empty one ends too.
            None => self.read_chunks(filled).await?,
        }
        Ok(head.status)
    }

    /// Reads until what came ends like the last chunk. Nothing comes after it, because nothing else was asked.
    async fn read_chunks(&mut self, mut filled: usize) -> anyhow::Result<()> {
        while !self.answer[..filled].ends_with(LAST_CHUNK) {
            if filled > BUFFER / 2 {
                let tail = filled - LAST_CHUNK.len()..filled;
                self.answer.copy_within(tail, 0);
                filled = LAST_CHUNK.len();
            }
            filled += self.read(filled).await?;
        }
        Ok(())
    }

    async fn read(&mut self, from: usize) -> anyhow::Result<usize> {
        let read = self.stream.read(&mut self.answer[from..]).await?;
        anyhow::ensure!(read > 0, "the connection ended, or an answer's head has no end");
        Ok(read)
    }
}

/// What must be known of an answer's head.
struct Head {
    status: u16,
    /// Its own length, with the blank line.
    length: usize,
    /// The length of the body, if it is known.
    body: Option<usize>,
}

impl Head {
    fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        let text = std::str::from_utf8(bytes).context("a head that is no text")?;
        let mut lines = text.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?;
        let status = status.parse().context("no status")?;
        let mut body = if status == 204 || status == 304 { Some(0) } else { None };
        for line in lines {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            if name.eq_ignore_ascii_case("content-length") {
                body = Some(value.trim().parse()?);
            }
        }
        Ok(Self { status, length: bytes.len() + 2, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_one_line() {
        let answered = "HTTP/1.1 500 Internal Server Error\r\nx: y\r\n\r\n{\n  \"code\": 7\n}".to_owned();
        let refusal = Refusal { wanted: 200, asked: String::new(), answered };
        assert_eq!(refusal.reason(), "500 Internal Server Error { \"code\": 7 }");
    }

    #[test]
    fn a_head_tells_where_its_answer_ends() {
        let head =
            Head::read(b"HTTP/1.1 422 Unprocessable Entity\r\nContent-LENGTH: 17\r\nx: y\r\n").unwrap();
        assert_eq!((head.status, head.body, head.length), (422, Some(17), 63));
        let head = Head::read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n").unwrap();
        assert_eq!((head.status, head.body), (200, None));
        let head = Head::read(b"HTTP/1.1 204 No Content\r\n").unwrap();
        assert_eq!((head.status, head.body), (204, Some(0)));
    }
}
