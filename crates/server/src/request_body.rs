//! The body of a request, of which the connection discards what the handler has not read.
//!
//! Many clients read the response only after they have sent the whole request. If the service closed the connection
//! with unread input, the kernel would reset it, and the response would be lost.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::timeout;

/// Bytes that are discarded of one body; then the connection is closed.
pub(crate) const DISCARDED_BYTES_MAX: u64 = 64 << 20;

/// A client that sends nothing for this long waits for its response.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A body that the handler reads, and the connection after it. Cloning shares it.
#[derive(Clone)]
pub(crate) struct RequestBody(Arc<Mutex<State>>);

struct State {
    incoming: Incoming,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// No part was asked for. A client that expects 100 Continue has not got it.
    Untouched,
    /// Parts were asked for.
    Started,
    /// The body is complete.
    Ended,
    /// The body cannot be read to its end.
    Failed,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self(Arc::new(Mutex::new(State { incoming, progress: Progress::Untouched })))
    }

    /// Returns true if no part of the body was asked for.
    pub(crate) fn is_untouched(&self) -> bool {
        self.state().progress == Progress::Untouched
    }

    /// Returns true if the body was read to its end.
    pub(crate) fn is_ended(&self) -> bool {
        self.state().progress == Progress::Ended
    }

    /// Discards the rest of the body. Returns true if that was all of it.
    ///
    /// Stops after [`DISCARDED_BYTES_MAX`], after `time_max`, or when the client pauses.
    pub(crate) async fn discard_rest(mut self, time_max: Duration) -> bool {
        let discarding = async {
            let mut rest = DISCARDED_BYTES_MAX;
            while self.size_hint().lower() <= rest && self.state().progress != Progress::Failed {
                let Ok(frame) = timeout(PAUSE_MAX, self.frame()).await else { return false };
                let Some(frame) = frame else { return self.is_ended() };
                let bytes = frame.ok().and_then(|frame| Some(frame.data_ref()?.len())).unwrap_or(0);
                rest = rest.saturating_sub(bytes as u64);
            }
            false
        };
        timeout(time_max, discarding).await.unwrap_or(false)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut state = self.state();
        if matches!(state.progress, Progress::Ended | Progress::Failed) {
            return Poll::Ready(None);
        }
        state.progress = Progress::Started;
        let frame = ready!(Pin::new(&mut state.incoming).poll_frame(context));
        match &frame {
            None => state.progress = Progress::Ended,
            Some(Err(_)) => state.progress = Progress::Failed,
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.state().incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.state().incoming.size_hint()
    }
}
