//! Bodies of requests: how they are read, how long they may take, and how much memory they may have.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use zumra_core::Language;
use zumra_validation::{Input, Method, RawRequest};

use crate::App;
use crate::envelope::Problem;
use crate::request::language;

/// A body from this size on is read on a thread of its own, so that it holds up nobody else's request.
const LONG_BODY: usize = 64 << 10;
/// Long bodies that are read at once. Read, a body takes many times its size.
const LONG_BODIES: usize = 2;

/// Memory for the bodies of all requests together.
pub(crate) struct BodyRoom {
    kibibytes: Arc<Semaphore>,
    long: Semaphore,
}

impl BodyRoom {
    pub(crate) fn new(bytes: usize) -> Self {
        let kibibytes = (bytes >> 10).min(Semaphore::MAX_PERMITS);
        Self { kibibytes: Arc::new(Semaphore::new(kibibytes)), long: Semaphore::new(LONG_BODIES) }
    }

    /// A turn at reading something long.
    pub(crate) async fn long(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.long.acquire().await.map_err(|error| Problem::Internal(error.to_string()))
    }

    /// Room for a body of so many bytes, until the answer is dropped.
    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let kibibytes = u32::try_from((bytes >> 10) + 1).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.kibibytes).try_acquire_many_owned(kibibytes);
        room.map_err(|_| {
            Problem::Unavailable("the bodies of other requests fill the memory for them".to_owned())
        })
    }
}

/// A request with its whole body, as validation reads it. Cloning one shares it.
#[derive(Clone)]
pub(crate) struct Submitted {
    method: Method,
    uri: Uri,
    content_type: Option<HeaderValue>,
    /// The body.
    pub(crate) body: Bytes,
    /// The language for sentences about its fields.
    pub(crate) language: Language,
    _room: Arc<OwnedSemaphorePermit>,
}

impl Submitted {
    /// The value of `Content-Type`.
    pub(crate) fn content_type(&self) -> Option<&[u8]> {
        self.content_type.as_ref().map(HeaderValue::as_bytes)
    }

    /// What its fields hold, as Laravel would see them.
    pub(crate) async fn input(&self, app: &App) -> Result<Input, Problem> {
        if self.body.len() < LONG_BODY {
            return Ok(Input::read(&self.raw()));
        }
        let failed = |error: &dyn ToString| Problem::Internal(error.to_string());
        let _turn = app.bodies.long().await?;
        let submitted = self.clone();
        let reading = tokio::task::spawn_blocking(move || Input::read(&submitted.raw()));
        reading.await.map_err(|error| failed(&error))
    }

    /// The parts that validation reads.
    fn raw(&self) -> RawRequest<'_> {
        RawRequest {
            method: self.method,
            content_type: self.content_type(),
            query: self.uri.query(),
            body: &self.body,
        }
    }
}

impl FromRequest<App> for Submitted {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let limits = &app.options.limits;
        let (body, room) =
            read_body(body, &parts.headers, app, limits.body_bytes, limits.body_timeout).await?;
        Ok(Self {
            method: if parts.method == axum::http::Method::PUT { Method::Put } else { Method::Post },
            uri: parts.uri,
            content_type: parts.headers.get(header::CONTENT_TYPE).cloned(),
            body,
            language: language(&parts.headers),
            _room: Arc::new(room),
        })
    }
}

async fn read_body(
    mut body: Body,
    headers: &HeaderMap,
    app: &App,
    limit: usize,
    time: Duration,
) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let is_too_large = declared.is_some_and(|bytes| bytes > limit);
    if is_too_large && headers.contains_key(header::EXPECT) {
        return Err(Problem::TooLarge); // the client waits for a go-ahead, and has sent nothing yet
    }
    // What has no declared length, or one over the limit, may come to the limit.
    let room = app.bodies.take(declared.unwrap_or(limit).min(limit))?;
    let reading = async {
        let mut bytes = Vec::with_capacity(if is_too_large { 0 } else { declared.unwrap_or(0) });
        let mut dropped = 0;
        while let Some(frame) = body.frame().await {
            // A client that goes away in the middle of its body reads no answer, whatever it is.
            let Ok(data) = frame.map_err(|_| Problem::BodyTimeout)?.into_data() else { continue };
            if is_too_large || dropped > 0 || bytes.len() + data.len() > limit {
                // Read on for a while, so that a client which only listens after it has sent gets its answer.
                dropped += data.len();
                if dropped > limit {
                    break;
                }
            } else {
                bytes.extend_from_slice(&data);
            }
        }
        if is_too_large || dropped > 0 { Err(Problem::TooLarge) } else { Ok(Bytes::from(bytes)) }
    };
    let bytes = tokio::time::timeout(time, reading).await.unwrap_or(Err(Problem::BodyTimeout))?;
    Ok((bytes, room))
}
