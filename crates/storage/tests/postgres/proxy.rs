//! A TCP proxy between a storage and its server that loses the reply to a chosen message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zumra_testkit::TestDatabase;

/// What happens after the reply is lost.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum AfterLoss {
    /// New connections are accepted.
    Recover,
    /// The server stays unreachable: requests on other connections and new connections fail.
    StayDown,
}

pub(crate) struct Proxy {
    /// URL of the database through the proxy.
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    server: String,
    /// A message of the client that contains these bytes is counted.
    pattern: &'static [u8],
    after_loss: AfterLoss,
    /// Messages still to count. The reply to the last of them is lost. 0 if no reply will be lost.
    messages_left: AtomicU32,
    is_down: AtomicBool,
}

impl Proxy {
    pub(crate) async fn start(
        database: &TestDatabase,
        pattern: &'static [u8],
        after_loss: AfterLoss,
    ) -> Self {
        let url = database.url();
        let (scheme_and_user, rest) = url.split_once('@').expect("a URL with a user");
        let (server, path) = rest.split_once('/').expect("a URL with a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme_and_user}@{}/{path}", listener.local_addr().unwrap());
        let (server, messages_left) = (server.to_owned(), AtomicU32::new(0));
        let state = State { server, pattern, after_loss, messages_left, is_down: AtomicBool::new(false) };
        let state = Arc::new(state);
        tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { url, state }
    }

    /// Loses the reply to the `number`th message with the pattern from now on.
    pub(crate) fn lose_reply(&self, number: u32) {
        self.state.messages_left.store(number, Ordering::SeqCst);
    }

    /// Returns true if the reply has been lost.
    pub(crate) fn has_lost_reply(&self) -> bool {
        self.state.messages_left.load(Ordering::SeqCst) == 0
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        if !state.is_down.load(Ordering::SeqCst) {
            tokio::spawn(forward(client, Arc::clone(&state)));
        }
    }
}

/// Forwards both directions until one end closes or a reply is lost.
async fn forward(client: TcpStream, state: Arc<State>) {
    let server = TcpStream::connect(&state.server).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let loses_reply = AtomicBool::new(false);
    let requests = async {
        let (mut buffer, mut seen) = ([0; 16 * 1024], Vec::new());
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            if state.is_down.load(Ordering::SeqCst) {
                break;
            }
            seen.extend_from_slice(&buffer[..length]);
            if seen.windows(state.pattern.len()).any(|bytes| bytes == state.pattern) {
                seen.clear();
                let count_down = |left: u32| left.checked_sub(1);
                let left = state.messages_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down);
                loses_reply.fetch_or(left == Ok(1), Ordering::SeqCst);
            }
            // Keep the bytes that may be the beginning of the pattern.
            seen.drain(..seen.len().saturating_sub(state.pattern.len() - 1));
            if to_server.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    };
    let replies = async {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            if loses_reply.load(Ordering::SeqCst) {
                // The server has replied, so it has committed.
                state.is_down.fetch_or(state.after_loss == AfterLoss::StayDown, Ordering::SeqCst);
                break;
            }
            if to_client.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        () = replies => {}
    }
}
