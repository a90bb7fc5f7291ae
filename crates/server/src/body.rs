//! Reading request bodies within limits of size, time and memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::problem::Problem;

/// Large bodies that are parsed at the same time. A parsed body needs up to seven times its size.
const LARGE_BODIES_MAX: usize = 2;

/// The memory budget of all request bodies together.
pub(crate) struct BodyBudget {
    kibibytes: Arc<Semaphore>,
    large_bodies: Semaphore,
}

impl BodyBudget {
    /// Returns a budget of `bytes`, rounded down to KiB.
    pub(crate) fn new(bytes: usize) -> Self {
        let kibibytes = (bytes >> 10).min(Semaphore::MAX_PERMITS);
        Self {
            kibibytes: Arc::new(Semaphore::new(kibibytes)),
            large_bodies: Semaphore::new(LARGE_BODIES_MAX),
        }
    }

    /// Waits until a large body may be parsed. Drop the permit when it is parsed.
    pub(crate) async fn large_body_permit(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.large_bodies.acquire().await.map_err(|error| Problem::Internal(error.to_string()))
    }

    /// Reserves memory for a body of `bytes` until the reservation is dropped.
    ///
    /// # Errors
    ///
    /// [`Problem::Unavailable`] if the budget is used up.
    fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let kibibytes = u32::try_from((bytes >> 10) + 1).unwrap_or(u32::MAX);
        Arc::clone(&self.kibibytes).try_acquire_many_owned(kibibytes).map_err(|_| {
            Problem::Unavailable("request-body memory limit reached (limits.bodies_bytes)".to_owned())
        })
    }
}

/// Reads a body of at most `max_bytes` within `timeout`. Returns it with its reservation of memory.
///
/// # Errors
///
/// [`Problem::BodyTooLarge`], [`Problem::BodyTimeout`], [`Problem::BadRequest`], or [`Problem::Unavailable`] if the budget is used up.
pub(crate) async fn read_body(
    body: Body,
    headers: &HeaderMap,
    budget: &BodyBudget,
    max_bytes: usize,
    timeout: Duration,
) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > max_bytes) {
        return Err(Problem::BodyTooLarge);
    }
    // A body without a declared length can reach the limit.
    let reservation = budget.reserve(declared.unwrap_or(max_bytes))?;
    let reading = collect(body, declared.unwrap_or(0), max_bytes);
    let bytes = tokio::time::timeout(timeout, reading).await.unwrap_or(Err(Problem::BodyTimeout))?;
    Ok((bytes, reservation))
}

/// Reads a body. The connection discards the rest of one that is too large.
async fn collect(mut body: Body, capacity: usize, max_bytes: usize) -> Result<Bytes, Problem> {
    let mut bytes = Vec::with_capacity(capacity);
    while let Some(data) = next_data(&mut body).await? {
        if bytes.len() + data.len() > max_bytes {
            return Err(Problem::BodyTooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// Returns the next data of a body, or `None` at its end.
async fn next_data(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        // A chunk is malformed, or the client has closed the connection in the middle of the body.
        let frame = frame.map_err(|_| Problem::BadRequest)?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
