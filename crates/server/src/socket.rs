//! The socket of a connection. It gives the responses that hyper writes by itself the contract's envelope.
//!
//! hyper responds to a request that it cannot parse without asking the service: 400, 414 or 431 with an empty body. It
//! has no option for that body. The socket holds such a response back, and [`Socket::into_parts`] returns it.

use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::envelope::JSON;
use crate::problem::reason_body;

/// What the connection does at the moment. The service and the socket share it.
#[derive(Clone, Default)]
pub(crate) struct Exchange(Arc<Mutex<Phase>>);

#[derive(Default, PartialEq, Eq, Clone, Copy)]
enum Phase {
    /// The connection has written every response. Whatever hyper writes now is its own response.
    #[default]
    Idle,
    /// The service handles a request.
    Handling,
    /// The service has responded, and hyper may not have written all of it.
    Responding,
}

impl Exchange {
    /// Notes that hyper has passed a request to the service.
    pub(crate) fn start(&self) {
        *self.phase() = Phase::Handling;
    }

    /// Notes that the service returns its response to hyper.
    pub(crate) fn respond(&self) {
        *self.phase() = Phase::Responding;
    }

    fn flushed(&self) {
        let mut phase = self.phase();
        if *phase == Phase::Responding {
            *phase = Phase::Idle;
        }
    }

    fn is_idle(&self) -> bool {
        *self.phase() == Phase::Idle
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A response to a request that is not valid HTTP.
pub(crate) struct Rejection {
    /// The status code.
    pub(crate) status: StatusCode,
    /// The complete response, with headers and body.
    pub(crate) response: Vec<u8>,
}

/// The stream that hyper reads and writes.
pub(crate) struct Socket {
    stream: TokioIo<TcpStream>,
    exchange: Exchange,
    rejection: Option<Rejection>,
    /// Time in which the client must take a part of its response.
    write_timeout: Duration,
    /// Set while the client takes nothing.
    stall: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, exchange: Exchange, write_timeout: Duration) -> Self {
        Self { stream: TokioIo::new(stream), exchange, rejection: None, write_timeout, stall: None }
    }

    /// Returns the stream, and the response to write to it if hyper has rejected a request.
    pub(crate) fn into_parts(self) -> (TcpStream, Option<Rejection>) {
        (self.stream.into_inner(), self.rejection)
    }

    /// Returns true if `bytes` are hyper's own response, which is then held back.
    fn holds_back(&mut self, bytes: &[u8]) -> bool {
        if !bytes.is_empty() && self.exchange.is_idle() {
            self.rejection = read_rejection(bytes);
        }
        self.rejection.is_some()
    }

    /// Returns `written`, or an error if the client has taken nothing for too long.
    fn limit_stall(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let timeout = self.write_timeout;
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(timeout)));
        stall.as_mut().poll(context).map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

/// Returns hyper's response `head` with the envelope as its body, or `None` if it is no error without a body.
fn read_rejection(head: &[u8]) -> Option<Rejection> {
    const NO_BODY: &str = "\r\ncontent-length: 0\r\n";
    let head = str::from_utf8(head).ok()?;
    let status = StatusCode::from_bytes(head.split(' ').nth(1)?.as_bytes()).ok()?;
    if !status.is_client_error() || !head.ends_with("\r\n\r\n") || !head.contains(NO_BODY) {
        return None;
    }
    let body = reason_body(status);
    let headers = format!("\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\n", body.len());
    let mut response = head.replacen(NO_BODY, &headers, 1).into_bytes();
    response.extend(body);
    Some(Rejection { status, response })
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        if self.holds_back(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.limit_stall(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        if let Some(first) = first
            && self.holds_back(first)
        {
            return Poll::Ready(Ok(first.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.limit_stall(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.exchange.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelope_replaces_the_empty_body_of_an_error() {
        let head = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let Rejection { status, response } = read_rejection(head).unwrap();
        let expected = concat!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 85\r\nconnection: close\r\n\r\n",
            r#"{"status":400,"success":false,"error":{"code":"bad_request","message":"Bad Request"}}"#
        );
        assert_eq!((status.as_u16(), String::from_utf8(response).unwrap()), (400, expected.to_owned()));
    }

    #[test]
    fn other_bytes_are_written_as_they_are() {
        for bytes in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\nrest",
            "rest",
        ] {
            assert!(read_rejection(bytes.as_bytes()).is_none(), "{bytes:?}");
        }
    }
}
