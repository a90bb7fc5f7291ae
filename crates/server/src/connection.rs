//! One connection: its requests, and how it is closed so that the client gets the last response.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt;

use crate::app::Limits;
use crate::request::{InvalidHost, has_valid_host};
use crate::request_body::{DISCARDED_BYTES_MAX, RequestBody};
use crate::socket::{Exchange, Rejection, Socket};

/// Maximum size in bytes of the head of a request; larger ones get 431. Also the unit in which bodies are read.
const HEAD_BYTES_MAX: usize = 128 << 10;

/// What the connections of a listener have in common.
#[derive(Clone)]
pub(crate) struct ConnectionOptions {
    router: Router,
    header_timeout: Duration,
    /// Time to discard the rest of a body before the response is sent.
    discard_timeout: Duration,
    /// Time to discard further input between the response and closing the connection.
    linger_timeout: Duration,
    /// Time in which the client must take a part of its response.
    write_timeout: Duration,
    discard_permits: Arc<Semaphore>,
}

impl ConnectionOptions {
    /// Returns the options of a listener with `connections`. An eighth of them may discard input at a time, so that
    /// clients without a token cannot take all of them.
    pub(crate) fn new(router: Router, limits: &Limits, connections: usize) -> Self {
        let discard_timeout = limits.body_timeout / 4;
        Self {
            router,
            header_timeout: limits.header_timeout,
            discard_timeout,
            linger_timeout: limits.body_timeout.saturating_sub(discard_timeout),
            write_timeout: limits.body_timeout,
            discard_permits: Arc::new(Semaphore::new(connections.div_ceil(8))),
        }
    }
}

/// Serves a connection until it ends. After the sender of `stop` is dropped, it ends with the open request.
pub(crate) async fn serve_connection(
    stream: TcpStream,
    options: ConnectionOptions,
    mut stop: watch::Receiver<()>,
) {
    let exchange = Exchange::default();
    let service =
        ConnectionService { options: options.clone(), exchange: exchange.clone(), unread: Arc::default() };
    let unread = Arc::clone(&service.unread);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(Socket::new(stream, exchange, options.write_timeout), service);
    let result = {
        // The sender never sends a value. Dropping it ends `changed` with an error.
        let mut stopping = pin!(stop.changed().fuse());
        let mut is_stopping = false;
        poll_fn(|context| {
            if !is_stopping && stopping.as_mut().poll(context).is_ready() {
                is_stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            connection.poll_without_shutdown(context)
        })
        .await
    };
    // Clients that disconnect or violate HTTP are normal operation.
    if let Err(error) = &result {
        tracing::debug!(%error, "connection closed with an error: {error}");
    }
    let (stream, rejection) = connection.into_parts().io.into_parts();
    let unread = unread.lock().unwrap_or_else(PoisonError::into_inner).take();
    close(stream, rejection, unread, &options, stop).await;
}

/// The rest of a request that was not read before its response: `None` without the permit to discard it.
struct Unread(Option<OwnedSemaphorePermit>);

/// Passes the requests of one connection to the router.
struct ConnectionService {
    options: ConnectionOptions,
    exchange: Exchange,
    /// Set if the last response was returned before its request was read.
    unread: Arc<Mutex<Option<Unread>>>,
}

impl Service<Request<Incoming>> for ConnectionService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.exchange.start();
        let exchange = self.exchange.clone();
        let unread = Arc::clone(&self.unread);
        let options = self.options.clone();
        Box::pin(async move {
            let is_expecting = request.headers().contains_key(header::EXPECT);
            let (request, body) = share_body(request);
            let Ok(mut response) = options.router.oneshot(request).await;
            if let Some(body) = body.filter(|body| !body.is_ended()) {
                let permit = Arc::clone(&options.discard_permits).try_acquire_owned().ok();
                // A client that waits for 100 Continue has sent nothing, and asking for the body would send it.
                let is_waiting = is_expecting && body.is_untouched();
                let is_discarded =
                    permit.is_some() && !is_waiting && body.discard_rest(options.discard_timeout).await;
                if !is_discarded {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                    *unread.lock().unwrap_or_else(PoisonError::into_inner) = Some(Unread(permit));
                }
            }
            exchange.respond();
            Ok(response)
        })
    }
}

/// Returns the request for the router, and a handle of its body unless that is empty.
fn share_body(request: Request<Incoming>) -> (Request<Body>, Option<RequestBody>) {
    let is_valid = has_valid_host(&request);
    let (mut parts, incoming) = request.into_parts();
    if !is_valid {
        parts.extensions.insert(InvalidHost);
    }
    if incoming.is_end_stream() {
        return (Request::from_parts(parts, Body::empty()), None);
    }
    let body = RequestBody::new(incoming);
    (Request::from_parts(parts, Body::new(body.clone())), Some(body))
}

/// Closes a connection. If the client may still send, its input is discarded until it closes too: unread input would
/// make the kernel reset the connection, and the response would be lost.
async fn close(
    mut stream: TcpStream,
    rejection: Option<Rejection>,
    unread: Option<Unread>,
    options: &ConnectionOptions,
    mut stop: watch::Receiver<()>,
) {
    let mut permit = unread.and_then(|unread| unread.0);
    if let Some(Rejection { status, response }) = rejection {
        let status = status.as_u16();
        tracing::info!(status, "rejected a request that is not valid HTTP with {status}");
        permit = permit.or_else(|| Arc::clone(&options.discard_permits).try_acquire_owned().ok());
        let written = tokio::time::timeout(options.write_timeout, stream.write_all(&response)).await;
        if !matches!(written, Ok(Ok(()))) {
            return; // the client has disconnected, or reads nothing
        }
    }
    if stream.shutdown().await.is_err() || permit.is_none() {
        return;
    }
    let mut input = stream.take(DISCARDED_BYTES_MAX);
    let mut sink = tokio::io::sink();
    tokio::select! {
        _ = tokio::io::copy(&mut input, &mut sink) => {}
        () = tokio::time::sleep(options.linger_timeout) => {}
        _ = stop.changed() => {}
    }
}
